"""Every filter: what it gives, and what it refuses without naming the value."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.definition.expression import MISSING
from connector.definition.expression_text import parse
from connector.definition.filters import FILTERS
from connector.errors import MessageError
from connector.model import Batch, Message
from tests.thorough import examples

BATCH = Batch("ab" * 16, 1_700_000_000.0)
REFUSED = object()
HOSTILE = "\x00\ud7ff'\"<&>{F0}{{x}}${y}##z##\r\n%0a🙂\u202e"


def apply(filters: str, value: Any) -> Any:
    message = Message(message_id="1", to="+4412345678", custom={"x": value})
    try:
        return parse(f"x|{filters}").compile()(message, BATCH)
    except MessageError as error:
        reason = error.reason
    assert reason.startswith("$${x|")
    assert not isinstance(value, str) or len(value) <= 3 or value not in reason
    return REFUSED


TABLE: list[tuple[str, Any, Any]] = [
    ("digits", "+91 98123-45678", "919812345678"),
    ("digits", 919812345678, "919812345678"),
    ("digits", "٣٤ three", MISSING),
    ("digits", "+٣٤1", "1"),
    ("digits", "++1", "1"),
    ("digits", {"a": 1}, REFUSED),
    ("digits", ["1"], REFUSED),
    ("last(4)", "9812345678", "5678"),
    ("last(4)", "12", "12"),
    ("last(2)", "a🙂🙂", "🙂🙂"),
    ("last(2)", ["a"], REFUSED),
    ("e164", "91 98123 45678", "+919812345678"),
    ("e164", "+919812345678", "+919812345678"),
    ("e164", "0098123", REFUSED),
    ("e164", "12", REFUSED),
    ("e164", "9" * 20, REFUSED),
    ("e164", "nobody", REFUSED),
    ("national(91)", "+919812345678", "9812345678"),
    ("national('91')", 919812345678, "9812345678"),
    ("national(91)", "+4412345", REFUSED),
    ("national(91)", "91", REFUSED),
    ("int", "007", 7),
    ("int", " -12 ", -12),
    ("int", 5, 5),
    ("int", 5.0, 5),
    ("int", "18446744073709551615", 18446744073709551615),
    ("int", "18446744073709551616", REFUSED),
    ("int", "-9223372036854775809", REFUSED),
    ("int", "1" * 5000, REFUSED),
    ("int", 1e300, REFUSED),
    ("int", 5.5, REFUSED),
    ("int", "1e3", REFUSED),
    ("int", "1_000", REFUSED),
    ("int", "٣", REFUSED),
    ("int", True, REFUSED),
    ("int", [1], REFUSED),
    ("str", 5, "5"),
    ("str", 1.5, "1.5"),
    ("str", True, "true"),
    ("str", {"a": [1, None]}, '{"a":[1,null]}'),
    ("str", 2**63, str(2**63)),
    ("bool01", True, 1),
    ("bool01", "No", 0),
    ("bool01", "1", 1),
    ("bool01", 0, 0),
    ("bool01", "maybe", REFUSED),
    ("bool01", 2, REFUSED),
    ("bool01", [], REFUSED),
    ("upper", "straße", "STRASSE"),
    ("upper", [], REFUSED),
    ("lower", "ABÇ", "abç"),
    ("truncate(3)", "abcdef", "abc"),
    ("truncate(3)", 12345, "123"),
    ("truncate(3)", {}, REFUSED),
    ("urlencode", "a b&c/é", "a%20b%26c%2F%C3%A9"),
    (
        "urlencode",
        HOSTILE,
        "%00%ED%9F%BF%27%22%3C%26%3E%7BF0%7D%7B%7Bx%7D%7D%24%7By%7D%23%23z%23%23%0D%0A%250a%F0%9F%99%82%E2%80%AE",
    ),
    ("json", {"a": "é\n"}, '{"a":"é\\n"}'),
    ("json", "x", '"x"'),
    ("json", 2**70, REFUSED),
    ("base64", "id:secret", "aWQ6c2VjcmV0"),
    ("base64", "é", "w6k="),
    ("base64", [1], REFUSED),
    ("base64url", "a?>~", "YT8-fg"),
    ("unbase64|str", "w6k=", "c3a9"),
    ("unbase64|str", "w6k", "c3a9"),
    ("unbase64", "no base64!", REFUSED),
    ("unhex|base64", "C3a9", "w6k="),
    ("unhex", "xyz", REFUSED),
    ("md5|upper", "abc", "900150983CD24FB0D6963F7D28E17F72"),
    ("md5|base64", "abc", "kAFQmDzST7DWlj99KOF/cg=="),
    ("md5|hex|md5", "abc", "ec0405c5aef93e771cd80e0db180b88b"),
    ("md5", 7, "8f14e45fceea167a5a36dedd4bea2543"),
    ("sha384|truncate(8)", "abc", "cb00753f"),
    ("sha512|truncate(8)", "abc", "ddaf35a1"),
    ("hmac('key', 'md5')", "The quick brown fox jumps over the lazy dog", "80070713463e7749b90c2dc24911e275"),
    ("hmac(x|md5, 'sha1')|truncate(8)", "abc", "f2b91624"),
    ("join(', ')", ["a", 1, None, True], "a, 1, , true"),
    ("join(',')", ["100,00", "b"], REFUSED),
    ("join(',')", ["100,00"], REFUSED),
    ("join(';;')", ["a;", "b"], REFUSED),
    ("join(',', ' ')", ["100,00", "b"], "100 00,b"),
    ("join(',', ',')", ["100,00", "b"], "100,00,b"),
    ("join(' ')", ["John Smith", "b"], "John Smith b"),
    ("join('')", ["a", "b"], "ab"),
    ("join(',')", "1,2", "1,2"),
    ("one_line", "a\r\nb\rc\nd\u2028e", "a b c d e"),
    ("join(',')", "one", "one"),
    ("join(',')", [], MISSING),
    ("join(',')", {"a": 1}, REFUSED),
    ("lists", {"a": "x", "b": 2, "c": ["y", 3], "d": None}, {"a": ["x"], "b": ["2"], "c": ["y", "3"]}),
    ("lists", ["a"], REFUSED),
    ("under('n')", {"a": 1}, {"a": {"n": 1}}),
    ("under(To)", {"a": 1}, {"a": {"+4412345678": 1}}),
    ("under('n')", "text", REFUSED),
    ("get('a')", {"a": 1}, 1),
    ("get('b')", {"a": 1}, MISSING),
    ("get(1)", ["a", "b"], "b"),
    ("get(2)", ["a", "b"], MISSING),
    ("get(1)", {"1": "x"}, "x"),
    ("get('a')", "text", REFUSED),
    ("default('x')", "y", "y"),
    ("default('x')", "", "x"),
    ("default('x')", None, "x"),
    ("default(5)", False, False),
    ("replace('{F', '{ F')", "{F0}", "{ F0}"),
    ("replace('a', '')", "banana", "bnn"),
    ("replace('$$', '$')", "$$To", "$To"),
    ("replace('a', 'b')", ["a"], REFUSED),
    ("map(a=1, b='two', 'c d'=null)", "a", 1),
    ("map(true='T', false='F')", True, "T"),
    ("map(a=1)", "b", MISSING),
    ("map(a=1)|default(0)", "b", 0),
    ("map(a=1)", {}, REFUSED),
    ("date('iso')", 1_700_000_000, "2023-11-14T22:13:20+00:00"),
    ("date('iso', 'Asia/Kolkata')", "2023-11-14T22:13:20Z", "2023-11-15T03:43:20+05:30"),
    ("date('%Y-%m-%d %H:%M:%S', 'Asia/Kolkata')", 1_700_000_000.9, "2023-11-15 03:43:20"),
    ("date('%d%%', 'UTC')", 0, "01%"),
    ("date('unix')", "2023-11-14T22:13:20", 1_700_000_000),
    ("date('unix', 'Asia/Kolkata')", "2023-11-14T22:13:20", 1_700_000_000 - 19_800),
    ("date('unix_ms')", 1.5, 1500),
    ("date('iso')", 1e300, REFUSED),
    ("date('iso')", float("nan"), REFUSED),
    ("date('iso')", "0001-01-01T00:00:00+14:00", REFUSED),
    ("date('iso')", "tomorrow", REFUSED),
    ("date('iso')", True, REFUSED),
    ("date('iso')", ["2023"], REFUSED),
    ("ref(20)", "abc-1_Z", "abc-1_Z"),
    ("ref(12)", "x" * 12, "x" * 12),
    ("ref(12)", {}, REFUSED),
    ("hash32", "", MISSING),
    ("hash32", [], REFUSED),
    ("gsm('TEXT', 'UNICODE')", "hello €", "TEXT"),
    ("gsm('TEXT', 'UNICODE')", "नमस्ते", "UNICODE"),
    ("gsm(0, 8)", "hello", 0),
    ("gsm(To, 'b')", "hello", "+4412345678"),
    ("gsm(To|hex('gsm'), 'я'|hex('utf-16-be'))", "я", "044f"),
    ("gsm('я'|hex('gsm'), 'b')", "я", "b"),
    ("gsm('я'|hex('gsm'), 'b')", "a", REFUSED),
    ("gsm('a'|encode('gsm'), 'я'|encode('utf-16-be'))|hex", "я", "044f"),
    ("gsm(To, '')", "я", MISSING),
    ("encode('gbk')|urlencode", "你 a", "%C4%E3%20a"),
    ("gsm(0, 8)", ["a"], REFUSED),
    ("append('!')", "a", "a!"),
    ("append(To)", 5, "5+4412345678"),
    ("append(2)", "a", "a2"),
    ("append('x')", [], REFUSED),
    ("prepend('+')", 44, "+44"),
    ("prepend(To)|append('x')", "-", "+4412345678-x"),
    ("then(31)", "abc", 31),
    ("at_most(3)", "abc", "abc"),
    ("at_most(3)", "abcd", REFUSED),
    ("padstart(3)", 7, "007"),
    ("padstart(3)", "1234", "1234"),
    ("padstart(3, ' ')", "a", "  a"),
    ("padstart(3)", [], REFUSED),
    ("max_segments(1)", "a" * 160, "a" * 160),
    ("max_segments(1)", "a" * 161, REFUSED),
    ("max_segments(2)", "ä" * 306, "ä" * 306),
    ("max_segments(2)", "я" * 135, REFUSED),
    ("max_segments(1)", {}, REFUSED),
    ("encode('latin-1')", "é", b"\xe9"),
    ("encode('latin-1')", "€", REFUSED),
    ("encode('utf-16-be')", "é😀", b"\x00\xe9\xd8\x3d\xde\x00"),
    ("encode('gb18030')", "你好😀", "你好😀".encode("gb18030")),
    ("encode('gsm')", "@£€[Ä", b"\x00\x01\x1b\x65\x1b\x3c\x5b"),
    ("encode('gsm')", "`", REFUSED),
    ("encode('shift_jis')", "¥", REFUSED),
    ("encode('ascii')", 5, b"5"),
    ("encode('ascii')", [], REFUSED),
    ("hex", "é", "c3a9"),
    ("hex('utf-16-be')", "Ж", "0416"),
    ("hex('utf-16-be')|upper", "Ж¬", "041600AC"),
    ("hex('gsm')", "a€", "611b65"),
    ("hex('latin-1')", "Ж", REFUSED),
    ("hex", {}, REFUSED),
    ("encode('utf-16-le')|hex", "a", "6100"),
    ("encode('latin-1')|base64", "é", "6Q=="),
    ("encode('utf-16-le')|md5", "é", "ed71e8ffd3d8c47c1a2e22c53cd384aa"),
    ("md5", "abc", "900150983cd24fb0d6963f7d28e17f72"),
    ("md5('base64')", "abc", "kAFQmDzST7DWlj99KOF/cg=="),
    ("sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("sha512|truncate(16)", "abc", "ddaf35a193617aba"),
    ("sha256", [], REFUSED),
    ("md5", {}, REFUSED),
    ("sha1", {}, REFUSED),
    ("sha512", {}, REFUSED),
    # RFC 4231, test case 2; RFC 2202, test case 2 of both
    (
        "hmac('Jefe')",
        "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    ("hmac('Jefe', 'md5')", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738"),
    ("hmac('Jefe', 'sha1', 'base64')", "what do ya want for nothing?", "7/zfauXrL6LSdBbV8YTfnCWafHk="),
    ("hmac('k')", {}, REFUSED),
    ("raw", HOSTILE, HOSTILE),
    ("raw", {"a": 1}, '{"a":1}'),
]


@pytest.mark.parametrize(
    ("filters", "value", "expected"), TABLE, ids=[f"{row[0]}-{index}" for index, row in enumerate(TABLE)]
)
def test_a_filter_gives_what_it_says_or_refuses(filters: str, value: Any, expected: Any) -> None:
    result = apply(filters, value)
    assert result == expected
    assert type(result) is type(expected)


def test_every_filter_stands_in_the_table() -> None:
    assert {row[0].split("(")[0].split("|")[0] for row in TABLE} == set(FILTERS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
WRITTEN = {
    "last": "last(4)",
    "national": "national(91)",
    "truncate": "truncate(3)",
    "join": "join(',')",
    "under": "under('k')",
    "get": "get('a')",
    "default": "default('d')",
    "replace": "replace('a', 'b')",
    "map": "map(a=1)",
    "date": "date('iso', 'Asia/Kolkata')",
    "ref": "ref(20)",
    "gsm": "gsm(0, 8)",
    "append": "append('x')",
    "prepend": "prepend('x')",
    "padstart": "padstart(9)",
    "at_most": "at_most(3)",
    "then": "then(31)",
    "max_segments": "max_segments(1)",
    "encode": "encode('latin-1')",
    "hmac": "hmac('k')",
}


@settings(max_examples=examples(400))
@given(name=st.sampled_from(sorted(FILTERS)), value=JSON)
def test_any_json_value_is_taken_or_refused_with_a_reason(name: str, value: Any) -> None:
    apply(WRITTEN.get(name, name), value)


@settings(max_examples=examples(200))
@given(name=st.sampled_from(sorted(name for name, each in FILTERS.items() if each.normalises)), value=JSON)
def test_a_normalising_filter_applied_twice_gives_what_it_gave_once(name: str, value: Any) -> None:
    once = parse(f"x|{WRITTEN.get(name, name)}").normalise()
    assert once(once(value)) == once(value)


@given(st.text(min_size=1, max_size=40), st.integers(12, 40))
def test_a_reference_is_short_plain_and_the_same_every_time(text: str, length: int) -> None:
    reference = apply(f"ref({length})", text)
    assert reference == apply(f"ref({length})", text)
    assert len(reference) <= length
    assert re.fullmatch("[A-Za-z0-9_-]+", reference)
    assert reference.isascii()


@given(st.text(min_size=1))
def test_a_hash_is_a_non_negative_int32(text: str) -> None:
    assert 0 <= apply("hash32", text) < 2**31


def test_a_hash_is_the_same_in_every_process() -> None:
    assert apply("hash32", "0123456789abcdef") == 1932105769


@pytest.mark.parametrize("filters", ["urlencode", "hash32", "ref(20)", "base64", "md5", "hex", "sha256"])
def test_half_a_surrogate_pair_is_refused_with_a_reason(filters: str) -> None:
    with pytest.raises(MessageError, match="half of a surrogate pair"):
        parse(f"Body|{filters}").compile()(Message("m1", "+919812345678", body="a\ud800"), BATCH)
