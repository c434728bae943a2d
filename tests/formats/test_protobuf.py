"""Protobuf: messages of a registry's schema and of a compiled file, whole, broken and made to hurt."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import MessageError, SettingsError
from connector.formats.protobuf import ProtobufReader, from_file
from connector.formats.schemas import SchemaText

FIELD = descriptor_pb2.FieldDescriptorProto


def common() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="acme/common.proto", package="acme", syntax="proto3")
    phone = file.message_type.add(name="Phone")
    phone.field.add(name="msisdn", number=1, type=FIELD.TYPE_INT64, label=FIELD.LABEL_OPTIONAL)
    return file


def events() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="acme/events.proto", package="acme", syntax="proto3")
    file.dependency.extend(["acme/common.proto", "google/protobuf/timestamp.proto", "google/protobuf/any.proto"])
    file.message_type.add(name="Other")
    sms = file.message_type.add(name="Sms")
    for number, (name, kind, type_name) in enumerate(
        [
            ("id", FIELD.TYPE_STRING, None),
            ("to", FIELD.TYPE_MESSAGE, ".acme.Phone"),
            ("at", FIELD.TYPE_MESSAGE, ".google.protobuf.Timestamp"),
            ("inner", FIELD.TYPE_MESSAGE, ".acme.Sms"),
            ("extra", FIELD.TYPE_MESSAGE, ".google.protobuf.Any"),
            ("raw", FIELD.TYPE_BYTES, None),
        ],
        1,
    ):
        sms.field.add(name=name, number=number, type=kind, type_name=type_name, label=FIELD.LABEL_OPTIONAL)
    nested = sms.nested_type.add(name="Nested")
    nested.field.add(name="code", number=1, type=FIELD.TYPE_STRING, label=FIELD.LABEL_OPTIONAL)
    return file


def classes() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    from google.protobuf import any_pb2, timestamp_pb2

    for module in (any_pb2, timestamp_pb2):
        pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    for file in (common(), events()):
        pool.Add(file)
    names = ("acme.Sms", "acme.Sms.Nested", "acme.Other")
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names}


MADE = classes()


def schema() -> SchemaText:
    text = {file.name: base64.b64encode(file.SerializeToString()).decode() for file in (common(), events())}
    return SchemaText("PROTOBUF", text["acme/events.proto"], (("acme/common.proto", text["acme/common.proto"]),))


READ = ProtobufReader()(schema())
SECOND = b"\x02\x02"  # one index: 1


@given(st.text(), st.integers(-(2**63), 2**63 - 1), st.binary())
def test_a_message_is_read_with_its_references(text: str, number: int, raw: bytes) -> None:
    sms = MADE["acme.Sms"](id=text, to={"msisdn": number}, raw=raw)
    expected = {"id": text, "raw": base64.b64encode(raw).decode(), "to": {"msisdn": str(number)}}
    found = READ(SECOND + sms.SerializeToString())
    assert found["to"] == ({"msisdn": str(number)} if number else {})
    assert {**expected, **found} == {**expected, "to": found["to"]}


def test_timestamps_are_times_and_nested_messages_are_found() -> None:
    sms = MADE["acme.Sms"](id="x")
    sms.at.FromJsonString("2026-11-27T18:00:00.250Z")
    assert READ(SECOND + sms.SerializeToString()) == {"id": "x", "at": "2026-11-27T18:00:00.250Z"}
    assert READ(b"\x04\x02\x00" + MADE["acme.Sms.Nested"](code="7").SerializeToString()) == {"code": "7"}
    assert READ(b"\0") == {}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x02\x08",  # a message that is not there
        SECOND + b"\xff\xff\xff",
        SECOND + b"\x0a\x05abc",
        SECOND + b"\x0a\x02\xff\xfe",  # a string that is not UTF-8
        SECOND + b"\x2a\x07\x0a\x05x/a.B",  # an Any of a type that nobody knows
    ],
)
def test_what_cannot_be_read_is_refused(payload: bytes) -> None:
    with pytest.raises(MessageError):
        READ(payload)


def test_messages_within_messages_have_an_end() -> None:
    inner = b""
    for _ in range(5_000):
        inner = b"\x22" + _length(len(inner)) + inner
    with pytest.raises(MessageError):
        READ(SECOND + inner)


@given(st.binary(max_size=100))
def test_whatever_the_bytes_nothing_else_is_raised(payload: bytes) -> None:
    with contextlib.suppress(MessageError):
        READ(payload)


@pytest.mark.parametrize(
    "text", ["", 'syntax = "proto3"; message Sms {}', "AAAA", base64.b64encode(b"\xff" * 9).decode()]
)
def test_a_schema_that_is_not_compiled_is_told_with_the_remedy(text: str) -> None:
    with pytest.raises(MessageError, match="schema"):
        ProtobufReader()(SchemaText("PROTOBUF", text))(b"\0")


def test_a_schema_whose_references_are_missing_is_refused() -> None:
    with pytest.raises(MessageError, match="its schema cannot be used"):
        ProtobufReader()(SchemaText("PROTOBUF", schema().text))


def test_a_compiled_file_needs_no_registry(tmp_path: Path) -> None:
    file = tmp_path / "events.desc"
    file.write_bytes(descriptor_pb2.FileDescriptorSet(file=[common(), events()]).SerializeToString())
    read = from_file(file, "acme.Sms", "topics.sources.0.descriptors")
    assert read(b"\0" + MADE["acme.Sms"](id="x").SerializeToString()) == {"id": "x"}
    with pytest.raises(SettingsError, match=r"has no message acme\.Nothing"):
        from_file(file, "acme.Nothing", "topics.sources.0.descriptors")
    with pytest.raises(SettingsError, match=r"absent\.desc"):
        from_file(tmp_path / "absent.desc", "acme.Sms", "topics.sources.0.descriptors")
    file.write_bytes(b"\xff\xff no set")
    with pytest.raises(SettingsError, match="is no set of compiled files"):
        from_file(file, "acme.Sms", "topics.sources.0.descriptors")


def _length(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
