"""Chunks of what was fetched, partition by partition: what a stage of `receipts run` does with them, in order.

A partition's records are written in the order of its entries, one record batch after the other, so that nothing is
followed by what stood before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from connector.kafka.fetched import Fetched
from connector.stream.faust.chunk import FetchedChunk
from connector.stream.intake.admission import slices
from connector.stream.intake.passed_over import PassedOver
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.partition import Partition


class PartitionStage:
    """Takes the records of a topic. Subclasses say what is made of them.

    Args:
        passed_over: asked for records that the fetcher left out.
    """

    def __init__(self, owned: Assignment, *, passed_over: PassedOver) -> None:
        self._owned = owned
        self._passed_over = passed_over
        self._tasks: set[asyncio.Task[None]] = set()
        self._abandoned = False

    @property
    def busy(self) -> bool:
        """Records are being looked at or written."""
        return bool(self._tasks)

    async def finish(self, seconds: float) -> bool:
        """Wait until nothing is; False when `seconds` were not enough, or what was on its way was let go."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return not self.busy and not self._abandoned

    async def give_up(self) -> None:
        """The partitions are gone: nothing of what has not left yet may leave later, by whatever producer."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._abandoned = False

    async def admit(self, chunk: FetchedChunk) -> None:
        """Take what was fetched; returns when it is done with, or its partitions are gone.

        Raises:
            RefusedError: Kafka refuses for good what has to be written.
        """
        owned = self._owned
        if not owned.live or chunk.generation_id != owned.generation:
            return  # of an earlier generation
        tasks = []
        for number, records in chunk.value:
            if (partition := owned.find(chunk.topic, number)) is not None:
                task = asyncio.create_task(self._take(partition, records))
                task.add_done_callback(self._tasks.discard)
                tasks.append(task)
        self._tasks.update(tasks)
        try:
            found = await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:
            self._abandoned = True
            raise
        for ended in found:
            if isinstance(ended, Exception):  # and not where it was given up
                raise ended

    async def _take(self, partition: Partition, records: Fetched) -> None:
        epoch = self._owned.epoch
        if records.start > partition.ledger.high:
            missed = await self._passed_over(partition, records.start)
            if missed is None or epoch != self._owned.epoch:
                return
            await self._take(partition, missed)
        for start, end, _ in slices(records):
            if epoch != self._owned.epoch or not await self._write(partition, records[start:end]):
                return
        if epoch == self._owned.epoch and records.end > partition.ledger.high:
            partition.marks.add(partition.ledger.high, partition.ends)
            partition.ledger.pass_to(records.end)

    async def _write(self, partition: Partition, records: Sequence[Any]) -> bool:
        """Write what these change, and settle them; False where the partition has gone meanwhile."""
        raise NotImplementedError
