"""Retry topics: which tier, what a record says, and when a lane's messages are diverted."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.clock import ManualClock
from connector.delivery.limits.throughput import Throughput
from connector.delivery.queue.item import Item
from connector.model import Source
from connector.stream.partitions.formats import settles
from connector.stream.retry import retry_records
from connector.stream.retry.routing import RetryRouting
from connector.stream.retry.tiers import Tiers
from connector.untrusted import UnreadableError
from tests.stream.restoring import restorer

TIERS = Tiers({5.0: "r.5s", 30.0: "r.30s", 300.0: "r.5m", 3600.0: "r.1h"})


def item(topic: str = "sms.messages", **fields) -> Item:
    origin = SimpleNamespace(topic=topic, partition=2)
    return Item(b"{}", origin, 7, b"k", datetime(2026, 1, 1, tzinfo=UTC), **fields)


def restore(found: Item, *headers: tuple[str, bytes]) -> None:
    restorer(TIERS, "sms.messages").restore(found, headers, now=2e9)


@pytest.mark.parametrize(
    ("seconds", "expires_in", "topic"),
    [
        (0, None, "r.5s"),
        (4, None, "r.5s"),
        (29, None, "r.5s"),
        (30, None, "r.30s"),
        (10_000, None, "r.1h"),
        (10_000, 60, "r.30s"),  # it has to be back before it expires
        (10_000, 1, "r.5s"),
    ],
)
def test_the_tier_ends_before_the_message_is_due_or_expires(seconds, expires_in, topic):
    """The longest tier that is short enough, else the shortest."""
    assert TIERS.within(seconds, expires_in=expires_in).topic == topic


@given(st.floats(0, 1e6), st.none() | st.floats(0, 1e6))
def test_no_tier_is_left_out_without_need(seconds, expires_in):
    """The next longer tier would always be too long."""
    limit = seconds if expires_in is None else min(seconds, expires_in)
    chosen = TIERS.within(seconds, expires_in=expires_in)
    longer = [delay for delay in TIERS.delays.values() if delay > chosen.delay]
    assert all(delay > limit for delay in longer)


def test_climbing_ends_at_the_longest_stay():
    """A held-up provider is looked at again at least every `park_max`."""
    topic, visited = "r.5s", []
    for _ in range(5):
        topic = TIERS.above(topic, longest=300).topic
        visited.append(topic)
    assert visited == ["r.30s", "r.5m", "r.5m", "r.5m", "r.5m"]


@given(
    attempts=st.integers(0, 50),
    due=st.floats(0, 2e9),
    deadline=st.none() | st.floats(0, 2e9),
    uncertain=st.booleans(),
    again=st.booleans(),
)
def test_an_item_comes_back_as_it_was(attempts, due, deadline, uncertain, again):
    """Through one retry topic or two: place of the event, attempts, deadline and doubt stay."""
    waiting = item(attempts=attempts, deadline=deadline, uncertain=uncertain)
    found = item("r.5s")
    restore(found, ("settles", settles("sms.messages", 2, 7)), ("other", b"x"), retry_records.header(waiting, due))
    if again:
        twice = item("r.30s")
        restore(twice, ("settles", settles("r.5s", 2, found.offset)), retry_records.header(found, due))
        found = twice
    assert found.event() == Source("sms.messages", 2, 7)
    assert (found.attempts, found.due, found.deadline, found.uncertain) == (attempts, due, deadline, uncertain)
    assert found.received_at == waiting.received_at


@pytest.mark.parametrize("headers", [[], [("retry", b"")], [("retry", b"{}")], [("retry", b"\xff")], [("retry", None)]])
def test_a_record_that_is_not_ours_is_told_from_one_that_is(headers):
    """It becomes an `invalid` result instead of a crash."""
    with pytest.raises(UnreadableError):
        retry_records.read(headers)


def retry_routing(clock: ManualClock) -> RetryRouting:
    return RetryRouting(TIERS, retries=SimpleNamespace(move=lambda items, records: None), clock=clock, longest=300)


@pytest.mark.parametrize(
    ("topic", "wait", "expected"),
    [
        ("sms.messages", math.inf, "r.5s"),
        ("r.5s", math.inf, "r.30s"),
        ("r.5m", math.inf, "r.5m"),
        ("sms.messages", 3.0, None),  # it is through before the shortest tier would be: wait in memory
        ("sms.messages", 20.0, "r.5s"),
        ("sms.messages", 40.0, "r.30s"),  # back before the lane runs dry
        ("sms.messages", 40_000.0, "r.5m"),
        ("r.5m", 20.0, "r.5s"),
    ],
)
def test_a_lane_that_works_never_runs_dry_and_one_that_is_held_up_is_left_alone(topic, wait, expected):
    """Diverted for no longer than the lane has work; climbing while nobody knows how long."""
    moved = retry_routing(ManualClock()).divert(item(topic), wait)
    assert (moved and moved.topic) == expected


def test_a_message_waits_in_rounds_for_a_time_far_away():
    """`defer` until tomorrow: the longest tier again and again, then the last stretch."""
    clock = ManualClock()
    due = clock.wall() + 7205
    assert retry_routing(clock).until(item(), due).topic == "r.1h"
    clock.advance(3600)
    moved = retry_routing(clock).until(item(), due)
    assert moved.topic == "r.1h"
    assert retry_records.read([moved.header]).due == due
    clock.advance(3600)
    assert retry_routing(clock).until(item(), due).topic == "r.5s"


def test_pace_shows_a_steady_rate_and_forgets_an_old_one():
    """100 a second: 1,000 take ten seconds; after a minute of silence nobody knows."""
    now = 1000.0
    pace = Throughput(now)
    assert pace.seconds(10, now) == math.inf
    assert pace.seconds(0, now) == 0.0
    for _ in range(100):
        now += 1.0
        pace.note(100, now)
    assert pace.seconds(1000, now) == pytest.approx(10, rel=0.1)
    assert pace.seconds(1000, now + 120) == math.inf
