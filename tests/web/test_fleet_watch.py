"""Workers as they answered last: who is silent is listed, and what they count is one total that only grows."""

from __future__ import annotations

import pytest

from connector.clock import ManualClock
from connector.kafka.reader import GroupMember
from connector.operating.worker_pages import WorkerAnswer
from connector.settings import Settings
from connector.web import fleet_watch
from connector.web.fleet_watch import LOOK_SECONDS, RATE_SECONDS, FleetWatch, quantile
from tests.web.fleet import STARTED, lane, worker

A, B = "http://10.0.0.1:8080", "http://10.0.0.2:8080"


def watch() -> tuple[FleetWatch, ManualClock]:
    clock = ManualClock()
    return FleetWatch(Settings(), clock), clock


def answer(url: str, *reports: object, error: str = "") -> WorkerAnswer:
    return WorkerAnswer(url, tuple(reports), error)  # type: ignore[arg-type]


def test_who_answered_once_and_does_not_any_more_is_silent_with_what_it_said_last() -> None:
    fleet, clock = watch()
    fleet.note([answer(A, worker("w1")), answer(B, worker("w2"))])
    seen = clock.wall()
    clock.advance(LOOK_SECONDS)
    fleet.note([answer(A, worker("w1")), answer(B, error="no answer in time")])
    assert [it.id for it in fleet.reports] == ["w1"]
    (silent,) = fleet.silent
    assert (silent.key, silent.error, silent.seen) == ("w2", "no answer in time", seen)
    assert silent.report is not None
    fleet.note([answer(A, worker("w1")), answer(B, worker("w2"))])
    assert fleet.silent == []


def test_an_address_that_never_answered_is_silent_and_has_no_figures() -> None:
    fleet, _ = watch()
    fleet.note([answer(A, error="ClientConnectorError")])
    (silent,) = fleet.silent
    assert (silent.url, silent.report, silent.seen) == (A, None, None)
    fleet.note([answer(A, worker("w1"))])
    assert [it.key for it in fleet.workers.values()] == ["w1"]


def test_a_member_of_the_group_nobody_speaks_for_is_silent() -> None:
    fleet, _ = watch()
    fleet.told_members([GroupMember("member-w1", "c", "10.0.0.1"), GroupMember("member-x", "c", "10.0.0.9")])
    fleet.note([answer(A, worker("w1"))])
    (silent,) = fleet.silent
    assert silent.key == "member-x"
    assert "10.0.0.9" in silent.url
    fleet.note([answer(A, worker("w1")), answer(B, worker("x"))])
    assert fleet.silent == []


def test_several_workers_behind_one_address_are_several() -> None:
    fleet, _ = watch()
    fleet.note([answer(A, worker("w1"), worker("w2"))])
    assert sorted(fleet.workers) == ["w1", "w2"]


def test_a_worker_that_another_one_replaced_at_its_address_is_gone() -> None:
    fleet, _ = watch()
    fleet.note([answer(A, worker("w1"))])
    fleet.note([answer(A, worker("w2"))])
    assert sorted(fleet.workers) == ["w2"]


def test_a_worker_that_stopped_in_order_and_left_the_group_is_gone() -> None:
    fleet, _ = watch()
    fleet.told_members([GroupMember("member-w1", "c", "10.0.0.1"), GroupMember("member-w2", "c", "10.0.0.2")])
    fleet.note([answer(A, worker("w1")), answer(B, worker("w2", stopping=True))])
    fleet.told_members([GroupMember("member-w1", "c", "10.0.0.1")])
    fleet.note([answer(A, worker("w1"))])
    assert sorted(fleet.workers) == ["w1"]


def sent(number: int, **fields: object) -> object:
    return worker("w1", {"acme": lane(results={"accepted": number}, requests=number)}, **fields)


def test_rates_are_of_the_last_while_and_what_was_before_the_console_is_none() -> None:
    fleet, clock = watch()
    number = 1_000_000
    for _ in range(20):
        fleet.note([answer(A, sent(number))])
        clock.advance(LOOK_SECONDS)
        number += 20
    assert fleet.rates()["acme", "accepted"] == pytest.approx(10.0)
    assert fleet.worker_rates()["w1"] == pytest.approx(10.0)
    for _ in range(int(RATE_SECONDS / LOOK_SECONDS) + 1):
        fleet.note([answer(A, sent(number))])
        clock.advance(LOOK_SECONDS)
    assert fleet.rates()["acme", "accepted"] == 0.0


def test_a_worker_that_began_anew_counts_from_zero() -> None:
    fleet, clock = watch()
    fleet.note([answer(A, sent(100))])
    fleet.note([answer(A, sent(150))])
    later = STARTED.replace(hour=13)
    fleet.note([answer(A, sent(30, started=later))])
    assert fleet.totals["acme", "accepted"] == 80
    clock.advance(1)
    fleet.note([answer(A, sent(20, started=later))])  # counters never shrink; of one that does nothing is taken away
    assert fleet.totals["acme", "accepted"] == 80


def test_seconds_of_replies_are_those_of_the_last_while() -> None:
    fleet, clock = watch()
    fleet.note([answer(A, sent(100))])
    assert fleet.reply_seconds("acme", 0.95) is None
    clock.advance(LOOK_SECONDS)
    fleet.note([answer(A, sent(200))])
    assert fleet.reply_seconds("acme", 0.5) == pytest.approx(0.075)
    assert fleet.reply_seconds("other", 0.5) is None


@pytest.mark.parametrize(
    ("counts", "share", "found"),
    [
        ([0, 0, 0], 0.5, None),
        ([10, 0, 0], 0.5, 0.5),
        ([0, 10, 0], 1.0, 2.0),
        ([1, 0, 9], 0.95, 2.0),
        ([5, 5, 0], 0.5, 1.0),
    ],
)
def test_a_quantile_is_what_prometheus_would_say(counts: list[float], share: float, found: float | None) -> None:
    assert quantile(counts, [1.0, 2.0], share) == found


def test_replies_that_come_after_the_first_look_are_timed() -> None:
    fleet, clock = watch()
    fleet.note([answer(A, worker("w1", {"acme": lane(requests=0)}))])
    for number in (0, 100, 200):
        clock.advance(LOOK_SECONDS)
        fleet.note([answer(A, worker("w1", {"acme": lane(requests=number)}))])
    assert fleet.reply_seconds("acme", 0.5) == pytest.approx(0.075)


def test_names_that_somebody_makes_up_take_no_more_memory_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_watch, "MOST_TOTALS", 20)
    fleet, clock = watch()
    for step in range(3):
        lanes = {f"p{step}-{n}": lane(results={"accepted": 1}) for n in range(20)}
        for results in (0, 5):
            for each in lanes.values():
                each.counters.results = {"accepted": results}
            clock.advance(LOOK_SECONDS)
            fleet.note([answer(A, worker("w1", lanes))])
    assert len(fleet.totals) == 20
