"""Reading the retry topics: each record is taken when its time has come, by the owner of the source partition.

A consumer of its own with manual assignment: its pause holds, which Faust's does not, and its offsets are committed
under a group without members, only while the epoch lives.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from connector.clock import Clock
from connector.kafka.clients import started
from connector.kafka.fetched import Fetched, ReadOptions
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.outage import Outlast
from connector.kafka.record_batch import Unreadable
from connector.stream.partitions.committer import OffsetCommits
from connector.stream.partitions.partition import Partition

# Fetched records that are not due yet stay in memory, this many for all partitions together.
POLL_RECORDS = 500
# For a record of a tier: it comes at once. What waits in memory is looked at when it is due, and at least this often:
# clocks are set.
WAIT_SECONDS, WAITING_LOOK_SECONDS = 5.0, 1.0
# So long the broker waits for a record before it hears of partitions that go on. They do when what was read is due.
FETCH_WAIT_MILLISECONDS = 1_500


class DueRecords(Protocol):
    """Admits records whose time has come.

    Implemented by `Admission` (connector/stream/intake/admission.py), put in place in
    `connector/stream/pipeline.py`.
    """

    async def admit_due(self, partition: Partition, records: Fetched) -> None:
        """Admit due records of a retry topic; waits while memory is full."""


class RetryReader(OffsetCommits):
    """Reads the retry topics.

    Args:
        options: for the aiokafka client.
        reading: how; a record that cannot be read is to stand for itself, and becomes a result.
        group: under which the offsets are committed.
        delays: topic → seconds after which its records are due.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        reading: ReadOptions,
        group: str,
        delays: Mapping[str, float],
        clock: Clock,
    ) -> None:
        self._options = dict(options)
        self._reading = reading
        self._group = group
        self._delays = delays
        self._clock = clock
        self._consumer: GuardedConsumer | None = None
        self._assigned: dict[TopicPartition, Partition] = {}
        self._partitions: dict[TopicPartition, Partition] = {}
        self._fetched: dict[TopicPartition, deque[_Waiting]] = {}
        self._positions: dict[TopicPartition, Fetched] = {}  # without records: what was handed out, and what was read
        self._feeding = asyncio.Event()

    async def start(self) -> None:
        """Connect, where that is still to be done: opening is tried again until every reader has begun."""
        if self._consumer is not None:
            return
        consumer = GuardedConsumer(
            **self._options,
            reading=self._reading,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=POLL_RECORDS,
            fetch_max_wait_ms=FETCH_WAIT_MILLISECONDS,
        )
        self._consumer = await started(consumer)

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    def assign(self, partitions: Sequence[Partition]) -> None:
        """Own these, from where their ledgers stand. Their offsets may be committed until `release`."""
        assert self._consumer is not None
        self._assigned = {TopicPartition(it.topic, it.partition): it for it in partitions}
        self._consumer.assign(list(self._assigned))
        for tp, partition in self._assigned.items():
            self._consumer.seek(tp, partition.ledger.position)

    def feed(self) -> None:
        """Begin to hand out what is due."""
        self._fetched = {tp: deque() for tp in self._assigned}
        self._positions = {tp: Fetched(it.ledger.position) for tp, it in self._assigned.items()}
        self._partitions = self._assigned
        self._feeding.set()

    def hold(self) -> None:
        """Hand out nothing more; what was fetched and not taken stays in Kafka."""
        self._partitions, self._fetched = {}, {}
        self._feeding.clear()

    def release(self) -> None:
        """Own nothing."""
        self.hold()
        self._assigned = {}
        if self._consumer is not None:
            self._consumer.assign([])

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit under the group."""
        assert self._consumer is not None
        await self._consumer.commit(dict(offsets))

    async def run(self, outlast: Outlast, sink: DueRecords) -> None:
        """Fetch, and hand to `sink` what is due, for ever; brokers that are away are waited for. Each turn belongs to
        the assignment it began with.
        """
        while True:
            partitions, consumer = self._partitions, self._consumer
            if not partitions or consumer is None:
                self._feeding.clear()
                await self._feeding.wait()
                continue
            found = await self._fetch(consumer, partitions, outlast)
            if partitions is not self._partitions:
                self._read_again(consumer, found or {})
                continue
            if found is None:
                continue
            for tp, records in found.items():
                self._fetched[tp].extend(_written(records, self._clock.wall() * 1000))
                self._positions[tp].end = records.end
                consumer.pause(tp)  # until these are gone
            await self._feed(partitions, sink)

    def _read_again(self, consumer: GuardedConsumer, found: Mapping[TopicPartition, Fetched]) -> None:
        """A fetch that began before these partitions were assigned has brought records of them, and moved on."""
        for tp in found:
            if (partition := self._assigned.get(tp)) is not None:
                consumer.seek(tp, partition.ledger.position)

    async def _fetch(
        self, consumer: GuardedConsumer, partitions: Mapping[TopicPartition, Partition], outlast: Outlast
    ) -> Mapping[TopicPartition, Fetched] | None:
        """The next records; None once others are owned."""
        found: Mapping[TopicPartition, Fetched] | None = await outlast(
            lambda: consumer.getmany(timeout_ms=math.ceil(self._until_due() * 1000)),
            doing="reading retry topics",
            wanted=lambda: partitions is self._partitions,
        )
        return found

    async def _feed(self, partitions: Mapping[TopicPartition, Partition], sink: DueRecords) -> None:
        for tp, partition in partitions.items():
            due = self._due(tp)
            if due or due.end > due.start:
                await sink.admit_due(partition, due)
            if partitions is not self._partitions or self._consumer is None:
                return
            if not self._fetched[tp]:
                self._consumer.resume(tp)

    def _until_due(self) -> float:
        """Seconds until something is that was read, or until it is looked again."""
        now, fetched = self._clock.wall(), self._fetched
        due = [of[0].written / 1000 + self._delays[tp.topic] - now for tp, of in fetched.items() if of]
        return min(max(0.0, min(due)), WAITING_LOOK_SECONDS) if due else WAIT_SECONDS

    def _due(self, tp: TopicPartition) -> Fetched:
        """Records whose tier's delay has passed since they were written: offset order is due order."""
        fetched, position = self._fetched[tp], self._positions[tp]
        due = Fetched(position.start)
        limit = (self._clock.wall() - self._delays[tp.topic]) * 1000
        while fetched and fetched[0].written <= limit:
            due.append(fetched.popleft().record)
        due.end = fetched[0].record.offset if fetched else position.end
        position.start = due.end
        return due


class _Waiting(NamedTuple):
    """A record, and when it was written: wall milliseconds."""

    record: ConsumerRecord | Unreadable
    written: float


def _written(records: Sequence[ConsumerRecord | Unreadable], now: float) -> Sequence[_Waiting]:
    """When records were written, of one partition in the order of its log.

    Their stamps say so, and a worker whose clock is wrong stamps an hour ahead. None was written after it was read, and
    none after the one behind it: so nothing waits for a wrong stamp longer than its tier's delay.
    """
    waiting: deque[_Waiting] = deque()
    latest = now
    for record in reversed(records):
        if record.timestamp is not None and record.timestamp >= 0:
            latest = min(latest, record.timestamp)
        waiting.appendleft(_Waiting(record, latest))
    return waiting
