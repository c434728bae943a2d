"""Which recipients are phone numbers: the whole text is one, and nothing stands around it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.model import NUMBER
from connector.settings.model import Recipients
from connector.stream.control.table import decode_message, decode_messages

GOOD = "+919812345678"
AROUND = ["\n", "\r", "\r\n", "\0", "\t", " ", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\ufeff", "\u200b"]


def read(*numbers: str) -> list[Any] | None:
    """The messages of events to these numbers, read together as intake does; None where one is refused."""
    events = [msgspec.json.encode({"message_id": "m", "to": number}) for number in numbers]
    items: Any = [SimpleNamespace(raw=event) for event in events]
    together = decode_messages(items)
    try:
        one_by_one = [decode_message(event) for event in events]
    except msgspec.ValidationError:
        one_by_one = None
    assert (together is None) == (one_by_one is None)
    return together


@pytest.mark.parametrize("space", AROUND)
@pytest.mark.parametrize("shape", ["{number}{space}", "{space}{number}", "+{space}919812345678", "{number}{space}1"])
def test_a_number_with_anything_around_or_in_it_is_refused(shape, space):
    """`+9198…\\n` would bring the line break to the provider, and past `recipients.allow`."""
    assert read(shape.format(number=GOOD, space=space)) is None
    assert read(GOOD, shape.format(number=GOOD, space=space), GOOD) is None


@pytest.mark.parametrize("digits", ["９８１２３４５６７８", "٩٨١٢٣٤٥٦٧٨", "९८१२३४५६७८", "𝟗𝟖𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖"])
def test_digits_of_other_scripts_are_no_number(digits):
    """Python calls them digits; no provider does."""
    assert read(digits) is None
    assert read(f"+91{digits}") is None
    with pytest.raises(ValueError, match="not a number or prefix"):
        Recipients(allow=(f"+91{digits[:5]}*",))


@given(st.lists(st.text(alphabet="+0123456789\n\r\0 ９٩", max_size=21), min_size=1, max_size=4))
@example([f"{GOOD}\n", GOOD])
@example(["", GOOD])
def test_numbers_read_together_are_those_read_one_by_one(numbers):
    """And those that the rule names, from their first character to their last."""
    assert (read(*numbers) is not None) == all(re.fullmatch(NUMBER, number) for number in numbers)


@pytest.mark.parametrize("space", AROUND)
def test_a_number_that_may_be_texted_has_nothing_around_it(space):
    with pytest.raises(ValueError, match="not a number or prefix"):
        Recipients(allow=(f"+91*{space}",))
