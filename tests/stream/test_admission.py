"""Letting records in: a jump that the fetcher has made is looked up in the log; a gap that it has seen is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from connector.clock import ManualClock
from connector.delivery.lane import Lane
from connector.errors import TopicError
from connector.kafka.fetched import Fetched
from connector.kafka.outage import Outlast
from connector.kafka.record_batch import Unreadable
from connector.stream.intake.admission import SLICE_BYTES, SLICE_RECORDS, Admission, slices
from connector.stream.intake.budget import Budget
from connector.stream.intake.intake import Intake
from connector.stream.intake.read_progress import ReadProgress
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry.head_of_line import HeadOfLine

START = 100


def records(offsets: Sequence[int], start: int | None = None, end: int | None = None) -> Fetched:
    """Those, read from `start` to before `end`; as a rule nothing else was there."""
    found = Fetched(start if start is not None else offsets[0] if offsets else START)
    found += [SimpleNamespace(offset=offset, value=b"") for offset in offsets]
    found.end = end if end is not None else offsets[-1] + 1 if offsets else START
    return found


class Bench:
    """Admission with a log of its own, and the offsets that were let in."""

    def __init__(self, log: Sequence[int], *, stops: bool = False) -> None:
        self.log = log
        self.asked: list[tuple[int, int]] = []
        self.admitted: list[int] = []
        self.woken: list[tuple[int, int]] = []
        self.owned = Assignment()
        self.partition = Partition("sms", 3, Ledger(START), ReplayMarks(START, {}), {}, START, OffsetSet(100))
        self.owned.own([self.partition], [], generation=7)
        self.owned.live = True
        self.admission = Admission(
            self.owned,
            intake=cast(Intake, self),
            budget=Budget(messages=10_000, bytes_=10_000_000),
            head_of_line=cast(HeadOfLine, None),
            lanes=cast(dict[str, Lane], {"busy": self.lane(1), "idle": self.lane(0)}),
            progress=cast(ReadProgress, self),
            span=1000,
            cluster=cast(Cluster, self),
            outlast=Outlast(ManualClock(), patience=0),
            stops=stops,
        )

    @property
    def caught_up(self) -> bool:
        return self.partition.ledger.high > self.log[-1]

    def lane(self, messages: int) -> SimpleNamespace:
        return SimpleNamespace(open_count=messages, wake=lambda: self.woken.append((messages, len(self.admitted))))

    def admit(self, partition: Partition, found: Sequence[Any]) -> None:
        self.admitted += [record.offset for record in found if partition.ledger.admit(record.offset)]

    async def read_between(self, tp: TopicPartition, start: int, end: int, *, wanted: Callable[[], bool]) -> Fetched:
        assert (tp, wanted()) == (TopicPartition("sms", 3), True)
        self.asked.append((start, end))
        return records([offset for offset in self.log if start <= offset < end], start, end)

    async def chunk(
        self, offsets: Sequence[int], *, start: int | None = None, end: int | None = None, **changes: Any
    ) -> None:
        message = {"topic": "sms", "generation_id": 7, "value": [(3, records(offsets, start, end))]}
        await self.admission.admit(SimpleNamespace(**message | changes))


async def test_a_chunk_of_several_partitions_goes_to_each_that_is_owned() -> None:
    bench = Bench(log=range(90, 200))
    start = bench.partition.ledger.high
    none, own = records([7]), records([start])
    await bench.chunk([], value=[(9, none), (3, own)])
    assert bench.admitted == [start]
    await bench.chunk([], value=[(3, records([start + 1]))], generation_id=6)
    assert bench.admitted == [start]


async def test_events_the_fetcher_has_passed_over_are_read_from_the_log() -> None:
    bench = Bench(log=range(90, 200))
    await bench.chunk(range(105, 110))
    assert bench.admitted == list(range(START, 110))
    assert bench.partition.ledger.open == 10


async def test_a_gap_in_the_log_is_a_gap() -> None:
    bench = Bench(log=[*range(90, 95), *range(105, 110)])
    await bench.chunk(range(105, 110))
    assert bench.asked == [(START, 105)]
    assert bench.admitted == list(range(105, 110))


async def test_a_gap_that_the_fetcher_has_seen_is_not_looked_up() -> None:
    bench = Bench(log=range(90, 200))
    await bench.chunk(range(START, 105), end=106)  # a transaction marker at 105
    await bench.chunk(range(107, 108), start=106)
    assert bench.asked == []
    assert bench.admitted == [*range(START, 105), 107]


async def test_a_jump_in_the_middle_of_an_epoch_is_looked_up_as_well() -> None:
    bench = Bench(log=range(90, 200))
    await bench.chunk(range(START, 105))
    await bench.chunk(range(110, 112))
    assert bench.admitted == list(range(START, 112))


async def test_what_holds_no_event_moves_the_position() -> None:
    """Markers and what was aborted: lag ends at 0, also where they are the last thing in the log."""
    bench = Bench(log=range(START, 106))
    await bench.chunk([], start=START, end=103)
    assert (bench.partition.ledger.position, bench.woken) == (103, [])
    await bench.chunk([103], end=106)
    assert (bench.partition.ledger.position, bench.partition.ledger.high) == (103, 106)
    assert bench.woken
    bench.partition.ledger.settle([103])
    assert bench.partition.ledger.position == 106


async def test_a_batch_that_cannot_be_decoded_stops_the_worker_before_its_events_where_that_is_wanted() -> None:
    bench = Bench(log=range(START, 106), stops=True)
    await bench.chunk(range(START, 102))
    broken = records([102, 103])
    broken[1] = Unreadable(103, "its batch cannot be read: zstd", batch=True)
    with pytest.raises(TopicError, match=r"sms\[3\] at offset 103.*zstd.*events.undecodable"):
        await bench.chunk([], value=[(3, broken)])
    assert bench.admitted == [100, 101]
    broken[1] = Unreadable(103, "it has 300 MB")  # a record alone stops nobody
    await bench.chunk([], value=[(3, broken)])
    assert bench.admitted == [100, 101, 102, 103]


@pytest.mark.parametrize("changes", [{"generation_id": 6}, {"value": [(4, records(range(START, 105)))]}])
async def test_what_is_not_ours_is_not_let_in(changes: dict[str, Any]) -> None:
    bench = Bench(log=[0])
    await bench.chunk(range(START, 105), **changes)
    assert bench.admitted == []


async def test_lanes_that_hold_something_are_woken_once_the_log_is_read_to_its_end() -> None:
    """Until then more may come for their windows, and those that get it wake up by that."""
    end = START + 2 * SLICE_RECORDS
    bench = Bench(log=range(START, end))
    await bench.chunk(range(START, end - 1))
    assert bench.woken == []
    await bench.chunk([end - 1])
    assert bench.woken == [(1, end - START)]


@given(st.lists(st.sampled_from([None, 0, 1, 300, 5_000, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1]), max_size=30))
def test_a_slice_is_bounded_by_bytes_and_a_large_event_is_one_by_itself(sizes: list[int | None]) -> None:
    found = [cast(ConsumerRecord, SimpleNamespace(value=None if size is None else bytes(size))) for size in sizes]
    taken = [(start, end) for start, end, _ in slices(found)]
    assert [place for start, end in taken for place in range(start, end)] == list(range(len(found)))
    for start, end in taken:
        assert end - start == 1 or sum(size or 0 for size in sizes[start:end]) <= SLICE_BYTES
    for (start, end), _ in pairwise(taken):
        assert sum(size or 0 for size in sizes[start : end + 1]) > SLICE_BYTES, "none ends without need"


def test_a_slice_is_bounded_by_records() -> None:
    found = records(range(2 * SLICE_RECORDS + 1))
    assert list(slices(found)) == [
        (0, SLICE_RECORDS, 1),
        (SLICE_RECORDS, 2 * SLICE_RECORDS, 1),
        (2 * SLICE_RECORDS, 2 * SLICE_RECORDS + 1, 1 / SLICE_RECORDS),
    ]


@pytest.mark.parametrize(
    ("events", "bytes_", "turns"),
    [
        (1, 0, 1),  # of eight partitions
        (SLICE_RECORDS // 4, 0, 2),
        (1, SLICE_BYTES // 2, 4),  # what takes long to decode counts by its bytes
        (1, SLICE_BYTES + 1, 8),
    ],
)
async def test_others_have_their_turn_after_a_millisecond_of_work(
    events: int, bytes_: int, turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(log=range(START, START + 10_000))
    taken: list[float] = []

    async def sleep(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr("connector.stream.intake.admission.asyncio.sleep", sleep)
    for number in range(8):
        found = records(range(START + number * events, START + (number + 1) * events))
        for record in found:
            record.value = bytes(bytes_)
        await bench.chunk([], value=[(3, found)])
    assert taken == [0] * turns
