"""Letting records in: in order, in slices, as long as memory and span have room. Waiting here is the backpressure.

Each source topic has an agent of its own, and the retry topics a reader: one that waits holds up none of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import ConsumerRecord

from connector.delivery.lane import Lane
from connector.stream.budget import Budget
from connector.stream.intake import Intake
from connector.stream.ownership import Ownership
from connector.stream.partition import Partition
from connector.stream.relief import Relief

# Records admitted between two turns of the event loop: a millisecond of work.
SLICE_RECORDS = 250
# While nothing is released, this often it is looked again: a lane may have been held up meanwhile.
LOOK_SECONDS = 1.0


class Admission:
    """Feeds intake.

    Args:
        lanes: by provider name; woken after each slice.
        span: offsets a partition may have between its oldest open one and its newest.
    """

    def __init__(
        self,
        owned: Ownership,
        *,
        intake: Intake,
        budget: Budget,
        relief: Relief,
        lanes: Mapping[str, Lane],
        span: int,
    ) -> None:
        self._owned = owned
        self._intake = intake
        self._budget = budget
        self._relief = relief
        self._lanes = lanes
        self._span = span
        self._waiting = 0

    @property
    def blocked(self) -> bool:
        """True while some records cannot be admitted until something leaves."""
        return self._waiting > 0

    async def take(self, message: Any) -> None:
        """Take one chunk from the agent."""
        partition = self._owned.find(message.topic, message.partition)
        if not self._owned.live or partition is None or message.generation_id != self._owned.generation:
            return  # of an earlier generation, or a partition without its twins
        await self._admit(partition, message.value)

    async def take_due(self, partition: Partition, records: Sequence[ConsumerRecord]) -> None:
        """Take due records of a retry topic."""
        if self._owned.live and partition.live:
            await self._admit(partition, records)

    async def _admit(self, partition: Partition, records: Sequence[ConsumerRecord]) -> None:
        epoch = self._owned.epoch
        for start in range(0, len(records), SLICE_RECORDS):
            while self._full(partition):
                await self._wait()
                if epoch != self._owned.epoch:
                    return
            partition.marks.add(records[start].offset, partition.ends)
            self._intake.take(partition, records[start : start + SLICE_RECORDS])
            self._wake()
            await asyncio.sleep(0)
            if epoch != self._owned.epoch:
                return

    def _full(self, partition: Partition) -> bool:
        if partition.ledger.span >= self._span:
            self._relief.relieve(partition)
            return True
        return self._budget.full(partition.topic)

    async def _wait(self) -> None:
        self._waiting += 1
        try:
            self._wake()
            await self._budget.wait(LOOK_SECONDS)
        finally:
            self._waiting -= 1

    def _wake(self) -> None:
        for lane in self._lanes.values():
            lane.wake()
