"""Which opt-outs and opt-ins change the list: whatever comes twice, late or unproved, nobody who said no is texted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.receipts import opt_outs
from connector.receipts.opt_outs import CLOCKS_SECONDS, KEPT_SECONDS, REPEATS_SECONDS, Ignored, Sayings
from connector.receipts.phones import international, key_of
from connector.receipts.receipt_records import InboundRecord, ReceiptPlace

NOW = 1_795_770_000.0
PHONE = "+14155550100"
LATER = NOW + 30 * 86_400.0
STOP, START, BLOCKED = "opt-out", "opt-in", "blocked"
DOUBLE, OLD, UNSURE = Ignored.DUPLICATE, Ignored.OUTDATED, Ignored.UNSURE


def said(kind: str, at: float | None = None, *, came: float = 0.0, **more: Any) -> InboundRecord:
    """Times in seconds from NOW."""
    fields = {"sender": PHONE, "provider": "acme", "verified_by": "hmac"} | more
    moment = None if at is None else datetime.fromtimestamp(NOW + at, UTC)
    return InboundRecord(kind=kind, received_at=datetime.fromtimestamp(NOW + came, UTC), at=moment, **fields)


CASES: dict[str, tuple[list[InboundRecord], list[bool | Ignored | None]]] = {
    "an old stop comes once more after a start": (
        [said(STOP, id="1"), said(START, came=60, id="2"), said(STOP, came=120, id="1")],
        [True, False, DOUBLE],
    ),
    "an old start comes once more after a stop": (
        [said(START, id="1"), said(STOP, came=60, id="2"), said(START, came=120, id="1")],
        [False, True, DOUBLE],
    ),
    "the same id again at another time is said again": (
        [said(STOP, 0, id="1"), said(START, 60, came=60, id="1"), said(STOP, 120, came=120, id="1")],
        [True, False, True],
    ),
    "a stop that was said before a start comes after it": (
        [said(START, 60, came=60, id="2"), said(STOP, 0, came=3600, id="1")],
        [False, OLD],
    ),
    "a start that was said before a stop comes after it": (
        [said(STOP, 60, came=60, id="2"), said(START, 0, came=3600, id="1")],
        [True, OLD],
    ),
    "an older stop does not make the last one older": (
        [said(STOP, 3, came=3, id="3"), said(STOP, 1, came=4, id="1"), said(START, 2, came=5, id="2")],
        [True, True, OLD],
    ),
    "a time in the future is none": (
        [said(START, 10 * 86_400.0, id="2"), said(STOP, 60, came=60, id="1")],
        [False, True],
    ),
    "nor is one of long ago": (
        [said(START, 0, id="2"), said(STOP, -8 * 86_400.0, came=60, id="1")],
        [False, True],
    ),
    "clocks of two providers are not compared": (
        [said(START, 3600, id="2"), said(STOP, 0, came=1, id="1", provider="other")],
        [False, True],
    ),
    "what was kept and is read again later is as old as it was": (
        [said(START, came=3600, id="2"), said(STOP, came=0, id="1")],
        [False, OLD],
    ),
    "but clocks of receivers differ a little": (
        [said(START, came=CLOCKS_SECONDS / 2, id="2"), said(STOP, came=0, id="1")],
        [False, True],
    ),
    "a stop that says neither id nor time always counts": (
        [said(STOP), said(START, came=REPEATS_SECONDS + 1), said(STOP, came=REPEATS_SECONDS + 2)],
        [True, False, True],
    ),
    "a start that says neither may be an old one": ([said(STOP), said(START, came=60)], [True, UNSURE]),
    "it lifts what was there before": ([said(START)], [False]),
    "a second stop is written again: somebody may have taken it off the list": (
        [said(STOP, id="1"), said(STOP, came=60, id="2")],
        [True, True],
    ),
    "blocked by the provider is an opt-out": (
        [said(BLOCKED, 0, id="m1"), said(START, 60, came=60, id="2"), said(BLOCKED, 0, came=120, id="m1")],
        [True, False, DOUBLE],
    ),
    "spellings of one phone": (
        [said(STOP, 60, id="2"), said(START, 0, came=61, id="1", sender="1 (415) 555-0100")],
        [True, OLD],
    ),
    "another phone": ([said(STOP, id="1"), said(START, came=1, id="1", sender="+14155550101")], [True, False]),
    "nothing proves it": ([said(STOP, verified_by="none"), said(START, verified_by="")], [Ignored.UNPROVED] * 2),
    "other kinds": ([said("reply"), said("click"), said("help"), said("never heard of")], [None] * 4),
}


@pytest.mark.parametrize("case", CASES)
def test_what_changes_the_list(case: str) -> None:
    records, expected = CASES[case]
    sayings = Sayings()
    assert [sayings.hear(record, LATER) for record in records] == expected


def test_what_says_it_came_tomorrow_came_now() -> None:
    sayings = Sayings()
    assert sayings.hear(said(STOP, id="1"), NOW) is True
    assert sayings.hear(said(START, came=400 * 86_400.0, id="2", sender="+14155550199"), NOW) is False
    assert sayings.hear(said(STOP, id="1"), NOW) is DOUBLE, "a wrong clock made everything be forgotten"
    assert sayings.hear(said(STOP, came=60, id="3", sender="+14155550199"), NOW + 60) is True


def test_an_opt_out_that_names_its_message_alone_suppresses_and_an_opt_in_does_not() -> None:
    sayings = Sayings()
    place = ReceiptPlace("sms.messages", 3, 7)
    stop = said(STOP, 0, sender=None, source=place)
    assert sayings.hear(stop, LATER) is True
    assert sayings.hear(said(STOP, 0, came=60, sender=None, source=place), LATER) is DOUBLE
    assert sayings.hear(said(STOP, 0, sender=None, source=ReceiptPlace("sms.messages", 3, 8)), LATER) is True
    assert sayings.hear(said(START, 90, sender=None, source=place), LATER) is Ignored.NO_PHONE
    assert sayings.hear(said(STOP, 0, sender=None), LATER) is Ignored.NO_PHONE


def test_what_is_remembered_is_bounded_by_time_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opt_outs, "MOST", 50)
    sayings = Sayings()
    for number in range(200):
        assert sayings.hear(said(STOP, id=str(number), came=number, sender=f"+1415555{number:04d}"), LATER) is True
    assert len(sayings) == 50
    for number in range(60):
        sayings.hear(
            said(STOP, id=f"late {number}", came=KEPT_SECONDS + 1000 + number, sender=f"+1415556{number:04d}"), LATER
        )
    assert sayings.hear(said(STOP, id="199", came=KEPT_SECONDS + 2000, sender="+14155550199"), LATER) is True


@settings(max_examples=500)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 6)), max_size=12), st.randoms())
def test_whatever_is_repeated_and_disordered_the_last_that_was_said_decides(
    events: list[tuple[bool, int]], dice: Any
) -> None:
    """Every saying has an id and a time: the list then holds what the person said last, in any order."""
    spoken = [said(STOP if stop else START, float(at), id=f"{at}-{index}") for index, (stop, at) in enumerate(events)]
    stops = [record for record in spoken if record.kind == STOP]
    starts = [record for record in spoken if record.kind == START]
    if {record.at for record in stops} & {record.at for record in starts}:
        return  # in one moment both: who comes last decides
    heard = [record for record in spoken for _ in range(dice.randint(1, 3))]
    dice.shuffle(heard)
    sayings, listed = Sayings(), False
    for record in heard:
        change = sayings.hear(record, LATER)
        if isinstance(change, bool):
            listed = change
    if spoken:
        assert listed is (max(spoken, key=lambda record: record.at.timestamp() if record.at else 0.0).kind == STOP)


@pytest.mark.parametrize(
    ("phone", "found"),
    [
        *((phone, "+919812345678") for phone in ("09812345678", "9812345678", "919812345678", "+91 98123 45678")),
        ("00919812345678", "+919812345678"),
        ("ACME", "ACME"),
        ("", ""),
        ("0", "0"),
        ("121", "+91121"),
    ],
)
def test_a_number_without_its_calling_code_gets_it(phone: str, found: str) -> None:
    assert international(phone, "91") == found


def test_numbers_are_longer_in_some_countries() -> None:
    assert {international(phone, "86") for phone in ("13811112222", "8613811112222")} == {"+8613811112222"}
    assert international("919812345678", "86") == "+919812345678"


def test_spellings_of_a_number_have_one_key_and_names_keep_theirs() -> None:
    assert {key_of(phone) for phone in ("+14155550100", "1 415 555 0100", "14155550100")} == {b"14155550100"}
    assert [key_of(phone) for phone in ("ACME1", "acme1", "", "☎")] == [b"ACME1", b"acme1", b"", "☎".encode()]
