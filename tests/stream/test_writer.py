"""The result writer: how far requests may run ahead of acknowledgements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import RecordMetadata, TopicPartition

from connector.clock import ManualClock
from connector.delivery.queue.item import Item
from connector.model import Result, Source, Status
from connector.receipts.correlation import Correlations
from connector.stream.intake.refusals import Refusals
from connector.stream.output.debt_sink import NO_DEBTS
from connector.stream.output.pending_results import PendingResults
from connector.stream.output.writer import ResultWriter
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from tests.stream.dispatching import dispatcher

NOW = datetime(2025, 1, 1, tzinfo=UTC)
MOST = 10


class Builder:
    def append(self, **_: Any) -> object:
        return self

    def record_count(self) -> int:
        return 1

    def close(self) -> None:
        pass


class Producer:
    """Takes batches and acknowledges them when told to."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[RecordMetadata]] = []

    def create_batch(self) -> Builder:
        return Builder()

    async def partitions_for(self, _: str) -> set[int]:
        return {0}

    async def send_batch(self, _: Builder, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        return future

    def acknowledge(self) -> None:
        for future in self.waiting:
            future.set_result(RecordMetadata("results", 0, TopicPartition("results", 0), 0, 0, 0, 0))
        self.waiting.clear()


class Bench:
    """A writer with its producer and one partition."""

    def __init__(self) -> None:
        self.producer = Producer()
        self.durable: list[int] = []
        self.partition = Partition("messages", 0, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(100))
        self.pending = PendingResults(MOST)
        self.writer = ResultWriter(
            dispatcher(self.producer),
            results="results",
            dead_letters="dead",
            connector="test",
            limits={"results": 1_000_000, "dead": 1_000_000},
            present=None,
            pending=self.pending,
            durable=SimpleNamespace(durable=lambda _, offsets, bytes_: self.durable.extend(offsets)),
            debts=NO_DEBTS,
            fencing=SimpleNamespace(await_lease_for=self._await_lease_for),
            failures=SimpleNamespace(failed=lambda error: pytest.fail(str(error))),
            refusals=Refusals(dry_run=False),
            correlations=Correlations(None),
            clock=ManualClock(),
        )

    async def _await_lease_for(self, partition: Partition) -> bool:
        return partition.live

    def add(self, offsets: Sequence[int]) -> None:
        items = [Item(b"{}", self.partition, offset, None, NOW) for offset in offsets]
        results = [Result(Status.ACCEPTED, Source("messages", 0, offset), NOW, f"m{offset}") for offset in offsets]
        self.writer.add(items, results)

    async def turn(self) -> None:
        """Let every task go as far as it can."""
        for _ in range(10):
            await asyncio.sleep(0)

    async def has_room(self) -> bool:
        waiting = asyncio.ensure_future(self.pending.await_room())
        await self.turn()
        done = waiting.done()
        waiting.cancel()
        return done


async def test_room_is_gone_while_the_broker_acknowledges_nothing_and_comes_back_with_the_acknowledgements() -> None:
    bench = Bench()
    bench.add(range(MOST - 1))
    assert await bench.has_room()
    bench.add([MOST - 1])
    assert not await bench.has_room()
    assert bench.durable == []
    bench.producer.acknowledge()
    await bench.turn()
    assert bench.durable == list(range(MOST - 1))
    assert await bench.has_room()


async def test_who_waits_for_room_is_let_go_when_the_epoch_closes() -> None:
    bench = Bench()
    bench.add(range(MOST))
    waiting = asyncio.ensure_future(bench.pending.await_room())
    await bench.turn()
    assert not waiting.done()
    bench.pending.release()
    bench.add([MOST])  # a late reply of the closing epoch takes the room again
    await waiting


async def test_a_new_epoch_begins_with_room() -> None:
    bench = Bench()
    bench.add(range(MOST))
    assert not await bench.has_room()
    bench.partition.live = False
    bench.writer.forget()
    assert await bench.has_room()


async def test_how_long_acknowledgements_are_waited_for_is_said_while_they_are() -> None:
    bench = Bench()
    began = asyncio.get_running_loop().time()
    bench.add([0])
    assert bench.pending.unacknowledged_for(began + 60) == 0, "nothing was written yet"
    await bench.turn()
    assert 59 < bench.pending.unacknowledged_for(began + 60) <= 60
    bench.producer.acknowledge()
    await bench.turn()
    assert bench.pending.unacknowledged_for(began + 60) == 0


async def test_nothing_is_waited_for_when_the_epoch_that_waited_is_over() -> None:
    bench = Bench()
    bench.add([0])
    await bench.turn()
    bench.partition.live = False
    bench.writer.forget()
    await bench.turn()
    assert bench.pending.unacknowledged_for(asyncio.get_running_loop().time() + 60) == 0
