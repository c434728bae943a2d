"""What writes: results, retry records, dead letters, the journal; and what asks whether it may."""

from __future__ import annotations

from dataclasses import dataclass

from connector.kafka.outage import Outlast
from connector.receipts.correlation import Correlations
from connector.stream.intake.budget import Budget
from connector.stream.intake.dedupe import DedupedRefusals, DedupedResults, DedupeIndex
from connector.stream.intake.refusals import Refusals
from connector.stream.lanes import LaneSet
from connector.stream.output.cloud_events import ResultHeaders, cloud_event_headers
from connector.stream.output.debts import Debts, Positions
from connector.stream.output.dispatch import Dispatch
from connector.stream.output.fencing import Fencing
from connector.stream.output.journal import Journal
from connector.stream.output.journal_topic import JournalTopic
from connector.stream.output.overdue import Overdue
from connector.stream.output.pending_results import PendingResults
from connector.stream.output.proof import Proof
from connector.stream.output.read_back import ReadBack
from connector.stream.output.send_permission import SendPermission
from connector.stream.output.writability import Writability
from connector.stream.output.writer import ResultWriter
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.result_sink import ResultSink
from connector.stream.pipeline import SettledEvents
from connector.stream.shutdown.failure_sink import FailureSink
from connector.stream.wiring.dependencies import Dependencies

# Results that may wait for their acknowledgement before requests are held back; never less than can be at the providers
# at once. More than 50 ms of unbatched requests: a broker that works is never waited for.
UNACKNOWLEDGED_RESULTS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What writes.

    Attributes:
        refusals: builds the results of events that are not sent.
        sink: takes results from lanes and intake: the writer, behind the index of ids where there is one.
        settled: events settled so far.
        about: headers of results, where they are CloudEvents.
    """

    writable: Writability
    pending: PendingResults
    fencing: Fencing
    proof: Proof
    dispatch: Dispatch
    debts: Debts
    settled: SettledEvents
    refusals: Refusals
    writer: ResultWriter
    sink: ResultSink
    journal: Journal
    permission: SendPermission
    overdue: Overdue
    about: ResultHeaders | None


def build_output(
    deps: Dependencies,
    *,
    owned: Assignment,
    lanes: LaneSet,
    budget: Budget,
    duplicates: DedupeIndex | None,
    positions: Positions,
    outlast: Outlast,
    failures: FailureSink,
    correlations: Correlations,
) -> Output:
    """Make what writes. `duplicates` hears of each result before it is written; `positions` take the debts that the
    journal does not; `correlations` say what receipts are looked up by.
    """
    settings, topics, clock = deps.settings, deps.settings.topics, deps.clock
    writable = Writability(clock, patience=settings.timeouts.refused)
    pending = PendingResults(UNACKNOWLEDGED_RESULTS)
    fencing = Fencing(owned, deps.membership.lease)
    proof = Proof(topics.results, pending=pending, lanes=lanes)
    dispatch = Dispatch(
        deps.producer, writable=writable, read_back=ReadBack(deps.cluster, outlast), proof=proof, clock=clock
    )
    journal_topic = JournalTopic(topics.journal, dispatch=dispatch, fencing=fencing)
    journal = Journal(journal_topic)
    debts = Debts(journal=journal_topic if deps.journal else None, positions=positions)
    settled = SettledEvents(debts, budget)
    about = cloud_event_headers(settings.group) if settings.results.cloudevents else None
    refusals = Refusals(dry_run=settings.delivery == "dry-run")
    writer = ResultWriter(
        dispatch,
        results=topics.results,
        dead_letters=topics.dead_letters,
        connector=settings.group,
        limits=deps.limits,
        present=deps.present,
        pending=pending,
        durable=settled,
        debts=debts,
        fencing=fencing,
        failures=failures,
        refusals=refusals if duplicates is None else DedupedRefusals(duplicates, refusals),
        correlations=correlations,
        clock=clock,
        traced=deps.tracing is not None,
        headers=deps.settings.results.headers,
        about=about,
    )
    return Output(
        writable=writable,
        pending=pending,
        fencing=fencing,
        proof=proof,
        dispatch=dispatch,
        debts=debts,
        settled=settled,
        refusals=refusals,
        writer=writer,
        sink=writer if duplicates is None else DedupedResults(duplicates, writer),
        journal=journal,
        permission=SendPermission(fencing, pending=pending, journal=journal, writable=writable),
        overdue=Overdue(
            dispatch,
            writable=writable,
            debts=debts,
            writer=writer,
            cluster=deps.cluster,
            owned=owned,
            results=topics.results,
        ),
        about=about,
    )
