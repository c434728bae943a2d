"""Which ids of a partition count, for how long, and how many of them."""

from __future__ import annotations

import pytest

from connector.clock import ManualClock
from connector.stream.intake.dedupe import Recent

HORIZON = 600.0
LATEST = HORIZON * 7 / 6
"""Ids are forgotten in sixths of the horizon."""


def recent(messages: int = 1000) -> tuple[Recent, ManualClock]:
    clock = ManualClock()
    return Recent(messages=messages, horizon=HORIZON, clock=clock), clock


def test_an_open_message_is_repeated_by_a_later_one_however_long_it_is_open():
    ids, clock = recent()
    assert ids.admit("a", 1) is None
    clock.advance(100 * HORIZON)
    assert ids.admit("a", 2) == 1


@pytest.mark.parametrize(("after", "earlier"), [(HORIZON - 1, 1), (LATEST, None)])
def test_a_sent_message_is_repeated_within_the_horizon(after: float, earlier: int | None):
    ids, clock = recent()
    ids.admit("a", 1)
    clock.advance(10 * HORIZON)
    ids.finish("a", 1, sent=True)
    clock.advance(after)
    assert ids.admit("a", 2) == earlier


def test_a_message_that_was_not_sent_gives_its_id_free():
    ids, _ = recent()
    ids.admit("a", 1)
    ids.finish("a", 1, sent=False)
    assert ids.admit("a", 2) is None


@pytest.mark.parametrize("order", [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]])
def test_an_id_is_free_when_the_last_of_its_open_events_has_ended(order: list[int]):
    """There are several where one was replayed."""
    ids, _ = recent()
    ids.admit("a", 1)
    ids.note("a", 2)
    ids.note("a", 3)
    for ended in order:
        assert ids.find("a") in order[order.index(ended) :]
        ids.finish("a", ended, sent=False)
    assert ids.find("a") is None


def test_no_id_is_forgotten_early_for_having_been_sent_soon_after_another():
    ids, clock = recent()
    ids.remember("a", 1, clock.monotonic())
    clock.advance(HORIZON / 10)
    ids.remember("b", 2, clock.monotonic())
    clock.advance(HORIZON - 1)
    assert ids.admit("b", 3) == 2


def test_an_id_is_forgotten_though_others_are_sent_all_the_time():
    ids, clock = recent()
    for number in range(12):
        ids.remember(f"m{number}", number, clock.monotonic())
        clock.advance(HORIZON / 10)
    assert [ids.find(f"m{number}") for number in (0, 5)] == [None, 5]


def test_of_several_that_were_sent_the_newest_is_named():
    ids, clock = recent()
    ids.remember("a", 1, clock.monotonic())
    clock.advance(HORIZON / 2)
    ids.remember("a", 2, clock.monotonic())
    assert ids.admit("a", 3) == 2


def test_an_event_that_is_admitted_again_repeats_nothing():
    ids, _ = recent()
    assert [ids.admit("a", 1), ids.admit("a", 1)] == [None, None]


@pytest.mark.parametrize(
    ("message_ids", "taken"),
    [("bcd", True), ("", True), ("bcb", False), ("bax", False), ("bsx", False)],
    ids=["new ones", "none", "two alike", "one is open", "one was sent"],
)
def test_a_slice_is_taken_as_a_whole_or_not_at_all(message_ids: str, taken: bool):
    ids, _ = recent()
    ids.admit("a", 1)
    ids.admit("s", 2)
    ids.finish("s", 2, sent=True)
    assert ids.admit_all(message_ids, range(10, 10 + len(message_ids))) is taken
    assert ids.find("b") == (10 if taken and message_ids else None)


def test_more_ids_than_are_kept_forget_the_oldest_and_those_that_are_open_last():
    ids, _ = recent(messages=80)
    ids.admit("open", 0)
    for offset in range(1, 200):
        ids.admit(f"m{offset}", offset)
        ids.finish(f"m{offset}", offset, sent=True)
        assert len(ids) <= 80 + 1
    assert [ids.find(it) for it in ("open", "m1", "m199", "m135")] == [0, None, 199, 135]


def test_more_open_messages_than_ids_are_kept_forget_the_oldest():
    ids, _ = recent(messages=80)
    for offset in range(1000):
        ids.admit(f"m{offset}", offset)
        assert len(ids) <= 80 + 1
    assert ids.find("m999") == 999
    assert ids.find("m919") is None
