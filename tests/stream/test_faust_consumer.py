"""Faust's consumer as the connector uses it: which answers of the fetcher it does not hear, and when it asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust import types as faust_types
from faust.transport.drivers import aiokafka as driver

from connector.clock import ManualClock
from connector.kafka.clients import connect
from connector.kafka.fetch_pacing import FEW_RECORDS
from connector.kafka.fetched import Fetched
from connector.kafka.outage import Outlast
from connector.kafka.record_batch import Unreadable
from connector.kafka.skipped import Skipped
from connector.settings import Settings
from connector.stream.faust.app import TOGETHER_BYTES, ChunkScheduler, create_app
from connector.stream.faust.consumer import (
    ChunkConsumer,
    ConsumerThread,
)
from tests.stream.members import membership

TP = TopicPartition("sms.messages", 7)
STARTING = SimpleNamespace(_fetcher=None)


def answering(monkeypatch: pytest.MonkeyPatch, clock: ManualClock, *answers: Any) -> ConsumerThread:
    """A thread whose fetches are answered so."""
    left = list(answers)

    async def fetch(*_: Any, **__: Any) -> Any:
        answer = left.pop(0)
        if isinstance(answer, KafkaError):
            raise answer
        return answer

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread._outlast = Outlast(clock, patience=0)
    return thread


async def test_a_partition_that_was_added_and_has_no_offset_yet_is_no_reason_to_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = answering(monkeypatch, ManualClock(), NoOffsetForPartitionError(TP))
    assert await thread._fetch_records(STARTING, set()) == {}


async def test_an_offset_that_is_gone_still_is(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = answering(monkeypatch, ManualClock(), OffsetOutOfRangeError({TP: 3}))
    with pytest.raises(OffsetOutOfRangeError):
        await thread._fetch_records(STARTING, set())


def test_the_app_uses_that_consumer() -> None:
    settings = Settings()
    app = create_app(settings, connect(settings.kafka), skipped=Skipped(), membership=membership(settings))
    assert app.transport.Consumer is ChunkConsumer


def fetched(start: int, *values: bytes) -> Fetched:
    found = Fetched(start)
    for offset, value in enumerate(values, start):
        found.append(SimpleNamespace(offset=offset, key=None, value=value, headers=()))
    found.end = start + len(values)
    return found


ODD = Unreadable(7, "its framing is broken")


@pytest.mark.parametrize(
    ("sizes", "odd", "chunks"),
    [
        ((1, 1, 1), False, [("a", [0, 1]), ("b", [0])]),
        ((FEW_RECORDS, 1, 1), False, [("a", [0]), ("a", [1]), ("b", [0])]),  # many are a chunk each, as ever
        ((1, 1, 0), True, [("a", [0]), ("a", [1]), ("b", [0])]),
    ],
)
def test_what_a_fetch_brings_of_a_topic_is_one_chunk_where_it_is_little(
    sizes: tuple[int, ...], odd: bool, chunks: list[tuple[str, list[int]]]
) -> None:
    places = [faust_types.TP("a", 0), faust_types.TP("a", 1), faust_types.TP("b", 0)]
    found = {tp: fetched(7, *[b"x"] * size) for tp, size in zip(places, sizes, strict=True)}
    if odd:
        found[places[2]].append(ODD)
    made = list(ChunkScheduler().iterate(found))
    assert [(tp.topic, [number for number, _ in chunk.value]) for tp, chunk in made] == chunks
    assert [tp for tp, _ in made] == [(chunk.topic, chunk.partition) for _, chunk in made]
    assert [part for _, chunk in made for _, part in chunk.value] == list(found.values())


@pytest.mark.parametrize("place", ["value", "key", "headers"])
def test_large_events_are_a_chunk_each_as_a_buffer_counts_chunks_only(place: str) -> None:
    half = bytes(TOGETHER_BYTES // 2 - 100)
    found = {faust_types.TP("a", number): fetched(0, b"") for number in range(3)}
    for records in found.values():
        setattr(records[0], place, (("h", half),) if place == "headers" else half)
    assert len(list(ChunkScheduler().iterate(found))) == 3
    del found[faust_types.TP("a", 2)]
    assert len(list(ChunkScheduler().iterate(found))) == 1
