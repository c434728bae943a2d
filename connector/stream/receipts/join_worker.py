"""The life of `receipts run`: partitions opened with their states, entries taken, partitions given back.

    open    states as far as they are written → ledgers → commit the start → take entries
    close   take nothing → wait for what is being written → commit → let the states go

What was being written when the process ended is read back by the next owner, and nothing of it is written twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import RequestTimedOutError

from connector.definition.tree import Definition
from connector.formats.recipient_numbers import RecipientNumbers
from connector.formats.source_format import SourceFormats
from connector.kafka.outage import Outlast
from connector.receipts.correlation import looks_up
from connector.receipts.readers import receipt_readers
from connector.receipts.verification import ReceiptKeys
from connector.store.index_store import IndexStore
from connector.store.state_store import States, Stores
from connector.stream.control.reload import DefinitionUser
from connector.stream.epoch.closing import CLOSE_GRACE_SECONDS
from connector.stream.epoch.epoch_counts import EpochCounts
from connector.stream.epoch.housekeeping import Housekeeping
from connector.stream.epoch.instance_takeover import InstanceTakeover
from connector.stream.faust.chunk import FetchedChunk
from connector.stream.intake.passed_over import PassedOver
from connector.stream.intake.read_progress import ReadProgress
from connector.stream.output.dispatch import Dispatch
from connector.stream.output.fencing import Fencing
from connector.stream.output.read_back import ReadBack
from connector.stream.output.writability import Writability
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.committer import Committer
from connector.stream.partitions.open_transactions import OpenTransactions
from connector.stream.partitions.partition import Partition
from connector.stream.process import Host
from connector.stream.receipts.event_phones import EventPhones
from connector.stream.receipts.index_service import IndexService
from connector.stream.receipts.join_preflight import JoinTopics
from connector.stream.receipts.join_stage import JoinStage
from connector.stream.receipts.join_status import JoinCounts, JoinStatus
from connector.stream.receipts.joining import Joining
from connector.stream.receipts.opt_out_opening import OptOutOpening
from connector.stream.receipts.opt_out_stage import OptOutStage
from connector.stream.receipts.partition_stage import PartitionStage
from connector.stream.receipts.state_opening import StateOpening
from connector.stream.shutdown.deadline import Deadline, Watched, WorkerProgress
from connector.stream.shutdown.failure_sink import FailureSink
from connector.stream.status import partition_status

log = structlog.get_logger(__name__)

EVENT_PATIENCE_SECONDS = 5.0
"""For an event that a reply is about: where it may not be read, other replies wait no longer for it."""


class JoinWorker(FailureSink, Watched, DefinitionUser):
    """One process's share of the group of `receipts run`.

    Args:
        host: the process it runs in.
        stores, index: where states stand on disk, and what receipts are looked up in.
        known: the topics as they are.
        keys: what readers are made with.

    Raises:
        DefinitionError: a definition cannot be used, or none says how its provider reports.
    """

    def __init__(
        self,
        host: Host,
        definitions: Mapping[str, Definition],
        *,
        stores: Stores[States],
        index: Stores[IndexStore],
        known: JoinTopics,
        keys: ReceiptKeys,
    ) -> None:
        settings, topics, clock = host.settings, host.settings.topics, host.clock
        lease = host.membership.lease
        self._host = host
        self._keys = keys
        self._clock = clock
        self._lease = lease
        self._owned = owned = Assignment()
        self._matched, self._inbound = topics.receipts_matched, topics.inbound
        self._counts = JoinCounts()
        self._index = IndexService(host, index, known, failed=self.failed)
        sources = [topics.receipts_matched, topics.inbound]
        # Events are read where a reply names its message and no phone.
        most = max(known.most, settings.events.bytes)
        self._cluster = cluster = host.cluster([*sources, *topics.source_names], most=most)
        self._producer = host.producer(known.limits)
        self._outlast = outlast = Outlast(clock, patience=settings.timeouts.refused)
        self._writable = Writability(clock, patience=settings.timeouts.refused)
        fencing, passed_over = Fencing(owned, lease), PassedOver(owned, cluster, outlast)
        dispatch = Dispatch(
            self._producer,
            writable=self._writable,
            read_back=ReadBack(cluster, outlast),
            proof=self._counts,
            clock=clock,
        )
        self._joining = Joining(keep=settings.receipts.keep, most=known.limits[topics.receipts_unmatched], clock=clock)
        self._stage = JoinStage(
            owned,
            joining=self._joining,
            dispatch=dispatch,
            fencing=fencing,
            passed_over=passed_over,
            topics=topics,
            counts=self._counts,
            clock=clock,
        )
        numbers = RecipientNumbers(settings.recipients)
        self._opt_outs = OptOutStage(
            owned,
            passed_over=passed_over,
            dispatch=dispatch,
            fencing=fencing,
            phones=EventPhones(
                cluster,
                Outlast(clock, patience=EVENT_PATIENCE_SECONDS),
                formats=SourceFormats(settings, clock, numbers if numbers.reads else None),
                sources=frozenset(topics.source_names),
                most=settings.events.bytes,
                clock=clock,
            ),
            topics=topics,
            partitions=known.partitions,
            counts=self._counts,
            skipped=host.skipped,
            clock=clock,
        )
        self._housekeeping = Housekeeping(
            owned,
            lease=lease,
            producer=self._producer,
            sources=Committer(host.group),
            retries=Committer(host.group),
            cluster=cluster,
            clock=clock,
            settings=settings,
            purges=False,
        )
        self._takeover = InstanceTakeover(cluster, host.membership, settings, clock=clock)
        self._opening = StateOpening(
            cluster, stores, settings, partitions=known.partitions, skipped=host.skipped, clock=clock
        )
        self._opt_out_opening = OptOutOpening(cluster, settings, clock=clock)
        self._reading = ReadProgress(owned, host.group)
        self._progress = WorkerProgress()
        self._undecided = OpenTransactions(clock)
        self._epochs = EpochCounts()
        self._lifecycle = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._started = False
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: asyncio.Task[None] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._unused: tuple[str, ...] = ()
        self.stopping = False
        self.error: BaseException | None = None
        self._definitions: Mapping[str, Definition] = {}
        self.define(definitions)

    # ---- definitions ------------------------------------------------------------------------------------------------

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """What entries are read by."""
        return self._definitions

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Read entries by these from the next one on. Raises DefinitionError; nothing has changed then."""
        self._joining.readers = readers = receipt_readers(definitions, self._host.settings, self._keys)
        self._counts.expect(readers)
        looking_up = [name for name, it in definitions.items() if name in readers and looks_up(it)]
        self._index.counts.expect(looking_up)
        self._looks_up = bool(looking_up)
        if self._started and self._looks_up:
            self._index.start()
        self._definitions = definitions

    def note_unused(self, places: Sequence[str]) -> None:
        self._unused = tuple(places)

    # ---- what the process and the watchdog ask ----------------------------------------------------------------------

    @property
    def refusal(self) -> BaseException | None:
        """What Kafka refuses for good."""
        return self._writable.error

    @property
    def owns(self) -> bool:
        """There are partitions to give back."""
        return bool(self._owned.partitions)

    @property
    def progress(self) -> object:
        """Changes whenever an entry is settled, or more is read back than at any opening since the last one was."""
        read_back = 0 if self._owned.live else self._opening.seen
        return self._progress.at(settled=self._counts.settled, read_back=read_back)

    @property
    def idle(self) -> bool:
        """It stops, by a deadline of its own; or there is nothing more to read."""
        if self.stopping:
            return True
        busy = self._stage.busy or self._opt_outs.busy
        return self._owned.live and not busy and not self._reading.more

    @property
    def status(self) -> JoinStatus:
        """What it is doing, for metrics and pages."""
        group = self._host.group
        partitions = [partition_status(it, group, self._undecided) for it in self._owned.sources]
        return JoinStatus(
            ready=not self._reason(),
            reason=self._reason(),
            counts=self._counts,
            partitions=tuple(it for it in partitions if it.topic == self._matched),
            replies=tuple(it for it in partitions if it.topic != self._matched),
            state_bytes=sum(states.bytes for states in self._stage.states.values()),
            restore_seconds=self._opening.seconds,
            restored=self._opening.seen,
            epochs=self._epochs,
            skipped=self._host.skipped.counts,
            index=self._index.status,
            definitions=sorted(self._joining.readers),
            unused=self._unused,
        )

    def _reason(self) -> str:
        if self.stopping:
            return "it is stopping"
        if self._writable.holding:
            return f"nothing is written: Kafka refuses what has to be written to {', '.join(self._writable.topics)}"
        if not self._owned.live:
            return "the group has not given it its partitions"
        if not self._lease.certain:
            return "nothing is written: no heartbeat was answered for half a session, it is cut off from the brokers"
        index = self._index.status
        return "" if index is None else index.reason

    # ---- life -------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Connect while the group is being joined: neither waits for the other. Where that fails, opening does it."""
        self._connecting = asyncio.ensure_future(self._connect_early())

    async def _connect_early(self) -> None:
        try:
            await self.start()
        except Exception as error:  # whatever it is, the first opening meets it too, and says or outlasts it
            log.debug("not connected before the group was joined", error=type(error).__name__)

    async def start(self) -> None:
        """Connect and start the loops. Idempotent."""
        async with self._starting:
            if self._started:
                return
            await self._cluster.start()
            await self._producer.start()
            self._started = True
            for loop in (self._housekeeping.ticking(), self._housekeeping.committing()):
                task = asyncio.ensure_future(loop)
                task.add_done_callback(self._ended)
                self._tasks.append(task)
            if self._looks_up:
                self._index.start()

    async def open(self) -> None:
        """Own what the group has assigned. Brokers that are away are waited for; the watchdog decides for how long."""
        owned = self._owned
        epoch = owned.begin()

        def wanted() -> bool:
            return not self.stopping and epoch == owned.epoch

        async def begin() -> None:
            await self.start()
            await self._open(epoch)

        async with self._lifecycle:
            if wanted():
                await self._outlast(begin, doing="opening partitions", wanted=wanted)

    async def _open(self, epoch: int) -> None:
        owned, group = self._owned, self._host.group

        def wanted() -> bool:
            return epoch == owned.epoch

        # The producer refuses partitions that were added since it last looked, up to five minutes ago.
        await self._producer.refresh()
        assigned = set(group.assignment())
        await self._takeover.wait(assigned, wanted=wanted)
        opened = await self._opening.open({tp for tp in assigned if tp.topic == self._matched}, wanted=wanted)
        try:
            replies = {tp for tp in assigned if tp.topic == self._inbound}
            heard = await self._opt_out_opening.open(replies, wanted=wanted)
            if not wanted() or not await self._claim([*opened, *heard], wanted=wanted):
                _close(opened)
                return
        except BaseException:
            _close(opened)
            raise
        self._stage.states, self._opt_outs.sayings = opened, heard
        owned.own([*opened, *heard], [], group.generation)
        owned.go_live()
        self._epochs.opened += 1

    async def _claim(self, opened: Sequence[Partition], *, wanted: Callable[[], bool]) -> bool:
        """Commit the start, and read from there. False where the partitions have gone meanwhile."""
        claimed = await self._housekeeping.commit(opened, [])
        if self._takeover.needed and not claimed:
            raise RequestTimedOutError
        if not wanted():
            return False
        positions = {TopicPartition(it.topic, it.partition): it.ledger.position for it in opened}
        await self._host.group.seek(positions)
        return wanted()

    async def admit(self, chunk: FetchedChunk) -> None:
        """Take what was fetched."""
        stage: PartitionStage = self._opt_outs if chunk.topic == self._inbound else self._stage
        await stage.admit(chunk)

    async def close(self, why: str, seconds: float) -> None:
        """Give the partitions back: wait up to `seconds` for what is being written, commit, forget. Idempotent."""
        self._owned.begin()
        self._writable.release()
        async with self._lifecycle:
            if self._owned.partitions:
                await self._close(why, seconds)

    async def _close(self, why: str, seconds: float) -> None:
        partitions = self._owned.partitions
        deadline = Deadline(seconds + CLOSE_GRACE_SECONDS, f"closing took too long ({why})")
        began = self._clock.monotonic()
        member = self._lease.certain or (await self._housekeeping.confirm() and self._lease.certain)
        until = began + seconds
        written = member and await self._stage.finish(seconds)
        written = written and await self._opt_outs.finish(max(0.0, until - self._clock.monotonic()))
        committed = member and await self._housekeeping.commit(partitions, [], closed=written)
        self._owned.disown()
        self._lease.wake()
        if not written:
            log.warning("what is not acknowledged is left to the next owner", member=member)
            await asyncio.gather(self._stage.give_up(), self._opt_outs.give_up())
            await self._producer.discard()
        _close(self._stage.states)
        self._stage.states, self._opt_outs.sayings = {}, {}
        deadline.cancel()
        taken = round(self._clock.monotonic() - began, 3)
        self._epochs.drains.add(taken)
        log.info("partitions closed", why=why, partitions=len(partitions), committed=committed, seconds=taken)

    def begin_stop(self) -> None:
        """It is going to be closed and stopped: nothing new is opened."""
        self.stopping = True

    def let_go(self) -> None:
        """Nothing is kept that stands nowhere else: there is nothing to let go of."""

    async def stop(self) -> None:
        """Disconnect, after the last epoch was closed."""
        self.stopping = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        await self._index.stop()
        for task in self._tasks:
            task.remove_done_callback(self._ended)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._started:
            await self._producer.stop()
            await self._cluster.stop()
            self._started = False

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception() or RuntimeError("a loop of the worker ended")
            log.error("it cannot go on", exc_info=error)
            self.failed(error)

    def failed(self, error: BaseException) -> None:
        if self._failing is None and not self.stopping:
            self._failing = asyncio.ensure_future(self.fail(error))

    async def fail(self, error: BaseException) -> None:
        """Something nothing here can mend: close while it is still a member, then end the app."""
        if self.error is None:
            self.error = error
            self.stopping = True
            try:
                await self.close("crash", self._host.settings.timeouts.drain)
            except Exception:  # what ended it is told all the same, at once
                log.exception("partitions could not be closed in order")
        await self._host.crash(error)


def _close(opened: Mapping[Partition, States]) -> None:
    for states in opened.values():
        states.close()
