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
from connector.stream.retry.retry_reader import RetryReader

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
