"""What lets events in, and what operators say of them."""

from __future__ import annotations

from dataclasses import dataclass

from connector.formats.source_format import SourceFormats
from connector.kafka.outage import Outlast
from connector.settings.model import Settings
from connector.stream.control.apply import ControlApplier
from connector.stream.control.failover import Failover
from connector.stream.control.suppression_reader import SuppressionReader
from connector.stream.control.table import ControlTable
from connector.stream.control.topic_reader import ControlTopicReader
from connector.stream.intake.admission import Admission
from connector.stream.intake.budget import Budget
from connector.stream.intake.carried_headers import CarriedHeaders
from connector.stream.intake.dedupe import DedupeIndex
from connector.stream.intake.held_sources import HeldSources
from connector.stream.intake.intake import Intake
from connector.stream.intake.read_progress import ReadProgress
from connector.stream.intake.translation import Translation
from connector.stream.intake.unknown_fields import EventDecoder
from connector.stream.intake.unknown_names import UnknownNames
from connector.stream.lanes import LaneSet
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.refile_queue import RefileQueue
from connector.stream.retry.head_of_line import HeadOfLine
from connector.stream.retry.retry_records import Restorer
from connector.stream.retry.routing import RetryRouting
from connector.stream.retry.tiers import Tiers
from connector.stream.wiring.dependencies import Dependencies
from connector.stream.wiring.output import Output
from connector.stream.wiring.suppression import Suppressing


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What lets events in."""

    failover: Failover
    unknown: UnknownNames
    reader: EventDecoder
    intake: Intake
    admission: Admission
    control_applier: ControlApplier
    control_reader: ControlTopicReader
    held_sources: HeldSources
    suppression_reader: SuppressionReader | None


def build_input(
    deps: Dependencies,
    output: Output,
    lanes: LaneSet,
    *,
    owned: Assignment,
    control: ControlTable,
    refile: RefileQueue,
    tiers: Tiers,
    retry_routing: RetryRouting,
    budget: Budget,
    progress: ReadProgress,
    held_sources: HeldSources,
    duplicates: DedupeIndex | None,
    suppressions: Suppressing | None,
    outlast: Outlast,
) -> Input:
    """Make what lets events in, to `lanes`, or straight to `output`."""
    settings, topics, clock = deps.settings, deps.settings.topics, deps.clock
    failover = Failover(lanes.current)
    unknown = UnknownNames(lanes.current, grace=settings.unknown_grace, clock=clock)
    reader = EventDecoder(settings.events.unknown_fields, clock)
    intake = Intake(
        lanes.current,
        control=control,
        failover=failover,
        results=output.sink,
        retries=output.writer,
        retry_routing=retry_routing,
        refusals=output.refusals,
        sources=topics.source_names,
        restorer=Restorer(
            topics.source_names, tiers.delays, prefix=topics.retry_prefix, owned=owned, skipped=deps.skipped
        ),
        unknown=unknown,
        reader=reader,
        budget=budget,
        clock=clock,
        allowed=deps.allowed,
        refusal=deps.numbers.refusal if deps.numbers is not None and deps.numbers.judges else None,
        max_age=settings.max_age,
        ahead=deps.retention,
        traced=deps.tracing is not None,
        carries=_carries(settings, deps.formats),
        duplicates=duplicates,
        skipped=deps.skipped,
        suppressions=None if suppressions is None else suppressions.policy,
        index=owned.index,
    )
    admission = Admission(
        owned,
        intake=intake,
        budget=budget,
        head_of_line=HeadOfLine(lanes.current, retry_routing=retry_routing, span=settings.span, clock=clock),
        lanes=lanes.current,
        progress=progress,
        span=settings.span,
        cluster=deps.cluster,
        outlast=outlast,
        stops=settings.events.undecodable == "stop",
        translation=Translation(deps.formats, most=settings.events.bytes, held=held_sources)
        if deps.formats.by_topic
        else None,
    )
    control_applier = ControlApplier(
        lanes.current,
        lanes.retiring,
        control=control,
        queue=refile,
        refiler=intake,
        failover=failover,
        owned=owned,
        clock=clock,
    )
    control_reader = ControlTopicReader(
        deps.cluster.options, ends=deps.cluster, topic=topics.control, records=control_applier, skipped=deps.skipped
    )
    return Input(
        failover=failover,
        unknown=unknown,
        reader=reader,
        intake=intake,
        admission=admission,
        control_applier=control_applier,
        control_reader=control_reader,
        held_sources=held_sources,
        suppression_reader=None if suppressions is None else suppressions.reader,
    )


def _carries(settings: Settings, formats: SourceFormats) -> CarriedHeaders | None:
    names, found = settings.results.headers, formats.by_topic.values()
    if not names and not found:
        return None
    return CarriedHeaders(names, cloudevents=any(it.binary for it in found))
