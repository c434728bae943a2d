"""The reader of retry topics: what its fetches bring is of the assignment that takes it, or is read again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.kafka.fetched import Fetched, ReadOptions
from connector.kafka.outage import Outlast
from connector.kafka.skipped import Skipped
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry.retry_reader import RetryReader, _Waiting

TP = TopicPartition("sms.retry.5s", 3)
END = 4


class Log:
    """A consumer of a log of four records, long due: each is handed out once, from the position on.

    Args:
        meanwhile: happens while the first fetch waits.
    """

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile: Callable[[], None] | None = meanwhile
        self._position = END

    def assign(self, partitions: list[TopicPartition]) -> None: ...

    def seek(self, tp: TopicPartition, offset: int) -> None:
        assert tp == TP
        self._position = offset

    async def getmany(self, **_: Any) -> dict[TopicPartition, Fetched]:
        if self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        if self._position == END:
            await asyncio.Event().wait()
        found = Fetched(self._position)
        found += [SimpleNamespace(offset=offset, timestamp=0) for offset in range(self._position, END)]
        found.end = self._position = END
        return {TP: found}

    def pause(self, *_: Any) -> None: ...

    resume = pause


def owned(position: int) -> Partition:
    return Partition(TP.topic, TP.partition, Ledger(position), ReplayMarks(0, {}), {}, 0, OffsetSet(0))


@pytest.mark.parametrize("given_back", [True, False])
@pytest.mark.parametrize("position", [0, 2])
async def test_a_fetch_that_a_new_assignment_overtakes_loses_nothing(position: int, given_back: bool) -> None:
    """It began before, and brings records of the new one: they are not what its turn was for."""
    clock, taken, admitted = ManualClock(), asyncio.Event(), []
    reader = RetryReader({}, reading=ReadOptions(Skipped()), group="g", delays={TP.topic: 5}, clock=clock)

    def reassigned() -> None:
        if given_back:
            reader.release()
        reader.assign([owned(position)])
        reader.feed()

    async def admit_due(_: Partition, records: Fetched) -> None:
        admitted.extend(record.offset for record in records)
        taken.set()

    reader._consumer = cast(Any, Log(reassigned))
    reader.assign([owned(1)])
    reader.feed()
    task = asyncio.create_task(reader.run(Outlast(clock, patience=0), SimpleNamespace(admit_due=admit_due)))
    try:
        async with asyncio.timeout(5):
            await taken.wait()
    finally:
        task.cancel()
    assert admitted == list(range(position, END))


@pytest.mark.parametrize(
    ("written", "waits"),
    [
        (None, 5_000),  # nothing was read: what comes is handed over at once
        (-4.6, 400),  # due in 0.4 s
        (-1.0, 1_000),  # later, but clocks are set
        (-7.0, 0),
    ],
)
async def test_it_waits_until_something_is_due(written: float | None, waits: int) -> None:
    clock, asked = ManualClock(), asyncio.get_running_loop().create_future()
    reader = RetryReader({}, reading=ReadOptions(Skipped()), group="g", delays={TP.topic: 5}, clock=clock)

    async def getmany(*, timeout_ms: int) -> dict[TopicPartition, Fetched]:
        asked.set_result(timeout_ms)
        return await asyncio.Event().wait()  # type: ignore[return-value]

    reader._consumer = cast(Any, SimpleNamespace(getmany=getmany, assign=lambda _: None, seek=lambda *_: None))
    reader.assign([owned(0)])
    reader.feed()
    if written is not None:
        reader._fetched[TP].append(_Waiting(cast(Any, None), (clock.wall() + written) * 1000))
    loop = asyncio.ensure_future(reader.run(Outlast(clock, patience=0), cast(Any, None)))
    assert await asyncio.wait_for(asked, 10) == pytest.approx(waits, abs=1)
    loop.cancel()


async def test_it_sleeps_while_it_has_no_partitions() -> None:
    clock, asked = ManualClock(), asyncio.Event()
    reader = RetryReader({}, reading=ReadOptions(Skipped()), group="g", delays={TP.topic: 5}, clock=clock)

    async def getmany(*, timeout_ms: int) -> dict[TopicPartition, Fetched]:
        asked.set()
        return await asyncio.Event().wait()  # type: ignore[return-value]

    reader._consumer = cast(Any, SimpleNamespace(getmany=getmany, assign=lambda _: None, seek=lambda *_: None))
    loop = asyncio.ensure_future(reader.run(Outlast(clock, patience=0), cast(Any, None)))
    before = len(asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(asyncio.get_running_loop()._scheduled) == before  # type: ignore[attr-defined]
    reader.assign([owned(0)])
    reader.feed()
    await asyncio.wait_for(asked.wait(), 10)
    loop.cancel()
