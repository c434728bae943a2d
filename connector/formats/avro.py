"""Avro by fastavro, within bounds: the schema is a registry's, the bytes are anybody's.

fastavro's compiled reader trusts both. What would end the process or hold its loop is kept from it: schemas within
schemas without end (it recurses on the C stack), arrays of elements that take no bytes (a few bytes would stand for
billions of them), decimals of a million digits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

import fastavro
from fastavro._read_py import schemaless_reader as patient_reader
from fastavro.read import LOGICAL_READERS

from connector.errors import MessageError
from connector.formats.schemas import SchemaReader, SchemaText, bounded

DEPTH: Final = 64
"""Levels of a schema that the compiled reader is trusted with; deeper ones, and those that contain themselves, are read
in Python, whose stack has an end."""
NODES: Final = 100_000
DECIMAL_BYTES: Final = 64
"""Of an unscaled decimal: 154 digits. Making a number of a megabyte takes seconds."""

PRIMITIVE: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
BRANCHES: Final = {"record": "fields", "error": "fields", "array": "items", "map": "values"}

_decimal: Final = {name: LOGICAL_READERS[name] for name in ("bytes-decimal", "fixed-decimal")}

Decode = Callable[[bytes], Any]


def _bounded_decimal(read: Callable[..., Decimal]) -> Callable[..., Decimal]:
    def decimal(data: bytes, *schemas: Any) -> Decimal:
        if len(data) > DECIMAL_BYTES:
            raise MessageError(f"it holds a decimal of {len(data):,} bytes")
        return read(data, *schemas)

    return decimal


LOGICAL_READERS.update({name: _bounded_decimal(read) for name, read in _decimal.items()})


class AvroReader(SchemaReader[Decode]):
    """Avro schemas, with those they refer to."""

    kind = "AVRO"
    form = ""

    def __call__(self, schema: SchemaText) -> Decode:
        named: dict[str, Any] = {}
        try:
            for _, text in schema.references:
                fastavro.parse_schema(json.loads(bounded(text)), named_schemas=named)
            parsed = fastavro.parse_schema(json.loads(bounded(schema.text)), named_schemas=named)
            deep = _look(parsed, named)
        except MessageError:
            raise
        except Exception as error:  # fastavro raises what it likes of a schema that is none
            raise MessageError(f"its schema cannot be used ({type(error).__name__})") from None
        read = patient_reader if deep else fastavro.schemaless_reader
        return lambda payload: _decode(read, parsed, payload)


def _decode(read: Callable[..., Any], schema: Any, payload: bytes) -> Any:
    source = BytesIO(payload)
    try:
        value = read(source, schema, None)
    except MessageError:
        raise
    except EOFError:
        raise MessageError("it ends too early for its schema") from None
    except Exception as error:  # whatever is in it, and whatever fastavro makes of that
        raise MessageError(f"it cannot be read by its schema ({type(error).__name__})") from None
    if left := len(payload) - source.tell():
        raise MessageError(f"{left} bytes are left behind what its schema describes")
    return value


def _look(schema: Any, named: Mapping[str, Any]) -> bool:
    """Whether it must not be read by the compiled reader. Raises MessageError where it must not be read at all."""
    open_: list[tuple[Any, int, frozenset[str]]] = [(schema, 1, frozenset())]
    count, deep = 0, False
    while open_:
        node, level, above = open_.pop()
        count += 1
        if count > NODES:
            raise MessageError(f"its schema has more than {NODES:,} parts")
        name = _name(node)
        node = named.get(node, node) if isinstance(node, str) else node
        if level > DEPTH or (name is not None and name in above):
            deep = True
            continue
        if isinstance(node, dict) and node.get("type") == "array" and not _takes_bytes(node["items"], named):
            raise MessageError("its schema has an array of elements that take no bytes")
        inside = above if name is None else above | {name}
        open_ += [(child, level + 1, inside) for child in _children(node)]
    return deep


def _name(node: Any) -> str | None:
    """Of a named type, where it is used or where it is made."""
    if isinstance(node, str):
        return None if node in PRIMITIVE else node
    return node.get("name") if isinstance(node, dict) else None


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, list):
        yield from node
    elif isinstance(node, dict):
        kind = node.get("type")
        if isinstance(kind, dict | list):
            yield kind
        inside = node.get(BRANCHES.get(str(kind), ""))
        if isinstance(inside, list) and str(kind) in {"record", "error"}:
            yield from (field["type"] for field in inside)
        elif inside is not None:
            yield inside


def _takes_bytes(node: Any, named: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether a value of this schema has at least one byte."""
    if depth > DEPTH:
        return False
    if isinstance(node, str):
        found = named.get(node)
        return node != "null" if found is None else _takes_bytes(found, named, depth + 1)
    if isinstance(node, list):
        return True  # which branch it is
    kind = node.get("type")
    if kind == "fixed":
        return bool(node["size"] > 0)
    if kind in {"record", "error"}:
        return any(_takes_bytes(field["type"], named, depth + 1) for field in node["fields"])
    return True if kind in {"array", "map", "enum"} else _takes_bytes(kind, named, depth + 1)
