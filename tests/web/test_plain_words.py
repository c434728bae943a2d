"""What providers and events say is hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.web.plain_words import HIDDEN, plain_id, plain_number, plain_words, span

WORDS = [
    ("no route", "no route"),
    ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),  # a page makes text of it, never markup
    ("a\x00b\x1b[31mc\r\nd", "a\\u0000b\\u001b[31mc\\u000d\\u000ad"),
    ("evil\u202egnp.exe", "evil\\u202egnp.exe"),
    ("\u2066x\u2069\u200b\ufeff", "\\u2066x\\u2069\\u200b\\ufeff"),
    ("line\u2028next\u2029", "line\\u2028next\\u2029"),
    ("\ud800", "\\ud800"),
    ("नमस्ते ₹5", "नमस्ते ₹5"),
    ("to +919812345678 failed", "to +**********78 failed"),
    (None, None),
]


@pytest.mark.parametrize(("text", "shown"), WORDS)
def test_words_of_others_show_whole_and_hold_no_number(text: str | None, shown: str | None) -> None:
    assert plain_words(text) == shown


@given(st.text(max_size=600))
def test_whatever_is_said_is_visible_and_bounded(text: str) -> None:
    import unicodedata

    for shown in (plain_words(text), plain_id(text), plain_number(text)):
        assert shown is not None
        assert len(shown) <= 256
        assert not {unicodedata.category(character) for character in shown} & HIDDEN


@pytest.mark.parametrize(
    ("to", "shown"),
    [
        ("+919812345678", "+**********78"),
        ("123", "*23"),
        ("ab" * 32, "abababab…"),
        ("*****678", "******78"),
        (None, None),
    ],
)
def test_a_recipient_is_its_last_two_digits(to: str | None, shown: str | None) -> None:
    assert plain_number(to) == shown


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (90, "2 min"),
        (5340, "89 min"),
        (5400, "1 h 30 min"),
        (13_920, "3 h 52 min"),
        (86_400, "24 h"),
        (260_000, "3 d"),
    ],
)
def test_spans_are_said_in_the_units_of_people(seconds: float, words: str) -> None:
    assert span(seconds) == words
