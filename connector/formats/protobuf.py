"""Protobuf by Google's runtime: messages as JSON has them, with the names of the `.proto` file.

Integers of 64 bits become texts, bytes Base64, timestamps RFC 3339, enums their names: that is Protobuf's own JSON.
The runtime bounds how deep messages stand within each other.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.json_format import MessageToDict

from connector.config_text.regular_file import FileError, read_regular
from connector.errors import MessageError, Problem, SettingsError
from connector.formats import wire
from connector.formats.schemas import SchemaReader, SchemaText

DESCRIPTOR_BYTES = 16 * 1024 * 1024

Decode = Callable[[bytes], Any]
"""Of what follows the schema's id."""


class ProtobufReader(SchemaReader[Decode]):
    """Protobuf schemas, which the registry compiles: it answers with file descriptors."""

    kind = "PROTOBUF"
    form = "serialized"

    def __call__(self, schema: SchemaText) -> Decode:
        pool = _pool()
        try:
            for name, text in schema.references:
                _add(pool, text, name)
            file = _add(pool, schema.text, "")
        except MessageError:
            raise
        except Exception as error:  # the runtime raises TypeError and others of what does not fit together
            raise MessageError(f"its schema cannot be used ({type(error).__name__})") from None
        messages: list[Descriptor] = list(file.message_types_by_name.values())

        def decode(payload: bytes) -> Any:
            indexes, left = wire.message_indexes(payload)
            return _read(_message(messages, indexes), left)

        return decode


def from_file(file: Path, name: str, path: str) -> Decode:
    """What decodes messages of one type of a compiled set of files: whichever the events say they are.

    Args:
        file: a compiled set.
        name: of the message, in full.
        path: of the setting, for what is wrong.

    Raises:
        SettingsError: the file cannot be read, or has no such message.
    """
    pool = _pool()
    remedy = "make it by `protoc --include_imports --descriptor_set_out=FILE`"
    try:
        found = descriptor_pb2.FileDescriptorSet.FromString(read_regular(file, DESCRIPTOR_BYTES))
        for each in found.file:
            pool.Add(each)
        descriptor = pool.FindMessageTypeByName(name)
    except FileError as error:
        raise SettingsError([Problem(error.message, error.remedy, str(file), path)]) from error
    except KeyError:
        problem = Problem(f"has no message {name}", "write its full name, package included", str(file), path)
        raise SettingsError([problem]) from None
    except Exception as error:
        problem = Problem(f"is no set of compiled files ({type(error).__name__})", remedy, str(file), path)
        raise SettingsError([problem]) from None

    def decode(payload: bytes) -> Any:
        return _read(descriptor, wire.message_indexes(payload)[1])

    return decode


def _pool() -> descriptor_pool.DescriptorPool:
    """With Google's well-known types, which files import without having them."""
    pool = descriptor_pool.DescriptorPool()
    for module in _WELL_KNOWN:
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    return pool


def _add(pool: descriptor_pool.DescriptorPool, text: str, name: str) -> Any:
    """One file, under the name by which others import it."""
    try:
        file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, TypeError):
        raise MessageError("the registry does not compile its schema: set `descriptors` and `type`") from None
    except Exception:
        raise MessageError("its schema is no compiled file: set `descriptors` and `type`") from None
    file.name = name or file.name or "event.proto"
    pool.Add(file)
    return pool.FindFileByName(file.name)


def _message(messages: Sequence[Descriptor], indexes: Sequence[int]) -> Descriptor:
    found: Descriptor | None = None
    for index in indexes:
        if index >= len(messages):
            raise MessageError("it names a message that its schema does not have")
        found = messages[index]
        messages = found.nested_types
    assert found is not None
    return found


def _read(descriptor: Descriptor, payload: bytes) -> Any:
    message = message_factory.GetMessageClass(descriptor)()
    try:
        message.ParseFromString(payload)
        return MessageToDict(message, preserving_proto_field_name=True)
    except Exception as error:  # DecodeError; what its JSON cannot say (an Any of an unknown type)
        raise MessageError(f"it cannot be read by its schema ({type(error).__name__})") from None


def _well_known() -> Sequence[Any]:
    from google.protobuf import (
        any_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )

    return any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2, wrappers_pb2


_WELL_KNOWN = _well_known()
