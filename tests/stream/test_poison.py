"""What others wrote into retry topics, results and the journal: passed over or ended, and nothing is sent for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from aiokafka import ConsumerRecord, TopicPartition

from connector.kafka.reader import Bounds
from connector.kafka.skipped import Reason, Skipped
from connector.settings.model import Settings
from connector.stream.epoch.opening import Opening
from connector.stream.output import journal
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.formats import Metadata, encode_metadata
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry.retry_reader import _written
from connector.stream.retry.tiers import Tiers
from tests.stream.restoring import restorer
from tests.stream.test_intake import NOON, Bench

REPORTING: Any = SimpleNamespace(reporting=True)

DEEP = b"[" * 50_000
DIGITS = b"9" * 5_000
EVENT = b'{"message_id":"m1","to":"+919812345678","provider":"a"}'
AT = datetime.fromtimestamp(NOON, UTC).isoformat()


# ---- retry records --------------------------------------------------------------------------------------------------


class Retries(Bench):
    """Intake that reads a retry topic; the source's log has 100 events."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = Skipped()
        tiers = Tiers({5.0: "r.5s", 30.0: "r.30s"})
        self.intake._restorer = restorer(tiers, "m", end=100, skipped=self.skipped)
        self.intake._retry_topics = frozenset(tiers.delays)
        self.partition = Partition("r.5s", 0, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(10))

    def take(self, *headers: tuple[str, bytes | None], value: bytes = EVENT) -> None:
        offset = self.partition.ledger.high
        record: Any = SimpleNamespace(offset=offset, value=value, key=None, timestamp=0, headers=headers)
        self.intake.admit(self.partition, [record])


def header(**changes: Any) -> tuple[str, bytes]:
    document = {"source": {"topic": "m", "partition": 0, "offset": 7}, "received_at": AT, "v": 1, **changes}
    return "retry", json.dumps(document).encode()


SETTLES = ("settles", b"m/0/7")
EVENT_KNOWN, RECORD_ONLY = ("m", 0, 7), ("r.5s", 0, 0)


@pytest.mark.parametrize(
    ("headers", "place"),
    [
        ([SETTLES], EVENT_KNOWN),
        ([SETTLES, ("retry", None)], EVENT_KNOWN),
        ([SETTLES, ("retry", b"")], EVENT_KNOWN),
        ([SETTLES, ("retry", DEEP)], EVENT_KNOWN),
        ([SETTLES, ("retry", DIGITS)], EVENT_KNOWN),
        ([SETTLES, ("retry", b"\xff\xfe")], EVENT_KNOWN),
        ([SETTLES, header(), header()], EVENT_KNOWN),
        ([SETTLES, header(due=1e308)], EVENT_KNOWN),
        ([SETTLES, header(due=-1)], EVENT_KNOWN),
        ([SETTLES, header(attempts=10**30)], EVENT_KNOWN),
        ([SETTLES, header(deadline=1e200)], EVENT_KNOWN),
        ([SETTLES, header(received_at="0001-01-01T00:00:00+14:00")], EVENT_KNOWN),
        ([SETTLES, header(source={"topic": "m", "partition": 0, "offset": 8})], EVENT_KNOWN),
        ([SETTLES, header(source={"topic": "other", "partition": 0, "offset": 7})], EVENT_KNOWN),
        ([("settles", b"r.30s/0/1"), header(source={"topic": "m", "partition": 1, "offset": 7})], RECORD_ONLY),
        ([("settles", b"r.30s/0/1"), header(source={"topic": "m", "partition": 0, "offset": 100})], RECORD_ONLY),
        ([header()], RECORD_ONLY),
        ([SETTLES, SETTLES, header()], RECORD_ONLY),
        ([("settles", None), header()], RECORD_ONLY),
        ([("settles", b"m/1/7"), header()], RECORD_ONLY),
        ([("settles", b"m/0/100"), header()], RECORD_ONLY),
        ([("settles", b"m/0/" + DIGITS), header()], RECORD_ONLY),
        ([("settles", b"other/0/7"), header()], RECORD_ONLY),
    ],
)
def test_a_retry_record_that_cannot_be_understood_is_never_sent_and_ends_invalid(headers: Any, place: Any) -> None:
    """For the event it stands for, where that is known: its own record was settled by this one."""
    bench = Retries()
    bench.take(*headers)
    (result,) = bench.finals
    assert (str(result.status), msgspec.structs.astuple(result.source)) == ("invalid", place)
    assert "retry record r.5s/0/0 cannot be understood: " in (result.reason or "")
    assert result.message_id == "m1"
    assert bench.a.offered == []


def test_a_retry_record_of_ours_is_taken() -> None:
    bench = Retries()
    bench.take(SETTLES, header())
    bench.take(("settles", b"r.30s/0/5"), header())
    bench.take(SETTLES, header(v=1, later=DIGITS.decode()))
    bench.take(("settles", b"r.90s/0/5"), header())  # a tier that is no longer set
    assert bench.a.offered == ["m1"] * 4
    assert bench.finals == []


@pytest.mark.parametrize("value", [DEEP, b"", b'{"message_id":"m1","custom":{"a":' + DEEP + b"}}"])
def test_the_event_in_a_retry_record_may_be_anything(value: bytes) -> None:
    bench = Retries()
    bench.take(SETTLES, header(), value=value)
    (result,) = bench.finals
    assert (str(result.status), msgspec.structs.astuple(result.source)) == ("invalid", EVENT_KNOWN)


def test_what_is_due_in_years_is_due_now_and_counted() -> None:
    """A worker whose clock was wrong wrote it; a campaign's hours and its provider are asked anew."""
    bench = Retries()
    bench.take(SETTLES, header(due=NOON + 10**8, received_at="2900-01-01T00:00:00Z"))
    assert bench.a.offered == ["m1"]
    assert bench.skipped.counts["r.5s", Reason.CLOCK] == 2


def test_a_record_of_another_version_is_neither_sent_nor_settled_and_takes_no_memory() -> None:
    bench = Retries()
    for _ in range(200):  # twice what memory has room for
        bench.take(SETTLES, ("retry", b'{"v":2,"source":"in another shape"}'))
    assert (bench.a.offered, bench.finals, bench.moved) == ([], [], [])
    assert bench.partition.ledger.position == 0, "nothing is committed past it"
    assert bench.partition.needs == {2: 200}
    assert (bench.budget.messages, bench.budget.bytes) == (0, 0)


def stamped(*seconds: float | None) -> Any:
    return [SimpleNamespace(offset=n, timestamp=None if it is None else it * 1000) for n, it in enumerate(seconds)]


@pytest.mark.parametrize(
    ("stamps", "written"),
    [
        ((10, 20, 30), [10, 20, 30]),
        ((3700, 20, 30), [20, 20, 30]),  # an hour ahead: it was written before the one behind it
        ((10, 3700, 3700), [10, 100, 100]),  # and not after it was read
        ((3700, 3700, 30), [30, 30, 30]),
        ((None, -1, 30), [30, 30, 30]),
        ((None,), [100]),
    ],
)
def test_nothing_waits_for_a_stamp_of_a_wrong_clock(stamps: Any, written: list[float]) -> None:
    assert [it.written / 1000 for it in _written(stamped(*stamps), now=100_000)] == written


# ---- opening --------------------------------------------------------------------------------------------------------

TOPICS = Settings().topics
SOURCE, RESULTS, JOURNAL = (TopicPartition(it, 0) for it in ("sms.messages", "sms.results", "sms.journal"))
RETRY = TopicPartition("sms.retry.5s", 0)


class Kafka:
    """One partition of each topic. The source holds 1,000 events, of which 10 are committed."""

    def __init__(
        self,
        *records: tuple[TopicPartition, Mapping[str, bytes | None] | None, bytes | None],
        metadata: str = encode_metadata(Metadata({})),
    ) -> None:
        self.records = records
        self.metadata = metadata
        self.starts: Mapping[TopicPartition, int] = {}

    async def committed(self, _group: str, topics: Any) -> dict[TopicPartition, Committed]:
        return {SOURCE: Committed(10, self.metadata)} if SOURCE.topic in topics else {}

    async def committed_of(self, _group: str, partitions: Any) -> dict[TopicPartition, Committed]:
        found = await self.committed(_group, {tp.topic for tp in partitions})
        return {tp: it for tp, it in found.items() if tp in set(partitions)}

    async def bounds(self, partitions: Any) -> dict[TopicPartition, Bounds]:
        ends = {SOURCE: 1000, RESULTS: 500, JOURNAL: 50, RETRY: 5}
        return {tp: Bounds(0, ends.get(tp, 0)) for tp in partitions}

    async def partitions(self, topics: Any) -> dict[str, set[int]]:
        return {topic: {0} for topic in topics}

    async def read_tail(self, starts: Any, ends: Any, seen: Any, *, wanted: Any) -> int:
        self.starts = starts
        for offset, (tp, headers, value) in enumerate(self.records):
            record = SimpleNamespace(offset=offset, headers=list((headers or {}).items()), value=value)
            seen(tp, cast(ConsumerRecord, record))
        return len(self.records)


async def opened(kafka: Kafka) -> tuple[Partition, Mapping[tuple[str, Reason], int]]:
    skipped = Skipped()
    opening = Opening(cast(Cluster, kafka), Settings(), lanes=REPORTING, skipped=skipped)
    partitions = await opening.open({SOURCE, *(TopicPartition(topic, 0) for topic in TOPICS.retry.values())})
    return next(it for it in partitions if it.topic == SOURCE.topic), skipped.counts


def settled(place: bytes | None) -> tuple[TopicPartition, Mapping[str, bytes | None], bytes]:
    return RESULTS, {"settles": place}, b"{}"


SOURCED = b'{"source":{"topic":"sms.messages","partition":0,"offset":%d}}'
GOOD = [settled(b"sms.messages/0/%d" % offset) for offset in range(11, 20)]


@pytest.mark.parametrize(
    ("poison", "reason"),
    [
        (settled(b"sms.messages/0/1000"), Reason.FOREIGN),
        (settled(b"sms.messages/0/1000000"), Reason.FOREIGN),
        (settled(b"sms.messages/0/3000000000"), Reason.FOREIGN),
        (settled(b"sms.messages/0/999999999999999999"), Reason.FOREIGN),
        (settled(b"sms.messages/1/11"), Reason.FOREIGN),
        (settled(b"other/0/11"), Reason.FOREIGN),
        ((RESULTS, {"settles": b"sms.retry.5s/0/5"}, SOURCED % 11), Reason.FOREIGN),
        (settled(b"sms.messages/0/" + DIGITS), Reason.MALFORMED),
        (settled(b"\xff\xfe/0/1"), Reason.FOREIGN),
        (settled(None), Reason.MALFORMED),
        ((RESULTS, None, None), Reason.MALFORMED),
        ((RESULTS, {"settles": b"sms.retry.5s/0/4"}, DEEP), Reason.MALFORMED),
        ((RESULTS, {"settles": b"sms.retry.5s/0/4"}, b'{"source":{"offset":' + DIGITS + b"}}"), Reason.MALFORMED),
        ((RESULTS, {"settles": b"sms.retry.5s/0/4"}, SOURCED % 1000), Reason.FOREIGN),
        ((JOURNAL, None, DEEP), Reason.MALFORMED),
        ((JOURNAL, None, None), Reason.MALFORMED),
        ((JOURNAL, None, b'{"topic":"sms.messages","sent":[1000,3000000000]}'), Reason.FOREIGN),
        ((JOURNAL, None, b'{"topic":"sms.messages","sent":[' + b"11," * 100_000 + b"11]}"), Reason.MALFORMED),
        ((JOURNAL, None, b'{"topic":"other","sent":[11]}'), Reason.FOREIGN),
        ((JOURNAL, None, b'{"v":2}'), Reason.VERSION),
    ],
)
@pytest.mark.parametrize("first", [True, False])
async def test_poison_makes_nothing_be_forgotten_or_settled(poison: Any, reason: Reason, first: bool) -> None:
    """Neither before the records of ours nor behind them."""
    partition, counts = await opened(Kafka(*([poison, *GOOD] if first else [*GOOD, poison])))
    assert sum(counts.values()) == counts[poison[0].topic, reason] == 1
    admitted = [offset for offset in range(10, 1000) if partition.ledger.admit(offset)]
    assert admitted == [10, *range(20, 1000)]
    assert not partition.journalled


@pytest.mark.parametrize(
    "ends",
    [
        *['{"v":1,"ends":{"sms.results":501}}', '{"v":1,"ends":{"sms.results":-1}}', "[" * 4000, '{"v":2}', "", "x"],
        *['{"v":1,"ends":{"a":1e400}}', '{"v":1,"ends":{"sms.results":9223372036854775807}}'],
    ],
)
async def test_metadata_that_cannot_be_true_has_everything_read(ends: str) -> None:
    kafka = Kafka(*GOOD, metadata=ends)
    await opened(kafka)
    assert kafka.starts[RESULTS] == 0


async def test_events_that_another_version_has_journalled_are_held() -> None:
    """Whether they may be sent is not for us to say."""
    foreign = (JOURNAL, None, b'{"v":3,"topic":"sms.messages","sent":[30,31,5000],"how":"in another way"}')
    partition, counts = await opened(Kafka(*GOOD, foreign))
    assert counts["sms.journal", Reason.VERSION] == 1
    assert (list(partition.held or ()), partition.held_version) == ([30, 31], 3)
    bench = Bench()
    records: Any = [
        SimpleNamespace(offset=n, value=EVENT.replace(b"m1", b"m%d" % n), key=None, timestamp=0, headers=())
        for n in range(29, 33)
    ]
    partition.ledger.pass_to(29)
    bench.intake.admit(partition, records)
    assert bench.a.offered == ["m29", "m32"]
    assert bench.finals == []
    assert partition.needs == {3: 2}
    partition.ledger.settle([29, 32])
    assert partition.ledger.position == 30


async def test_a_journal_record_of_ours_counts_beside_poison() -> None:
    entry = journal.encode(journal.Entry("sent", "sms.messages", [25, 26], "b"))
    partition, _ = await opened(Kafka((JOURNAL, None, DEEP), (JOURNAL, None, entry)))
    assert list(partition.journalled) == [25, 26]
