"""What a worker is doing and has done, for metrics and pages: plain numbers, read when somebody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connector.delivery.counts import Histogram
from connector.delivery.lane import Lane
from connector.kafka.skipped import Reason
from connector.stream.control.suppression_reader import SuppressionStatus
from connector.stream.epoch.epoch_counts import EpochCounts
from connector.stream.faust.group import Group
from connector.stream.intake.held_sources import HeldSource
from connector.stream.intake.intake_counts import IntakeCounts
from connector.stream.intake.unknown_names import UnknownNames
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.open_transactions import OpenTransactions
from connector.stream.partitions.partition import Partition, known_ends


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """One source partition.

    Attributes:
        topic, partition: its place in Kafka.
        lag: events from the oldest open one to the end of the log.
        unread: events that are not admitted yet: from the newest admitted one to the end of the log.
        span: offsets from the oldest open one to the newest admitted one.
        undecided: seconds for which the same open transaction has held back what follows it.
    """

    topic: str
    partition: int
    lag: int
    unread: int
    span: int
    undecided: float = 0.0


def partition_status(it: Partition, group: Group, undecided: OpenTransactions) -> PartitionStatus:
    """One look at a partition."""
    position = it.ledger.position
    end = max(group.end(it.topic, it.partition) or 0, it.end)  # None before the first fetch
    stable = group.stable_end(it.topic, it.partition)
    return PartitionStatus(
        it.topic,
        it.partition,
        lag=end - position,
        unread=max(0, end - it.ledger.high),
        span=it.ledger.high - position,
        undecided=undecided.seconds(it.topic, it.partition, stable, end),
    )


def retry_backlog(owned: Assignment) -> dict[str, int]:
    """By retry topic, records that are not finished. Whoever owns its partition alone writes to it, now and before."""
    ends = known_ends(owned.partitions)
    found: dict[str, int] = {}
    for it in owned.retries:
        end = max(it.end, ends[it.partition].get(it.topic, 0))
        found[it.topic] = found.get(it.topic, 0) + end - it.ledger.position
    return found


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One look at a worker.

    Attributes:
        ready: it owns what the group gave it, and events it takes can be sent.
        cut_off: no broker has confirmed its membership for half a session: it sends and writes nothing.
        stopping: it is on its way out.
        blocked: intake waits for memory or span.
        messages, bytes: open; `max_messages`, `max_bytes` are their bounds.
        unacknowledged: results that are not written yet.
        unacknowledged_for: seconds for which the oldest write has waited for its acknowledgement.
        partitions: of the source topics, while it owns them.
        retry_backlog: records of retry topics that are not finished, by topic.
        lanes: by provider.
        intake, epochs: totals.
        acknowledged: seconds from handing results to the producer to their acknowledgement, per record batch.
        refused: topics that refuse what has to be written; nothing is sent meanwhile.
        owed: results that are owed because they were refused.
        held_sources: source topics whose events wait for the schema registry.
        skipped: records passed over, by topic and reason.
        unknown: names in events that no definition has.
        unknown_fields: fields in events that no message has.
        held: events kept as they are, by the format version of the worker that has to read them.
        member: what the group calls it; empty before it has joined.
        control: per partition of the control topic, the offset of the newest record it obeys.
        suppressions: how far the list of who must not be texted is; None where nobody asks for it.
        unused: where the problems stand while definitions on disk are not the ones in use; empty when they are.
    """

    ready: bool
    stopping: bool
    blocked: bool
    messages: int
    max_messages: int
    bytes: int
    max_bytes: int
    unacknowledged: int
    unacknowledged_for: float
    partitions: tuple[PartitionStatus, ...]
    retry_backlog: Mapping[str, int]
    lanes: Mapping[str, Lane]
    intake: IntakeCounts
    epochs: EpochCounts
    acknowledged: Histogram
    skipped: Mapping[tuple[str, Reason], int]
    unknown: UnknownNames
    unknown_fields: Sequence[str]
    held: Mapping[int, int]
    member: str = ""
    control: Mapping[int, int] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    cut_off: bool = False
    refused: str = ""
    owed: int = 0
    held_sources: Mapping[str, HeldSource] = field(default_factory=dict)
    suppressions: SuppressionStatus | None = None
