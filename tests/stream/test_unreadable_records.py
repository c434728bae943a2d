"""What stands for a record that cannot be read ends `invalid`, as the event it is of where that is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from structlog.testing import capture_logs

from connector.kafka.record_batch import Unreadable, too_large
from connector.model import Source, Status
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry import retry_records
from tests.stream.test_intake import NOON, Bench


def take(bench: Bench, topic: str, *records: Any) -> Partition:
    partition = Partition(topic, 3, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(10))
    bench.intake.admit(partition, records)
    return partition


def test_an_event_that_cannot_be_read_ends_invalid_with_its_place_and_the_reason():
    bench = Bench(max_age=60)
    why = "its batch cannot be read: compression codec 7 is not known"
    take(bench, "m", Unreadable(0, why, batch=True), too_large(1, 300, 200, timestamp=0, key=b"k"))
    assert [(it.status, it.source) for it in bench.finals] == [
        (Status.INVALID, Source("m", 3, 0)),
        (Status.INVALID, Source("m", 3, 1)),
    ]
    assert bench.finals[0].reason == f"the event cannot be read: {why}"
    assert "events.bytes allows 200" in (bench.finals[1].reason or "")


def test_good_events_beside_it_are_filed():
    bench = Bench()
    records = [Unreadable(0, "broken"), *bench_records(bench, 1, "m1"), *bench_records(bench, 2, "m2")]
    take(bench, "m", *records)
    assert bench.a.offered == ["m1", "m2"]
    assert [it.status for it in bench.finals] == [Status.INVALID]


def bench_records(bench: Bench, offset: int, message_id: str) -> list[Any]:
    raw = bench.item(message_id=message_id).raw
    return [SimpleNamespace(offset=offset, value=raw, key=None, timestamp=round(NOON * 1000), headers=())]


def test_of_a_retry_record_that_is_too_large_the_event_is_known_by_its_headers():
    bench = Bench()
    item = bench.item()
    headers = [("settles", b"m/3/7"), retry_records.header(item, 0.0)]
    take(bench, "r.5s", too_large(0, 300, 200, timestamp=0, key=None, headers=headers))
    assert bench.finals[0].source == Source("m", 3, 7)


def test_of_one_that_cannot_be_read_at_all_the_place_is_told_loudly():
    bench = Bench()
    with capture_logs() as told:
        take(bench, "r.5s", Unreadable(4, "the checksum of its batch does not fit", batch=True))
    assert bench.finals[0].source == Source("r.5s", 3, 4)
    (line,) = [it for it in told if "retry record cannot be read" in it["event"]]
    assert (line["topic"], line["partition"], line["offset"], line["log_level"]) == ("r.5s", 3, 4, "error")
