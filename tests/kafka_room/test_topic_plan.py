"""The topics the connector needs follow from the sources; what does not fit is told with the command that mends it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from connector.kafka.access import AclOperation
from connector.kafka.topic_plan import ActualTopic, check, check_access, missing, plan, untold
from connector.settings.model import Topics

TOPICS = Topics.model_validate({"sources": ["in", "otp"], "retry_tiers": ["5s", "1m"]})
WEEK_MS = 7 * 24 * 3600 * 1000


def cluster(*, partitions: int = 6, replication: int = 3, **sources: Mapping[str, str]) -> dict[str, ActualTopic]:
    """A cluster on which everything fits: what `topics create` makes."""
    there = {
        name: ActualTopic(name, partitions, replication, {"retention.ms": str(WEEK_MS), **sources.get(name, {})})
        for name in TOPICS.source_names
    }
    wanted = plan(TOPICS, there, journal=True, replication=replication)
    made = {
        topic.name: ActualTopic(topic.name, topic.partitions, replication, topic.configs) for topic in wanted.topics
    }
    return made | there


def problems(there: Mapping[str, ActualTopic], **options: bool) -> list[str]:
    return [str(problem) for problem in check(plan(TOPICS, there, **options), there)]


def change(there: dict[str, ActualTopic], name: str, **changes: object) -> dict[str, ActualTopic]:
    old = there[name]
    configs = {**(old.configs or {}), **changes.pop("configs", {})}  # type: ignore[dict-item]
    fields = {"partitions": old.partitions, "replication": old.replication, **changes}
    return there | {name: ActualTopic(name, configs=configs, **fields)}  # type: ignore[arg-type]


@pytest.mark.parametrize("replication", [1, 2, 3])
@pytest.mark.parametrize("retention", [str(WEEK_MS), "-1", "1000"])
def test_what_is_created_from_the_plan_passes_the_check(replication, retention) -> None:
    assert problems(cluster(replication=replication, **{"in": {"retention.ms": retention}}), journal=True) == []


def test_the_plan_follows_the_sources() -> None:
    there = cluster(partitions=9, otp={"retention.ms": "-1", "max.message.bytes": "5000000"})
    wanted = plan(TOPICS, there)
    assert {topic.partitions for topic in wanted.of("results", "retry", "journal")} == {9}
    (results,) = wanted.of("results")
    assert results.configs["retention.ms"] == "-1"
    assert {topic.configs["max.message.bytes"] for topic in wanted.of("retry", "dead_letters")} == {"5016384"}
    assert [topic.name for topic in wanted.of("retry")] == ["sms.retry.5s", "sms.retry.1m"]


def test_on_an_empty_cluster_everything_is_planned_alike() -> None:
    wanted = plan(TOPICS, {}, partitions=4, replication=3)
    assert {topic.partitions for topic in wanted.topics} == {4, 1}
    assert [topic.name for topic in wanted.topics if topic.partitions == 1] == ["sms.control", "sms.audit"]
    assert len(missing(wanted, [])) == len(wanted.topics)
    assert {topic.configs["min.insync.replicas"] for topic in wanted.topics} == {"2"}


def test_missing_topics_are_told_except_those_nobody_needs_yet() -> None:
    told = problems({"in": ActualTopic("in", 3, 1), "otp": ActualTopic("otp", 3, 1)})
    assert [line.partition(":")[0] for line in told] == [
        "sms.results",
        "sms.retry.5s",
        "sms.retry.1m",
        "sms.dead-letters",
        "sms.control",
    ]
    assert all("sms-connector topics create" in line for line in told)


def test_the_journal_is_needed_only_for_providers_that_report() -> None:
    there = cluster()
    del there["sms.journal"]
    assert problems(there) == []
    assert problems(there, journal=True)[0].startswith("sms.journal: is not on the cluster")


@pytest.mark.parametrize(
    ("kept", "fits"), [(None, True), ("86400000", True), ("604800000", True), ("86399999", False), ("0", False)]
)
def test_whom_the_topic_of_suppressions_lifts_it_tells_for_a_day(kept, fits) -> None:
    """Workers begin with snapshots that are younger than that."""
    (wanted,) = plan(TOPICS, {}, suppressions=True).of("suppressions")
    assert wanted.configs["delete.retention.ms"] == "86400000"
    configs = {"cleanup.policy": "compact"} | ({} if kept is None else {"delete.retention.ms": kept})
    there = {"sms.suppressions": ActualTopic("sms.suppressions", 1, 1, configs)}
    found = [it for it in check(plan(TOPICS, there, suppressions=True), there) if "delete.retention.ms" in str(it)]
    assert (found == []) is fits


@pytest.mark.parametrize(
    ("name", "changes", "part"),
    [
        ("sms.results", {"partitions": 3}, "kafka-topics.sh --alter --topic sms.results --partitions 6"),
        ("sms.results", {"partitions": 9}, "give the source topics 9 partitions too"),
        ("sms.retry.1m", {"partitions": 5}, "has 5 partitions, but the source topics have 6"),
        ("sms.journal", {"partitions": 5}, "has 5 partitions"),
        ("otp", {"partitions": 2}, "has 2 partitions, but another source topic has 6"),
        ("in", {"configs": {"cleanup.policy": "compact"}}, "in --add-config cleanup.policy=delete"),
        ("sms.results", {"configs": {"cleanup.policy": "compact,delete"}}, "all but the last would be lost"),
        ("sms.control", {"configs": {"cleanup.policy": "delete"}}, "campaigns and pauses would be forgotten"),
        ("sms.results", {"configs": {"retention.ms": "1000"}}, "an event could outlive its result"),
        ("sms.journal", {"configs": {"retention.ms": "1000"}}, f"--add-config retention.ms={WEEK_MS}"),
        ("sms.retry.5s", {"configs": {"retention.ms": str(WEEK_MS)}}, "--add-config retention.ms=-1"),
        ("sms.retry.5s", {"configs": {"retention.bytes": "1000"}}, "--add-config retention.bytes=-1"),
        ("sms.retry.5s", {"configs": {"max.message.bytes": "1048588"}}, "max.message.bytes=1064972"),
        ("sms.dead-letters", {"configs": {"max.message.bytes": "1048588"}}, "must fit with their headers"),
        ("sms.results", {"configs": {"min.insync.replicas": "1"}}, "--add-config min.insync.replicas=2"),
        ("sms.control", {"replication": 1}, "nothing could be written"),
        ("sms.results", {"configs": {"max.message.bytes": "1000"}}, "what has to be written may not fit"),
        ("sms.journal", {"configs": {"max.message.bytes": "1000"}}, "max.message.bytes=1048588"),
        ("sms.results", {"configs": {"message.timestamp.before.max.ms": "0"}}, "timestamp.type=LogAppendTime"),
        ("sms.journal", {"configs": {"message.timestamp.after.max.ms": "1000"}}, "refused for their time"),
        ("sms.retry.1m", {"configs": {"message.timestamp.difference.max.ms": "5"}}, "difference.max.ms is 5"),
        ("sms.dead-letters", {"configs": {"message.timestamp.before.max.ms": "59999"}}, "refused for their time"),
    ],
)
def test_each_misfit_is_told_with_the_command_that_mends_it(name, changes, part) -> None:
    (told,) = problems(change(cluster(), name, **changes), journal=True)
    assert told.startswith(f"{name}: ")
    assert part in told


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("sms.results", {"configs": {"retention.ms": "-1"}}),
        ("sms.dead-letters", {"partitions": 1}),
        ("sms.receipts", {"partitions": 2}),
        ("in", {"configs": {"min.insync.replicas": "1"}}),  # the sources' durability is their owner's business
        ("sms.results", {"configs": {"min.insync.replicas": "3"}}),
        ("sms.results", {"configs": {"max.message.bytes": "100000"}}),  # a result without its words fits
        ("sms.results", {"configs": {"message.timestamp.before.max.ms": "60000"}}),
        ("in", {"configs": {"message.timestamp.before.max.ms": "0"}}),
        (
            "sms.results",
            {"configs": {"message.timestamp.before.max.ms": "0", "message.timestamp.type": "LogAppendTime"}},
        ),
    ],
)
def test_what_does_no_harm_is_not_told(name, changes) -> None:
    assert problems(change(cluster(), name, **changes), journal=True) == []


def test_every_topic_that_carries_events_or_their_keys_is_created_large_enough() -> None:
    there = cluster(otp={"max.message.bytes": "5000000"})
    wanted = plan(TOPICS, there).of("results", "retry", "dead_letters")
    assert {topic.configs["max.message.bytes"] for topic in wanted} == {"5016384"}


READ, WRITE = AclOperation.READ, AclOperation.WRITE


@pytest.mark.parametrize(
    ("name", "operations", "lacking"),
    [
        ("sms.results", {READ}, "Write"),
        ("sms.results", {WRITE}, "Read"),
        ("sms.results", set(), "Read and Write"),
        ("sms.retry.1m", {READ}, "Write"),
        ("sms.dead-letters", {READ}, "Write"),
        ("sms.journal", {READ}, "Write"),
        ("sms.control", {WRITE}, "Read"),
        ("otp", set(), "Read"),
        ("sms.dead-letters", {WRITE}, ""),
        ("sms.receipts", set(), ""),
        ("sms.results", None, ""),  # the brokers do not tell
    ],
)
def test_what_may_not_be_done_and_has_to_be_is_told_before_anything_runs(name, operations, lacking) -> None:
    told = None if operations is None else frozenset(operations)
    there = {topic: replace(it, operations=frozenset(AclOperation)) for topic, it in cluster().items()}
    there[name] = replace(there[name], operations=told)
    wanted = plan(TOPICS, there, journal=True)
    found = [str(problem) for problem in check_access(wanted, there)]
    assert [line.split(";")[0] for line in found] == [f"{name}: this principal lacks {lacking} on it"] * bool(lacking)
    assert untold(wanted, there) == ([name] if told is None else [])


def test_what_is_not_known_beforehand_is_named() -> None:
    there = cluster()
    there["sms.results"] = replace(there["sms.results"], configs=None, operations=frozenset(AclOperation))
    assert "sms.results" in untold(plan(TOPICS, there), there)


def test_without_permission_to_read_configurations_partitions_are_still_compared() -> None:
    there = {name: ActualTopic(name, topic.partitions, 3) for name, topic in cluster().items()}
    assert problems(there, journal=True) == []
    there["sms.results"] = ActualTopic("sms.results", 1, 3)
    assert len(problems(there, journal=True)) == 1
