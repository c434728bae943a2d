"""From bytes to a document."""

from __future__ import annotations

from typing import Any

import pytest

from connector.response.document import TEXT_LIMIT, XML_DEPTH, Fields, decode, decode_text, parse_json, parse_xml
from connector.response.work import Work


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}\r\n', {"a": 1}),
        (b'{"a": 1}\n\xef\xbb\xbf\n', {"a": 1}),
        (b'{"a": 1}\xef\xbb\xbf\xef\xbb\xbf', {"a": 1}),
        ('{"a": "é"}'.encode("utf-16"), {"a": "é"}),
        (b"\xfe\xff\x00[\x00]", []),
        ("[1]".encode("utf-32"), [1]),
        (b'{"a": "caf\xe9"}', {"a": "caf\ufffd"}),  # Latin-1
        (b'{"a": "one\ntwo\x01"}', {"a": "one\ntwo\x01"}),
        (b'{"a": "\\ud83d"}', {"a": "\ud83d"}),  # a text cut between two UTF-16 units
        (b'{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1e5}', {"a": None, "b": None, "c": None, "d": 1e5}),
        (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"null", None),
        (b"12345", 12345),
    ],
)
def test_json_is_read_as_providers_write_it(body: bytes, document: Any) -> None:
    assert parse_json(body, Work()) == document
    assert parse_json(body, Work(), keep_repeated=True) == document


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"<html>", "expecting value at character 1"),
        (b'{"a": 1} trailing', "extra data at character 10"),
        (b'{"a": "9812345678', "unterminated string starting at at character 7"),
        (b'{"a": ' + b"9" * 5000 + b"}", "a number is too long"),
        (b"[" * 80_000, "nested too deeply"),
        (b"{'a': 1}", "expecting property name enclosed in double quotes at character 2"),
    ],
)
def test_what_is_no_json_says_where_and_never_what(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match="^" + why.replace("(", r"\(") + "$"):
        parse_json(body, Work())


def test_a_key_written_twice_is_kept_twice_on_demand() -> None:
    document = parse_json(b'{"m": {"a": 1, "b": 2, "a": 3}}', Work(), keep_repeated=True)
    assert isinstance(document["m"], Fields)
    assert document["m"] == {"a": 3, "b": 2}
    assert document["m"].pairs == [("a", 1), ("b", 2), ("a", 3)]


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b"<a>x</a>", {"a": "x"}),
        (b"<a/>", {"a": None}),
        (b"<a> \n </a>", {"a": None}),
        (b'<a id="1"/>', {"a": {"id": "1"}}),
        (b'<a id="1"> x </a>', {"a": {"id": "1", "#text": "x"}}),
        (b"<a><b>1</b></a>", {"a": {"b": "1"}}),
        (b"<a><b>1</b><c/><b>2</b><b/></a>", {"a": {"b": ["1", "2", None], "c": None}}),
        (b'<a b="0"><b>1</b></a>', {"a": {"b": ["0", "1"]}}),
        (b"<a>x<b>1</b>y</a>", {"a": {"b": "1", "#text": "xy"}}),
        (b'<s:a xmlns:s="urn:s" s:n="1"><s:b>1</s:b></s:a>', {"a": {"n": "1", "b": "1"}}),
        (b"<a><![CDATA[<b>&amp;]]></a>", {"a": "<b>&amp;"}),
        (b"<a>&lt;&#233;</a>", {"a": "<é"}),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe9</a>', {"a": "é"}),
        (b'\xef\xbb\xbf<?xml version="1.0"?><a>x</a>', {"a": "x"}),
        (b'\r\n <?xml version="1.0"?><a>x</a>', {"a": "x"}),
        (b'\n\xef\xbb\xbf\n<?xml version="1.0"?><a>x</a>\xef\xbb\xbf', {"a": "x"}),
    ],
)
def test_attributes_and_elements_of_xml_are_plain_fields(body: bytes, document: Any) -> None:
    assert parse_xml(body, Work()) == document


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "it is empty"),
        (b'{"a": 1}', r"not well-formed \(invalid token\): line 1, column 0"),
        (b"<a><b></a>", "mismatched tag: line 1, column 8"),
        (b"<a>9812345678", "no element found: line 1, column 13"),
        (b"<a>" * (XML_DEPTH + 1), "nested too deeply"),
        (b"<!DOCTYPE html><html/>", "it has a document type or an unknown encoding"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "it has a document type or an unknown encoding"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "it has a document type or an unknown encoding"),
    ],
)
def test_what_is_no_xml_says_where_and_never_what(body: bytes, why: str) -> None:
    with pytest.raises(ValueError, match="^" + why):
        parse_xml(body, Work())


def test_decoders_are_tried_in_order() -> None:
    assert decode(b"<a>1</a>", ("json", "xml"), Work()) == {"a": "1"}
    assert decode(b"1", ("json", "xml"), Work()) == 1
    assert decode(b"OK 12", ("json", "none"), Work()) is None
    with pytest.raises(ValueError, match=r"^not JSON \(expecting value at character 1\), not XML \(syntax error"):
        decode(b"OK 12", ("json", "xml"), Work())


def test_text_is_bounded_and_tolerant() -> None:
    assert decode_text(b"caf\xe9") == ("caf\ufffd", False)
    assert decode_text("é".encode("utf-16")) == ("é", False)
    assert decode_text(b"x" * TEXT_LIMIT) == ("x" * TEXT_LIMIT, False)
    assert decode_text(b"x" * (TEXT_LIMIT + 1)) == ("x" * TEXT_LIMIT, True)
    assert decode_text("é".encode() * TEXT_LIMIT * 3)[1] is True
