"""Fields of forms, read as the standard library reads them."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.receipts.form_fields import FIELDS, form_pairs


@given(st.text(alphabet=st.sampled_from("ab=&%+2cé;0 \x00\udcff"), max_size=60))
@example("a=%e9&b=%F0%9F%98%80&c=%zz&=x&d&&e==+%2B")
def test_they_are_those_of_the_standard_library(text: str) -> None:
    for read, standard in zip(form_pairs(text), parse_qsl(text, keep_blank_values=True), strict=True):
        for ours, theirs in zip(read, standard, strict=True):
            assert ours == theirs or "\ufffd" in theirs


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Arr%EAt", "Arrêt"),
        ("Arr%C3%AAt", "Arrêt"),
        ("%80%20%92", "€ ’"),
        ("%EF%BF%BD", "\ufffd"),
        ("%81", "\ufffd"),
        ("%E0%A4%B0%E0%A5%8B", "रो"),
    ],
)
def test_what_is_not_utf_8_is_windows_1252(written: str, read: str) -> None:
    """Kannel and its like say in a field of its own which it is, if at all."""
    assert form_pairs(f"text={written}&from=%2B1") == [("text", read), ("from", "+1")]


def test_more_than_there_may_be_are_not_read() -> None:
    assert len(form_pairs("&".join(["a=1"] * FIELDS))) == FIELDS
    with pytest.raises(ValueError, match="too many"):
        form_pairs("&".join(["a=1"] * (FIELDS + 1)))
