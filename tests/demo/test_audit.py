"""The demo's audit finds every way in which results and what the provider saw can disagree."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.cli.demo.audit import NOT_TAKEN, SENTENCES, TIMES_SEEN, Audit, Event, SeenMessage, audit
from connector.model import Source, Status


def source(n: int) -> Source:
    return Source("sms.messages", n % 4, n // 4)


def event(n: int, to: str | None = None) -> Event:
    return Event(source(n), f"m{n}", to or f"+9198{n:08d}")


def seen(n: int, *, taken: bool = True, ref: bool = True, to: str | None = None) -> SeenMessage:
    return SeenMessage(to or f"9198{n:08d}", f"m{n}" if ref else None, taken)


EVENTS = [event(n) for n in range(3)]
ACCEPTED = [(source(n), Status.ACCEPTED) for n in range(3)]
SEEN = [seen(n) for n in range(3)]


def test_it_holds_where_each_event_has_a_result_and_was_seen_once() -> None:
    report = audit(EVENTS, ACCEPTED, SEEN)
    assert report.holds
    assert (report.events, report.results, report.seen) == (3, 3, 3)


@pytest.mark.parametrize(
    ("results", "sightings", "findings"),
    [
        (ACCEPTED[:2], SEEN, {"lost": 1}),
        ([*ACCEPTED, ACCEPTED[0]], SEEN, {"doubled": 1}),
        ([*ACCEPTED, (source(9), Status.ACCEPTED)], SEEN, {"strangers": 1}),
        (ACCEPTED, SEEN[:2], {"unsent": 1}),
        (ACCEPTED, [*SEEN, seen(0), seen(0)], {"repeated": 2}),
        (ACCEPTED, [*SEEN[:2], seen(2, taken=False)], {"untaken": 1}),
        ([*ACCEPTED[:2], (source(2), Status.REJECTED)], SEEN, {"denied": 1}),
        ([*ACCEPTED[:2], (source(2), Status.EXPIRED)], SEEN, {"repeated": 1}),
        (ACCEPTED, [*SEEN, SeenMessage("919999999999", None, taken=True)], {"unasked": 1}),
    ],
)
def test_it_finds(results: list[tuple[Source, Status]], sightings: list[SeenMessage], findings: dict[str, int]) -> None:
    report = audit(EVENTS, results, sightings)
    assert dict(report.findings) == findings
    assert set(report.findings) <= set(SENTENCES)
    assert not report.holds


@pytest.mark.parametrize("status", list(Status))
def test_every_status_says_how_often_its_message_was_seen(status: Status) -> None:
    least, most = TIMES_SEEN[status]
    taken = status not in NOT_TAKEN
    for times in range(3):
        report = audit([event(0)], [(source(0), status)], [seen(0, taken=taken)] * times)
        assert report.holds == (least <= times <= most), times


@pytest.mark.parametrize("written", ["919800000000", "+91 98000 00000", "9800000000", "09800000000"])
def test_a_number_is_known_again_however_the_provider_gets_it(written: str) -> None:
    report = audit([event(0)], [(source(0), Status.ACCEPTED)], [seen(0, ref=False, to=written)])
    assert report.holds


def test_events_that_share_a_number_and_carry_no_id_are_compared_together() -> None:
    events = [event(n, "+919800000000") for n in range(3)]
    statuses = [Status.ACCEPTED, Status.ACCEPTED, Status.INVALID]
    results = [(source(n), status) for n, status in enumerate(statuses)]
    sighting = seen(0, ref=False, to="919800000000")
    assert audit(events, results, [sighting] * 2).holds
    assert dict(audit(events, results, [sighting] * 3).findings) == {"repeated": 1}
    assert dict(audit(events, results, [sighting]).findings) == {"unsent": 1}


def test_a_number_that_ends_like_two_others_is_nobodys() -> None:
    events = [event(0, "+919800000000"), event(1, "+449800000000")]
    results = [(source(n), Status.ACCEPTED) for n in range(2)]
    report = audit(events, results, [seen(0, ref=False, to="9800000000"), seen(1, ref=False, to="449800000000")])
    assert dict(report.findings) == {"unasked": 1, "unsent": 1}


def test_what_only_looks_like_a_number_is_nothing_where_the_fake_cannot_know() -> None:
    report = audit(
        [event(0)], ACCEPTED[:1], [seen(0), SeenMessage("1107160000000000101", None, taken=True, sure=False)]
    )
    assert report.holds
    assert report.seen == 1


def test_an_event_that_cannot_be_read_needs_a_result_too() -> None:
    unreadable = Event(source(0), None, None)
    assert audit([unreadable], [(source(0), Status.INVALID)], []).holds
    report = audit([unreadable], [], [])
    assert report.examples["lost"] == ["sms.messages/0/0"]


def test_examples_are_few_and_never_show_a_number() -> None:
    report = audit([event(n) for n in range(100)], [], [SeenMessage("914412345678", None, taken=True)])
    assert report.findings["lost"] == 100
    assert len(report.examples["lost"]) == 10
    assert "1234" not in str(report.examples["unasked"])


@given(st.lists(st.sampled_from(list(Status)), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_a_run_as_it_should_be_holds_and_one_change_does_not(statuses: list[Status], dice: random.Random) -> None:
    events = [event(n) for n in range(len(statuses))]
    results = [(source(n), status) for n, status in enumerate(statuses)]
    sightings = [
        seen(n, taken=status not in NOT_TAKEN)
        for n, status in enumerate(statuses)
        for _ in range(dice.randint(*TIMES_SEEN[status]))
    ]
    dice.shuffle(results)
    dice.shuffle(sightings)
    assert audit(events, results, sightings).holds
    changed: list[Audit] = [audit(events, results[1:], sightings), audit(events, [*results, results[0]], sightings)]
    if sightings:
        changed.append(audit(events, results, [*sightings, sightings[0]]))
    assert not any(report.holds for report in changed)
