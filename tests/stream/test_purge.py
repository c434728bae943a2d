"""Retry records are deleted when nobody needs them: neither to be sent, nor to know what they settle."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition

from connector.stream.partitions.cluster import Committed
from connector.stream.partitions.formats import Metadata, encode_metadata
from connector.stream.retry.purge import purgeable

SOURCE, PRIORITY, RETRY, LONGER = (TopicPartition(topic, 1) for topic in ("sms", "sms.priority", "r.5s", "r.30s"))
ELSEWHERE = TopicPartition("sms", 2)


def at(offset: int, retry: int = 0, longer: int = 0) -> Committed:
    return Committed(offset, encode_metadata(Metadata({"r.5s": retry, "r.30s": longer})))


ENDS = {SOURCE: 100, PRIORITY: 0, RETRY: 50, LONGER: 0}
DONE = {SOURCE: at(100), RETRY: at(50), LONGER: at(0)}


@pytest.mark.parametrize(
    ("committed", "limit", "why"),
    [
        (DONE, 50, "everything is finished"),
        (DONE | {RETRY: at(40, retry=45)}, 40, "later ones wait to be sent"),
        (DONE | {SOURCE: at(99, retry=12)}, 12, "an event is open, and those after it may be settled from 12 on"),
        (DONE | {SOURCE: at(99, retry=0)}, None, "an event is open since before anything was moved"),
        (DONE | {RETRY: at(40, retry=30)}, 30, "a record that waits may have been moved on from 30 on"),
        (DONE | {SOURCE: Committed(99, "by another client")}, None, "nobody knows from where"),
        ({RETRY: at(50), LONGER: at(0)}, None, "the source was never committed"),
        ({SOURCE: at(100), LONGER: at(0)}, None, "the retry topic was never committed"),
        (DONE | {ELSEWHERE: at(3)}, 50, "another number does not matter"),
    ],
)
def test_a_retry_partition_is_deleted_up_to(committed: dict, limit: int | None, why: str) -> None:
    found = purgeable([RETRY], committed, ENDS | {ELSEWHERE: 10})
    assert found == ({} if limit is None else {RETRY: limit}), why


def test_a_second_source_topic_that_still_needs_a_record_keeps_it() -> None:
    committed = DONE | {PRIORITY: at(3, retry=7)}
    assert purgeable([RETRY], committed, ENDS | {PRIORITY: 4}) == {RETRY: 7}
