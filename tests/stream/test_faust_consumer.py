"""Faust's consumer as the connector uses it: which answers of the fetcher it does not hear, and when it asks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver

from connector.clock import ManualClock
from connector.kafka.clients import connect
from connector.kafka.outage import Outlast
from connector.kafka.skipped import Skipped
from connector.settings import Settings
from connector.stream.faust.app import create_app
from connector.stream.faust.consumer import FEW_RECORDS, PACE_SECONDS, ChunkConsumer, ConsumerThread, FetchPacing
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
    thread._pace, thread._outlast = FetchPacing(clock), Outlast(clock, patience=0)
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


@pytest.mark.parametrize(
    ("records", "later", "delay"),
    [
        (1, 0.0, PACE_SECONDS),
        (FEW_RECORDS - 1, 0.0, PACE_SECONDS),
        (FEW_RECORDS, 0.0, 0.0),  # under load nothing waits
        (0, 0.0, 0.0),
        (1, PACE_SECONDS, 0.0),  # who comes alone waits for nothing
    ],
)
def test_fetches_that_bring_little_are_kept_apart(records: int, later: float, delay: float) -> None:
    clock = ManualClock()
    pace = FetchPacing(clock)
    assert pace.delay <= 0
    pace.note(records)
    clock.advance(later)
    assert max(pace.delay, 0.0) == pytest.approx(delay)


async def test_a_fetch_waits_for_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(seconds)

    clock = ManualClock()
    thread = answering(monkeypatch, clock, {TP: ["event"]}, {TP: ["event"] * FEW_RECORDS}, {})
    monkeypatch.setattr("connector.stream.faust.consumer.asyncio.sleep", sleep)
    assert await thread._fetch_records(STARTING, set()) == {TP: ["event"]}
    assert slept == []
    await thread._fetch_records(STARTING, set())
    await thread._fetch_records(STARTING, set())
    assert slept == [pytest.approx(PACE_SECONDS)]
