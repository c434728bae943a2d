"""The topics of receipts: planned with the rest, and compared with what keeps each message's receipts exact."""

from __future__ import annotations

import dataclasses

import pytest

from connector.kafka.access import AclOperation
from connector.kafka.receipt_topics import check_receipt_access, check_receipts, with_receipts
from connector.kafka.topic_plan import ActualTopic, check, expansion, missing, plan
from connector.settings.model import Settings
from connector.settings.way_back import ReceiptSettings, Receive

DAY_MS = 24 * 3600 * 1000
SETTINGS = Settings(
    receive=Receive(url="https://sms.example.com", keys=("k" * 32,), url_keys=("u" * 32,)),
    receipts=ReceiptSettings(keep="5d"),
)


def wanted(actual, settings=SETTINGS):
    return with_receipts(plan(settings.topics, actual, partitions=6, replication=3), settings, actual)


def cluster() -> dict[str, ActualTopic]:
    return {it.name: ActualTopic(it.name, it.partitions, 3, it.configs) for it in wanted({}).topics}


ENDS = (".matched", "", ".unmatched", ".in", ".index")


def problems(actual, settings=SETTINGS) -> list[str]:
    planned = wanted(actual, settings)
    return [str(it) for it in check(planned, actual) + check_receipts(planned, settings, actual)]


def test_without_a_public_url_nothing_is_planned_or_compared() -> None:
    plain = plan(Settings().topics, {})
    assert with_receipts(plain, Settings(), {}) is plain
    there = {it.name: ActualTopic(it.name, it.partitions, 3, it.configs) for it in wanted({}, Settings()).topics}
    there["sms.receipts"] = dataclasses.replace(there["sms.receipts"], partitions=3)
    assert problems(there, Settings()) == []


def test_topics_as_they_are_created_fit() -> None:
    assert problems(cluster()) == []
    names = {"sms.receipts", "sms.receipts.matched", "sms.receipts.unmatched", "sms.inbound"}
    assert names <= {it.name for it in missing(wanted({}), [])}


def test_topics_of_receipts_are_needed_once_there_is_a_url() -> None:
    there = {name: it for name, it in cluster().items() if "receipts" not in name}
    assert [line.split(":")[0] for line in problems(there)] == [
        "sms.receipts",
        "sms.receipts.matched",
        "sms.receipts.unmatched",
        "sms.receipts.in",
        "sms.receipts.index",
    ]


def test_they_take_their_number_of_partitions_from_the_one_that_is_there() -> None:
    reserved = {"sms.receipts": ActualTopic("sms.receipts", 3, 3)}
    assert {it.partitions for it in wanted(reserved).of("receipts", "matched", "unmatched", "inbound")} == {3}


@pytest.mark.parametrize(
    ("name", "change", "part"),
    [
        ("sms.receipts", {"partitions": 4}, "has 4 partitions, but the other topics of receipts have 6"),
        ("sms.receipts.unmatched", {"partitions": 12}, "has 12 partitions"),
        ("sms.receipts", {"configs": {"retention.ms": str(5 * DAY_MS)}}, f"retention.ms={6 * DAY_MS}"),
        ("sms.receipts", {"configs": {"retention.ms": "1000"}}, "a state could be forgotten"),
        ("sms.receipts", {"configs": {"retention.bytes": "1000"}}, "retention.bytes=-1"),
        ("sms.receipts", {"configs": {"cleanup.policy": "compact"}}, "cleanup.policy=delete"),
        ("sms.receipts", {"configs": {"cleanup.policy": "compact,delete"}}, "cleanup.policy=delete"),
        ("sms.receipts.matched", {"configs": {"retention.ms": str(5 * DAY_MS + 1)}}, "would come too late"),
        ("sms.receipts.matched", {"configs": {"retention.ms": "-1"}}, f"retention.ms={5 * DAY_MS}"),
        ("sms.receipts.matched", {"configs": {"message.timestamp.before.max.ms": "5"}}, "refused for their time"),
        ("sms.receipts.in", {"partitions": 4}, "has 4 partitions, but the other topics of receipts have 6"),
        ("sms.receipts.index", {"partitions": 12}, "has 12 partitions"),
        ("sms.receipts.index", {"configs": {"retention.ms": str(5 * DAY_MS)}}, f"retention.ms={6 * DAY_MS}"),
        ("sms.receipts.index", {"configs": {"message.timestamp.type": "CreateTime"}}, "the brokers' clock"),
        ("sms.receipts.in", {"configs": {"message.timestamp.type": "CreateTime"}}, "the brokers' clock"),
        ("sms.receipts.in", {"configs": {"cleanup.policy": "compact"}}, "cleanup.policy=delete"),
        ("sms.inbound", {"replication": 1}, "nothing could be written"),
    ],
)
def test_each_misfit_is_told_with_its_remedy(name, change, part) -> None:
    there = cluster()
    changes = dict(change)
    if "configs" in changes:
        changes["configs"] = there[name].configs | changes["configs"]
    there[name] = dataclasses.replace(there[name], **changes)
    (told,) = problems(there)
    assert told.startswith(f"{name}: ")
    assert part in told


def test_receipts_kept_for_ever_fit() -> None:
    there = cluster()
    kept = there["sms.receipts"].configs | {"retention.ms": "-1"}
    there["sms.receipts"] = dataclasses.replace(there["sms.receipts"], configs=kept)
    assert problems(there) == []


def test_each_process_needs_only_its_own_access() -> None:
    read, write = AclOperation.READ, AclOperation.WRITE
    there = {name: dataclasses.replace(it, operations=frozenset({write})) for name, it in cluster().items()}
    assert check_receipt_access(wanted(there), there, "receive") == []
    lacking = [str(it).split(";")[0] for it in check_receipt_access(wanted(there), there, "receipts")]
    topics = [*(f"sms.receipts{end}" for end in ENDS), "sms.inbound"]
    assert lacking == [f"{topic}: this principal lacks Read on it" for topic in topics]
    there["sms.inbound"] = dataclasses.replace(there["sms.inbound"], operations=frozenset({read}))
    (told,) = check_receipt_access(wanted(there), there, "receive")
    assert "Write" in str(told)


def test_topics_of_receipts_keep_their_partitions_when_the_others_get_more() -> None:
    assert not [name for name in expansion(SETTINGS.topics, cluster(), 24) if "receipts" in name or "inbound" in name]
