"""What holds a partition back goes to a retry topic, and nothing else does."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from connector.clock import ManualClock
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.stream.partitions.ledger import Ledger
from connector.stream.retry.head_of_line import HELD_BACK_LOOK_SECONDS, HeadOfLine
from connector.stream.retry.routing import RetryRouting
from connector.stream.retry.tiers import Tiers

SPAN = 100


class FakeLane:
    """A lane that gets through `rate` messages a second; none where it is 0."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.held: set[str] = set()
        self.windows: list[tuple[str, Item]] = []
        self.delayed: list[tuple[str, Item]] = []

    def expected_wait(self, ahead: int | None = None) -> float:
        ahead = len(self.windows) if ahead is None else ahead
        return ahead / self.rate if self.rate else math.inf

    def evict(self, wanted, *, sealed=False, only_delayed=False):
        gone = []
        for book in (self.delayed,) if only_delayed else (self.windows, self.delayed):
            for pair in list(book):
                if wanted(WindowKey(0, pair[0], None, high=False), pair[1]):
                    book.remove(pair)
                    gone.append(pair[1])
        return gone


class Bench:
    """A partition whose span is used up by messages of one lane."""

    def __init__(self, rate: float, messages: int = SPAN) -> None:
        self.clock = ManualClock()
        self.lane = FakeLane(rate)
        self.moved: list[tuple[int, str]] = []
        tiers = Tiers({5.0: "r.5s", 30.0: "r.30s", 300.0: "r.5m"})
        retry_routing = RetryRouting(tiers, retries=SimpleNamespace(move=self._move), clock=self.clock, longest=300)
        self.head_of_line = HeadOfLine({"p": self.lane}, retry_routing=retry_routing, span=SPAN, clock=self.clock)
        self.partition = self._partition()
        self.lane.windows = [("c", self._item(self.partition, offset)) for offset in range(messages)]

    def _partition(self) -> SimpleNamespace:
        ledger = Ledger(0)
        for offset in range(SPAN):
            ledger.admit(offset)
        return Hashable(topic="m", partition=0, ledger=ledger, live=True)

    def _item(self, partition, offset: int) -> Item:
        return Item(b"{}", partition, offset, None, datetime.now(UTC))

    def _move(self, items, moved) -> None:
        self.moved += [(item.offset, it.topic) for item, it in zip(items, moved, strict=True)]


class Hashable(SimpleNamespace):
    """A partition is compared by identity."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def test_the_older_half_of_what_a_dead_provider_holds_moves():
    """So that the partition goes on for half a span; the rest follows when that is used up."""
    bench = Bench(rate=0)
    bench.head_of_line.unblock(bench.partition)
    assert bench.moved == [(offset, "r.5s") for offset in range(SPAN // 2)]
    assert [item.offset for _, item in bench.lane.windows] == list(range(SPAN // 2, SPAN))


def test_a_lane_that_gets_to_them_soon_keeps_them():
    """100 messages at 1,000 a second: nothing moves."""
    bench = Bench(rate=1000)
    bench.head_of_line.unblock(bench.partition)
    assert bench.moved == []


def test_a_slow_lane_never_runs_dry():
    """One a second: it keeps what it sends in five seconds, and gets each of the others back about when its turn is."""
    bench = Bench(rate=1)
    bench.head_of_line.unblock(bench.partition)
    assert bench.moved == [(n, "r.5s") for n in range(5, 29)] + [(n, "r.30s") for n in range(29, 50)]


def test_what_was_kept_moves_when_the_partition_stands_still():
    """Its turn did not come after all."""
    bench = Bench(rate=1)
    bench.head_of_line.unblock(bench.partition)
    bench.moved.clear()
    bench.head_of_line.unblock(bench.partition)
    assert bench.moved == []  # not looked at again so soon
    bench.clock.advance(HELD_BACK_LOOK_SECONDS)
    bench.head_of_line.unblock(bench.partition)
    assert [offset for offset, _ in bench.moved] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("rate", [0, 1000])
def test_campaigns_on_hold_move_whatever_their_lane_does(rate):
    """Nobody knows when they are resumed."""
    bench = Bench(rate)
    bench.lane.held.add("c")
    bench.head_of_line.unblock(bench.partition)
    assert bench.moved == [(offset, "r.5s") for offset in range(SPAN // 2)]


def test_retries_that_wait_for_their_time_move_also_from_a_lane_that_works():
    """A minute between two attempts must not stop others for a minute."""
    bench = Bench(rate=1000, messages=10)
    bench.lane.delayed = [("c", bench._item(bench.partition, 11)), ("c", bench._item(bench.partition, 80))]
    bench.head_of_line.unblock(bench.partition)
    assert bench.moved == [(11, "r.5s")]


def test_other_partitions_are_left_alone():
    """Only the one whose span is used up."""
    bench = Bench(rate=0)
    bench.head_of_line.unblock(bench._partition())
    assert bench.moved == []
