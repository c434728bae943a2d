"""Charsets: what is written can be read back, and what cannot be written is told with its place."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

import gsm0338
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.definition.arguments import ExpressionError
from connector.definition.charsets import CharsetError, charset
from connector.definition.expression_text import parse
from connector.definition.gsm import BASIC, EXTENSION
from connector.errors import MessageError
from connector.model import Batch, Message

NAMES = ["utf-8", "latin-1", "ascii", "cp1252", "cp1251", "koi8-r", "utf-16-be", "utf-16-le", "utf-32-be", "gb18030",
         "gbk", "big5", "shift_jis", "cp932", "euc-jp", "iso-2022-jp", "euc-kr", "cp037", "mac-roman",
         "gsm"]  # fmt: skip

texts = st.text() | st.text(st.sampled_from(BASIC + EXTENSION + "Жя你好¥‾~\\€😀\u00ad\ud800"))


def read_back(raw: bytes, name: str) -> str:
    return gsm0338.Codec().decode(raw)[0] if name == "gsm" else raw.decode(name)


@pytest.mark.parametrize("name", NAMES)
@given(text=texts)
def test_what_is_written_reads_back_as_it_was_or_is_refused_with_its_place(name: str, text: str) -> None:
    try:
        raw = charset(name).encode(text)
    except MessageError as error:
        place = re.fullmatch(rf"{name} cannot hold character ([0-9,]+) of the text", error.reason)
        assert place is not None
        at = int(place[1]) - 1
        with pytest.raises(MessageError):
            charset(name).encode(text[at])
        if name != "iso-2022-jp":  # its escapes belong to more than one character
            assert read_back(charset(name).encode(text[:at]), name) == text[:at]
    else:
        assert read_back(raw, name) == text


def test_the_gsm_alphabet_is_the_one_of_the_specification() -> None:
    everything = BASIC + EXTENSION
    assert charset("gsm").encode(everything) == gsm0338.Codec().encode(everything)[0]


@pytest.mark.parametrize("name", ["gsm", "GSM", "gsm-03.38", "gsm 03.38", "gsm0338", "GSM_0338", "gsm7"])
def test_gsm_has_the_names_that_documents_give_it(name: str) -> None:
    assert charset(name).encode("@") == b"\x00"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("utf-16", "in which order"), ("UTF16", "in which order"), ("utf-32", "in which order"), ("utf-8-sig", "order"),
        ("utf-7", "no charset of texts"), ("unicode_escape", "no charset of texts"), ("idna", "no charset of texts"),
        ("punycode", "no charset of texts"), ("rot13", "not known"), ("base64", "not known"), ("nope", "not known"),
        ("", "not known"), ("a\0b", "not known"), ("x" * 500, "not known"), ("undefined", "no charset of texts"),
        ("zip", "not known"), ("raw_unicode_escape", "no charset of texts"),
    ],
)  # fmt: skip
def test_what_is_no_charset_is_refused_when_a_definition_is_loaded(name: str, said: str) -> None:
    with pytest.raises(CharsetError, match=said):
        charset(name)
    with pytest.raises(ExpressionError, match=said):
        parse(f"Body|encode('{name}')")
    with pytest.raises(ExpressionError, match=said):
        parse(f"Body|hex('{name}')")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "gsm"])
@given(text=st.text(max_size=30))
def test_an_encoded_value_arrives_in_pairs_byte_by_byte(name: str, text: str) -> None:
    from tests.request.trees import batch, message, renderer

    body = {"to": "$$To", "text": f"$${{Body|encode('{name}')}}"}
    for kind, method in (("pairs", "GET"), ("pairs", "POST")):
        rendered = renderer(body, kind=kind, method=method).render([message(body=text or "x")], batch())
        if rendered.request is None:
            with pytest.raises(MessageError):
                charset(name).encode(text)
            continue
        sent = urlsplit(rendered.request.url).query if method == "GET" else rendered.request.body.decode("ascii")
        (found,) = (
            value for key, value in parse_qsl(sent, encoding="latin-1", keep_blank_values=True) if key == "text"
        )
        assert found.encode("latin-1").decode(name) == (text or "x")
        assert unquote_to_bytes(sent.partition("text=")[2]) == charset(name).encode(text or "x")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Body|encode('latin-1')|upper", "`upper` takes text, and `encode` gives bytes; put it before `encode`"),
        ("Body|encode('latin-1')|default('x')", "`default` takes text, and `encode` gives bytes"),
        ("Body|encode('latin-1')|raw", "`raw` takes text, and `encode` gives bytes"),
        ("Body|encode('latin-1')|encode('utf-8')", "`encode` takes text, and `encode` gives bytes"),
        ("Body|encode('latin-1')|hex('utf-8')", "`hex` names a charset, and `encode` has chosen one; write hex"),
        (
            "To|append(Body|encode('latin-1'))",
            "`x` of `append` cannot be bytes; write `hex` or `base64` behind `encode`",
        ),
        ("Body|gsm(Body, Body|encode('latin-1'))|upper", "`upper` takes text, and `gsm` gives bytes"),
        ("Body|md5('bin')", "`form` cannot be 'bin'; write 'hex' or 'base64'"),
        (
            "Body|hmac('k', 'crc32')",
            "`hash` of `hmac` cannot be 'crc32'; write one of: md5, sha1, sha256, sha384, sha512",
        ),
        ("Body|hmac", "`hmac` lacks its argument `key`"),
        ("Body|padstart(3, 'ab')", "`fill` of `padstart` is one character"),
        ("Body|max_segments(0)", "must be a whole number from 1 to 255"),
        ("Body|hex(5)", "`charset` of `hex` must be a text"),
        ("Body|append(${X})", "`${X}` cannot stand here; write a constant in quotes"),
    ],
)
def test_what_cannot_follow_is_told_when_a_definition_is_loaded(source: str, said: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(source)
    assert said in str(caught.value)


def test_a_text_of_too_many_parts_says_how_many() -> None:
    value = parse("Body|max_segments(2)").compile()
    with pytest.raises(MessageError) as caught:
        value(Message("m1", "+4412345678", body="a" * 307), Batch("0" * 32, 0.0))
    assert (
        caught.value.reason
        == "$${Body|max_segments(2)}: max_segments: the text takes 3 SMS parts; at most 2 are allowed"
    )
