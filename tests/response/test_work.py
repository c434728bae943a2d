# ruff: noqa: E501 - a table is read across
"""What one reply may cost: each shape that stopped a worker, within the bound, and what is over it is `unknown`.

CPU time of this thread, with room for a machine that is busy: the bound itself is SECONDS.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from connector.model import Reply
from connector.response.document import parse_json, parse_xml
from connector.response.reply_reader import ReplyReader, ReplyReading
from connector.response.work import SECONDS, STEPS, TRANCHE, UNSEEN, TooMuchWorkError, Work

from .build import NOW, batch, messages, reader

MIB = 1024 * 1024
LONGEST = 4 * SECONDS

LOOK = [{"status": 200, "then": "entries"}]
BY_JSON = reader(
    rules=[{"when": "code == 'x'", "then": "reject"}, *LOOK],
    entries=[
        {
            "each": "@",
            "match": {"To|digits": "to"},
            "id": "id",
            "code": "code",
            "reason": "reason",
            "rules": [
                {"when": "contains(state, 'ok')", "then": "accept"},
                {"when": "to_number(n) > `1`", "then": "reject"},
            ],
        }
    ],
)
BY_ITEMS = reader(rules=LOOK, entries=[{"each": "items(@)", "match": {"To": "key"}, "then": "accept"}])
BY_XML = reader(
    decode=("xml",),
    rules=[{"when": "a.code == 'x'", "then": "reject"}, *LOOK],
    entries=[{"each": "a.b", "match": {"To|digits": "to"}, "then": "accept"}],
)


def listed(value: bytes, size: int = 4 * MIB) -> bytes:
    return b"[" + b",".join([value] * (size // (len(value) + 1))) + b"]"


def written(count: int, entry: Any) -> bytes:
    return json.dumps([entry] * count).encode()


def elements(inner: bytes, count: int) -> bytes:
    return b"<a>" + inner * count + b"</a>"


def numbered(before: bytes, after: bytes, count: int) -> bytes:
    return b"".join(before + str(n).encode() + after for n in range(count))


JSON = {
    "floats that are slow to read": listed(b"1e300"),
    "floats nearly nothing": listed(b"4.9406564584124654e-324"),
    "floats between two": listed(b"9007199254740993." + b"0" * 700 + b"1"),
    "zeros": listed(b"0"),
    "lists": listed(b"[]"),
    "lists, as many as are read": listed(b"[]", 480_000),
    "objects": listed(b'{"a":[]}'),
    "keys": b"{" + numbered(b'"k', b'":1,', 350_000)[:-1] + b"}",
    "one key again and again": b"{" + b",".join([b'"k":1'] * 350_000) + b"}",
    "ids of 4,000 digits": listed(b"9" * 4000),
    "ids of 100 digits": listed(b"9" * 100),
    "one number": b"9" * 4 * MIB,
    "one float": b"[" + b"1" * 4 * MIB + b".0]",
    "one exponent": b"[1e" + b"0" * 4 * MIB + b"1]",
    "no numbers": listed(b"NaN"),
    "no number among floats": b"[NaN," + listed(b"1.5e5", MIB)[1:],
    "lists in lists": b"[" * 4 * MIB,
    "objects in objects": b'{"a":' * MIB,
    "a text": b'"' + b"x" * 4 * MIB + b'"',
    "line breaks": b'"' + b"\n" * 4 * MIB + b'"',
    "escapes": b'"' + b"\\ud83d" * (MIB // 2) + b'"',
    "no text": b'["' + b"\xff" * 4 * MIB + b'"]',
    "quotes": b'"' * 4 * MIB,
    "commas": b"," * 4 * MIB,
    "blanks": b" " * 4 * MIB,
    "marks of byte order": b"\n\xef\xbb\xbf" * MIB,
    "NULs at the end": b"[1]" + b"\0" * 4 * MIB,
    "UTF-16": ("[" + "0," * MIB + "0]").encode("utf-16"),
    "entries, as many as there may be": written(1150, {"to": "919812300000", "state": "no", "n": "0", "code": 7, "reason": "some words"}),
    "entries with much to tell": written(200, {"to": "919812300000", "id": {"a": ["x" * 1000] * 10}, "code": [1] * 1000, "reason": "ä" * 9000}),
    "a number and a million blanks": json.dumps([{"to": "1", "n": "1" + " " * MIB + "x"}]).encode(),
}  # fmt: skip
XML = {
    "attributes": b"<a " + numbered(b"a", b'="1" ', 300_000) + b"/>",
    "attributes, as many as are read": b"<a " + numbered(b"a", b'="1" ', 60_000) + b"/>",
    "elements": elements(b"<b/>", MIB),
    "elements, as many as are read": elements(b"<b/>", 80_000),
    "names": b"<a>" + numbered(b"<b", b"/>", 80_000) + b"</a>",
    "entities": elements(b"&amp;", MIB),
    "comments": elements(b"<!---->", MIB // 2),
    "instructions": elements(b"<?a?>", MIB // 2),
    "sections": elements(b"<![CDATA[]]>", MIB // 4),
    "namespaces": b"<a " + numbered(b"xmlns:a", b'="u" ', 60_000) + b"/>",
    "a long namespace": b"<a xmlns='" + b"u" * 100_000 + b"'>" + b"<b/>" * 25_000 + b"</a>",
    "line breaks": elements(b"\n", 4 * MIB),
    "line breaks in an attribute": b"<a b='" + b"\n" * 4 * MIB + b"'/>",
    "deep": b"<a>" * MIB,
    "bombs": b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 10_000 + b'"><!ENTITY c "' + b"&b;" * 1000 + b'">]><a>&c;&c;</a>',
    "brackets": b"<" * 4 * MIB,
    "UTF-16": elements(b"<b/>", MIB).decode().encode("utf-16"),
}


def timed(by: ReplyReader, body: bytes, count: int = 4, **headers: str) -> tuple[ReplyReading, float]:
    """What it meant and the CPU time it took: the better of two where the first was long, as others use the core too."""
    sent = messages(count)
    least = float("inf")
    for _ in range(2):
        begun = time.thread_time()
        reading = by.read(Reply(200, headers, body, False), sent, batch(), NOW)
        least = min(least, time.thread_time() - begun)
        if least < SECONDS:
            break
    return reading, least


@pytest.mark.parametrize(
    ("by", "body"),
    [
        *(pytest.param(BY_JSON, body, id=f"JSON: {name}") for name, body in JSON.items()),
        *(pytest.param(BY_ITEMS, body, id=f"JSON, keys kept: {name}") for name, body in JSON.items()),
        *(pytest.param(BY_XML, body, id=f"XML: {name}") for name, body in XML.items()),
    ],
)
def test_a_hostile_reply_is_read_or_refused_within_the_bound(by: ReplyReader, body: bytes) -> None:
    reading, seconds = timed(by, body)
    assert seconds < LONGEST
    assert "reader" not in by.faults
    assert {outcome.then for outcome in reading.outcomes} == {"unknown"}
    assert all(outcome.reason for outcome in reading.outcomes)


BIG = json.dumps({"a": [{"b": list(range(300)), "c": "x" * 100} for _ in range(300)]}).encode()


@pytest.mark.parametrize(
    "expression",
    [
        "length(a[?contains(to_string(@), 'zz')]) > `1`",
        "a[*].b[*][] | length(@) > `1000000`",
        "length(sort(a[].b[])) > `1`",
        "sort_by(a, &to_string(b))[0].c == 'x'",
        "max(a[].b[]) == `1`",
        "map(&to_string(@), a[].b[]) == `[]`",
        "a[?length(a[?b]) > `1`] == `[]`",
        "contains(a[].b[], @) == `true`",
        "a[*].json(to_string(@)).b == `[]`",
        "*.*.*.* == `[]`",
        "|".join(["[@,@][]"] * 90) + "|[0] == 'x'",
        "|".join(["[@,@]"] * 90) + "|to_string(@) == 'x'",
        "|".join(["to_string(@)"] * 90) + "|@ == 'x'",
        "|".join(["join('', [to_string(@), to_string(@)])"] * 90) + "|@ == 'x'",
        "|".join(["merge(@, {a: [@, @]})"] * 80) + "|to_string(@) == 'x'",
        "|".join(["{a: @, b: @}"] * 90) + "|*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.*.* == `[]`",
    ],
)
def test_an_expression_that_multiplies_ends_within_the_bound(expression: str) -> None:
    by = reader(rules=[{"when": expression, "then": "reject"}, {"status": 200, "then": "accept"}])
    reading, seconds = timed(by, BIG)
    assert seconds < LONGEST
    assert reading.outcomes[0].then in ("accept", "reject", "unknown")


@pytest.mark.parametrize(
    ("pattern", "body"),
    [
        ("^(a+)+$", b"a" * 40 + b"!"),
        ("^(a+)+$", b"a" * 65_000 + b"!"),
        ("(?P<x>[ab]*a[ab]{100}.*)$", b"abba" * 16_000),
        ("(?P<x>[ab]*a[ab]{900}.*)$", b"abba" * 16_000),
        (r"(\pL+\d)+$", "я".encode() * 65_000),
        ("(x?){200}x{200}$", b"x" * 65_000),
    ],
)
def test_a_regular_expression_ends_within_the_bound(pattern: str, body: bytes) -> None:
    for rule in ({"text": pattern}, {"header": {"x": pattern}}):
        by = reader(decode=("none",), rules=[{**rule, "then": "accept"}])
        reading, seconds = timed(by, body, x=body.decode())
        assert seconds < LONGEST
        assert reading.outcomes[0].then in ("accept", "unknown")


@pytest.mark.parametrize(
    ("pattern", "body"),
    [
        ("(?P<to>a)(.*b)?", b"a" * 65_000),
        ("(?P<to>x*)", b"y" * 65_000),
        ("(?P<to>[0-9]+)=OK", b"1" * 65_000),
        ("(?P<to>[ab]*a[ab]{100}c|a)", b"abbaabab" * 8_000),
        ("(?P<to>[ab]*a[ab]{20}c|.)", bytes(random.Random(1).choices(b"ab", k=65_000))),
        ("(?P<to>[0-9]+),OK\n", b"9198123,OK\n" * MIB),
    ],
)
def test_entries_of_a_text_end_within_the_bound(pattern: str, body: bytes) -> None:
    by = reader(decode=("none",), rules=LOOK, entries=[{"text": pattern, "match": {"To": "to"}, "then": "accept"}])
    reading, seconds = timed(by, body)
    assert seconds < LONGEST
    assert {outcome.then for outcome in reading.outcomes} == {"unknown"}


@pytest.mark.parametrize("name", ["retry-after", "date", "ratelimit", "x-ratelimit-reset"])
@pytest.mark.parametrize("value", ["1" + " " * 30_000 + "x", "; " * 30_000, "1" * 60_000, ";t=" * 20_000])
def test_a_header_that_tells_a_time_is_read_at_once(name: str, value: str) -> None:
    by = reader()
    begun = time.thread_time()
    by.read(Reply(429, {"retry-after": "1", name: value}, b"", False), messages(1), batch(), NOW)
    assert time.thread_time() - begun < 0.05


@pytest.mark.parametrize("value", ["1" + " " * 200_000 + "x", "1" * 200_000, " " * 200_000])
def test_a_field_that_tells_a_time_is_read_at_once(value: str) -> None:
    by = reader(rules=[{"status": 200, "then": "retry", "after": "wait"}])
    reading, seconds = timed(by, json.dumps({"wait": value}).encode())
    assert (reading.outcomes[0].then, reading.outcomes[0].after) == ("retry", None)
    assert seconds < 0.05


def test_what_is_over_the_bound_says_so_and_the_status_still_counts() -> None:
    over = listed(b"[]")
    why = "the reply holds more values than a reply is read for"
    reading, _ = timed(BY_JSON, over)
    assert reading.outcomes[0].reason == why
    by = reader(rules=[{"when": "code == 'x'", "then": "reject"}])
    assert by.read(Reply(429, {}, over, False), messages(1), batch(), NOW).outcomes[0].then == "throttle"
    outcome = by.read(Reply(200, {}, over, False), messages(1), batch(), NOW).outcomes[0]
    assert (outcome.then, outcome.reason) == ("unknown", f"{why} (HTTP 200 OK)")


def test_the_next_reply_has_an_account_of_its_own() -> None:
    by = reader(rules=[{"when": "length(list[*].a) > `0`", "then": "accept"}])
    too_much = b'{"list": ' + listed(b'{"a":0}', 3 * MIB // 4) + b"}"
    for _ in range(3):
        assert timed(by, too_much)[0].outcomes[0].reason == "reading the reply takes more work than a reply is given"
        assert timed(by, b'{"list": [{"a": 1}]}')[0].outcomes[0].then == "accept"
    assert by.faults["work"] >= 3


def test_a_thousand_messages_with_parts_and_many_rules_are_far_from_the_bound() -> None:
    rules = [{"when": f"to_number(code) == `{n}` && contains(['a', 'b'], state)", "then": "reject"} for n in range(20)]
    by = reader(
        rules=[{"when": "status == 'ok'", "then": "entries", "id": "job"}],
        entries=[{"each": "list[]", "match": {"To|digits": "to"}, "id": "parts[0].id", "rules": [*rules, {"when": "code == '99'", "then": "accept"}]}],
    )  # fmt: skip
    entries = [
        {"to": each.to[1:], "code": "99", "state": "a", "parts": [{"id": f"id-{n}"}] * 3}
        for n, each in enumerate(messages(1000))
    ]
    reading, _ = timed(by, json.dumps({"status": "ok", "job": "j", "list": entries}).encode(), 1000)
    assert {outcome.then for outcome in reading.outcomes} == {"accept"}


def test_an_account_is_spent_once_and_watches_the_clock() -> None:
    seconds = 0.0
    work = Work(lambda: seconds)
    work.spend(STEPS)
    with pytest.raises(TooMuchWorkError):
        work.spend(1)
    work.begin()
    work.spend(1)
    seconds = UNSEEN
    work.look()
    seconds = SECONDS * 1.1
    with pytest.raises(TooMuchWorkError):
        work.look()
    work.begin()
    with pytest.raises(TooMuchWorkError):
        work.weigh([["x"] * 1000] * STEPS)


def test_the_clock_is_not_asked_for_a_reply_that_costs_little() -> None:
    looks = 0

    def cpu() -> float:
        nonlocal looks
        looks += 1
        return 0.0

    work = Work(cpu)
    for _ in range(10):
        work.begin()
        work.spend(TRANCHE)
    assert looks == 0
    work.spend(1)
    assert looks == 1


def test_steps_that_take_longer_than_they_should_are_stopped_by_the_clock() -> None:
    spent = 0
    slow = 1e-6  # seconds: ten times as many as on the core they were measured on
    work = Work(lambda: spent * slow)

    def go_on() -> None:
        nonlocal spent
        for _ in range(STEPS):
            work.spend(1)
            spent += 1

    with pytest.raises(TooMuchWorkError):
        go_on()
    assert spent * slow <= SECONDS + TRANCHE * slow


@pytest.mark.parametrize(("parse", "body"), [(parse_json, listed(b"[]")), (parse_xml, elements(b"<b/>", MIB))])
def test_decoding_is_paid_before_it_is_done(parse: Any, body: bytes) -> None:
    begun = time.thread_time()
    with pytest.raises(TooMuchWorkError):
        parse(body, Work())
    assert time.thread_time() - begun < 0.05
