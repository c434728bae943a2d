"""Commands on sources of other formats: what they find, send, and send again."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connector.cli import send as send_command
from connector.cli.event_input import Prepared
from connector.cli.replay import Found, _add
from connector.cli.trace.search import _Finder
from connector.formats.source_format import TRANSLATED
from connector.formats.wire import frame
from connector.kafka.produce import Outgoing
from connector.kafka.reader import TopicReader
from connector.settings.model import Settings
from tests.formats.registry import FakeRegistry
from tests.formats.test_avro import written

SCHEMA = {"type": "record", "name": "E", "fields": [{"name": "order", "type": "string"}]}
SETTINGS = {
    "topics": {
        "sources": [
            "plain",
            {"topic": "avro", "format": "avro", "message": {"message_id": "order", "to": "phone"}},
            {"topic": "events", "cloudevents": True},
        ]
    }
}


def settings(url: str = "http://127.0.0.1:1") -> Settings:
    return Settings.model_validate({**SETTINGS, "registry": {"url": url}})


def record(topic: str, value: bytes, headers: Iterable[tuple[str, bytes]] = ()) -> Any:
    return SimpleNamespace(topic=topic, partition=2, offset=7, key=b"k", value=value, headers=tuple(headers))


async def test_trace_finds_events_by_the_message_that_they_stand_for() -> None:
    binary = [(f"ce_{name}", b"1.0") for name in ("specversion", "source", "type")]
    async with FakeRegistry().running() as registry:
        registry.schemas[7] = {"schema": json.dumps(SCHEMA)}
        finder = _Finder(cast(TopicReader, None), settings(registry.url), "m1", [])
        cases = [
            (record("plain", b'{"message_id": "m1"}'), "m1"),
            (record("avro", frame(7, written(SCHEMA, {"order": "m1"}))), "m1"),
            (record("avro", b'{"message_id": "m1"}', [TRANSLATED]), "m1"),
            (record("events", b'{"to": "1"}', [*binary, ("ce_id", b"m1")]), "m1"),
            (record("avro", frame(7, written(SCHEMA, {"order": "another"}))), None),
            (record("avro", b"m1 in no schema"), None),
        ]
        for given, expected in cases:
            found = await finder._event(given)
            assert (found and found["message_id"]) == expected, given
        assert registry.asked == ["/schemas/ids/7"]  # what cannot be it is not read


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([("ce_id", b"1"), ("correlation-id", b"c")], [("ce_id", b"1"), ("correlation-id", b"c")]),
        ([("settles", b"a/0/1"), ("retry", b"{}"), ("__connect.errors.topic", b"a"), TRANSLATED], [TRANSLATED]),
        ([("replay_of", b"older"), ("traceparent", b"00-1")], []),
    ],
)
def test_a_replayed_event_keeps_its_own_headers_and_none_of_ours(headers: Any, kept: Any) -> None:
    found = Found()
    _add(found, record("dead", b"x", headers), "avro", {}, set())
    assert found.events == [Outgoing("avro", b"k", b"x", [*kept, ("replay_of", b"dead/2/7")])]


@pytest.mark.parametrize(("topic", "headers"), [("plain", ()), ("avro", (TRANSLATED,)), ("events", (TRANSLATED,))])
async def test_send_says_that_its_events_are_messages_where_a_source_expects_others(
    topic: str, headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Outgoing] = []

    @asynccontextmanager
    async def opened(_: Settings) -> AsyncIterator[None]:
        yield

    async def produced(_client: None, records: Iterable[Outgoing], _acknowledged: Any) -> None:
        sent.extend(records)

    monkeypatch.setattr(send_command, "open_producer", opened)
    monkeypatch.setattr(send_command, "produce", produced)
    events = [Prepared("m1", b"k", b"{}")]
    await send_command._send(settings(), topic, events, None)
    assert sent == [Outgoing(topic, b"k", b"{}", headers)]
