"""The worker's life: epochs of owned partitions, opened and closed around intake, lanes and writer.

An epoch opens when Faust's rebalance is complete, before its first event, and closes at a revocation, a stop or a
crash, always by the same routine under one lock:

    open    read what is settled → ledgers → commit the start → admit events
    close   admit nothing → wait for the requests in flight → write their results → commit → forget

Messages that were never attempted stay in Kafka: the next owner reads the results back and repeats nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import RequestTimedOutError

from connector.definition.tree import Definition
from connector.errors import DefinitionError, Problem, RefusedError
from connector.stream.control.reload import DefinitionUser
from connector.stream.epoch.together import together
from connector.stream.faust.chunk import FetchedChunk
from connector.stream.lanes import at_once, reports
from connector.stream.partitions.copartitions import retry_partitions
from connector.stream.partitions.open_transactions import OpenTransactions
from connector.stream.preflight import warn_of_narrow_span
from connector.stream.shutdown.deadline import Watched, WorkerProgress
from connector.stream.shutdown.failure_sink import FailureSink
from connector.stream.status import WorkerStatus, partition_status, retry_backlog
from connector.stream.wiring.dependencies import Dependencies
from connector.stream.wiring.output import UNACKNOWLEDGED_RESULTS
from connector.stream.wiring.parts import build

log = structlog.get_logger(__name__)

# How often it is looked whether a transaction is left open in a source.
TRANSACTIONS_LOOK_SECONDS = 5.0
"""Open transactions are looked for this often."""


class Worker(FailureSink, Watched, DefinitionUser):
    """One process's share of the group.

    Args:
        crash: ends the app with an error, after the epoch was closed.
    """

    def __init__(
        self,
        deps: Dependencies,
        definitions: Mapping[str, Definition],
        *,
        crash: Callable[[BaseException], Awaitable[None]],
    ) -> None:
        self._settings = deps.settings
        self._group = deps.group
        self._cluster = deps.cluster
        self._producer = deps.producer
        self._lease = deps.membership.lease
        self._skipped = deps.skipped
        self._undecided = OpenTransactions(deps.clock)
        self._crash = crash
        self._parts = build(deps, failures=self)
        self._progress = WorkerProgress()
        self._fraction = 0.0
        self._lifecycle = asyncio.Lock()
        self._starting = asyncio.Lock()
        self._started = False
        self._tasks: list[asyncio.Task[None]] = []
        self._connecting: asyncio.Task[None] | None = None
        self._failing: asyncio.Task[None] | None = None
        self.stopping = False
        self.error: BaseException | None = None
        self._unused: tuple[str, ...] = ()
        self.define(definitions)

    # ---- definitions ------------------------------------------------------------------------------------------------

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """What the lanes are made from."""
        return self._parts.lanes.definitions

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Use these definitions from the next request on; messages that wait are filed anew.

        Raises:
            DefinitionError: one of them cannot be used by a worker that runs; nothing has changed.
        """
        parts = self._parts
        journal = self._settings.topics.journal
        kept = all(journal in partition.ends for partition in parts.owned.partitions)
        if not kept and (found := [it for it in definitions.values() if reports(it)]):
            message = (
                f"`on_uncertain: report` needs the topic {journal}, which this worker does not have for all partitions"
            )
            remedy = "run `sms-connector topics create`, then restart the workers"
            raise DefinitionError([Problem(message, remedy, it.file, "on_uncertain") for it in found])
        for lane in parts.lanes.set(definitions):
            parts.input.control_applier.adopt(lane)
            lane.share(self._fraction)
        parts.input.failover.set(definitions)
        parts.output.pending.allow(max(UNACKNOWLEDGED_RESULTS, sum(map(at_once, definitions.values()))))

    @property
    def refusal(self) -> RefusedError | None:
        """What Kafka refuses for good, though a person may have stopped the worker before it ended for it."""
        return self._parts.output.writable.error

    @property
    def owns(self) -> bool:
        """True while partitions are its own: there is something to give back."""
        return bool(self._parts.owned.partitions)

    def note_unused(self, places: Sequence[str]) -> None:
        """Definitions on disk are not the ones in use, because of problems at these places; none: they are."""
        self._unused = tuple(places)

    async def admit(self, chunk: FetchedChunk) -> None:
        """Admit what was fetched of a source partition; waits while there is no room."""
        await self._parts.pipeline.admit(chunk)

    # ---- what the lanes and the watchdog ask ------------------------------------------------------------------------

    @property
    def progress(self) -> object:
        """Changes whenever an event is settled, or more is read back than at any opening since the last one was."""
        return self._progress.at(settled=self._parts.output.settled.count, read_back=self._parts.read_back)

    @property
    def idle(self) -> bool:
        """True while there is deliberately nothing to do. It stops, by a deadline of its own; or it is live, every
        open message waits in a lane that waits, every result is acknowledged, and there is nothing more to read, or no
        room for it.
        """
        parts = self._parts
        if self.stopping:
            return True
        if not parts.owned.live or parts.output.pending.busy or not all(lane.waiting for lane in parts.lane_set.all()):
            return False
        return parts.budget.blocked or not parts.progress.more

    @property
    def status(self) -> WorkerStatus:
        """What the worker is doing, for metrics and pages."""
        parts, output = self._parts, self._parts.output
        memory = self._settings.memory
        return WorkerStatus(
            ready=parts.owned.live
            and self._lease.certain
            and not output.writable.holding
            and not parts.input.held_sources.look(),
            cut_off=parts.owned.live and not self._lease.certain,
            stopping=self.stopping,
            blocked=parts.budget.blocked,
            messages=parts.budget.messages,
            max_messages=memory.messages,
            bytes=parts.budget.bytes,
            max_bytes=memory.bytes,
            unacknowledged=output.pending.unacknowledged,
            unacknowledged_for=output.pending.unacknowledged_for(asyncio.get_running_loop().time()),
            refused=", ".join(output.writable.topics),
            owed=output.debts.count,
            partitions=tuple(partition_status(it, self._group, self._undecided) for it in parts.owned.sources),
            retry_backlog=retry_backlog(parts.owned),
            lanes=dict(parts.lanes.current),
            intake=parts.input.intake.counts,
            epochs=parts.epochs,
            acknowledged=output.writer.acknowledged,
            skipped=self._skipped.counts,
            unknown=parts.input.unknown,
            unknown_fields=parts.input.reader.unknown,
            held=sum((it.needs for it in parts.owned.partitions), Counter()),
            member=self._group.member_id,
            control=dict(parts.control.applied),
            unused=self._unused,
            held_sources=parts.input.held_sources.look(),
            suppressions=None if (reader := parts.input.suppression_reader) is None else reader.status,
        )

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
        """Connect and start the loops. Idempotent: opening is tried again until every client has begun."""
        parts = self._parts
        async with self._starting:
            if self._started:
                return
            await together(
                self._cluster.start(), self._producer.start(), parts.retry_reader.start(), self._start_readers()
            )
            self._started = True
            for loop in (*parts.pipeline.loops(), self._watch_transactions()):
                task = asyncio.ensure_future(loop)
                task.add_done_callback(self._ended)
                self._tasks.append(task)
            parts.lanes.start()

    async def _start_readers(self) -> None:
        """Of what steers: who is sent what, and who must not be texted."""
        input_, topics = self._parts.input, self._settings.topics
        suppressions = input_.suppression_reader
        wanted = [topics.control] if suppressions is None else [topics.control, topics.suppressions]
        numbers = await self._cluster.partitions(wanted)
        await input_.control_reader.start(numbers[topics.control])
        if suppressions is not None:
            await suppressions.start(numbers[topics.suppressions])

    async def _catch_up_suppressions(self, wanted: Callable[[], bool]) -> None:
        """Nothing is sent before it is known who must not be texted."""
        if (suppressions := self._parts.input.suppression_reader) is not None:
            await suppressions.catch_up(wanted)

    async def _watch_transactions(self) -> None:
        """Look for those that are left open, also where nobody looks at the metrics, for ever."""
        while True:
            await asyncio.sleep(TRANSACTIONS_LOOK_SECONDS)
            sources = self._parts.owned.sources
            self._undecided.keep({(it.topic, it.partition) for it in sources})
            for it in sources:
                partition_status(it, self._group, self._undecided)

    async def open(self) -> None:
        """Own what the group has assigned. Awaited before the first event of the generation.

        Brokers that are away are waited for; the watchdog decides for how long.
        """
        owned = self._parts.owned
        epoch = owned.begin()

        def wanted() -> bool:
            return not self.stopping and epoch == owned.epoch

        async def begin() -> None:
            await self.start()
            await self._open(epoch)

        async with self._lifecycle:
            if wanted():
                await self._parts.outlast(begin, doing="opening partitions", wanted=wanted)

    async def _open(self, epoch: int) -> None:
        parts, owned = self._parts, self._parts.owned
        await together(
            # It refuses partitions that were added since it last looked, up to five minutes ago.
            self._producer.refresh(),
            parts.input.control_reader.catch_up(),
            self._catch_up_suppressions(lambda: epoch == owned.epoch),
            parts.inspection.look(wanted=lambda: epoch == owned.epoch),
        )
        parts.input.control_applier.replayed()
        assigned = {tp for tp in self._group.assignment() if tp.topic in self._settings.topics.source_names}
        retries = retry_partitions(self._settings.topics, assigned)
        await parts.instance_takeover.wait(assigned, wanted=lambda: epoch == owned.epoch)
        opened = await parts.opening.open(assigned | retries, wanted=lambda: epoch == owned.epoch)
        await parts.debt_payment.pay(opened, wanted=lambda: epoch == owned.epoch)
        if parts.dedupe_restore is not None:
            await parts.dedupe_restore.read(opened, wanted=lambda: epoch == owned.epoch)
        if epoch != owned.epoch:
            return
        read_again = [it for it in opened if TopicPartition(it.topic, it.partition) in retries]
        sources = [it for it in opened if TopicPartition(it.topic, it.partition) not in retries]
        parts.retry_reader.assign(read_again)
        claimed = await parts.housekeeping.commit(sources, read_again)
        if parts.instance_takeover.needed and not claimed:
            raise RequestTimedOutError
        positions = {TopicPartition(it.topic, it.partition): it.ledger.position for it in sources}
        left_out = await self._cluster.bounds(assigned - set(positions))
        await self._group.seek(positions | {tp: bounds.end for tp, bounds in left_out.items()})
        numbers = await self._cluster.partitions(self._settings.topics.source_names)
        if epoch != owned.epoch:  # revoked while it was opened; what follows does not wait for anything
            parts.retry_reader.release()
            return
        owned.know(numbers)
        owned.own(sources, read_again, self._group.generation)
        self._fraction = len(sources) / max(1, sum(map(len, numbers.values())))
        warn_of_narrow_span(self._settings, self.definitions, parts.control, len(sources))
        parts.retry_reader.feed()
        owned.go_live()
        parts.epochs.opened += 1
        for lane in parts.lanes.current.values():
            lane.share(self._fraction)
            lane.reopen()

    async def close(self, why: str, seconds: float) -> None:
        """Give the partitions back: wait up to `seconds` for what is in flight, write its results, commit, forget.

        Idempotent; a revocation during a stop waits for the stop's own closing.
        """
        self._parts.closing.begin()
        async with self._lifecycle:
            await self._parts.closing.close(why, seconds)

    def begin_stop(self) -> None:
        """It is going to be closed and stopped: nothing new is opened, and the watchdog leaves it to its deadline."""
        self.stopping = True

    def let_go(self) -> None:
        """A person wants the process to end, though it may keep results that stand nowhere else."""
        self._parts.output.debts.released.set()

    async def stop(self) -> None:
        """Disconnect, after the last epoch was closed."""
        self.stopping = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        for task in self._tasks:
            task.remove_done_callback(self._ended)
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self._parts.lanes.stop()
        await self._parts.input.control_reader.stop()
        if (suppressions := self._parts.input.suppression_reader) is not None:
            await suppressions.stop()
        await self._parts.retry_reader.stop()
        await self._producer.stop()
        await self._cluster.stop()
        self._started = False

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            error = task.exception() or RuntimeError("a loop of the worker ended")
            log.error("the worker cannot go on", exc_info=error)
            self.failed(error)

    def failed(self, error: BaseException) -> None:
        if self._failing is None and not self.stopping:
            self._failing = asyncio.ensure_future(self.fail(error))

    async def fail(self, error: BaseException) -> None:
        """Something nothing here can mend: close the epoch while we are still a member, then end the app."""
        if self.error is None:
            self.error = error
            self.stopping = True
            try:
                await self.close("crash", self._settings.timeouts.drain)
            except Exception:  # what ended it is told all the same, at once
                log.exception("partitions could not be closed in order")
        await self._crash(error)
