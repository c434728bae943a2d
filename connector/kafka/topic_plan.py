"""The topics as they should be, and what is wrong with those that are there. Pure: `admin.py` asks the cluster."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connector.errors import Problem
from connector.kafka.access import AclOperation
from connector.kafka.clients import BROKER_MESSAGE_BYTES, HEADROOM_BYTES
from connector.settings.model import Topics

Role = Literal[
    "source",
    "results",
    "retry",
    "journal",
    "dead_letters",
    "control",
    "audit",
    "suppressions",
    "receipts",
    "matched",
    "unmatched",
    "inbound",
    "entries",
    "index",
]

NEEDED: Mapping[Role, frozenset[AclOperation]] = {
    "source": frozenset({AclOperation.READ}),
    "results": frozenset({AclOperation.READ, AclOperation.WRITE}),
    "retry": frozenset({AclOperation.READ, AclOperation.WRITE}),
    "journal": frozenset({AclOperation.READ, AclOperation.WRITE}),
    "dead_letters": frozenset({AclOperation.WRITE}),
    "control": frozenset({AclOperation.READ}),
    "audit": frozenset(),  # of people: workers do nothing with it
    "suppressions": frozenset({AclOperation.READ}),
    # Of the way back, which has processes of its own: see `receipt_topics`.
    "receipts": frozenset(),
    "matched": frozenset(),
    "unmatched": frozenset(),
    "inbound": frozenset(),
    "entries": frozenset(),
    "index": frozenset(),
}
"""What a worker does with each topic. It reads back what it wrote to know what is done."""

WRITTEN: frozenset[Role] = frozenset({"results", "retry", "journal", "dead_letters"})
"""Topics that workers write to."""
STEERING: frozenset[Role] = frozenset({"control", "suppressions"})
"""Compacted topics that say what to do with messages: the newest record of a key counts."""
WAY_BACK: frozenset[Role] = frozenset({"receipts", "matched", "unmatched", "inbound", "entries", "index"})
"""Topics of receipts and replies; their partitions are not those of the sources."""
LEAST_BYTES = 64 * 1024
"""`max.message.bytes` below which a result without its words, or a batch of the journal, may not fit."""
LEAST_MILLISECONDS = 60_000
"""How far the time of a record may be from the broker's: clocks differ, and results wait for brokers that are away."""

DEFAULT_PARTITIONS = 12
DEFAULT_RETENTION_MS = 7 * 24 * 3600 * 1000
AUDIT_RETENTION_MS = 365 * 24 * 3600 * 1000
DURABLE_REPLICATION = 3
"""From here on two in-sync replicas can be asked for without losing availability when one broker is away."""
FOREVER = "-1"
LIFTED_MILLISECONDS = 24 * 3600 * 1000
"""How long a record without a value stays among the numbers that must not be texted: a worker may begin with a snapshot
that is some hours younger, and has to learn whom it lifted."""


@dataclass(frozen=True, slots=True)
class ActualTopic:
    """A topic on the cluster.

    Attributes:
        configs: as far as the cluster tells; None where it does not (no permission, or a broker without the request).
        operations: what we may do with it, as the cluster tells; None where it does not.
    """

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str] | None = None
    operations: frozenset[AclOperation] | None = None

    def number(self, name: str, default: int) -> int:
        value = (self.configs or {}).get(name)
        return int(value) if value is not None else default

    def allows(self, role: Role) -> bool | None:
        """Whether we may do with it what its role asks for; None where the cluster does not tell."""
        return None if self.operations is None else self.operations >= NEEDED[role]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it should be.

    Attributes:
        partitions: how many it needs.
        configs: what it is created with.
        required: the connector does not start without it.
    """

    name: str
    role: Role
    partitions: int
    configs: Mapping[str, str] = field(default_factory=dict)
    required: bool = True


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """All topics of one connector.

    Attributes:
        topics: sources first.
        replication: replicas of each.
        retention_ms: how long the sources keep events; -1 for ever.
        message_bytes: the largest event the sources take.
        keeps_journal: the journal is there and may be used, as far as the cluster tells.
        limits: per topic that is there the largest record batch it takes; where the cluster does not tell, the default.
    """

    topics: tuple[Topic, ...]
    replication: int
    retention_ms: int
    message_bytes: int
    limits: Mapping[str, int]
    keeps_journal: bool

    @property
    def retention(self) -> float:
        """How long the sources keep events, in seconds; infinite where for ever."""
        return math.inf if self.retention_ms < 0 else self.retention_ms / 1000

    def of(self, *roles: Role) -> list[Topic]:
        return [topic for topic in self.topics if topic.role in roles]


def plan(
    topics: Topics,
    actual: Mapping[str, ActualTopic],
    *,
    journal: bool = False,
    suppressions: bool = False,
    partitions: int | None = None,
    replication: int = 1,
) -> TopicPlan:
    """What the connector needs, derived from the source topics that are there.

    Args:
        topics: names from the settings.
        actual: topics on the cluster, by name.
        journal: a provider says `on_uncertain: report`, so the journal is required.
        suppressions: `suppressions.enabled`, so that topic is required; else it is left out.
        partitions: for sources that are not there yet; default: as the other sources, else 12.
        replication: for topics to be created.
    """
    sources = [actual[name] for name in topics.source_names if name in actual]
    count = max((source.partitions for source in sources), default=partitions or DEFAULT_PARTITIONS)
    retentions = [source.number("retention.ms", DEFAULT_RETENTION_MS) for source in sources] or [DEFAULT_RETENTION_MS]
    retention = -1 if -1 in retentions else max(retentions)
    message_bytes = max(
        (s.number("max.message.bytes", BROKER_MESSAGE_BYTES) for s in sources), default=BROKER_MESSAGE_BYTES
    )
    insync = {"min.insync.replicas": "2" if replication >= DURABLE_REPLICATION else "1"}
    keep = insync | {"cleanup.policy": "delete", "retention.ms": str(retention)}
    # An event inside a retry record or a dead letter is larger by its headers; a result carries its key.
    carry = {"max.message.bytes": str(message_bytes + HEADROOM_BYTES)}
    wait = insync | carry | {"cleanup.policy": "delete", "retention.ms": FOREVER, "retention.bytes": FOREVER}
    fresh = insync | {"cleanup.policy": "delete", "retention.ms": str(DEFAULT_RETENTION_MS)}
    compact = insync | {"cleanup.policy": "compact"}
    lifts = compact | {"delete.retention.ms": str(LIFTED_MILLISECONDS)}
    kept = actual.get(topics.journal)
    return TopicPlan(
        keeps_journal=kept is not None and kept.partitions >= count and kept.allows("journal") is not False,
        topics=(
            *(Topic(name, "source", count, fresh) for name in topics.source_names),
            Topic(topics.results, "results", count, keep | carry),
            *(Topic(name, "retry", count, wait) for name in topics.retry.values()),
            Topic(topics.dead_letters, "dead_letters", count, fresh | carry),
            Topic(topics.journal, "journal", count, keep, required=journal),
            Topic(topics.control, "control", 1, compact),
            Topic(topics.audit, "audit", 1, fresh | {"retention.ms": str(AUDIT_RETENTION_MS)}, required=False),
            # One partition: whoever writes a number, with whatever client, writes it behind what was said before.
            *([Topic(topics.suppressions, "suppressions", 1, lifts)] if suppressions else []),
            Topic(topics.receipts, "receipts", count, fresh, required=False),
        ),
        replication=replication,
        retention_ms=retention,
        message_bytes=message_bytes,
        limits={name: it.number("max.message.bytes", BROKER_MESSAGE_BYTES) for name, it in actual.items()},
    )


def check(plan: TopicPlan, actual: Mapping[str, ActualTopic]) -> list[Problem]:
    """Everything that must be mended before the connector can keep its promises on these topics."""
    problems: list[Problem] = []
    for topic in plan.topics:
        there = actual.get(topic.name)
        if there is not None:
            problems += _check_topic(plan, topic, there)
    return problems + check_there(plan, actual)


def check_there(
    plan: TopicPlan, actual: Mapping[str, ActualTopic], roles: Collection[Role] = tuple(NEEDED)
) -> list[Problem]:
    """Topics that are not there and have to be."""
    remedy = "run `sms-connector topics create`, allow Describe on it, or correct the name in `topics`"
    return [
        Problem("is not on the cluster, or may not be seen", remedy, path=topic.name)
        for topic in plan.of(*roles)
        if topic.required and topic.name not in actual
    ]


def check_access(
    plan: TopicPlan, actual: Mapping[str, ActualTopic], roles: Collection[Role] = tuple(NEEDED)
) -> list[Problem]:
    """What this principal may not do with the topics and has to; nothing of those that the cluster does not tell of."""
    return [
        Problem(
            f"this principal lacks {' and '.join(it.name.capitalize() for it in sorted(lacking))} on it",
            "allow it: docs/security.md has the rules for each role",
            path=topic.name,
        )
        for topic in plan.of(*roles)
        if topic.required and (there := actual.get(topic.name)) is not None and there.operations is not None
        if (lacking := NEEDED[topic.role] - there.operations)
    ]


def check_rules(plan: TopicPlan, actual: Mapping[str, ActualTopic], roles: Collection[Role]) -> list[Problem]:
    """Rules of topics that would refuse whatever is written to them."""
    problems: list[Problem] = []
    for topic in plan.of(*roles):
        there = actual.get(topic.name)
        if topic.required and there is not None and there.configs is not None:
            problems += _check_least_size(topic, there)
            problems += _check_times(topic, there)
            problems += _check_reachable(topic, there)
    return problems


def untold(plan: TopicPlan, actual: Mapping[str, ActualTopic], roles: Collection[Role] = tuple(WRITTEN)) -> list[str]:
    """Topics of which it is not known beforehand whether a worker can write to them."""
    written = [actual[topic.name] for topic in plan.of(*roles) if topic.name in actual]
    return [there.name for there in written if there.operations is None or there.configs is None]


def missing(plan: TopicPlan, actual: Iterable[str]) -> list[Topic]:
    """Topics that are still to be created."""
    there = set(actual)
    return [topic for topic in plan.topics if topic.name not in there]


def expansion(topics: Topics, actual: Mapping[str, ActualTopic], partitions: int) -> list[str]:
    """Topics that need more partitions to have this many, in the order in which they must get them.

    Sources come last: a worker admits a partition of a source only when the topics it writes its results and waits to
    have that number, and from then on it is sent from. Those of receipts stay as they are: which partition a message's
    states stand in depends on their number.
    """
    order: tuple[Role, ...] = ("results", "retry", "journal", "dead_letters", "source")
    wanted = plan(topics, actual)
    return [
        topic.name
        for role in order
        for topic in wanted.of(role)
        if topic.name in actual and actual[topic.name].partitions < partitions
    ]


def _check_topic(plan: TopicPlan, topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    yield from _check_partitions(topic, there)
    if there.configs is None:
        return
    yield from _check_policy(topic, there)
    if topic.role == "suppressions":
        yield from _check_lifts(topic, there)
    if topic.role in {"results", "journal"}:
        yield from _check_retention(plan, topic, there)
    if topic.role == "retry":
        yield from _check_forever(topic, there)
    if topic.role in {"retry", "dead_letters"}:
        yield from _check_size(plan, topic, there)
    if topic.role in {"results", "journal"}:
        yield from _check_least_size(topic, there)
    if topic.role in WRITTEN | WAY_BACK or topic.role == "audit":
        yield from _check_times(topic, there)
    if topic.role != "source":
        yield from _check_replicas(topic, there)


def _check_partitions(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    if topic.role in {"dead_letters", "control", "audit"} | WAY_BACK or there.partitions == topic.partitions:
        return
    if topic.role == "suppressions":
        message = f"has {there.partitions} partitions: which of two records of one number is newer could not be told"
        yield Problem(message, "create it anew with one partition, and write the numbers again", path=topic.name)
        return
    # A result stands in the partition of its event: that is what makes "already done?" answerable after a crash.
    message = f"has {there.partitions} partitions, but the source topics have {topic.partitions}"
    if topic.role == "source":
        message = f"has {there.partitions} partitions, but another source topic has {topic.partitions}"
    if there.partitions < topic.partitions:
        remedy = f"kafka-topics.sh --alter --topic {topic.name} --partitions {topic.partitions}"
    else:
        remedy = f"give the source topics {there.partitions} partitions too, or choose another topic"
    yield Problem(message, remedy, path=topic.name)


def _check_policy(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    policy = (there.configs or {}).get("cleanup.policy", "delete")
    compacts = "compact" in policy
    if topic.role in STEERING and policy != "compact":
        lost = "campaigns and pauses" if topic.role == "control" else "numbers that must not be texted"
        message = f"cleanup.policy is {policy}: {lost} would be forgotten"
        yield Problem(message, alter(topic, "cleanup.policy=compact"), path=topic.name)
    if topic.role not in STEERING and compacts:
        message = f"cleanup.policy is {policy}: of records with one key all but the last would be lost"
        yield Problem(message, alter(topic, "cleanup.policy=delete"), path=topic.name)


def _check_lifts(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    kept = there.number("delete.retention.ms", LIFTED_MILLISECONDS)
    if kept < LIFTED_MILLISECONDS:
        message = f"delete.retention.ms is {kept}: who may be texted again could stay suppressed in a worker's snapshot"
        yield Problem(message, alter(topic, f"delete.retention.ms={LIFTED_MILLISECONDS}"), path=topic.name)


def _check_retention(plan: TopicPlan, topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    kept = there.number("retention.ms", DEFAULT_RETENTION_MS)
    if kept != -1 and (plan.retention_ms == -1 or kept < plan.retention_ms):
        message = (
            f"retention.ms is {kept}, shorter than the source topics' {plan.retention_ms}: "
            "an event could outlive its result and be sent twice"
        )
        yield Problem(message, alter(topic, f"retention.ms={plan.retention_ms}"), path=topic.name)


def _check_forever(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    for name in ("retention.ms", "retention.bytes"):
        kept = there.number(name, -1 if name == "retention.bytes" else DEFAULT_RETENTION_MS)
        if kept != -1:
            message = f"{name} is {kept}: messages that wait longer would be lost"
            yield Problem(message, alter(topic, f"{name}=-1"), path=topic.name)


def _check_size(plan: TopicPlan, topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    needed, most = plan.message_bytes + HEADROOM_BYTES, there.number("max.message.bytes", BROKER_MESSAGE_BYTES)
    if most < needed:
        message = (
            f"max.message.bytes is {most}, but events of up to {plan.message_bytes} bytes must fit with their headers"
        )
        yield Problem(message, alter(topic, f"max.message.bytes={needed}"), path=topic.name)


def _check_least_size(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    most = there.number("max.message.bytes", BROKER_MESSAGE_BYTES)
    if most < LEAST_BYTES:
        message = f"max.message.bytes is {most}: what has to be written may not fit"
        wanted = topic.configs.get("max.message.bytes", str(BROKER_MESSAGE_BYTES))
        yield Problem(message, alter(topic, f"max.message.bytes={wanted}"), path=topic.name)


def _check_times(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    """Kafka refuses records whose time differs from its own by more, unless it sets the time itself."""
    if (there.configs or {}).get("message.timestamp.type") == "LogAppendTime":
        return
    for end in ("before", "after", "difference"):
        name = f"message.timestamp.{end}.max.ms"
        most = there.number(name, LEAST_MILLISECONDS)
        if most < LEAST_MILLISECONDS:
            message = f"{name} is {most}: records would be refused for their time"
            yield Problem(message, alter(topic, "message.timestamp.type=LogAppendTime"), path=topic.name)


def _check_reachable(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    insync = there.number("min.insync.replicas", 1)
    if insync > there.replication:
        message = f"min.insync.replicas is {insync} with {there.replication} replicas: nothing could be written"
        yield Problem(message, alter(topic, f"min.insync.replicas={there.replication}"), path=topic.name)


def _check_replicas(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    insync = there.number("min.insync.replicas", 1)
    yield from _check_reachable(topic, there)
    if insync <= there.replication and there.replication >= DURABLE_REPLICATION and insync < 2:
        message = "min.insync.replicas is 1: what one broker alone has acknowledged can be lost with it"
        yield Problem(message, alter(topic, "min.insync.replicas=2"), path=topic.name)


def alter(topic: Topic, config: str) -> str:
    return f"kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config {config}"
