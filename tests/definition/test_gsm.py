"""GSM 03.38: the alphabet, and the number of parts against a slow reference."""

from __future__ import annotations

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.definition.gsm import BASIC, EXTENSION, is_gsm, segments


def test_the_alphabet_has_the_size_of_the_standard() -> None:
    assert len(BASIC) == len(set(BASIC)) == 127  # 128 less the escape
    assert len(EXTENSION) == len(set(EXTENSION)) == 10
    assert not set(BASIC) & set(EXTENSION)


def test_the_alphabet_is_the_one_of_a_library_character_by_character() -> None:
    encode = gsm0338.Codec().encode
    for code in range(0x10000):
        if code == 0x1B or 0xD800 <= code < 0xE000:
            continue  # the escape is no character
        try:
            septets = len(encode(chr(code))[0])
        except UnicodeEncodeError:
            septets = 0
        assert (chr(code) in BASIC) + 2 * (chr(code) in EXTENSION) == septets, hex(code)
        assert is_gsm(chr(code)) is (septets > 0)


@given(st.text(alphabet=BASIC + EXTENSION, min_size=1, max_size=160))
def test_one_part_holds_what_a_library_encodes_in_160_septets(text: str) -> None:
    assert (segments(text) == 1) is (len(gsm0338.Codec().encode(text)[0]) <= 160)


@pytest.mark.parametrize(
    ("text", "gsm", "parts"),
    [
        ("", True, 0),
        ("a" * 160, True, 1),
        ("a" * 161, True, 2),
        ("a" * 306, True, 2),
        ("a" * 307, True, 3),
        ("€" * 80, True, 1),
        ("€" * 81, True, 2),
        ("a" * 152 + "€" + "a" * 152, True, 3),  # the escape is not divided: one septet of the first part stays empty
        ("a" * 153 + "€" + "a" * 151, True, 2),
        ("Ω{}", True, 1),
        ("`", False, 1),
        ("ç", False, 1),
        ("\t", False, 1),
        ("ह" * 70, False, 1),
        ("ह" * 71, False, 2),
        ("ह" * 134, False, 2),
        ("ह" * 135, False, 3),
        ("🙂" * 35, False, 1),
        ("🙂" * 36, False, 2),
        ("🙂" * 67, False, 3),  # 33 whole pairs per part
    ],
)
def test_alphabet_and_parts(text: str, gsm: bool, parts: int) -> None:
    assert is_gsm(text) is gsm
    assert segments(text) == parts


def slow_segments(text: str) -> int:
    """Cut into parts character by character."""
    if all(char in BASIC + EXTENSION for char in text):
        units, single, part = ["e" + char if char in EXTENSION else char for char in text], 160, 153
    else:
        units, single, part = ["xx" if ord(char) > 0xFFFF else "x" for char in text], 70, 67
    if sum(map(len, units)) <= single:
        return 1 if text else 0
    parts = [""]
    for unit in units:
        if len(parts[-1]) + len(unit) > part:
            parts.append("")
        parts[-1] += unit
    return len(parts)


@given(st.integers(0, 400), st.text(alphabet=BASIC + EXTENSION, max_size=200), st.text(max_size=80))
def test_parts_are_those_of_the_slow_way(filler: int, gsm: str, any_text: str) -> None:
    for text in (gsm, "a" * filler + gsm, any_text, gsm + any_text, "ह" * (filler // 4) + any_text):
        assert segments(text) == slow_segments(text)
