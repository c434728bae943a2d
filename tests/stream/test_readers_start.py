"""Clients that cannot be started, and starts that are tried again: nothing is left open, nothing is opened twice."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from connector.clock import ManualClock
from connector.kafka.fetched import ReadOptions
from connector.kafka.skipped import Skipped
from connector.stream.control import topic_reader as control_room
from connector.stream.control.topic_reader import ControlTopicReader
from connector.stream.membership.lease import Lease
from connector.stream.output.producer import Producer
from connector.stream.partitions import cluster as cluster_room
from connector.stream.partitions.cluster import Cluster
from connector.stream.retry import retry_reader as retry_room
from connector.stream.retry.retry_reader import RetryReader


class Client:
    """An aiokafka client that fails as often as its class says, at starting or at the first question."""

    failures = 0
    fail_at = "start"
    open: int
    made: int

    def __init__(self, **_: Any) -> None:
        type(self).made += 1
        self._open = False

    async def start(self) -> None:
        self._open = True
        type(self).open += 1
        self._maybe_fail("start")

    async def stop(self) -> None:
        if self._open:
            self._open = False
            type(self).open -= 1

    close = stop

    def assign(self, _partitions: Any) -> None: ...

    async def seek_to_beginning(self, *_: Any) -> None:
        self._maybe_fail("seek")

    def _maybe_fail(self, at: str) -> None:
        if type(self).fail_at == at and type(self).failures:
            type(self).failures -= 1
            raise KafkaConnectionError("no broker")


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> type[Client]:
    kind = type("Counted", (Client,), {"open": 0, "made": 0})
    for room in (retry_room, control_room, cluster_room):
        monkeypatch.setattr(room, "GuardedConsumer", kind)
    monkeypatch.setattr(cluster_room, "AIOKafkaAdminClient", type("Admin", (kind,), {"open": 0, "made": 0}))
    return kind


def retry_reader() -> RetryReader:
    return RetryReader({}, reading=ReadOptions(Skipped()), group="g-retry", delays={}, clock=ManualClock())


def control_reader() -> ControlTopicReader:
    records: Any = SimpleNamespace(apply=lambda *_: None)
    return ControlTopicReader({}, ends=cluster(), topic="sms.control", records=records, skipped=Skipped())


def cluster() -> Cluster:
    return Cluster({}, clock=ManualClock(), skipped=Skipped(), sources=())


async def start(reader: RetryReader | ControlTopicReader | Cluster) -> None:
    await (reader.start([0]) if isinstance(reader, ControlTopicReader) else reader.start())


@pytest.mark.parametrize("fail_at", ["start", "seek"])
@pytest.mark.parametrize("make", [retry_reader, control_reader, cluster])
async def test_a_reader_that_cannot_begin_leaves_nothing_open_and_begins_once(
    clients: type[Client], make: Any, fail_at: str
) -> None:
    """A worker that joins under load tries again until all have begun: each try once left a consumer behind."""
    clients.failures, clients.fail_at = 2, fail_at
    reader = make()
    for _ in range(6):
        try:
            await start(reader)
        except KafkaConnectionError:
            assert clients.open == 0
    assert clients.open == 1
    await reader.stop()
    assert clients.open == 0


async def test_a_start_that_is_given_up_leaves_nothing_open(clients: type[Client]) -> None:
    waiting = asyncio.Event()

    async def hang(self: Client) -> None:
        self._open = True
        type(self).open += 1
        waiting.set()
        await asyncio.Event().wait()

    clients.start = hang  # type: ignore[method-assign]
    task = asyncio.create_task(retry_reader().start())
    await waiting.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert clients.open == 0


class StubbornProducer(Client):
    """Started at the second try; aiokafka's cannot be started again."""

    open = made = 0
    failures = 1

    def __init__(self) -> None:
        super().__init__()
        self.client = type("C", (), {})()
        self._used = False

    async def start(self) -> None:
        assert not self._used, "started twice"
        self._used = True
        await super().start()


async def test_a_producer_is_started_once_and_made_anew_where_it_could_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[StubbornProducer] = []
    producer_type: Any = Producer
    monkeypatch.setattr(producer_type, "_prepare", lambda _self: made.append(StubbornProducer()) or made[-1])
    producer = Producer(lambda: None, Lease(ManualClock(), seconds=5))  # type: ignore[arg-type, return-value]
    with pytest.raises(KafkaConnectionError):
        await producer.start()
    await producer.start()
    await producer.start()
    assert StubbornProducer.open == 1
    await producer.stop()
    assert (StubbornProducer.open, len(made)) == (0, 2)
