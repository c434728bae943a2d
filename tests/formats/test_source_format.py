"""What a source's settings make of an event: field maps and CloudEvents, and why an event is no message."""

from __future__ import annotations

import json
from typing import Any

import jmespath
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.clock import ManualClock
from connector.errors import MessageError, SettingsError
from connector.formats.event_map import EventMap
from connector.formats.source_format import SourceFormat, SourceFormats
from connector.formats.wire import frame
from connector.settings import load_settings
from connector.settings.model import Settings

MESSAGE = {"message_id": "m1", "to": "+919812345678", "body": "Hello"}
CE = {"specversion": "1.0", "id": "e1", "source": "/orders", "type": "acme.sms"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def source(**settings: Any) -> SourceFormat:
    whole = Settings.model_validate({"topics": {"sources": [{"topic": "sms", **settings}]}})
    return SourceFormats(whole, ManualClock()).by_topic["sms"]


def binary(**extra: str) -> list[tuple[str, bytes]]:
    return [(f"ce_{name}", it.encode()) for name, it in {**CE, **extra}.items()]


def made(format_: SourceFormat, value: Any, headers: Any = ()) -> Any:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return json.loads(format_.message(raw, headers))


def test_plain_json_messages_go_through_nothing() -> None:
    assert SourceFormats(Settings(), ManualClock()).by_topic == {}


def test_a_event_map_makes_a_message_of_any_event() -> None:
    format_ = source(
        message={
            "message_id": "id",
            "to": "to_string(recipient.msisdn)",
            "body": "join(' ', lines)",
            "custom": "{a: x.y}",
        }
    )
    event = {"id": "m1", "recipient": {"msisdn": 919812345678}, "lines": ["Hello", "you"], "x": {"y": [1]}, "to": "no"}
    assert made(format_, event) == {
        "message_id": "m1",
        "to": "919812345678",
        "body": "Hello you",
        "custom": {"a": [1]},
    }


def test_what_an_event_does_not_have_its_message_does_not_have() -> None:
    assert made(source(message={"to": "a.b.c", "body": "text"}), {"text": "x"}) == {"body": "x"}


@pytest.mark.parametrize("event", [{"a": "x"}, {"a": {"b": 1}}, {"a": None}])
def test_an_expression_that_fails_on_an_event_names_its_field(event: Any) -> None:
    with pytest.raises(MessageError, match="to: its expression fails on this event"):
        made(source(message={"to": "abs(a)"}), event)


@given(JSON)
def test_whatever_json_an_event_is_nothing_else_is_raised(event: Any) -> None:
    for settings in (
        {"message": {"to": "a.b[0].c"}},
        {"cloudevents": True},
        {"cloudevents": True, "message": {"to": "data.x"}},
    ):
        try:
            made(source(**settings), event)
        except MessageError:
            continue


@pytest.mark.parametrize("value", [b"", b"{", b"\xff", b"[" * 5000, b'{"a": NaN}', b"\0\0\0\0\1{}", None])
def test_what_is_not_json_is_told(value: bytes) -> None:
    with pytest.raises(MessageError):
        source(message={"to": "a"}).message(value, ())


def test_json_schema_is_json_behind_a_frame() -> None:
    raw = json.dumps(MESSAGE).encode()
    assert source(format="json-schema").message(frame(7, raw), ()) == raw
    with pytest.raises(MessageError, match="does not begin with the id of a schema"):
        source(format="json-schema").message(raw, ())


def test_a_binary_cloudevent_is_the_message_that_its_data_is() -> None:
    assert made(source(cloudevents=True), MESSAGE, binary()) == MESSAGE
    data = {"to": "+919812345678"}
    assert made(source(cloudevents=True), data, binary()) == {"to": "+919812345678", "message_id": "e1"}


@pytest.mark.parametrize(
    "content_type", [None, "application/cloudevents+json", "application/cloudevents+json; charset=UTF-8"]
)
def test_a_structured_cloudevent_too(content_type: str | None) -> None:
    headers = [] if content_type is None else [("Content-Type", content_type.encode())]
    assert made(source(cloudevents=True), {**CE, "data": MESSAGE}, headers) == MESSAGE


def test_data_in_base64_is_read_by_the_format() -> None:
    data = msgspec.json.decode(msgspec.json.encode({**CE, "data_base64": json.dumps(MESSAGE).encode()}))
    assert made(source(cloudevents=True), data) == MESSAGE


def test_a_map_over_a_cloudevent_asks_attributes_and_data() -> None:
    format_ = source(
        cloudevents=True, message={"message_id": "id", "to": "subject", "body": "data.text", "campaign_id": "type"}
    )
    expected = {"message_id": "e1", "to": "+91981", "body": "Hi", "campaign_id": "acme.sms"}
    assert made(format_, {"text": "Hi"}, binary(subject="+91981")) == expected
    assert made(format_, {**CE, "subject": "+91981", "data": {"text": "Hi"}}) == expected


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (MESSAGE, []),
        ({**CE, "specversion": "0.3", "data": MESSAGE}, []),
        ({**CE, "id": "", "data": MESSAGE}, []),
        ({**CE, "id": 7, "data": MESSAGE}, []),
        ({**CE, "data": [1]}, []),
        ({**CE, "data_base64": "%%%"}, []),
        ({**CE, "data_base64": 7}, []),
        (MESSAGE, [("ce_specversion", b"1.0")]),
        (MESSAGE, [*binary(), ("ce_type", None)]),
        ([], [("content-type", b"application/cloudevents+json")]),
    ],
)
def test_what_is_no_cloudevent_is_told(value: Any, headers: Any) -> None:
    with pytest.raises(MessageError):
        made(source(cloudevents=True), value, headers)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"message": {"too": "a"}}, "no field of a message"),
        ({"message": {"to": "a["}}, "is no JMESPath expression"),
        ({"message": {"to": "nothing(a)"}}, "nothing"),
        ({"message": {"to": "a || " * 200 + "a"}}, "parts inside one another"),
        ({"format": "avro"}, "registry.url"),
        ({"format": "protobuf"}, "registry.url"),
        ({"format": "protobuf", "descriptors": "x.desc"}, "type"),
        ({"format": "avro", "type": "a.B"}, "descriptors"),
        ({"format": "xml"}, "is not possible"),
        ({"format": "protobuf", "descriptors": "x", "type": "a-b"}, "no name of a Protobuf message"),
    ],
)
def test_what_a_source_cannot_be_is_told_at_once(settings: dict[str, Any], told: str) -> None:
    overrides = {"topics.sources": [{"topic": "sms", **settings}]}
    with pytest.raises(SettingsError, match=told.replace("(", r"\(")):
        load_settings(file=None, environ={}, overrides=overrides)


@given(JSON)
def test_a_path_is_looked_up_as_jmespath_does(event: Any) -> None:
    for text in ("a", "a.b", '"x-y".a', "'constant'", "`7`", "a.b.c", "`null`"):
        expected = jmespath.search(text, event)
        assert EventMap({"to": text})(event) == ({} if expected is None else {"to": expected})
