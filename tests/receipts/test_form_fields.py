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
    assert form_pairs(text) == parse_qsl(text, keep_blank_values=True)


def test_more_than_there_may_be_are_not_read() -> None:
    assert len(form_pairs("&".join(["a=1"] * FIELDS))) == FIELDS
    with pytest.raises(ValueError, match="too many"):
        form_pairs("&".join(["a=1"] * (FIELDS + 1)))
