"""`sms-connector topics` on a real broker: what it creates passes its own check, and misfits are found."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result
from confluent_kafka.admin import AdminClient, NewPartitions

from connector.cli.main import group
from connector.errors import TopicError, UsageError
from tests.kafka.find import Kafka
from tests.kafka.records import alter
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka


def topics(kafka: Kafka, unique: str, *arguments: str) -> Result:
    own = ("results", "dead_letters", "journal", "control", "audit", "receipts")
    names = {name: f"{unique}.{name}" for name in own}
    names |= {"retry_prefix": f"{unique}.retry", "sources": f"{unique}.in", "retry_tiers": "5s,1m"}
    settings = [f"topics.{name}={value}" for name, value in names.items()]
    settings.append(f"kafka.bootstrap.servers={kafka.bootstrap}")
    options = [part for setting in settings for part in ("--set", setting)]
    return CliRunner().invoke(group, ["topics", *arguments, *options], catch_exceptions=False)


def test_what_create_makes_check_accepts_and_creating_again_changes_nothing(kafka: Kafka, unique: str) -> None:
    created = topics(kafka, unique, "create", "--partitions", "3", "--replication", "1").output
    assert created.count("created") == 9
    assert f"created  {unique}.retry.5s  (3 partitions, 1 replica)" in created
    assert topics(kafka, unique, "check").output == "9 topics fit\n"
    assert topics(kafka, unique, "create").output.count("exists") == 9


def test_create_refuses_what_the_cluster_or_the_sources_do_not_allow(kafka: Kafka, unique: str) -> None:
    with pytest.raises(TopicError, match="choose --partitions and --replication"):
        topics(kafka, unique, "create", "--replication", "99")
    topics(kafka, unique, "create", "--partitions", "2", "--replication", "1")
    with pytest.raises(UsageError, match=r"--partitions 3: .*\.in has 2"):
        topics(kafka, unique, "create", "--partitions", "3")


def misfits(kafka: Kafka, unique: str) -> list[str]:
    """What `check` tells: topic and first word of each problem."""
    try:
        topics(kafka, unique, "check")
    except TopicError as error:
        return sorted(f"{p.path.removeprefix(unique)[1:]} {p.message.split()[0]}" for p in error.problems)
    return []


def test_check_finds_what_is_missing(kafka: Kafka, unique: str) -> None:
    required = ["control", "dead_letters", "in", "results", "retry.1m", "retry.5s"]
    assert misfits(kafka, unique) == [f"{name} is" for name in required]


def test_check_finds_what_does_not_fit(kafka: Kafka, unique: str) -> None:
    topics(kafka, unique, "create", "--partitions", "2", "--replication", "1")
    alter(kafka.bootstrap, f"{unique}.results", {"cleanup.policy": "compact", "retention.ms": "1000"})
    alter(kafka.bootstrap, f"{unique}.in", {"max.message.bytes": "2000000"})
    client = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for future in client.create_partitions([NewPartitions(f"{unique}.in", 3)]).values():
        future.result(20)
    expected = [
        "dead_letters max.message.bytes",
        "journal has",
        "results cleanup.policy",
        "results has",
        "results retention.ms",
        "retry.1m has",
        "retry.1m max.message.bytes",
        "retry.5s has",
        "retry.5s max.message.bytes",
    ]
    # A broker hears of changes from its controller a moment later.
    wait_until(lambda: misfits(kafka, unique) == expected, f"check to tell {expected}")
