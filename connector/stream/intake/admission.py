"""Letting records in: in order, in slices, as long as memory and span have room. Waiting here is the backpressure.

Each source topic has an agent of its own, and the retry topics a reader: one that waits holds up none of the others.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

from aiokafka import ConsumerRecord

from connector.delivery.lane import Lane
from connector.errors import Problem, TopicError
from connector.kafka.fetched import Fetched
from connector.kafka.outage import Outlast
from connector.kafka.record_batch import Unreadable
from connector.stream.faust.chunk import FetchedChunk
from connector.stream.intake.budget import Budget
from connector.stream.intake.intake import Intake
from connector.stream.intake.passed_over import PassedOver
from connector.stream.intake.read_progress import ReadProgress
from connector.stream.intake.translation import Translation
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.partition import Partition
from connector.stream.retry.head_of_line import HeadOfLine
from connector.stream.retry.retry_reader import DueRecords

# Records admitted between two turns of the event loop, of one partition or of several: a millisecond of work. What
# others wrote may take longer to decode, 0.15 µs per byte at worst, so there is a bound of bytes as well: an event that
# is larger is a slice by itself.
SLICE_RECORDS = 500
SLICE_BYTES = 256 * 1024
# What part of that a slice takes at least, however few its records are.
LEAST_OF_A_TURN = 1 / 8
# While nothing is released, this often it is looked again: a lane may have been held up meanwhile.
ROOM_LOOK_SECONDS = 1.0


class Admission(DueRecords):
    """Feeds intake.

    Args:
        lanes: by provider name; woken when there is nothing more to come for now.
        progress: whether every log is read to its end.
        span: offsets a partition may have between its oldest open one and its newest.
        cluster: asked for what stands before a partition's first records, where they begin later than expected.
        outlast: waits for brokers that do not answer that.
        stops: a record batch that cannot be decoded ends the worker, before its events.
        translation: of sources whose events are not plain messages.
    """

    def __init__(
        self,
        owned: Assignment,
        *,
        intake: Intake,
        budget: Budget,
        head_of_line: HeadOfLine,
        lanes: Mapping[str, Lane],
        progress: ReadProgress,
        span: int,
        cluster: Cluster,
        outlast: Outlast,
        stops: bool = False,
        translation: Translation | None = None,
    ) -> None:
        self._translation = translation
        self._owned = owned
        self._intake = intake
        self._budget = budget
        self._head_of_line = head_of_line
        self._lanes = lanes
        self._progress = progress
        self._span = span
        self._passed_over = PassedOver(owned, cluster, outlast)
        self._stops = stops
        self._spent = 0.0

    async def admit(self, chunk: FetchedChunk) -> None:
        """Admit one chunk from the agent."""
        for number, records in chunk.value:
            partition = self._owned.find(chunk.topic, number)
            if not self._owned.live or chunk.generation_id != self._owned.generation:
                return  # of an earlier generation
            if partition is not None:  # else it has no copartitions
                await self._admit_records(partition, records)

    async def admit_due(self, partition: Partition, records: Fetched) -> None:
        """Admit due records of a retry topic."""
        if self._owned.live and partition.live:
            await self._admit_records(partition, records)

    async def _admit_records(self, partition: Partition, records: Fetched) -> None:
        epoch = self._owned.epoch
        if records.start > partition.ledger.high:
            missed = await self._passed_over(partition, records.start)
            if missed is not None and epoch == self._owned.epoch:
                await self._admit_records(partition, missed)
            if epoch != self._owned.epoch:
                return
        if self._stops:
            _look_for_undecodable(partition, records)
        for start, end, part in slices(records):
            if not await self._admit_slice(partition, records[start:end], epoch):
                return
            await self._give_way(part)
            if epoch != self._owned.epoch:
                return
        if records.end > partition.ledger.high:  # markers of transactions, what was aborted, what was compacted
            partition.marks.add(partition.ledger.high, partition.ends)
            partition.ledger.pass_to(records.end)
            if self._progress.caught_up:
                self._wake()

    async def _admit_slice(self, partition: Partition, records: Sequence[ConsumerRecord], epoch: int) -> bool:
        """Admit them once there is room. False where the epoch has ended meanwhile."""
        while self._full(partition):
            await self._wait()
            if epoch != self._owned.epoch:
                return False
        if self._translation is not None and self._translation.needed(partition.topic):
            records = await self._translation.translate(
                partition.topic, records, wanted=lambda: epoch == self._owned.epoch
            )
            if epoch != self._owned.epoch:
                return False
        partition.marks.add(records[0].offset, partition.ends)
        self._intake.admit(partition, records)
        if self._progress.caught_up:
            self._wake()
        return True

    async def _give_way(self, part: float) -> None:
        """Let others have their turn when it is time: not after the one event that a fetch brings of each partition."""
        self._spent += max(part, LEAST_OF_A_TURN)
        if self._spent >= 1.0:
            self._spent = 0.0
            await asyncio.sleep(0)

    def _full(self, partition: Partition) -> bool:
        if partition.ledger.span >= self._span:
            self._head_of_line.unblock(partition)
            return True
        return self._budget.full(partition.topic)

    async def _wait(self) -> None:
        self._wake()  # for what leaves when memory is full: they look once this waits
        await self._budget.wait(ROOM_LOOK_SECONDS)

    def _wake(self) -> None:
        """Windows that are not full may leave now. Of many lanes most hold nothing."""
        for lane in self._lanes.values():
            if lane.open_count:
                lane.wake()


def _look_for_undecodable(partition: Partition, records: Fetched) -> None:
    """Raises TopicError where a batch among them could not be decoded."""
    broken = next((it for it in records if isinstance(it, Unreadable) and it.batch), None)
    if broken is None:
        return
    remedy = (
        "look at the record batch there, or delete records up to it; with events.undecodable: skip each of its events "
        "ends `invalid` and the worker goes on"
    )
    where = f"{partition.topic}[{partition.partition}] at offset {broken.offset}"
    raise TopicError([Problem(f"a record batch cannot be decoded: {broken.why}", remedy, path=where)])


def slices(records: Sequence[ConsumerRecord]) -> Iterator[tuple[int, int, float]]:
    """Begin and end of each: SLICE_RECORDS records and SLICE_BYTES of them at most, and at least one. Third, which part
    of those it is.
    """
    for first in range(0, len(records), SLICE_RECORDS):
        sizes = [0 if record.value is None else len(record.value) for record in records[first : first + SLICE_RECORDS]]
        if (bytes_ := sum(sizes)) <= SLICE_BYTES:  # as it nearly always is
            yield first, first + len(sizes), max(len(sizes) / SLICE_RECORDS, bytes_ / SLICE_BYTES)
            continue
        ends, start, before = list(accumulate(sizes)), 0, 0
        while start < len(sizes):
            end = max(start + 1, bisect_right(ends, before + SLICE_BYTES, start))
            yield first + start, first + end, 1.0
            start, before = end, ends[end - 1]
