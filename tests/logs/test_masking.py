"""Phone numbers and secrets disappear from any text; ids and dates stay readable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.masking import Secrets, mask_number, mask_phone


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to +919812345678 failed", "to +**********78 failed"),
        ('{"to":919812345678}', '{"to":**********78}'),
        ("to:919812345678,919812345679", "to:**********78,**********79"),
        ("x919812345678y", "x**********78y"),
        ("%2B919812345678", "%2B**********78"),
        ("+91 (98123) 45-678", "+** (*****) **-*78"),
        ("+49 151-1234 5678.", "+** ***-**** **78."),
        ("1234567", "*****67"),
    ],
)
def test_numbers_keep_two_digits(text: str, masked: str) -> None:
    assert mask_phone(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "status 429 after 1500 ms",
        "2025-01-31T08:00:00.123456+05:30",
        "2025-01-31 08:00:00",
        "127.0.0.1:45847",
        "550e8400-e29b-41d4-a716-446655440000",
        "0123456789abcdef0123456789abcdef",
        "123456",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert mask_phone(text) == text


@given(st.text(), st.from_regex(r"\A\+?[1-9][0-9]{6,14}\Z"), st.text())
def test_no_number_survives_in_any_surroundings(before: str, number: str, after: str) -> None:
    assert number.lstrip("+") not in mask_phone(f"{before} {number} {after}")


@given(st.from_regex(r"\A\+?[1-9][0-9]{4,14}\Z"))
def test_a_field_that_holds_a_number_keeps_its_length_and_two_digits(number: str) -> None:
    masked = mask_number(number)
    assert len(masked) == len(number)
    assert sum(character.isdigit() for character in masked) == 2


def test_secrets_are_hidden_longest_first() -> None:
    secrets = Secrets(["hunter2", "hunter2-long", "abc"])
    secrets.add(["p4ss.word*"])
    assert secrets.hide("hunter2-long hunter2 abc p4ss.word* p4ssXword*") == "*** *** abc *** p4ssXword*"


def test_nothing_is_hidden_before_a_secret_is_known() -> None:
    assert Secrets().hide("anything") == "anything"
