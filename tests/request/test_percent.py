"""Our percent-encoding, against the standard library's."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import MessageError
from connector.request import percent
from connector.request.percent import Percent

texts = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.characters(max_codepoint=127))


@given(texts)
def test_it_is_the_standard_librarys(text):
    assert Percent("utf-8", "%20").encode(text) == quote(text, safe="")
    assert Percent("utf-8", "+").encode(text) == quote_plus(text, safe="")


@pytest.mark.parametrize("charset", ["latin-1", "cp1252", "shift_jis", "gb18030"])
@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_the_same_in_every_charset_and_the_rest_in_its_own(charset, text):
    encode = Percent(charset, "%20").encode

    assert encode(text) == quote(text, safe="", encoding=charset)
    assert encode(f"{text}§") == quote(f"{text}§", safe="", encoding=charset)


def test_what_the_charset_lacks_is_an_error():
    with pytest.raises(MessageError):
        Percent("latin-1", "+").encode("€")
    with pytest.raises(MessageError):
        Percent("utf-8", "+").encode("a\ud800")
    with pytest.raises(MessageError):
        Percent("shift_jis", "+").encode("¥")  # which Python writes as a backslash


def test_it_remembers_no_more_characters_than_it_may(monkeypatch):
    monkeypatch.setattr(percent, "_REMEMBERED", 5)
    table = Percent("utf-8", "+")

    assert table.encode("äöüßéèàñ") == quote("äöüßéèàñ")
    assert len(table) == 5
