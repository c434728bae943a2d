"""The worker's life: epochs of owned partitions, opened and closed around intake, lanes and writer.

An epoch opens when Faust's rebalance is complete, before its first event, and closes at a revocation, a stop or a
crash, always by the same routine under one lock:

    open    read what is settled → ledgers → commit the start → admit events
    close   admit nothing → wait for the requests in flight → write their results → commit → forget

Messages that were never attempted stay in Kafka: the next owner reads the results back and repeats nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from connector.clock import Clock
from connector.definition.tree import Definition
from connector.delivery.gate import Account
from connector.delivery.item import Item
from connector.delivery.lane import Lane
from connector.delivery.lane_settings import LaneSettings
from connector.delivery.transport import Transport
from connector.errors import DefinitionError, Problem
from connector.model import Result
from connector.settings.model import Settings
from connector.stream.admission import Admission
from connector.stream.budget import Budget
from connector.stream.closing import Closing
from connector.stream.cluster import Cluster
from connector.stream.committer import Committer
from connector.stream.control import Control
from connector.stream.control_reader import ControlReader
from connector.stream.counts import EpochCounts
from connector.stream.failover import Failover
from connector.stream.gates import Gates
from connector.stream.group import Group
from connector.stream.intake import Intake, too_large
from connector.stream.journal import Journal
from connector.stream.lanes import Lanes, at_once, reports
from connector.stream.opening import Opening, retry_group, retry_partitions
from connector.stream.ownership import Ownership
from connector.stream.parking import Parking
from connector.stream.partition import Partition
from connector.stream.preflight import warn_of_narrow_span
from connector.stream.pulse import Pulse
from connector.stream.relief import Relief
from connector.stream.retry import Tiers
from connector.stream.retry_reader import RetryReader
from connector.stream.status import WorkerStatus, partition_status
from connector.stream.steering import Steering
from connector.stream.upkeep import Upkeep
from connector.stream.writer import ResultWriter

log = structlog.get_logger(__name__)

# Results that may wait for their acknowledgement before requests are held back; never less than can be at the providers
# at once. More than 50 ms of unbatched requests: a broker that works is never waited for.
UNACKNOWLEDGED_RESULTS = 500

OPEN_AGAIN_SECONDS = 1.0


class Worker:
    """One process's share of the group.

    Args:
        group: membership and commits.
        cluster: what is asked of Kafka at opening.
        producer: idempotent; started and stopped by the worker.
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
        self._owned = owned = Ownership()
        self._budget = Budget(
            messages=settings.memory.messages,
            bytes_=settings.memory.bytes,
            shares={source.topic: source.share for source in settings.topics.sources},
        )
        self._journal_kept = any(map(reports, definitions.values()))
        self._opening = Opening(cluster, settings, journal=self._journal_kept)
        self.pulse = Pulse(clock, limit=settings.timeouts.session / 2)
        self._gates = Gates(owned, self.pulse)
        self._writer = self._gates.writer = ResultWriter(
            producer,
            results=settings.topics.results,
            dead_letters=settings.topics.dead_letters,
            connector=settings.group,
            record_bytes=record_bytes,
            present=present,
            durable=self._durable,
            gate=self._gates.may_write,
            failed=self._fail,
            most=UNACKNOWLEDGED_RESULTS,
            too_large=too_large,
            clock=clock,
        )
        self._journal = self._gates.journal = Journal(self._append_to_journal)
        tiers = Tiers(settings.topics.retry)
        self._parking = Parking(tiers, move=self._writer.move, clock=clock, longest=settings.park_max)
        self._control = Control(clock, most=settings.memory.control, topic=settings.topics.control)
        self._lanes = Lanes(
            settings,
            make=self._make_lane,
            file=lambda items: self._steering.file(items),  # noqa: PLW0108  it is made later
            failed=self._fail,
            clock=clock,
        )
        self._failover = Failover(self._lanes.current)
        self._intake = Intake(
            self._lanes.current,
            control=self._control,
            failover=self._failover,
            settle=self._writer.add,
            move=self._writer.move,
            parking=self._parking,
            retry_topics=tiers.delays,
            share=settings.memory.messages,
            unknown_grace=settings.unknown_grace,
            budget=self._budget,
            clock=clock,
            allowed=allowed,
            max_age=settings.max_age,
        )
        self._steering = Steering(
            self._lanes.current,
            self._lanes.retiring,
            control=self._control,
            refile=self._intake.refile,
            failover=self._failover,
            live=lambda: owned.live,
            clock=clock,
        )
        relief = Relief(self._lanes.current, parking=self._parking, span=settings.span, clock=clock)
        self._admission = Admission(
            owned,
            intake=self._intake,
            budget=self._budget,
            relief=relief,
            lanes=self._lanes.current,
            span=settings.span,
            cluster=cluster,
        )
        self.take = self._admission.take
        self._control_reader = ControlReader(cluster.options, topic=settings.topics.control, apply=self._steering.apply)
        self._retry_reader = RetryReader(
            cluster.options,
            group=retry_group(settings.group),
            delays=tiers.delays,
            clock=clock,
            take=self._admission.take_due,
        )
        self._upkeep = Upkeep(
            owned,
            pulse=self.pulse,
            sources=Committer(group.commit),
            retries=Committer(self._retry_reader.commit),
            cluster=cluster,
            clock=clock,
            settings=settings,
        )
        self._epochs = EpochCounts()
        self._closing = Closing(
            owned,
            pulse=self.pulse,
            lanes=self._lanes,
            steering=self._steering,
            journal=self._journal,
            parking=self._parking,
            writer=self._writer,
            upkeep=self._upkeep,
            budget=self._budget,
            retry_reader=self._retry_reader,
            counts=self._epochs,
            clock=clock,
        )
        self._fraction = 0.0
        self._settled = 0
        self._lifecycle = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._started = False
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: asyncio.Task[None] | None = None
        self.stopping = False
        self.error: BaseException | None = None
        self.define(definitions)

    # ---- definitions ------------------------------------------------------------------------------------------------

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """What the lanes are made from."""
        return self._lanes.definitions

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Use these definitions from the next request on; messages that wait are filed anew.

        Raises:
            DefinitionError: one of them cannot be used by a worker that runs; nothing has changed.
        """
        if not self._journal_kept and (found := [it for it in definitions.values() if reports(it)]):
            message = "`on_uncertain: report` needs the journal, which this worker does not keep"
            raise DefinitionError([Problem(message, "restart the workers", it.file, "on_uncertain") for it in found])
        for lane in self._lanes.set(definitions):
            self._steering.adopt(lane)
            lane.share(self._fraction)
        self._failover.set(definitions)
        # With one provider there is nobody to make room for.
        self._intake.share = self._settings.memory.messages // (2 if len(definitions) > 1 else 1)
        self._writer.most = max(UNACKNOWLEDGED_RESULTS, sum(map(at_once, definitions.values())))

    def _make_lane(
        self, definition: Definition, transport: Transport, settings: LaneSettings, account: Account | None
    ) -> Lane:
        return Lane(
            definition,
            decode=self._control.waiting,
            settle=self._writer.add,
            transport=transport,
            clock=self._clock,
            settings=settings,
            caught_up=self._caught_up,
            memory_full=lambda: self._admission.blocked,
            park=self._parking.park,
            before_send=self._gates.may_send,
            account=account,
        )

    # ---- what the lanes and the watchdog ask ------------------------------------------------------------------------

    def _caught_up(self) -> bool:
        """True when no further messages are on their way: every log is read to its end."""
        for partition in self._owned.sources:
            end = self._group.end(partition.topic, partition.partition)
            # A transaction marker may be the last offset: it is never delivered.
            if end is None or partition.ledger.high < end - 1:
                return False
        return True

    @property
    def progress(self) -> object:
        """Changes whenever an event is settled or the group gives us a generation."""
        return (self._settled, self._owned.generation, self._owned.live)

    @property
    def idle(self) -> bool:
        """True while there is deliberately nothing to do: live, and every open message waits in a lane that waits."""
        return self._owned.live and self._writer.waiting == 0 and all(lane.waiting for lane in self._lanes.all())

    @property
    def status(self) -> WorkerStatus:
        """What the worker is doing, for metrics and pages."""
        memory = self._settings.memory
        return WorkerStatus(
            ready=self._owned.live,
            stopping=self.stopping,
            blocked=self._admission.blocked,
            messages=self._budget.messages,
            max_messages=memory.messages,
            bytes=self._budget.bytes,
            max_bytes=memory.bytes,
            unacknowledged=self._writer.unacknowledged,
            partitions=tuple(partition_status(it, self._group) for it in self._owned.sources),
            lanes=dict(self._lanes.current),
            intake=self._intake.counts,
            epochs=self._epochs,
            acknowledged=self._writer.acknowledged,
        )

    def _durable(self, partition: Partition, items: Sequence[Item]) -> None:
        """The results of these items are acknowledged."""
        partition.ledger.settle([item.offset for item in items])
        self._settled += len(items)
        self._budget.release(partition.topic, len(items), sum([len(item.raw) for item in items]))

    async def _append_to_journal(self, partition: Partition, values: Sequence[bytes]) -> None:
        await self._writer.append(partition, self._settings.topics.journal, values)

    # ---- life -------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect and start the loops. Idempotent: the first assignment may come before Faust starts its tasks."""
        async with self._starting:
            if self._started:
                return
            await self._cluster.start()
            await self._producer.start()
            await self._retry_reader.start()
            control = self._settings.topics.control
            await self._control_reader.start((await self._cluster.partitions([control]))[control])
            self._started = True
            for loop in (
                self._upkeep.ticking(),
                self._upkeep.committing(),
                self._retry_reader.run(),
                self._control_reader.run(),
                self._steering.run(),
            ):
                task = asyncio.ensure_future(loop)
                task.add_done_callback(self._ended)
                self._tasks.append(task)
            self._lanes.start()

    async def open(self) -> None:
        """Own what the group has assigned. Awaited before the first event of the generation.

        Brokers that are away are waited for; the watchdog decides for how long.
        """
        owned = self._owned
        epoch = owned.begin()
        async with self._lifecycle:
            while not self.stopping and epoch == owned.epoch:
                await self.start()
                try:
                    await self._open(epoch)
                except KafkaError as error:
                    if not error.retriable:
                        raise
                    log.warning("partitions cannot be opened yet", error=str(error))
                    await asyncio.sleep(OPEN_AGAIN_SECONDS)
                else:
                    return

    async def _open(self, epoch: int) -> None:
        owned = self._owned
        # The producer refuses partitions that were added since it last looked, up to five minutes ago.
        await self._producer.client.force_metadata_update()
        await self._control_reader.catch_up()
        assigned = {tp for tp in self._group.assignment() if tp.topic in self._settings.topics.source_names}
        retries = retry_partitions(self._settings.topics, assigned)
        opened = await self._opening.open(assigned | retries, wanted=lambda: epoch == owned.epoch)
        if epoch != owned.epoch:
            return
        read_again = [it for it in opened if TopicPartition(it.topic, it.partition) in retries]
        sources = [it for it in opened if TopicPartition(it.topic, it.partition) not in retries]
        self._retry_reader.assign(read_again)
        await self._upkeep.commit(sources, read_again)
        positions = {TopicPartition(it.topic, it.partition): it.ledger.position for it in sources}
        left_out = await self._cluster.bounds(assigned - set(positions))
        await self._group.seek(positions | {tp: bounds.end for tp, bounds in left_out.items()})
        numbers = await self._cluster.partitions(self._settings.topics.source_names)
        if epoch != owned.epoch:  # revoked while it was opened; what follows does not wait for anything
            self._retry_reader.release()
            return
        owned.own(sources, read_again, self._group.generation)
        self._fraction = len(sources) / max(1, sum(map(len, numbers.values())))
        warn_of_narrow_span(self._settings, self.definitions, self._control, len(sources))
        self._retry_reader.feed()
        self.pulse.confirm()
        owned.live = True
        self._epochs.opened += 1
        for lane in self._lanes.current.values():
            lane.share(self._fraction)
            lane.reopen()

    async def close(self, why: str, seconds: float) -> None:
        """Give the partitions back: wait up to `seconds` for what is in flight, write its results, commit, forget.

        Idempotent; a revocation during a stop waits for the stop's own closing.
        """
        self._closing.begin()
        async with self._lifecycle:
            await self._closing.close(why, seconds)

    async def stop(self) -> None:
        """Disconnect, after the last epoch was closed."""
        self.stopping = True
        for task in self._tasks:
            task.remove_done_callback(self._ended)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._lanes.stop()
        if self._started:
            await self._control_reader.stop()
            await self._retry_reader.stop()
            await self._producer.stop()
            await self._cluster.stop()
            self._started = False

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception() or RuntimeError("a loop of the worker ended")
            log.error("the worker cannot go on", exc_info=error)
            self._fail(error)

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
