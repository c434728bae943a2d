"""Avro: what the reader makes of schemas and of bytes that somebody made to hurt it."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import MessageError
from connector.formats.avro import AvroReader
from connector.formats.schemas import SchemaText

RECIPIENT = {"type": "record", "name": "Recipient", "fields": [{"name": "msisdn", "type": "long"}]}
EVENT = {
    "type": "record",
    "name": "SmsRequested",
    "namespace": "acme.events",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "text", "type": ["null", "string"], "default": None},
        {"name": "tags", "type": {"type": "map", "values": "long"}},
        {"name": "recipient", "type": RECIPIENT},
        {"name": "parts", "type": {"type": "array", "items": ["int", "Recipient"]}},
    ],
}
LIST = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}

EVENTS = st.fixed_dictionaries(
    {
        "id": st.text(),
        "text": st.none() | st.text(),
        "tags": st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1)),
        "recipient": st.fixed_dictionaries({"msisdn": st.integers(0, 2**63 - 1)}),
        "parts": st.lists(
            st.integers(-(2**31), 2**31 - 1) | st.fixed_dictionaries({"msisdn": st.integers(0, 2**63 - 1)})
        ),
    }
)


def written(schema: Any, value: Any) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def reader(schema: Any, *references: tuple[str, Any]) -> Any:
    texts = tuple((name, json.dumps(each)) for name, each in references)
    return AvroReader()(SchemaText("AVRO", schema if isinstance(schema, str) else json.dumps(schema), texts))


@given(EVENTS)
def test_an_event_is_read_back(event: dict[str, Any]) -> None:
    assert reader(EVENT)(written(EVENT, event)) == event


@given(st.binary(max_size=200))
def test_whatever_the_bytes_nothing_else_is_raised(payload: bytes) -> None:
    for schema in (EVENT, LIST, json.dumps("long"), {"type": "array", "items": "string"}):
        try:
            reader(schema)(payload)
        except MessageError:
            continue


@given(EVENTS, st.data())
def test_an_event_that_was_cut_is_refused(event: dict[str, Any], data: st.DataObject) -> None:
    whole = written(EVENT, event)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(MessageError):
        reader(EVENT)(cut)


def test_logical_types_are_written_as_json_has_them() -> None:
    moment = datetime(2026, 11, 27, 18, 0, 0, 250_000, tzinfo=UTC)
    types: dict[str, tuple[Any, Any]] = {
        "millis": ({"type": "long", "logicalType": "timestamp-millis"}, moment),
        "micros": ({"type": "long", "logicalType": "timestamp-micros"}, moment),
        "day": ({"type": "int", "logicalType": "date"}, date(2026, 11, 27)),
        "price": ({"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}, Decimal("12.50")),
        "uuid": ({"type": "string", "logicalType": "uuid"}, UUID(int=7)),
        "blob": ("bytes", b"\xff\x00"),
        "size": ({"type": "enum", "name": "Size", "symbols": ["S", "L"]}, "L"),
        "none": ("null", None),
    }
    schema = {"type": "record", "name": "All", "fields": [{"name": n, "type": t} for n, (t, _) in types.items()]}
    found = reader(schema)(written(schema, {name: value for name, (_, value) in types.items()}))
    assert msgspec.json.decode(msgspec.json.encode(found)) == {
        "millis": "2026-11-27T18:00:00.250000Z",
        "micros": "2026-11-27T18:00:00.250000Z",
        "day": "2026-11-27",
        "price": "12.50",
        "uuid": "00000000-0000-0000-0000-000000000007",
        "blob": "/wA=",
        "size": "L",
        "none": None,
    }


def test_a_schema_may_refer_to_others() -> None:
    recipient = {"type": "record", "name": "acme.Recipient", "fields": [{"name": "to", "type": "string"}]}
    event = {"type": "record", "name": "acme.Event", "fields": [{"name": "recipient", "type": "acme.Recipient"}]}
    whole = {**event, "fields": [{"name": "recipient", "type": recipient}]}
    payload = written(whole, {"recipient": {"to": "+919812345678"}})
    assert reader(event, ("acme.Recipient", recipient))(payload) == {"recipient": {"to": "+919812345678"}}


@pytest.mark.parametrize(
    "schema",
    [
        "",
        "{",
        "[",
        "7",
        '"nothing"',
        '{"type": "record"}',
        json.dumps({"type": "record", "name": "A", "fields": [{"name": "x", "type": "acme.Missing"}]}),
        "[" * 100_000,
        json.dumps({"type": "array", "items": "null"}),
        json.dumps({"type": "array", "items": {"type": "record", "name": "Empty", "fields": []}}),
        json.dumps({"type": "array", "items": {"type": "fixed", "name": "None", "size": 0}}),
        json.dumps({"type": "map", "values": {"type": "array", "items": {"type": "null"}}}),
    ],
)
def test_a_schema_that_nothing_can_be_read_by_is_refused(schema: str) -> None:
    with pytest.raises(MessageError, match="schema"):
        reader(schema)


def test_a_schema_that_contains_itself_is_read_and_its_depth_has_an_end() -> None:
    read = reader(LIST)
    assert read(written(LIST, {"next": {"next": None}})) == {"next": {"next": None}}
    with pytest.raises(MessageError):
        read(b"\x02" * 1_000_000 + b"\0")


def test_a_schema_whose_types_stand_deep_in_each_other_is_not_given_to_the_compiled_reader() -> None:
    kinds: list[Any] = [{"type": "record", "name": "R0", "fields": [{"name": "x", "type": "int"}]}]
    kinds += [
        {"type": "record", "name": f"R{n}", "fields": [{"name": "x", "type": f"R{n - 1}"}]} for n in range(1, 20_000)
    ]
    references = tuple((f"r{n}", kind) for n, kind in enumerate(kinds[:-1]))
    started = time.thread_time()
    with contextlib.suppress(MessageError):
        reader(kinds[-1], *references)(b"\2")
    assert time.thread_time() - started < 10


def test_a_decimal_of_a_million_digits_costs_no_time() -> None:
    schema = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    size = 1_000_000
    length = BytesIO()
    fastavro.schemaless_writer(length, "long", size)
    started = time.thread_time()
    with pytest.raises(MessageError, match="decimal of 1,000,000 bytes"):
        reader(schema)(length.getvalue() + b"\x7f" * size)
    assert time.thread_time() - started < 1


def test_what_is_left_behind_an_event_is_told() -> None:
    with pytest.raises(MessageError, match="3 bytes are left"):
        reader(json.dumps("long"))(b"\x02abc")
