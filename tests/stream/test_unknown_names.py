"""Events that name a provider nobody has defined: told at once, counted, and cheap however many there are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from connector.clock import ManualClock
from connector.stream.intake.unknown_names import FORGET_SECONDS, NAMES, Cause, UnknownNames, shown


@pytest.fixture
def told() -> Iterator[list]:
    """What is logged."""
    with capture_logs() as entries:
        yield entries


def names(*known: str) -> tuple[UnknownNames, ManualClock]:
    clock = ManualClock()
    return UnknownNames(set(known), grace=600, clock=clock), clock


def test_a_mistyped_provider_is_told_once_with_the_one_that_was_meant(told):
    unknown, _ = names("plivo", "msg91")
    for number in range(2000):
        unknown.note(Cause.PROVIDER, "plvio", first=number < 1500)
    assert told == [
        {
            "event": "unknown provider: no definition has this name; its events wait",
            "log_level": "warning",
            "provider": "plvio",
            "did_you_mean": "plivo",
            "known": "msg91, plivo",
            "invalid_after_seconds": 600,
        }
    ]
    assert unknown.counts == {"provider": 1500, "campaign": 0}
    (found,) = unknown.names()
    assert (found.cause, found.name, found.nearest, found.events) == ("provider", "plvio", "plivo", 1500)
    assert unknown.reason(Cause.PROVIDER, "plvio") == "no provider definition `plvio`; did you mean `plivo`?"


def test_a_campaign_that_names_no_provider_is_told_as_such(told):
    unknown, _ = names("plivo")
    unknown.note(Cause.CAMPAIGN, "diwali", first=True)
    assert [(entry["event"][:41], entry["campaign"]) for entry in told] == [
        ("no provider for the events of a campaign:", "diwali")
    ]
    reason = unknown.reason(Cause.CAMPAIGN, "diwali")
    assert reason == "no provider: neither the event nor campaign `diwali` names one"


def test_a_million_names_fill_neither_the_log_nor_memory(told):
    """A producer may write another one into every event."""
    unknown, _ = names("plivo")
    for number in range(20_000):
        unknown.note(Cause.PROVIDER, f"{number}-{'x' * 10_000}", first=True)
    assert len(told) == NAMES + 1
    assert "too many different names" in told[-1]["event"]
    kept = unknown.names()
    assert len(kept) == NAMES
    assert sum(len(it.name) for it in kept) <= NAMES * 64
    assert unknown.counts[Cause.PROVIDER] == 20_000


def test_a_flood_hides_no_name_for_ever(told):
    """What did not come for an hour makes room, and is told again when it comes again."""
    unknown, clock = names("plivo")
    for number in range(NAMES):
        unknown.note(Cause.PROVIDER, f"flood-{number}", first=True)
    clock.advance(FORGET_SECONDS / 2)
    unknown.note(Cause.PROVIDER, "flood-0", first=True)
    clock.advance(FORGET_SECONDS / 2)
    unknown.note(Cause.PROVIDER, "plvio", first=True)
    assert told[-1]["provider"] == "plvio"
    assert {it.name for it in unknown.names()} == {"flood-0", "plvio"}
    unknown.note(Cause.PROVIDER, "flood-7", first=True)
    assert told[-1]["provider"] == "flood-7"


def test_a_name_that_was_defined_since_is_unknown_no_longer():
    clock = ManualClock()
    known: set[str] = set()
    unknown = UnknownNames(known, grace=600, clock=clock)
    unknown.note(Cause.PROVIDER, "acme", first=True)
    known.add("acme")
    assert unknown.names() == []


@given(st.text(max_size=300))
def test_what_is_shown_of_a_name_is_short_printable_and_no_number(name):
    text = shown(name)
    assert text.isprintable()
    assert len(text) <= 64 * len("\\U00000000")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("+919812345678", "+**********78"),
        ("a\nb", "a\\nb"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("\ud83d", "\\ud83d"),
        ("é", "é"),
    ],
)
def test_a_name_cannot_break_a_line_or_carry_a_number_into_the_log(name, text):
    assert shown(name) == text
