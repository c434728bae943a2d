"""The topics of the way back as they should be, and what is wrong with those that are there. Pure, as `topic_plan`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal

from connector.errors import Problem
from connector.kafka.access import AclOperation
from connector.kafka.clients import BROKER_MESSAGE_BYTES
from connector.kafka.topic_plan import DEFAULT_RETENTION_MS, FOREVER, ActualTopic, Role, Topic, TopicPlan, alter
from connector.settings.model import Settings

DAY_MS = 24 * 3600 * 1000
UNMATCHED_RETENTION_MS = 14 * DAY_MS
# What a callback becomes in a record: its fields as JSON, where a byte may take several, and where it came from.
GROWTH, ENVELOPE_BYTES = 2, 64 * 1024

User = Literal["receive", "receipts"]
COPARTITIONED: tuple[Role, ...] = ("receipts", "matched", "unmatched")
"""A message's receipts, their states and what cannot be used of them stand in partitions of one number."""
LOOKED_UP: tuple[Role, ...] = ("entries", "index")
"""What has to be looked up, and what it is looked up in: in partitions of the same number."""

NEEDED: Mapping[User, Mapping[Role, frozenset[AclOperation]]] = {
    "receive": {
        "matched": frozenset({AclOperation.WRITE}),
        "unmatched": frozenset({AclOperation.WRITE}),
        "inbound": frozenset({AclOperation.WRITE}),
        "entries": frozenset({AclOperation.WRITE}),
    },
    "receipts": {
        "matched": frozenset({AclOperation.READ, AclOperation.WRITE}),
        "receipts": frozenset({AclOperation.READ, AclOperation.WRITE}),
        "unmatched": frozenset({AclOperation.READ, AclOperation.WRITE}),
        "entries": frozenset({AclOperation.READ, AclOperation.WRITE}),
        "index": frozenset({AclOperation.READ, AclOperation.WRITE}),
        "inbound": frozenset({AclOperation.READ}),
        "suppressions": frozenset({AclOperation.WRITE}),
    },
}
"""What each of the two processes does with them; with replies `receipts run` only for the list that it writes."""


def receipts_group(settings: Settings) -> str:
    """The consumer group of `receipts run`."""
    return f"{settings.group}-receipts"


def index_group(group: str) -> str:
    """The consumer group of entries that are looked up; `group`: of `receipts run`."""
    return f"{group}-index"


def indexer_group(group: str) -> str:
    """The consumer group that puts results into the index; `group`: of `receipts run`."""
    return f"{group}-indexer"


def names(settings: Settings) -> tuple[str, ...]:
    """Of all of them."""
    topics = settings.topics
    way = topics.receipts, topics.receipts_matched, topics.receipts_unmatched, topics.inbound
    return *way, topics.receipts_in, topics.receipts_index


def with_receipts(plan: TopicPlan, settings: Settings, actual: Mapping[str, ActualTopic]) -> TopicPlan:
    """The plan with these topics in it; unchanged where no receipts are asked for."""
    if settings.receive.url is None:
        return plan
    return dataclasses.replace(
        plan, topics=(*(it for it in plan.topics if it.role != "receipts"), *receipt_topics(plan, settings, actual))
    )


def receipt_topics(plan: TopicPlan, settings: Settings, actual: Mapping[str, ActualTopic]) -> tuple[Topic, ...]:
    """All of them, with as many partitions as the one that is there has, else as the sources have."""
    receipts, matched, unmatched, inbound, entries, index = names(settings)
    (reserved,) = plan.of("receipts")
    there = [actual[name].partitions for name in (matched, receipts, unmatched, entries, index) if name in actual]
    count = there[0] if there else reserved.partitions
    keep, countable = round(settings.receipts.keep * 1000), round(settings.receipts.countable * 1000)
    common = {"min.insync.replicas": reserved.configs["min.insync.replicas"], "cleanup.policy": "delete"}
    large = {"max.message.bytes": str(GROWTH * settings.receive.body + ENVELOPE_BYTES)}
    longer = {"retention.ms": str(max(countable, DEFAULT_RETENTION_MS)), "retention.bytes": FOREVER}
    # What waits is counted by the brokers' clock.
    stamped = {"message.timestamp.type": "LogAppendTime"}
    return (
        Topic(receipts, "receipts", count, common | longer),
        Topic(matched, "matched", count, common | large | {"retention.ms": str(keep)}),
        Topic(unmatched, "unmatched", count, common | large | {"retention.ms": str(UNMATCHED_RETENTION_MS)}),
        Topic(inbound, "inbound", count, common | {"retention.ms": str(DEFAULT_RETENTION_MS)}),
        Topic(entries, "entries", count, common | large | longer | stamped),
        Topic(index, "index", count, common | longer | stamped),
    )


def check_receipts(plan: TopicPlan, settings: Settings, actual: Mapping[str, ActualTopic]) -> list[Problem]:
    """What must be mended before each message's receipts are written once; beside what `topic_plan.check` finds."""
    problems: list[Problem] = []
    for topic in plan.of(*COPARTITIONED, *LOOKED_UP):
        there = actual.get(topic.name)
        if there is not None and topic.required:
            problems += _check_partitions(topic, there)
            if there.configs is not None:
                problems += _check_retention(topic, there, settings)
    return problems


def check_receipt_access(plan: TopicPlan, actual: Mapping[str, ActualTopic], user: User) -> list[Problem]:
    """What this principal may not do with them and has to, as one of the two processes."""
    found: list[Problem] = []
    for role, needed in NEEDED[user].items():
        for topic in plan.of(role):
            there = actual.get(topic.name)
            if there is None or there.operations is None or not (lacking := needed - there.operations):
                continue
            message = f"this principal lacks {' and '.join(it.name.capitalize() for it in sorted(lacking))} on it"
            found.append(Problem(message, "allow it: docs/security.md has the rules for each role", path=topic.name))
    return found


def limit(actual: Mapping[str, ActualTopic], name: str) -> int:
    """The largest record a topic takes, as far as the cluster tells."""
    there = actual.get(name)
    return BROKER_MESSAGE_BYTES if there is None else there.number("max.message.bytes", BROKER_MESSAGE_BYTES)


def _check_partitions(topic: Topic, there: ActualTopic) -> Iterator[Problem]:
    if there.partitions != topic.partitions:
        message = f"has {there.partitions} partitions, but the other topics of receipts have {topic.partitions}"
        remedy = "give all of them the same number, while neither `receive` nor `receipts run` is running"
        yield Problem(message, remedy, path=topic.name)


def _check_retention(topic: Topic, there: ActualTopic, settings: Settings) -> Iterator[Problem]:
    keep, countable = round(settings.receipts.keep * 1000), round(settings.receipts.countable * 1000)
    kept = there.number("retention.ms", DEFAULT_RETENTION_MS)
    if topic.role in ("receipts", *LOOKED_UP) and kept != -1 and kept < countable:
        lost = "a state could be forgotten, and written twice"
        if topic.role != "receipts":
            lost = "what still may be looked up would be forgotten"
        message = (
            f"retention.ms is {kept}, but receipts count for up to {countable} (receipts.keep and the day it ends in): "
            f"{lost}"
        )
        yield Problem(message, alter(topic, f"retention.ms={countable}"), path=topic.name)
    if topic.role == "receipts" and (kept_bytes := there.number("retention.bytes", -1)) != -1:
        message = f"retention.bytes is {kept_bytes}: states could be forgotten, and written twice"
        yield Problem(message, alter(topic, "retention.bytes=-1"), path=topic.name)
    stamped = (there.configs or {}).get("message.timestamp.type", "LogAppendTime")
    if topic.role in LOOKED_UP and stamped != "LogAppendTime":
        message = f"message.timestamp.type is {stamped}: what waits is counted by the brokers' clock"
        yield Problem(message, alter(topic, "message.timestamp.type=LogAppendTime"), path=topic.name)
    least = settings.receive.body + ENVELOPE_BYTES
    if topic.role == "unmatched" and (most := there.number("max.message.bytes", BROKER_MESSAGE_BYTES)) < least:
        message = f"max.message.bytes is {most}: a callback as large as receive.body does not fit"
        yield Problem(message, alter(topic, f"max.message.bytes={least}"), path=topic.name)
    if topic.role == "matched" and (kept == -1 or kept > keep):
        message = f"retention.ms is {kept}, longer than receipts.keep ({keep}): what is read again would come too late"
        yield Problem(message, alter(topic, f"retention.ms={keep}"), path=topic.name)
