"""Faust's consumer as the connector uses it: which answers of the fetcher it does not hear."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver

from connector.kafka.clients import connect
from connector.settings import Settings
from connector.stream.app import create_app
from connector.stream.transport import Consumer, ConsumerThread

TP = TopicPartition("sms.messages", 7)
STARTING = SimpleNamespace(_fetcher=None)


def answer(monkeypatch: pytest.MonkeyPatch, error: KafkaError) -> ConsumerThread:
    async def fetch(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    return ConsumerThread.__new__(ConsumerThread)


async def test_a_partition_that_was_added_and_has_no_offset_yet_is_no_reason_to_crash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = answer(monkeypatch, NoOffsetForPartitionError(TP))
    assert await thread._fetch_records(STARTING, set()) == {}


async def test_an_offset_that_is_gone_still_is(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = answer(monkeypatch, OffsetOutOfRangeError({TP: 3}))
    with pytest.raises(OffsetOutOfRangeError):
        await thread._fetch_records(STARTING, set())


def test_the_app_uses_that_consumer() -> None:
    settings = Settings()
    assert create_app(settings, connect(settings.kafka)).transport.Consumer is Consumer
