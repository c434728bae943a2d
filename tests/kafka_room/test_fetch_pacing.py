"""When the next fetch is asked for, and what a fetcher does until then."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher

from connector.clock import ManualClock
from connector.kafka.fetch_pacing import FEW_RECORDS, PACE_SECONDS, STEADY_PACE_SECONDS, FetchPacing
from connector.kafka.guarded import GuardedFetcher


@pytest.mark.parametrize(
    ("records", "later", "delay"),
    [
        (1, 0.0, PACE_SECONDS),
        (FEW_RECORDS - 1, 0.0, PACE_SECONDS),
        (FEW_RECORDS, 0.0, 0.0),  # under load nothing waits
        (0, 0.0, 0.0),
        (1, PACE_SECONDS, 0.0),  # who comes alone waits for nothing
    ],
)
def test_fetches_that_bring_little_are_kept_apart(records: int, later: float, delay: float) -> None:
    clock = ManualClock()
    pace = FetchPacing(clock)
    assert pace.delay <= 0
    pace.note(records)
    clock.advance(later)
    assert max(pace.delay, 0.0) == pytest.approx(delay)


def test_fetches_that_keep_bringing_little_are_kept_further_apart() -> None:
    clock = ManualClock()
    pace = FetchPacing(clock)
    delays = []
    for seconds in (1.0, STEADY_PACE_SECONDS, STEADY_PACE_SECONDS, 1.0):
        clock.advance(seconds)
        assert pace.delay <= 0
        pace.note(1)
        delays.append(pace.delay)
    assert delays == pytest.approx([PACE_SECONDS, STEADY_PACE_SECONDS, STEADY_PACE_SECONDS, PACE_SECONDS])


def test_a_fetch_is_asked_for_when_its_time_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then the fetcher has nothing to do, whatever wakes it, and does not look at its partitions."""
    looked: list[Any] = []
    monkeypatch.setattr(Fetcher, "_get_actions_per_node", lambda _, assignment: looked.append(assignment) or "actions")
    clock = ManualClock()
    fetcher = GuardedFetcher.__new__(GuardedFetcher)
    fetcher.pacing = FetchPacing(clock)
    assignment = SimpleNamespace()
    assert fetcher._get_actions_per_node(assignment) == "actions"
    fetcher.pacing.note(1)
    for seconds in (0.0, 0.75):
        clock.advance(seconds * PACE_SECONDS)
        requests, resets, wait, invalid, resumed = fetcher._get_actions_per_node(assignment)
        assert (requests, resets, invalid, resumed) == ([], {}, False, [])
        assert wait == pytest.approx((1 - seconds) * PACE_SECONDS)
    clock.advance(wait)
    assert fetcher._get_actions_per_node(assignment) == "actions"
    fetcher.pacing.note(FEW_RECORDS)
    assert fetcher._get_actions_per_node(assignment) == "actions"
    assert looked == [assignment] * 3
