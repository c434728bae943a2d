"""Opening partitions: how much of the results is read back."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from connector.kafka.reader import Bounds
from connector.kafka.skipped import Skipped
from connector.settings.model import Settings
from connector.stream.epoch.opening import Opening, RecoveredState
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.formats import Metadata, encode_metadata

LANES: Any = SimpleNamespace(reporting=False)
REPORTING: Any = SimpleNamespace(reporting=True)

SETTINGS = Settings(start_from="earliest")
SOURCE, RESULTS = TopicPartition("sms.messages", 0), TopicPartition("sms.results", 0)
RETRIES = [TopicPartition(topic, 0) for topic in SETTINGS.topics.retry.values()]


class Kafka:
    """A cluster with one partition of each topic; remembers from where the tail was read."""

    def __init__(self, committed: Mapping[TopicPartition, Committed], ends: Mapping[TopicPartition, int]) -> None:
        self._committed = dict(committed)
        self._ends = ends
        self.read_from: dict[TopicPartition, int] = {}

    async def committed(self, _group: str, topics: Any) -> dict[TopicPartition, Committed]:
        return {tp: found for tp, found in self._committed.items() if tp.topic in set(topics)}

    async def committed_of(self, _group: str, partitions: Any) -> dict[TopicPartition, Committed]:
        return {tp: found for tp, found in self._committed.items() if tp in set(partitions)}

    async def bounds(self, partitions: Any) -> dict[TopicPartition, Bounds]:
        return {tp: Bounds(0, self._ends.get(tp, 0)) for tp in partitions}

    async def partitions(self, topics: Any) -> dict[str, set[int]]:
        return {topic: {0} for topic in topics}

    async def read_tail(self, starts: Mapping[TopicPartition, int], ends: Any, seen: Any, *, wanted: Any) -> int:
        self.read_from = {tp: start for tp, start in starts.items() if start < ends[tp]}
        return 0


async def opened_from(
    committed: Mapping[TopicPartition, Committed], ends: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    kafka = Kafka(committed, ends)
    await Opening(cast(Cluster, kafka), SETTINGS, lanes=LANES, skipped=Skipped()).open({SOURCE, *RETRIES})
    return kafka.read_from


def at(offset: int, results: int) -> Committed:
    return Committed(offset, encode_metadata(Metadata({"sms.results": results})))


async def test_the_results_are_read_from_where_the_source_was_committed() -> None:
    committed = {SOURCE: at(90, 80), **{tp: at(0, 0) for tp in RETRIES}}
    assert await opened_from(committed, {SOURCE: 100, RESULTS: 100}) == {RESULTS: 80}


async def test_a_retry_topic_that_is_hardly_used_does_not_make_everything_since_be_read() -> None:
    committed = {SOURCE: at(1_000_000, 999_000), **{tp: at(5, 3) for tp in RETRIES}}
    ends = {SOURCE: 1_000_001, RESULTS: 1_000_000, **dict.fromkeys(RETRIES, 5)}
    found = await opened_from(committed, ends)
    assert found[RESULTS] == 999_000


async def test_a_retry_record_that_waits_has_the_results_since_its_commit_read() -> None:
    committed = {SOURCE: at(100, 95), **{tp: at(5, 30) for tp in RETRIES}}
    ends = {SOURCE: 100, RESULTS: 100, **dict.fromkeys(RETRIES, 5), RETRIES[0]: 6}
    found = await opened_from(committed, ends)
    assert found[RESULTS] == 30


async def test_where_all_is_committed_nothing_is_read() -> None:
    committed = {SOURCE: at(100, 10), **{tp: at(0, 0) for tp in RETRIES}}
    assert await opened_from(committed, {SOURCE: 100, RESULTS: 100}) == {}


async def test_without_a_commit_all_results_are_read() -> None:
    assert await opened_from({}, {SOURCE: 100, RESULTS: 100}) == {RESULTS: 0}


class Record:
    """A result as the tail shows it."""

    def __init__(self, settles: str, offset: int) -> None:
        self.headers = [("settles", settles.encode())]
        self.offset = 0
        self.value = b'{"source":{"topic":"sms.messages","partition":0,"offset":%d}}' % offset


class Written(Kafka):
    """With these records in the results topic, of which the first may have been deleted."""

    def __init__(self, records: list[Record], *, begin: int = 0, end: int = 100) -> None:
        super().__init__({}, {SOURCE: end, RESULTS: begin + len(records)})
        self._records = records
        self._begin = begin

    async def bounds(self, partitions: Any) -> dict[TopicPartition, Bounds]:
        found = await super().bounds(partitions)
        return {tp: bounds._replace(begin=self._begin) if tp == RESULTS else bounds for tp, bounds in found.items()}

    async def read_tail(self, starts: Any, ends: Any, seen: Any, *, wanted: Any) -> int:
        for record in self._records:
            seen(RESULTS, record)
        return len(self._records)


async def begins_at(kafka: Kafka) -> int:
    opened = await Opening(cast(Cluster, kafka), SETTINGS, lanes=LANES, skipped=Skipped()).open({SOURCE})
    return opened[0].ledger.position


LATER = [Record(f"sms.messages/0/{offset}", offset) for offset in (4, 5, 6)]


async def test_without_offsets_what_was_to_be_sent_and_has_no_result_is_sent_though_later_events_have_theirs() -> None:
    assert await begins_at(Written(LATER)) == 0


async def test_where_results_were_deleted_nobody_knows_and_nothing_before_the_first_one_is_sent() -> None:
    assert await begins_at(Written(LATER, begin=50)) == 7


async def test_a_result_settles_its_event_though_the_retry_record_between_them_is_gone() -> None:
    moved = Record(f"{RETRIES[0].topic}/0/31", 0)
    assert await begins_at(Written([moved, *LATER])) == 1


class Without(Kafka):
    """A cluster whose journal has not all partitions, or is not there."""

    async def partitions(self, topics: Any) -> dict[str, set[int]]:
        return {topic: set() if topic == SETTINGS.topics.journal else {0} for topic in topics}


async def test_the_journal_is_read_back_where_it_is_there_so_that_a_provider_may_begin_to_use_it() -> None:
    journal = TopicPartition(SETTINGS.topics.journal, 0)
    kafka = Kafka({}, {SOURCE: 100, journal: 3})
    opened = await Opening(cast(Cluster, kafka), SETTINGS, lanes=LANES, skipped=Skipped()).open({SOURCE})
    assert kafka.read_from == {journal: 0}
    assert opened[0].ends[SETTINGS.topics.journal] == 3


async def test_without_a_journal_only_who_needs_it_is_not_admitted() -> None:
    opening = Opening(cast(Cluster, Without({}, {SOURCE: 100})), SETTINGS, lanes=LANES, skipped=Skipped())
    opened = await opening.open({SOURCE})
    assert SETTINGS.topics.journal not in opened[0].ends
    needed = Opening(cast(Cluster, Without({}, {SOURCE: 100})), SETTINGS, lanes=REPORTING, skipped=Skipped())
    assert await needed.open({SOURCE}) == []


@pytest.mark.parametrize(
    ("within", "beyond", "resumed"),
    [
        (30, 0, 30),
        (30, 9, 30),  # forged, by somebody who may write results
        (30, 29, 30),
        (30, 30, 1030),  # the topic was created anew
        (0, 1, None),
        (0, 10, 1010),
    ],
)
def test_results_of_many_events_that_are_not_there_are_those_of_another_topic(
    within: int, beyond: int, resumed: int | None
) -> None:
    known = RecoveredState(1_000, end=100)
    for offset in range(within):
        assert known.settle(offset)
    for offset in range(1_000, 1_000 + beyond):
        assert not known.settle(offset)
    assert known.resume_at(None) == resumed
