"""The worker's life: epochs of owned partitions, opened and closed around intake, lanes and writer.

An epoch opens when Faust's rebalance is complete, before its first event, and closes at a revocation, a stop or a
crash, always by the same routine under one lock:

    open    read what is settled → ledgers → commit the start → admit events
    close   admit nothing → wait for the requests in flight → write their results → commit → forget

Messages that were never attempted stay in Kafka: the next owner reads the results back and repeats nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

from connector.clock import Clock
from connector.definition.tree import Definition, Operation
from connector.delivery.item import Item
from connector.model import Result
from connector.settings.model import Settings
from connector.stream.budget import Budget
from connector.stream.cluster import Cluster
from connector.stream.committer import Committer
from connector.stream.counts import EpochCounts
from connector.stream.deadline import EXIT_DEADLINE, Deadline, end_process
from connector.stream.group import Group
from connector.stream.intake import Intake, too_large
from connector.stream.journal import Journal
from connector.stream.lanes import Lanes
from connector.stream.opening import Opening, retry_group
from connector.stream.parking import Parking
from connector.stream.partition import Partition
from connector.stream.pulse import TICK_SECONDS, Pulse
from connector.stream.purge import purge
from connector.stream.retry import Tiers
from connector.stream.retry_reader import RetryReader
from connector.stream.status import PartitionStatus, WorkerStatus
from connector.stream.writer import ResultWriter

log = structlog.get_logger(__name__)

# Records admitted between two turns of the event loop: a millisecond of work.
SLICE_RECORDS = 250
# Retry topics never expire by time; what is finished in them is deleted this often.
PURGE_SECONDS = 60.0
# How long a commit may go unanswered before the next step no longer waits for it.
COMMIT_SECONDS = 15.0
# What closing may take beyond its drain: results and commit of what was in flight at the end of it.
CLOSE_GRACE_SECONDS = 10.0
# Results that may wait for their acknowledgement before requests are held back; never less than can be at the providers
# at once. More than 50 ms of unbatched requests: a broker that works is never waited for.
UNACKNOWLEDGED_RESULTS = 500


class Worker:
    """One process's share of the group.

    Args:
        group: membership and commits.
        cluster: what is asked of Kafka at opening.
        producer: idempotent; started and stopped by the worker.
        lanes: makes the lane of a definition.
        crash: ends the app with an error, after the epoch was closed.
        record_bytes: the largest record the results topic takes.
        present: changes results before they leave.
        allowed: whether a number may be texted.
    """

    def __init__(
        self,
        settings: Settings,
        definitions: Mapping[str, Definition],
        *,
        group: Group,
        cluster: Cluster,
        producer: AIOKafkaProducer,
        lanes: Lanes,
        clock: Clock,
        crash: Callable[[BaseException], Awaitable[None]],
        record_bytes: int,
        present: Callable[[Result], None] | None,
        allowed: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._group = group
        self._cluster = cluster
        self._producer = producer
        self._clock = clock
        self._crash = crash
        self._budget = Budget(messages=settings.memory.messages, bytes_=settings.memory.bytes)
        self._committer = Committer(group.commit)
        self._journalling = {
            name
            for name, definition in definitions.items()
            if any(operation.on_uncertain == "report" for operation in definition.operations)
        }
        self._opening = Opening(cluster, settings, journal=bool(self._journalling))
        self.pulse = Pulse(clock, limit=settings.timeouts.session / 2)
        self._writer = ResultWriter(
            producer,
            results=settings.topics.results,
            dead_letters=settings.topics.dead_letters,
            connector=settings.group,
            record_bytes=record_bytes,
            present=present,
            durable=self._durable,
            gate=self._may_write,
            failed=self._fail,
            most=max(UNACKNOWLEDGED_RESULTS, sum(map(_at_once, definitions.values()))),
            too_large=too_large,
            clock=clock,
        )
        tiers = Tiers(settings.topics.retry)
        self._parking = Parking(tiers, move=self._writer.move, clock=clock, longest=settings.park_max)
        self._retry_reader = RetryReader(
            cluster.options,
            group=retry_group(settings.group),
            delays=tiers.delays,
            clock=clock,
            take=self._take_due,
        )
        self._retry_committer = Committer(self._retry_reader.commit)
        self._journal = Journal(self._append_to_journal)
        self._lane_maker = lanes
        self._lanes = {
            name: lanes.make(
                definition,
                settle=self._writer.add,
                caught_up=self._caught_up,
                memory_full=lambda: self._blocked,
                park=self._parking.park,
                before_send=self._may_send,
            )
            for name, definition in definitions.items()
        }
        self._intake = Intake(
            self._lanes,
            settle=self._writer.add,
            move=self._writer.move,
            parking=self._parking,
            retry_topics=tiers.delays,
            # With one provider there is nobody to make room for.
            share=settings.memory.messages // (2 if len(self._lanes) > 1 else 1),
            unknown_grace=settings.unknown_grace,
            budget=self._budget,
            clock=clock,
            allowed=allowed,
            max_age=settings.max_age,
        )
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._sources: list[Partition] = []
        self._retries: list[Partition] = []
        self._epoch = 0
        self._generation = -1
        self._blocked = False
        self._epochs = EpochCounts()
        self._settled = 0
        self._lifecycle = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._started = False
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: asyncio.Task[None] | None = None
        self.live = False
        self.stopping = False
        self.error: BaseException | None = None

    # ---- what the lanes and the watchdog ask ------------------------------------------------------------------------

    def _caught_up(self) -> bool:
        """True when no further messages are on their way: every log is read to its end."""
        for partition in self._sources:
            end = self._group.end(partition.topic, partition.partition)
            # A transaction marker may be the last offset: it is never delivered.
            if end is None or partition.ledger.high < end - 1:
                return False
        return True

    @property
    def progress(self) -> object:
        """Changes whenever an event is settled or the group gives us a generation."""
        return (self._settled, self._generation, self.live)

    @property
    def idle(self) -> bool:
        """True while there is deliberately nothing to do: live, and every open message waits in a lane that waits."""
        return self.live and self._writer.waiting == 0 and all(lane.waiting for lane in self._lanes.values())

    @property
    def status(self) -> WorkerStatus:
        """What the worker is doing, for metrics and pages."""
        memory = self._settings.memory
        return WorkerStatus(
            ready=self.live,
            stopping=self.stopping,
            blocked=self._blocked,
            messages=self._budget.messages,
            max_messages=memory.messages,
            bytes=self._budget.bytes,
            max_bytes=memory.bytes,
            unacknowledged=self._writer.unacknowledged,
            partitions=tuple(self._partition_status(it) for it in self._sources),
            lanes=self._lanes,
            intake=self._intake.counts,
            epochs=self._epochs,
            acknowledged=self._writer.acknowledged,
        )

    def _partition_status(self, it: Partition) -> PartitionStatus:
        position = it.ledger.position
        end = max(self._group.end(it.topic, it.partition) or 0, it.ledger.high)  # None before the first fetch
        return PartitionStatus(it.topic, it.partition, lag=end - position, span=it.ledger.high - position)

    # ---- events -----------------------------------------------------------------------------------------------------

    async def take(self, message: Any) -> None:
        """Take one chunk from the agent. Waits while memory or span is full: that is the backpressure."""
        partition = self._partitions.get((message.topic, message.partition))
        if not self.live or partition is None or message.generation_id != self._generation:
            return  # of an earlier generation, or a partition without its twins
        await self._admit(partition, message.value)

    async def _take_due(self, partition: Partition, records: Sequence[ConsumerRecord]) -> None:
        if self.live and partition.live:
            await self._admit(partition, records)

    async def _admit(self, partition: Partition, records: Sequence[ConsumerRecord]) -> None:
        epoch = self._epoch
        for start in range(0, len(records), SLICE_RECORDS):
            while self._budget.full or partition.ledger.span >= self._settings.span:
                self._blocked = True
                for lane in self._lanes.values():
                    lane.wake()
                await self._budget.wait()
                if epoch != self._epoch:
                    return
            self._blocked = False
            partition.marks.add(records[start].offset, partition.ends)
            self._intake.take(partition, records[start : start + SLICE_RECORDS])
            for lane in self._lanes.values():
                lane.wake()
            await asyncio.sleep(0)
            if epoch != self._epoch:
                return

    def _durable(self, partition: Partition, items: Sequence[Item]) -> None:
        """The results of these items are acknowledged."""
        settle, bytes_ = partition.ledger.settle, 0
        for item in items:
            settle(item.offset)
            bytes_ += len(item.raw)
        self._settled += len(items)
        self._budget.release(len(items), bytes_)

    # ---- gates ------------------------------------------------------------------------------------------------------

    async def _may_send(self, operation: Operation, batch_id: str, items: Sequence[Item]) -> bool:
        """Awaited before every request: False when this worker may no longer send."""
        if not self.live:
            return False
        await self._writer.room()
        if not await self._still_ours():
            return False
        if operation.on_uncertain == "report":
            await self._journal.sending(batch_id, items)
            return await self._still_ours()  # it took a while
        return True

    async def _still_ours(self) -> bool:
        if not self.pulse.certain:
            await self.pulse.wait()
        return self.live

    async def _append_to_journal(self, partition: Partition, values: Sequence[bytes]) -> None:
        await self._writer.append(partition, self._settings.topics.journal, values)

    async def _may_write(self, partition: Partition) -> bool:
        if not self.pulse.certain:
            await self.pulse.wait()
        return partition.live

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect and start the loops. Idempotent: the first assignment may come before Faust starts its tasks."""
        async with self._starting:
            if self._started:
                return
            await self._cluster.start()
            await self._producer.start()
            await self._retry_reader.start()
            self._started = True
            loops: list[Awaitable[None]] = [self._ticking(), self._committing(), self._retry_reader.run()]
            loops += [lane.run() for lane in self._lanes.values()]
            for loop in loops:
                task = asyncio.ensure_future(loop)
                task.add_done_callback(self._ended)
                self._tasks.append(task)

    async def open(self) -> None:
        """Own what the group has assigned. Awaited before the first event of the generation."""
        self._epoch += 1
        epoch = self._epoch
        async with self._lifecycle:
            if self.stopping or epoch != self._epoch:
                return
            await self.start()
            assigned = {tp for tp in self._group.assignment() if tp.topic in self._settings.topics.source_names}
            retries = self._retry_partitions(assigned)
            opened = await self._opening.open(assigned | retries, wanted=lambda: epoch == self._epoch)
            if epoch != self._epoch:
                return
            read_again = [it for it in opened if TopicPartition(it.topic, it.partition) in retries]
            sources = [it for it in opened if TopicPartition(it.topic, it.partition) not in retries]
            self._retry_reader.assign(read_again)
            await self._commit(sources, read_again)
            positions = {TopicPartition(it.topic, it.partition): it.ledger.position for it in sources}
            left_out = await self._cluster.bounds(assigned - set(positions))
            await self._group.seek(positions | {tp: bounds.end for tp, bounds in left_out.items()})
            numbers = await self._cluster.partitions(self._settings.topics.source_names)
            total = sum(map(len, numbers.values()))
            if epoch != self._epoch:  # revoked while it was opened; what follows does not wait for anything
                self._retry_reader.release()
                return
            self._sources, self._retries = sources, read_again
            self._partitions = {(it.topic, it.partition): it for it in opened}
            self._generation = self._group.generation
            self._blocked = False
            self._retry_reader.feed()
            self.pulse.confirm()
            self.live = True
            self._epochs.opened += 1
            for lane in self._lanes.values():
                lane.share(len(sources) / max(1, total))
                lane.reopen()

    def _retry_partitions(self, assigned: Collection[TopicPartition]) -> set[TopicPartition]:
        """The owner of a partition of the first source topic owns the retry topics' partitions of that number."""
        first = self._settings.topics.source_names[0]
        topics = self._settings.topics.retry.values()
        return {TopicPartition(topic, tp.partition) for tp in assigned if tp.topic == first for topic in topics}

    async def _commit(self, sources: Sequence[Partition], retries: Sequence[Partition]) -> bool:
        """Commit both groups' positions."""
        committed = await self._committer.commit(sources, seconds=COMMIT_SECONDS)
        return await self._retry_committer.commit(retries, seconds=COMMIT_SECONDS) and committed

    async def close(self, why: str, seconds: float) -> None:
        """Give the partitions back: wait up to `seconds` for what is in flight, write its results, commit, forget.

        Idempotent; a revocation during a stop waits for the stop's own closing.
        """
        self._epoch += 1
        self.live = False
        self._budget.changed()
        self._writer.release()
        self._retry_reader.hold()
        async with self._lifecycle:
            partitions = list(self._partitions.values())
            if not partitions:
                return
            deadline = Deadline(seconds + CLOSE_GRACE_SECONDS, f"closing took too long ({why})")
            started = self._clock.monotonic()
            if not self.pulse.certain and not await self._committer.confirm(self._sources, seconds=COMMIT_SECONDS):
                self._disown(partitions)  # someone else owns them: nothing more may be written
            until = started + seconds
            drained = await asyncio.gather(*(lane.drain(until) for lane in self._lanes.values()))
            for name, items in zip(self._lanes, drained, strict=True):
                if items and name in self._journalling:  # refused, or never sent: the next owner may send them
                    await self._journal.release(items)
                if tried := [item for item in items if item.attempts or item.uncertain]:
                    self._parking.park(tried, self._clock.wall())  # with their count
            remaining = max(1.0, until + CLOSE_GRACE_SECONDS / 2 - self._clock.monotonic())
            if not await self._writer.flush(remaining):
                # Batches queued in an idempotent producer cannot be recalled: they would be written in another epoch.
                end_process(EXIT_DEADLINE, "results were not acknowledged in time")
            committed = await self._commit(self._sources, self._retries)
            self._disown(partitions)
            deadline.cancel()
            seconds_taken = round(self._clock.monotonic() - started, 3)
            self._epochs.drains.add(seconds_taken)
            log.info(
                "partitions closed",
                why=why,
                partitions=len(partitions),
                left_in_kafka=sum(map(len, drained)),
                committed=committed,
                seconds=seconds_taken,
            )

    def _disown(self, partitions: Sequence[Partition]) -> None:
        for partition in partitions:
            partition.live = False
        self._writer.forget()
        self._retry_reader.release()
        self._budget.clear()
        self._partitions, self._sources, self._retries = {}, [], []
        self.pulse.confirm()

    async def stop(self) -> None:
        """Disconnect, after the last epoch was closed."""
        self.stopping = True
        for task in self._tasks:
            task.remove_done_callback(self._ended)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._lane_maker.close()
        if self._started:
            await self._retry_reader.stop()
            await self._producer.stop()
            await self._cluster.stop()
            self._started = False

    # ---- loops ------------------------------------------------------------------------------------------------------

    async def _ticking(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.pulse.tick():
                continue
            if not self.live:
                self.pulse.confirm()
                continue
            log.warning("this process stood still; asking the group whether the partitions are still ours")
            if await self._committer.confirm(self._sources, seconds=COMMIT_SECONDS):
                self.pulse.confirm()

    async def _committing(self) -> None:
        purged = self._clock.monotonic()
        while True:
            await asyncio.sleep(self._settings.timeouts.commit_interval)
            if not self.live:
                continue
            await self._commit(self._sources, self._retries)
            if self._clock.monotonic() - purged >= PURGE_SECONDS:
                purged = self._clock.monotonic()
                await purge(self._cluster, self._settings, {it.partition for it in self._retries})

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._fail(task.exception() or RuntimeError("a loop of the worker ended"))

    def _fail(self, error: BaseException) -> None:
        if self._failing is None and not self.stopping:
            self._failing = asyncio.ensure_future(self.fail(error))

    async def fail(self, error: BaseException) -> None:
        """Something nothing here can mend: close the epoch while we are still a member, then end the app."""
        if self.error is None:
            self.error = error
            self.stopping = True
            await self.close("crash", self._settings.timeouts.drain)
        await self._crash(error)


def _at_once(definition: Definition) -> int:
    """Messages of this provider that can be under way at once."""
    records = max(1 if it.batching is None else it.batching.max_records for it in definition.operations)
    return definition.limits.concurrency * records
