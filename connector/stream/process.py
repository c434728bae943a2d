"""One worker process: Faust's worker around ours, signals, exit code.

Exit codes: 0 stopped, 1 crash, 70 a deadline passed, 71 the watchdog saw no progress, 78 configuration.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import structlog

from connector.clock import SystemClock
from connector.definition.tree import Definition
from connector.delivery.http.tracing import RequestTracing
from connector.errors import ConnectorError
from connector.formats.recipient_numbers import RecipientNumbers
from connector.formats.source_format import SourceFormats
from connector.kafka import clients
from connector.kafka.clients import Connection
from connector.kafka.skipped import Skipped
from connector.kafka.topic_plan import TopicPlan
from connector.settings.model import Settings
from connector.stream.control.reload import Definitions, Reload
from connector.stream.epoch.closing import CLOSE_GRACE_SECONDS
from connector.stream.faust.app import attach_agents, create_app
from connector.stream.faust.chunk import ChunkSink, FetchedChunk
from connector.stream.faust.group import Group
from connector.stream.faust.quiet_worker import QuietWorker
from connector.stream.membership.group_answers import Membership
from connector.stream.membership.lease import Lease
from connector.stream.output.producer import Producer
from connector.stream.output.recipient_masking import presenter
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.partitions.cluster import Cluster
from connector.stream.preflight import preflight
from connector.stream.shutdown.deadline import Deadline, Watchdog
from connector.stream.shutdown.stop_signals import StopSignals
from connector.stream.status import WorkerStatus
from connector.stream.wiring.dependencies import Dependencies
from connector.stream.worker import Worker

log = structlog.get_logger(__name__)

# What Faust's own stop may take after our partitions are closed (it leaves the group, joins its threads: 1-3 s seen).
STOP_GRACE_SECONDS = 10.0
# What the group has said is looked at this often.
MEMBERSHIP_LOOK_SECONDS = 1.0


S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)
Told_contra = TypeVar("Told_contra", contravariant=True)

StatusSource = Callable[[], WorkerStatus | None]
"""What the worker is doing at this moment; None before there is one."""


class Attendant(Protocol[Told_contra]):
    """Runs beside the worker on its loop: health and metrics.

    Implemented by `HealthServer` (connector/health/server.py), put in place in `connector/cli/run.py`.
    Implemented by `JoinHealth` (connector/health/join_pages.py), put in place in `connector/cli/receipt_commands.py`.
    """

    async def start(self, status: Callable[[], Told_contra | None]) -> None:
        """Begin; before the worker has joined. `status` says what the worker is doing; None before there is one."""

    async def stop(self) -> None:
        """End; after the worker has left."""


class HostedWorker(Protocol[S_co]):
    """What a process runs: a share of a group, opened and closed as the group gives and takes partitions. It is
    `Watched` and a `DefinitionUser` as well.

    Implemented by `Worker` (connector/stream/worker.py), put in place in `connector/stream/process.py`.
    Implemented by `JoinWorker` (connector/stream/receipts/join_worker.py), put in place in
    `connector/stream/receipts/join_process.py`.

    Attributes:
        error: what ended it.
        refusal: what Kafka refuses for good.
        stopping: it is on its way out.
        owns: there are partitions to give back.
        status: what it is doing.
    """

    error: BaseException | None
    stopping: bool

    @property
    def refusal(self) -> BaseException | None: ...
    @property
    def owns(self) -> bool: ...
    @property
    def status(self) -> S_co: ...
    @property
    def progress(self) -> object: ...
    @property
    def idle(self) -> bool: ...
    @property
    def definitions(self) -> Mapping[str, Definition]: ...

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Use these from now on. Raises DefinitionError where it cannot; nothing has changed then."""

    def note_unused(self, places: Sequence[str]) -> None:
        """What is on disk is not in use, because of problems at these places; none: it is."""

    async def open(self) -> None:
        """Own what the group has assigned."""

    async def admit(self, chunk: FetchedChunk) -> None:
        """Take what was fetched; waits while there is no room."""

    async def close(self, why: str, seconds: float) -> None:
        """Give the partitions back, within so many seconds. Idempotent."""

    def begin(self) -> None:
        """Connect while the group is being joined."""

    def begin_stop(self) -> None:
        """It is going to be closed and stopped."""

    def let_go(self) -> None:
        """A person wants it to end."""

    async def stop(self) -> None:
        """Disconnect."""

    async def fail(self, error: BaseException) -> None:
        """Close, then end the app."""


@dataclass(frozen=True, slots=True)
class Host:
    """What a process gives to its worker.

    Attributes:
        settings: with the group that it joins.
        connection: to the cluster.
        crash: ends the app with an error, after the epoch was closed.
    """

    settings: Settings
    connection: Connection
    group: Group
    membership: Membership
    clock: SystemClock
    skipped: Skipped
    crash: Callable[[BaseException], Awaitable[None]]

    def producer(self, limits: Mapping[str, int]) -> ReplaceableProducer:
        """A producer that lets nothing out while the membership is not certain."""
        make = functools.partial(clients.producer, self.settings, limits=limits)
        return ReplaceableProducer(lambda: Producer(make, self.membership.lease))

    def cluster(self, sources: Sequence[str], *, most: int) -> Cluster:
        """What is asked of Kafka at opening: `sources` are read, their largest record has `most` bytes."""
        return Cluster(
            self.connection.options(), clock=self.clock, skipped=self.skipped, sources=sources, event_bytes=most
        )


class Process(ChunkSink, Generic[S]):
    """Runs a worker until it is told to stop or cannot go on.

    Args:
        settings: with the group to join.
        make: makes the worker, on the running loop.
        sources: topics that are consumed.
        most: bytes of the largest record there.
        read: all topics that are read, for the counts of records passed over.
        signals: those of this process, taken already.
        source: where definitions come from when they change; without it they do not.
        attendants: started before the worker and stopped after it.
    """

    def __init__(
        self,
        settings: Settings,
        make: Callable[[Host], HostedWorker[S]],
        *,
        sources: Sequence[str],
        most: int,
        read: Sequence[str],
        signals: StopSignals,
        source: Definitions | None = None,
        attendants: Sequence[Attendant[S]] = (),
    ) -> None:
        self._attendants = attendants
        self._source = source
        self._signals = signals
        self._reload: asyncio.Task[None] | None = None
        self._attending: asyncio.Task[None] | None = None
        self._settings = settings
        self._make = make
        self._sources = sources
        self._clock = SystemClock()
        self._connection = clients.connect(settings.kafka)
        self._skipped = Skipped(read)
        self._worker: HostedWorker[S] | None = None
        self._watchdog: Watchdog | None = None
        self._stopping: asyncio.Future[None] | None = None
        self._error: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        lease = Lease(self._clock, seconds=settings.timeouts.session / 2)
        self._membership = Membership(lease, settings, self._clock)
        self._app = create_app(
            settings, self._connection, skipped=self._skipped, membership=self._membership, most=most
        )
        self._faust = QuietWorker(
            self._app, loop=self._loop, quiet=True, override_logging=False, redirect_stdouts=False, loglevel="WARN"
        )

        self._faust.spinner = None  # it writes escape sequences into the log

    def run(self) -> int:
        """Run to the end; returns the exit code."""
        _calm_collector()
        app = self._app
        attach_agents(app, self._sources, self)
        app.task(on_leader=False)(self._boot)
        app.on_rebalance_complete.connect(self._opened, weak=False)
        app.on_partitions_revoked.connect(self._revoked, weak=False)
        app.on_before_shutdown.connect(self._shutdown, weak=False)
        code = 0
        self._attending = self._loop.create_task(self._attend())
        try:
            self._faust.execute_from_commandline()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except (Exception, asyncio.CancelledError):  # Faust reraises whatever its services ended with
            if not isinstance(self._why, ConnectorError):
                log.exception("crashed")
            code = 1
        finally:
            shutil.rmtree(app.conf.datadir, ignore_errors=True)
        error = self._why
        if isinstance(error, ConnectorError):
            log.error("stopped", why=str(error))
            return error.exit_code
        code = code if error is None else 1
        if code == 0:
            log.info("stopped")
        return code

    @property
    def _why(self) -> BaseException | None:
        """What ended it."""
        if self._worker is not None and (error := self._worker.error or self._worker.refusal) is not None:
            return error
        return self._error

    # ---- from the first moment --------------------------------------------------------------------------------------

    async def _attend(self) -> None:
        """Before Faust connects: whoever looks at a worker that waits for its brokers finds it alive, it can be told
        to stop, and the watchdog and the group's answers decide for how long it may wait.
        """
        try:
            for attendant in self._attendants:
                await attendant.start(lambda: self._worker.status if self._worker is not None else None)
            worker = await self._create()
            worker.begin()
            self._watchdog = Watchdog(self._clock, worker, seconds=self._settings.timeouts.stuck)
            self._watchdog.start()
            if self._source is not None:
                reload = Reload(self._source, worker)
                self._loop.add_signal_handler(signal.SIGHUP, reload.ask)
                self._reload = asyncio.ensure_future(reload.run())
            # Faust ignores a rebalance that comes while it is stopping, so partitions are closed first, while this
            # process is still a full member.
            self._signals.tell(lambda number: self._loop.call_soon_threadsafe(self._on_signal, number))
            while not worker.stopping:
                if (error := self._membership.verdict()) is not None:
                    return await self._give_up(error)
                await asyncio.sleep(MEMBERSHIP_LOOK_SECONDS)
        except Exception as error:
            await self._give_up(error)

    async def _give_up(self, error: Exception) -> None:
        """End a worker that cannot be a member. Faust may be in the middle of a join that never ends."""
        self._error = error
        code = error.exit_code if isinstance(error, ConnectorError) else 1
        owns = self._worker is not None and self._worker.owns
        seconds = STOP_GRACE_SECONDS + (self._settings.timeouts.drain + CLOSE_GRACE_SECONDS if owns else 0)
        Deadline(seconds, str(error), code=code)
        if self._worker is not None:
            await self._worker.fail(error)
        else:
            await self._app.crash(error)

    # ---- Faust's signals --------------------------------------------------------------------------------------------

    async def _boot(self) -> None:
        worker = await self._create()
        log.info("worker started", group=self._settings.group, providers=sorted(worker.definitions))

    async def _opened(self, *_: Any, **__: Any) -> None:
        worker = await self._create()
        try:
            await worker.open()
        except Exception as error:
            if not isinstance(error, ConnectorError):
                log.exception("partitions cannot be opened")
            await worker.fail(error)

    async def _revoked(self, *_: Any, **__: Any) -> None:
        if self._worker is not None:
            await self._worker.close("revoked", self._settings.timeouts.drain)

    async def _shutdown(self, *_: Any, **__: Any) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
        if self._reload is not None:
            self._reload.cancel()
        if self._worker is not None:
            self._worker.begin_stop()
            await self._worker.close("stop", self._settings.timeouts.drain)
            await self._worker.stop()
        for attendant in self._attendants:
            await attendant.stop()

    async def admit(self, chunk: FetchedChunk) -> None:
        """Faust's agents bring it."""
        await (await self._create()).admit(chunk)

    async def failed(self, error: BaseException) -> None:
        """One of them could not: the epoch is closed before Faust hears of it."""
        log.error("intake failed", exc_info=error)
        await (await self._create()).fail(error)

    def _on_signal(self, number: signal.Signals) -> None:
        worker = self._worker
        assert worker is not None
        worker.let_go()
        if worker.stopping:
            return  # it ends already, by its own deadline
        worker.begin_stop()
        log.info("stopping", signal=number.name)
        if worker.owns:
            seconds = self._settings.timeouts.drain + CLOSE_GRACE_SECONDS + STOP_GRACE_SECONDS
            Deadline(seconds, "stopping took too long")
        else:  # a join or a broker that does not answer may be waited for; nothing is left undone
            Deadline(STOP_GRACE_SECONDS, "stopped while it was joining", code=0)
        self._stopping = asyncio.ensure_future(self._stop(worker, number))

    async def _stop(self, worker: HostedWorker[S], number: signal.Signals) -> None:
        await worker.close("stop", self._settings.timeouts.drain)
        self._faust._schedule_shutdown(number)  # noqa: SLF001 - what Faust's own signal handler does

    async def _create(self) -> HostedWorker[S]:
        """The worker, made on the running loop."""
        if self._worker is None:
            host = Host(
                settings=self._settings,
                connection=self._connection,
                group=Group(self._app),
                membership=self._membership,
                clock=self._clock,
                skipped=self._skipped,
                crash=self._app.crash,
            )
            self._worker = self._make(host)
        return self._worker


def _calm_collector() -> None:
    """Python's collector runs every 700 allocations and walks all waiting messages again and again: a fifth of the CPU
    time. What waits holds no cycles (structs without them, tuples of bytes), so it may run seldom; the modules loaded
    so far are left out for good.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def run_worker(
    settings: Settings,
    definitions: Mapping[str, Definition],
    *,
    signals: StopSignals,
    ready: Callable[[], None] = lambda: None,
    source: Definitions | None = None,
    attendants: Sequence[Attendant[WorkerStatus]] = (),
) -> int:
    """Check the topics, then run one worker to its end. Returns the exit code. A signal may come at any moment.

    Raises:
        ConnectorError: before the start, when something has to be mended.
    """
    topics = signals.run(preflight(settings, definitions))
    if topics is None:
        log.info("stopped before it had joined")
        return 0
    ready()
    numbers = RecipientNumbers(settings.recipients)
    formats = SourceFormats(settings, SystemClock(), numbers if numbers.reads else None)
    tracing = RequestTracing(propagate=settings.tracing.propagate) if settings.tracing.enabled else None
    process = Process(
        settings,
        lambda host: _worker(host, definitions, topics, formats, numbers, tracing=tracing),
        sources=settings.topics.source_names,
        most=settings.events.bytes,
        read=settings.topics.read_names,
        signals=signals,
        source=source,
        attendants=attendants,
    )
    try:
        return process.run()
    finally:
        if tracing is not None:
            tracing.close()


def _worker(
    host: Host,
    definitions: Mapping[str, Definition],
    topics: TopicPlan,
    formats: SourceFormats,
    numbers: RecipientNumbers,
    *,
    tracing: RequestTracing | None,
) -> Worker:
    settings = host.settings
    deps = Dependencies(
        settings=settings,
        group=host.group,
        cluster=host.cluster(settings.topics.source_names, most=settings.events.bytes),
        membership=host.membership,
        producer=host.producer(topics.limits),
        clock=host.clock,
        limits=topics.limits,
        retention=topics.retention,
        journal=topics.keeps_journal,
        present=presenter(settings.results),
        allowed=settings.recipients.matcher(),
        skipped=host.skipped,
        formats=formats,
        tracing=tracing,
        numbers=numbers,
    )
    return Worker(deps, definitions, crash=host.crash)
