"""What a worker is put into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.clock import Clock
from connector.delivery.http.tracing import RequestTracing
from connector.formats.recipient_numbers import RecipientNumbers
from connector.formats.source_format import SourceFormats
from connector.kafka.skipped import Skipped
from connector.model import Result
from connector.settings.model import Settings
from connector.stream.faust.group import Group
from connector.stream.membership.group_answers import Membership
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.partitions.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What a worker is put into.

    Attributes:
        group: membership and commits.
        cluster: what is asked of Kafka at opening; started and stopped by the worker.
        membership: what the group says of this worker.
        producer: of results; started and stopped by the worker.
        limits: per topic the largest record it takes.
        retention: seconds for which source topics keep events.
        journal: its topic is there and may be used.
        present: changes results before they leave.
        allowed: whether a number may be texted.
        skipped: where records that are passed over are counted.
        formats: what events of sources look like that are no plain messages.
        tracing: makes spans of requests, where that is wanted.
        numbers: knows the countries of recipients, where that is wanted.
    """

    settings: Settings
    group: Group
    cluster: Cluster
    membership: Membership
    producer: ReplaceableProducer
    clock: Clock
    limits: Mapping[str, int]
    retention: float
    journal: bool
    present: Callable[[Result], None] | None
    allowed: Callable[[str], bool]
    skipped: Skipped
    formats: SourceFormats
    tracing: RequestTracing | None = None
    numbers: RecipientNumbers | None = None
