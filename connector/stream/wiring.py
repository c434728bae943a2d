"""What a worker is made of, each part connected to those it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from connector.clock import Clock
from connector.definition.tree import Definition
from connector.delivery.counts import LaneCounts
from connector.delivery.http.tracing import RequestTracing
from connector.delivery.http.transport import Transport
from connector.delivery.lane import Lane
from connector.delivery.limits.account import Account
from connector.delivery.limits.lane_settings import LaneSettings
from connector.delivery.sending.reading_turns import SlowReadings
from connector.kafka.batches import RecordFields
from connector.kafka.fetched import ReadOptions, own_record_bytes
from connector.kafka.outage import Outlast, passes
from connector.kafka.skipped import Skipped
from connector.model import Result
from connector.settings.model import Settings
from connector.stream.control.apply import ControlApplier
from connector.stream.control.failover import Failover
from connector.stream.control.table import ControlTable
from connector.stream.control.topic_reader import ControlTopicReader
from connector.stream.epoch.closing import Closing
from connector.stream.epoch.debt_payment import DebtPayment
from connector.stream.epoch.epoch_counts import EpochCounts
from connector.stream.epoch.housekeeping import Housekeeping
from connector.stream.epoch.instance_takeover import InstanceTakeover
from connector.stream.epoch.opening import Opening
from connector.stream.epoch.topic_inspection import Inspection
from connector.stream.faust.group import Group
from connector.stream.intake.admission import Admission
from connector.stream.intake.budget import Budget
from connector.stream.intake.dedupe import DedupedResults, DedupeIndex
from connector.stream.intake.dedupe_restore import DedupeRestore
from connector.stream.intake.intake import Intake
from connector.stream.intake.read_progress import ReadProgress
from connector.stream.intake.refusals import Refusals
from connector.stream.intake.unknown_names import UnknownNames
from connector.stream.lanes import Lanes, reports
from connector.stream.membership.group_answers import Membership
from connector.stream.output.debts import Debts
from connector.stream.output.dispatch import Dispatch
from connector.stream.output.fencing import Fencing
from connector.stream.output.journal import Journal
from connector.stream.output.overdue import Overdue
from connector.stream.output.proof import Proof
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.output.writability import Writability
from connector.stream.output.writer import ResultWriter
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.committer import Committer
from connector.stream.partitions.copartitions import retry_group
from connector.stream.partitions.partition import Partition
from connector.stream.partitions.result_sink import ResultSink
from connector.stream.pipeline import WorkerLaneHost
from connector.stream.retry.head_of_line import HeadOfLine
from connector.stream.retry.retry_reader import RetryReader
from connector.stream.retry.retry_records import Restorer
from connector.stream.retry.routing import RetryRouting
from connector.stream.retry.tiers import Tiers

log = structlog.get_logger(__name__)

# Results that may wait for their acknowledgement before requests are held back; never less than can be at the providers
# at once. More than 50 ms of unbatched requests: a broker that works is never waited for.
UNACKNOWLEDGED_RESULTS = 500


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a worker is put into.

    Attributes:
        group: membership and commits.
        cluster: what is asked of Kafka at opening; started and stopped by the worker.
        membership: what the group says of this worker.
        producer: of results; started and stopped by the worker.
        limits: per topic the largest record it takes.
        journal: its topic is there and may be used.
        present: changes results before they leave.
        allowed: whether a number may be texted.
        skipped: where records that are passed over are counted.
        tracing: makes spans of requests, where that is wanted.
    """

    settings: Settings
    group: Group
    cluster: Cluster
    membership: Membership
    producer: ReplaceableProducer
    clock: Clock
    limits: Mapping[str, int]
    journal: bool
    present: Callable[[Result], None] | None
    allowed: Callable[[str], bool]
    skipped: Skipped
    tracing: RequestTracing | None = None


class Parts:
    """Made once per worker, before anything runs; what they do together is the worker's to begin and to end.

    Args:
        failed: called with an error that nothing here can mend.

    Attributes:
        settled: events settled so far.
        dedupe_restore: reads back what later events may repeat; None where nobody asks.
        outlast: waits for brokers that are away.
    """

    def __init__(
        self,
        deps: Dependencies,
        *,
        failed: Callable[[BaseException], None],
    ) -> None:
        settings, cluster, clock, tracing = deps.settings, deps.cluster, deps.clock, deps.tracing
        self._settings = settings
        self._cluster = cluster
        self._clock = clock
        self._tracing = tracing
        self.outlast = outlast = Outlast(clock, patience=settings.timeouts.refused)
        self._slow_readings = SlowReadings()
        self.owned = owned = Assignment()
        self.budget = Budget(
            messages=settings.memory.messages,
            bytes_=settings.memory.bytes,
            shares={source.topic: source.share for source in settings.topics.sources},
            windows=lambda: sum([lane.windows for lane in self.lanes.current.values()]),
        )
        self.instance_takeover = InstanceTakeover(cluster, deps.membership, settings, clock=clock)
        self.opening = Opening(
            cluster,
            settings,
            journal=lambda: any(map(reports, self.lanes.definitions.values())),
            skipped=deps.skipped,
        )
        duplicates = self.dedupe_restore = None
        if (horizon := settings.duplicates.horizon) is not None:
            duplicates = DedupeIndex(messages=settings.duplicates.messages, horizon=horizon, clock=clock)
            self.dedupe_restore = DedupeRestore(cluster, settings, duplicates=duplicates, clock=clock)
        lease = deps.membership.lease
        self.writable = Writability(clock, patience=settings.timeouts.refused)
        self.proof = Proof(busy=self._busy, found=lambda: self.lanes.wake())  # noqa: PLW0108  they are made later
        self._fencing = Fencing(owned, lease, self.writable)
        self.dispatch = dispatch = Dispatch(
            deps.producer, writable=self.writable, written=self._written, clock=clock, taken=self._taken
        )
        refusals = Refusals(dry_run=settings.delivery == "dry-run")
        self.writer = self._fencing.writer = ResultWriter(
            dispatch,
            results=settings.topics.results,
            dead_letters=settings.topics.dead_letters,
            connector=settings.group,
            limits=deps.limits,
            present=deps.present,
            durable=self._durable,
            owe=self._owe,
            gate=self._fencing.may_write,
            failed=failed,
            most=UNACKNOWLEDGED_RESULTS,
            too_large=refusals.too_large if duplicates is None else duplicates.after(refusals.too_large),
            clock=clock,
            traced=tracing is not None,
        )
        self.debts = Debts(append=self._append_debts if deps.journal else None, commit=self._commit_debts)
        self.overdue = Overdue(
            dispatch,
            writable=self.writable,
            debts=self.debts,
            writer=self.writer,
            cluster=cluster,
            owned=owned,
            results=settings.topics.results,
        )
        self.inspection = Inspection(
            cluster,
            settings,
            writable=self.writable,
            proof=self.proof,
            journal=lambda: any(map(reports, self.lanes.definitions.values())),
        )
        self.debt_payment = DebtPayment(
            cluster, dispatch, results=settings.topics.results, present=deps.present, clock=clock
        )
        results: ResultSink = self.writer if duplicates is None else DedupedResults(duplicates, self.writer)
        self._journal = self._fencing.journal = Journal(self._append_to_journal)
        tiers = Tiers(settings.topics.retry)
        self._retry_routing = RetryRouting(tiers, retries=self.writer, clock=clock, longest=settings.park_max)
        self.control = ControlTable(
            clock, most=settings.memory.control, topic=settings.topics.control, skipped=deps.skipped
        )
        self.progress = ReadProgress(owned, deps.group)
        self._lane_host = WorkerLaneHost(
            control=self.control,
            permission=self._fencing,
            results=results,
            retry_routing=self._retry_routing,
            progress=self.progress,
            budget=self.budget,
        )
        self.lanes = Lanes(
            settings,
            make=self._make_lane,
            file=lambda items: self.control_applier.file(items),  # noqa: PLW0108  it is made later
            failed=failed,
            guard=self._fencing,
            clock=clock,
        )
        self.failover = Failover(self.lanes.current)
        self.unknown = UnknownNames(self.lanes.current, grace=settings.unknown_grace, clock=clock)
        self.intake = Intake(
            self.lanes.current,
            control=self.control,
            failover=self.failover,
            results=results,
            retries=self.writer,
            retry_routing=self._retry_routing,
            refusals=refusals,
            sources=settings.topics.source_names,
            restorer=Restorer(
                settings.topics.source_names,
                tiers.delays,
                prefix=settings.topics.retry_prefix,
                end=self._log_end,
                skipped=deps.skipped,
            ),
            unknown=self.unknown,
            budget=self.budget,
            clock=clock,
            allowed=deps.allowed,
            max_age=settings.max_age,
            traced=tracing is not None,
            duplicates=duplicates,
            skipped=deps.skipped,
        )
        self.control_applier = ControlApplier(
            self.lanes.current,
            self.lanes.retiring,
            control=self.control,
            refile=self.intake.refile,
            failover=self.failover,
            live=lambda: owned.live,
            clock=clock,
        )
        head_of_line = HeadOfLine(
            self.lanes.current, retry_routing=self._retry_routing, span=settings.span, clock=clock
        )
        self.admission = Admission(
            owned,
            intake=self.intake,
            budget=self.budget,
            head_of_line=head_of_line,
            lanes=self.lanes.current,
            progress=self.progress,
            span=settings.span,
            cluster=cluster,
            outlast=outlast,
            stops=settings.events.undecodable == "stop",
        )
        self.control_reader = ControlTopicReader(
            cluster.options, topic=settings.topics.control, apply=self.control_applier.apply, skipped=deps.skipped
        )
        self.retry_reader = RetryReader(
            cluster.options,
            reading=ReadOptions(deps.skipped, unreadable="stand", most=own_record_bytes(settings.events.bytes)),
            group=retry_group(settings.group),
            delays=tiers.delays,
            clock=clock,
            take=self.admission.take_due,
        )
        self.housekeeping = Housekeeping(
            owned,
            lease=lease,
            producer=deps.producer,
            sources=Committer(deps.group.commit),
            retries=Committer(self.retry_reader.commit),
            cluster=cluster,
            clock=clock,
            settings=settings,
        )
        self.epochs = EpochCounts()
        self.closing = Closing(
            owned,
            lease=lease,
            producer=deps.producer,
            lanes=self.lanes,
            control_applier=self.control_applier,
            journal=self._journal,
            retry_routing=self._retry_routing,
            writer=self.writer,
            housekeeping=self.housekeeping,
            budget=self.budget,
            retry_reader=self.retry_reader,
            writable=self.writable,
            debts=self.debts,
            dispatch=dispatch,
            overdue=self.overdue,
            counts=self.epochs,
            clock=clock,
        )
        self.settled = 0

    @property
    def read_back(self) -> int:
        """Records read back at the current opening; 0 once it is over."""
        if self.owned.live:
            return 0
        return self.opening.seen + (0 if self.dedupe_restore is None else self.dedupe_restore.seen)

    def _make_lane(
        self,
        definition: Definition,
        transport: Transport,
        settings: LaneSettings,
        account: Account | None,
        counts: LaneCounts | None,
    ) -> Lane:
        return Lane(
            definition,
            host=self._lane_host,
            transport=transport,
            clock=self._clock,
            settings=settings,
            passage=self.proof,
            account=account,
            slow_readings=self._slow_readings,
            tracing=self._tracing,
            counts=counts,
        )

    def _log_end(self, topic: str, number: int) -> int | None:
        """One past the newest offset that a partition of ours is known to have."""
        partition = self.owned.find(topic, number)
        return None if partition is None else partition.end

    @property
    def journal_kept(self) -> bool:
        """`on_uncertain: report` can be kept by the partitions that are owned: they have their twins in the journal."""
        journal = self._settings.topics.journal
        return all(journal in partition.ends for partition in self.owned.partitions)

    def _durable(self, partition: Partition, offsets: Sequence[int], bytes_: int) -> None:
        """The results of these events are acknowledged."""
        partition.ledger.settle(offsets)
        if self.debts.count:
            self.debts.settled(partition, offsets)
        self.settled += len(offsets)
        self.budget.release(partition.topic, len(offsets), bytes_)

    async def _written(self, partition: Partition, topic: str) -> set[bytes]:
        """What stands in a topic behind what is known to be acknowledged there. Nothing, where it cannot be read;
        brokers that are away are waited for.
        """
        start = partition.ends.get(topic, 0)

        async def ask() -> set[bytes]:
            try:
                return await self._cluster.settled_since(TopicPartition(topic, partition.partition), start)
            except KafkaError as error:
                if passes(error):
                    raise
                log.warning("refused records may stand in the topic twice", topic=topic, error=type(error).__name__)
                return set()

        return await self.outlast(ask, doing=f"reading {topic} back", wanted=lambda: partition.live) or set()

    async def _owe(self, partition: Partition, records: Sequence[RecordFields]) -> None:
        await self.debts.owe(partition, records)

    async def _append_debts(self, partition: Partition, values: Sequence[bytes]) -> bool:
        return await self.writer.append(partition, self._settings.topics.journal, values, optional=True)

    async def _commit_debts(self, partition: Partition) -> bool:
        return await self.housekeeping.commit_again(partition)

    def _taken(self, topic: str) -> None:
        """A record of ours is acknowledged in this topic."""
        if topic == self._settings.topics.results:
            self.proof.give()
        if self.writable.holding:
            self.writable.clear(topic)

    def _busy(self) -> bool:
        return bool(self.writer.unacknowledged) or any(lane.requests for lane in self.lanes.all())

    async def _append_to_journal(self, partition: Partition, values: Sequence[bytes]) -> None:
        await self.writer.append(partition, self._settings.topics.journal, values)
