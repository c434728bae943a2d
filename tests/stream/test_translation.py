"""Events of other formats on their way through a whole worker: sent, refused, held while the registry is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiohttp import web

from connector.formats import schemas
from connector.formats.source_format import TRANSLATED
from connector.formats.wire import frame
from connector.kafka.fetched import Fetched
from connector.kafka.record_batch import Unreadable
from connector.stream.intake import translation
from connector.stream.intake.budget import Budget, weight
from connector.stream.intake.carried_headers import CARRIED_BYTES, HEADER_BYTES, CarriedHeaders
from tests.formats.registry import FakeRegistry
from tests.formats.test_avro import written
from tests.stream.test_pipeline import Bench, an_event
from tests.waiting import eventually

AVRO = {
    "type": "record",
    "name": "SmsRequested",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "msisdn", "type": "long"},
        {"name": "text", "type": ["null", "string"], "default": None},
        {"name": "expires", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
    ],
}
MAP = {
    "message_id": "id",
    "to": "join('', ['+', to_string(msisdn)])",
    "body": "text",
    "expires_at": "expires",
    "provider": "'acme'",
}


@pytest_asyncio.fixture
async def registry(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeRegistry]:
    monkeypatch.setattr(schemas, "PROPAGATION_SECONDS", 0.0)
    monkeypatch.setattr(translation, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(translation, "MOST_SECONDS", 0.02)
    async with FakeRegistry().running() as running:
        running.schemas[7] = {"schema": json.dumps(AVRO)}
        yield running


def avro(number: int, **fields: Any) -> bytes:
    event = {"id": f"m{number}", "msisdn": 919800000000 + number, "text": "Hello", "expires": None, **fields}
    return frame(7, written(AVRO, event))


class Stream(Bench):
    """A worker whose source has a format."""

    def __init__(self, folder: Path, registry: FakeRegistry, **source: Any) -> None:
        super().__init__(
            folder,
            topics={"sources": [{"topic": "sms.messages", "format": "avro", "message": MAP, **source}]},
            registry={"url": registry.url},
            results={"headers": ["correlation-id"]},
        )

    async def read_with(self, *events: tuple[bytes | None, tuple[tuple[str, bytes], ...]]) -> None:
        """These are fetched, with their headers."""
        fetched = Fetched(self.brokers.end)
        for number, (value, headers) in enumerate(events):
            offset = self.brokers.end + number
            record: Any = SimpleNamespace(offset=offset, key=None, value=value, timestamp=-1, headers=headers)
            fetched.append(record)
        self.brokers.end += len(events)
        fetched.end = self.brokers.end
        chunk: Any = SimpleNamespace(
            topic=self.partition.topic, generation_id=self.brokers.generation, value=[(0, fetched)]
        )
        await self.worker.admit(chunk)

    def result(self, offset: int) -> dict[str, Any]:
        written = self.brokers.written[self.settings.topics.results]
        place = f"{self.partition.topic}/0/{offset}".encode()
        (found,) = [it for it in written if it["headers"]["settles"] == place]
        return {**msgspec.json.decode(found["value"]), "headers": found["headers"]}

    @property
    def letters(self) -> list[dict[str, Any]]:
        return self.brokers.written.get(self.settings.topics.dead_letters, [])


async def test_avro_events_are_sent_and_their_headers_go_to_the_results(tmp_path: Path, registry: FakeRegistry) -> None:
    stream = Stream(tmp_path, registry)
    async with stream.running():
        await stream.read_with(*[(avro(n), (("correlation-id", b"c%d" % n), ("other", b"x"))) for n in range(250)])
        await stream.settled(250)
    for number in (0, 249):
        found = stream.result(number)
        assert (found["status"], found["message_id"], found["to"]) == (
            "accepted",
            f"m{number}",
            f"+{919800000000 + number}",
        )
        assert found["headers"]["correlation-id"] == b"c%d" % number
        assert "other" not in found["headers"]
        assert "event_format" not in found["headers"]
    assert registry.asked == ["/schemas/ids/7"]


async def test_poison_becomes_results_beside_what_is_sent(tmp_path: Path, registry: FakeRegistry) -> None:
    stream = Stream(tmp_path, registry)
    poison = {
        b"": "no value",
        b"\0\0": "too few for the id",
        an_event(1): "does not begin with the id of a schema",
        frame(7, b"\xff" * 12): "cannot be read",
        frame(9, b""): "the registry has no schema 9",
        frame(7, written(AVRO, {"id": "m7", "msisdn": 1})): "to: not a phone number",
        frame(7, written(AVRO, {"id": "", "msisdn": 919812345678})): "message_id: empty",
    }
    async with stream.running():
        await stream.read_with((avro(1), ()), *[(value, ()) for value in poison], (avro(2), ()))
        await stream.settled(len(poison) + 2)
    assert (stream.result(0)["status"], stream.result(len(poison) + 1)["status"]) == ("accepted", "accepted")
    for offset, (value, why) in enumerate(poison.items(), 1):
        found = stream.result(offset)
        assert found["status"] == "invalid"
        assert why in found["reason"], (found["reason"], value)
    assert stream.result(6)["message_id"] == "m7"
    assert [it["value"] or b"" for it in stream.letters] == list(poison)  # as they were written


async def test_a_registry_that_is_away_holds_its_source_and_nothing_is_lost(
    tmp_path: Path, registry: FakeRegistry
) -> None:
    stream = Stream(tmp_path, registry)
    registry.answer = web.Response(status=503, text="<html>", content_type="text/html")
    async with stream.running():
        reading = asyncio.ensure_future(stream.read_with((avro(0), ()), (avro(1), ())))
        await eventually(lambda: len(registry.asked) > 3, "the registry to be asked again")
        (held,) = stream.parts.input.held_sources.look().items()
        assert held[0] == "sms.messages"
        assert "the schema registry cannot be asked" in held[1].why
        assert "answers 503" in held[1].why
        assert stream.worker.idle  # the watchdog does not end it
        assert stream.parts.progress.caught_up  # windows of other sources do not wait for more
        assert (stream.results, stream.partition.ledger.high) == ({}, 0)
        registry.answer = None
        await reading
        await stream.settled(2)
        assert stream.parts.input.held_sources.look() == {}
    assert set(stream.results.values()) == {"accepted"}


async def test_who_gives_a_partition_back_waits_for_no_registry(tmp_path: Path, registry: FakeRegistry) -> None:
    stream = Stream(tmp_path, registry)
    registry.answer = web.Response(status=500)
    async with stream.running():
        reading = asyncio.ensure_future(stream.read_with((avro(0), ())))
        await eventually(lambda: registry.asked, "the registry to be asked")
        stream.parts.closing.begin()
        await asyncio.wait_for(reading, 5)
    assert (stream.results, stream.partition.ledger.high, stream.parts.input.held_sources.look()) == ({}, 0, {})


async def test_what_was_translated_says_so_and_is_taken_as_it_is(tmp_path: Path, registry: FakeRegistry) -> None:
    stream = Stream(tmp_path, registry)
    async with stream.running():
        await stream.read_with((an_event(1), (TRANSLATED,)), (avro(2, text=None), ()))
        await stream.settled(2)
    assert stream.result(0)["status"] == "accepted"
    assert stream.result(1)["status"] == "invalid"  # there is no body: a message all the same, which nobody can send
    (letter,) = stream.letters
    assert letter["headers"]["event_format"] == b"message"
    assert msgspec.json.decode(letter["value"])["message_id"] == "m2"


async def test_a_cloudevent_that_is_no_message_keeps_what_it_says_in_headers(
    tmp_path: Path, registry: FakeRegistry
) -> None:
    stream = Stream(tmp_path, registry, format="json", cloudevents=True, message={"to": "data.missing"})
    headers = tuple((f"ce_{name}", b"1.0") for name in ("specversion", "id", "source", "type"))
    body = an_event(1)  # as a plain event it could be sent
    async with stream.running():
        await stream.read_with((body, (*headers, ("other", b"x"))))
        await stream.settled(1)
    assert stream.result(0)["reason"] == "the event cannot be read: message_id: missing"
    (letter,) = stream.letters
    assert letter["value"] == body
    assert {name: letter["headers"].get(name) for name in ("ce_id", "other")} == {"ce_id": b"1.0", "other": None}


def test_what_a_waiting_message_carries_is_bounded_and_counted(tmp_path: Path) -> None:
    carries = CarriedHeaders(["a", "b"], cloudevents=True)
    few = (("a", b"1"), ("x", b"2"), ("b", None), ("ce_id", b"3"), ("a", b"4"))
    assert carries.of(few) == (("a", b"1"), ("a", b"4"))
    assert carries.of(few, ends=True) == (("a", b"1"), ("ce_id", b"3"), ("a", b"4"))
    many = carries.of([("a", b"x" * 100)] * 1000)
    assert len(many) == CARRIED_BYTES // (100 + HEADER_BYTES)
    assert carries.of([("a", b"x" * CARRIED_BYTES), ("b", b"")]) == ()
    budget = Budget(messages=1000, bytes_=10**6, carried=CARRIED_BYTES)
    budget.charge("sms", 3, 300)
    assert budget.bytes == weight(3, 300) + 3 * CARRIED_BYTES
    budget.release("sms", 3, 300)
    assert budget.bytes == 0


async def test_a_small_event_that_holds_a_large_one_is_bounded(tmp_path: Path, registry: FakeRegistry) -> None:
    name = "n" * 4000
    schema = {"type": "array", "items": {"type": "record", "name": "R", "fields": [{"name": name, "type": "int"}]}}
    registry.schemas[8] = {"schema": json.dumps(schema)}
    stream = Stream(tmp_path, registry, message={})
    value = frame(8, written(schema, [{name: 1}] * 1000))
    async with stream.running():
        await stream.read_with((value, ()))
        await stream.settled(1)
    assert "as JSON it has" in stream.result(0)["reason"]


async def test_what_kafka_could_not_read_is_no_event_of_a_format(tmp_path: Path, registry: FakeRegistry) -> None:
    stream = Stream(tmp_path, registry)
    fetched = Fetched(0)
    fetched.append(Unreadable(0, "its checksum is wrong"))
    fetched.end = stream.brokers.end = 1
    chunk: Any = SimpleNamespace(topic="sms.messages", generation_id=stream.brokers.generation, value=[(0, fetched)])
    async with stream.running():
        await stream.worker.admit(chunk)
        await stream.settled(1)
    assert stream.result(0)["reason"] == "the event cannot be read: its checksum is wrong"
