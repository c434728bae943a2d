"""What a worker is made of, each part connected to those it needs."""

from __future__ import annotations

from dataclasses import dataclass

from connector.clock import Clock
from connector.definition.tree import Definition
from connector.delivery.counts import LaneCounts
from connector.delivery.http.tracing import RequestTracing
from connector.delivery.http.transport import Transport
from connector.delivery.lane import Lane
from connector.delivery.lane_host import LaneHost
from connector.delivery.limits.account import Account
from connector.delivery.limits.lane_settings import LaneSettings
from connector.delivery.limits.passage import Passage
from connector.delivery.sending.reading_turns import SlowReadings
from connector.kafka.fetched import ReadOptions, own_record_bytes
from connector.kafka.outage import Outlast
from connector.model import ProviderRoute
from connector.receipts.correlation import Correlations, IndexKeys
from connector.receipts.sent_references import ReferenceSigner
from connector.receipts.tokens import Tokens
from connector.stream.control.table import ControlTable
from connector.stream.epoch.closing import Closing
from connector.stream.epoch.debt_payment import DebtPayment
from connector.stream.epoch.epoch_counts import EpochCounts
from connector.stream.epoch.housekeeping import Housekeeping
from connector.stream.epoch.instance_takeover import InstanceTakeover
from connector.stream.epoch.opening import Opening
from connector.stream.epoch.topic_inspection import Inspection
from connector.stream.intake.budget import Budget
from connector.stream.intake.carried_headers import CARRIED_BYTES
from connector.stream.intake.dedupe import DedupeIndex
from connector.stream.intake.dedupe_restore import DedupeRestore
from connector.stream.intake.held_sources import HeldSources
from connector.stream.intake.read_progress import ReadProgress
from connector.stream.lanes import LaneMaker, Lanes, LaneSet
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.committer import Committer
from connector.stream.partitions.copartitions import retry_group
from connector.stream.partitions.refile_queue import RefileQueue
from connector.stream.pipeline import Pipeline, WorkerLaneHost
from connector.stream.retry.retry_reader import RetryReader
from connector.stream.retry.routing import RetryRouting
from connector.stream.retry.tiers import Tiers
from connector.stream.shutdown.failure_sink import FailureSink
from connector.stream.wiring.dependencies import Dependencies
from connector.stream.wiring.input import Input, build_input
from connector.stream.wiring.output import Output, build_output
from connector.stream.wiring.suppression import build_suppressing


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Made once per worker, before anything runs; what they do together is the worker's to begin and to end.

    Attributes:
        dedupe_restore: reads back what later events may repeat; None where nobody asks.
        outlast: waits for brokers that are away.
    """

    outlast: Outlast
    owned: Assignment
    lane_set: LaneSet
    budget: Budget
    progress: ReadProgress
    output: Output
    control: ControlTable
    lanes: Lanes
    input: Input
    retry_reader: RetryReader
    housekeeping: Housekeeping
    pipeline: Pipeline
    inspection: Inspection
    instance_takeover: InstanceTakeover
    opening: Opening
    debt_payment: DebtPayment
    dedupe_restore: DedupeRestore | None
    epochs: EpochCounts
    closing: Closing

    @property
    def read_back(self) -> int:
        """Records read back at the current opening; 0 once it is over."""
        if self.owned.live:
            return 0
        suppressions = self.input.suppression_reader
        return (
            self.opening.seen
            + (0 if self.dedupe_restore is None else self.dedupe_restore.seen)
            + (0 if suppressions is None else suppressions.seen)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLaneMaker(LaneMaker):
    """Makes lanes that share a host, the passage, turns for slow readings, and the keys of references.

    Attributes:
        tokens: None where no receipts are asked for.
        receive_url: the public URL of the receiver.
        correlations: hear of each definition in use.
    """

    host: LaneHost
    passage: Passage
    slow_readings: SlowReadings
    tracing: RequestTracing | None
    clock: Clock
    tokens: Tokens | None
    receive_url: str
    correlations: Correlations

    def make(
        self,
        definition: Definition,
        transport: Transport,
        settings: LaneSettings,
        account: Account | None,
        counts: LaneCounts | None,
    ) -> Lane:
        self.correlations.use(definition)
        return Lane(
            definition,
            host=self.host,
            transport=transport,
            clock=self.clock,
            settings=settings,
            passage=self.passage,
            account=account,
            slow_readings=self.slow_readings,
            tracing=self.tracing,
            counts=counts,
            signer=None if self.tokens is None else ReferenceSigner(self.tokens, definition.name, self.receive_url),
        )


def build(deps: Dependencies, failures: FailureSink) -> Parts:
    """A worker's parts, from the end of a message's way to its beginning: each is made after those it hands on to.
    `failures` hears of what nothing here can mend.
    """
    settings, topics, cluster, clock = deps.settings, deps.settings.topics, deps.cluster, deps.clock
    lease = deps.membership.lease
    outlast = Outlast(clock, patience=settings.timeouts.refused)
    owned, lane_set, refile, tiers = Assignment(), LaneSet(), RefileQueue(), Tiers(topics.retry)
    shares = {source.topic: source.share for source in topics.sources}
    budget = Budget(
        messages=settings.memory.messages,
        bytes_=settings.memory.bytes,
        shares=shares,
        lanes=lane_set,
        carried=CARRIED_BYTES if settings.results.headers else 0,
    )
    held_sources = HeldSources(clock)
    progress = ReadProgress(owned, deps.group, held_sources)

    # commit
    retry_reader = RetryReader(
        cluster.options,
        reading=ReadOptions(deps.skipped, unreadable="stand", most=own_record_bytes(settings.events.bytes)),
        group=retry_group(settings.group),
        delays=tiers.delays,
        clock=clock,
    )
    housekeeping = Housekeeping(
        owned,
        lease=lease,
        producer=deps.producer,
        sources=Committer(deps.group),
        retries=Committer(retry_reader),
        cluster=cluster,
        clock=clock,
        settings=settings,
    )

    # write
    duplicates = _duplicates(deps)
    correlations = Correlations(None if settings.receive.url is None else IndexKeys(settings.receive.index_secrets))
    output = build_output(
        deps,
        owned=owned,
        lanes=lane_set,
        budget=budget,
        duplicates=duplicates,
        positions=housekeeping,
        outlast=outlast,
        failures=failures,
        correlations=correlations,
    )
    retry_routing = RetryRouting(tiers, retries=output.writer, clock=clock, longest=settings.park_max)

    # queue, build the request, send, read the reply, decide
    suppressions = build_suppressing(deps)
    control = ControlTable(
        clock,
        most=settings.memory.control,
        topic=topics.control,
        skipped=deps.skipped,
        routes=[ProviderRoute(it.use, it.prefix, it.weight) for it in settings.routes],
    )
    host = WorkerLaneHost(
        control=control,
        permission=output.permission,
        results=output.sink,
        retry_routing=retry_routing,
        progress=progress,
        budget=budget,
        suppressions=None if suppressions is None else suppressions.policy,
    )
    receive = settings.receive
    lanes = Lanes(
        settings,
        lane_set,
        maker=WorkerLaneMaker(
            host=host,
            passage=output.proof,
            slow_readings=SlowReadings(),
            tracing=deps.tracing,
            clock=clock,
            tokens=None
            if receive.url is None
            else Tokens([key.get_secret_value() for key in receive.keys], topics.source_names),
            receive_url=receive.url or "",
            correlations=correlations,
        ),
        refile=refile,
        failures=failures,
        guard=output.fencing,
        clock=clock,
    )

    # admit
    input_ = build_input(
        deps,
        output,
        lane_set,
        owned=owned,
        control=control,
        refile=refile,
        tiers=tiers,
        retry_routing=retry_routing,
        budget=budget,
        progress=progress,
        held_sources=held_sources,
        duplicates=duplicates,
        suppressions=suppressions,
        outlast=outlast,
    )

    # open and close epochs
    epochs = EpochCounts()
    closing = Closing(
        owned,
        lease=lease,
        producer=deps.producer,
        lanes=lanes,
        lane_set=lane_set,
        refile=refile,
        journal=output.journal,
        retry_routing=retry_routing,
        writer=output.writer,
        pending=output.pending,
        housekeeping=housekeeping,
        budget=budget,
        retry_reader=retry_reader,
        writable=output.writable,
        debts=output.debts,
        dispatch=output.dispatch,
        overdue=output.overdue,
        counts=epochs,
        clock=clock,
    )
    return Parts(
        outlast=outlast,
        owned=owned,
        lane_set=lane_set,
        budget=budget,
        progress=progress,
        output=output,
        control=control,
        lanes=lanes,
        input=input_,
        retry_reader=retry_reader,
        housekeeping=housekeeping,
        pipeline=Pipeline(
            outlast=outlast,
            admission=input_.admission,
            retry_reader=retry_reader,
            overdue=output.overdue,
            housekeeping=housekeeping,
            control_reader=input_.control_reader,
            control_applier=input_.control_applier,
            suppression_reader=input_.suppression_reader,
        ),
        inspection=Inspection(cluster, settings, writable=output.writable, proof=output.proof, lanes=lanes),
        instance_takeover=InstanceTakeover(cluster, deps.membership, settings, clock=clock),
        opening=Opening(cluster, settings, lanes=lanes, skipped=deps.skipped),
        debt_payment=DebtPayment(
            cluster,
            output.dispatch,
            results=topics.results,
            present=deps.present,
            correlations=correlations,
            formats=deps.formats,
            clock=clock,
            about=output.about,
        ),
        dedupe_restore=None
        if duplicates is None
        else DedupeRestore(cluster, settings, duplicates=duplicates, clock=clock),
        epochs=epochs,
        closing=closing,
    )


def _duplicates(deps: Dependencies) -> DedupeIndex | None:
    """The ids of events that were admitted; None where nobody asks."""
    duplicates = deps.settings.duplicates
    if duplicates.horizon is None:
        return None
    return DedupeIndex(messages=duplicates.messages, horizon=duplicates.horizon, clock=deps.clock)
