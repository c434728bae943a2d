"""Events that are not messages: the result names the message where it can, and says why without a value of theirs."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.stream.control.table import decode_message
from connector.stream.intake.unreadable import IDENTITY, SCAN_BYTES, fault, identity
from tests.thorough import examples

START = '{"message_id": "m1", "provider": "acme", "campaign_id": "c1", "to": "+919812345678"'
WHOLE = ("m1", "acme", "c1", "+919812345678")
EVENT = START + ', "body": "Your code is 483920"}'


def with_(**fields: Any) -> bytes:
    return json.dumps({**json.loads(EVENT), **fields}).encode()


def read(raw: bytes) -> tuple[Any, str]:
    """What an `invalid` result says: identity and reason."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError, RecursionError)) as caught:
        decode_message(raw)
    return identity(raw)[:4], fault(raw, caught.value)


HALF = "half of a character (an unpaired surrogate, as \\ud83d is): a text was cut inside an emoji"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(START + r', "body": "Hi \ud83d"}', f"body: {HALF}", id="half an emoji"),
        pytest.param(START + r', "body": "Hi \ud83d there"}', f"body: {HALF}", id="text after it"),
        pytest.param(START + r', "body": "Hi \ude00"}', f"body: {HALF}", id="the other half"),
        pytest.param(START + r', "custom": {"to": ["\ud83d\u0041"]}}', f"custom: {HALF}", id="nested"),
        pytest.param(START + r', "x": "\ud83d"}', HALF, id="in a field of the producer's own"),
        pytest.param(START + r', "\ud83d": 1}', HALF, id="in a name"),
        pytest.param(START + r', "body": "\\ud83d', "the JSON ends too early", id="only a backslash"),
        pytest.param(START + ', "custom": {"a": NaN}}', "custom: NaN is not a JSON number", id="NaN"),
        pytest.param(
            START + ', "custom": {"a": [-Infinity]}}', "custom: -Infinity is not a JSON number", id="Infinity"
        ),
        pytest.param(START + ', "body": "NaN', "the JSON ends too early", id="cut off"),
        pytest.param(START + ', "custom": {"a": ' + "[" * 5000, "it is nested too deeply", id="deep"),
        pytest.param(EVENT + "x", "not valid JSON: trailing characters (byte", id="something after it"),
        pytest.param(START + ",}", "not valid JSON: trailing comma in object (byte", id="a comma too many"),
        pytest.param(START + ', "body": "a\nb"}', "not valid JSON: invalid character (byte", id="a line break"),
        pytest.param(START + ', "flag": True}', "not valid JSON: invalid character (byte", id="Python's words"),
    ],
)
def test_what_is_not_json_keeps_its_identity_and_gets_the_right_reason(raw, reason):
    found, why = read(raw.encode())
    assert found == WHOLE
    assert why.startswith(reason)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"\xef\xbb\xbf" + EVENT.encode(), "it begins with a byte order mark (BOM); write UTF-8 without one"),
        (EVENT.encode("utf-16"), "it is UTF-16 or UTF-32; write UTF-8"),
        (EVENT.encode("utf-16-le"), "it is UTF-16 or UTF-32; write UTF-8"),
        (EVENT.encode("utf-16-be"), "it is UTF-16 or UTF-32; write UTF-8"),
        (EVENT.encode("utf-32"), "it is UTF-16 or UTF-32; write UTF-8"),
        (EVENT.encode("utf-32-be"), "it is UTF-16 or UTF-32; write UTF-8"),
        (b"\0\0\0\0\x07" + EVENT.encode(), "it begins with the id of a schema registry; write plain JSON"),
        (START.encode() + ', "body": "é"}'.encode("latin-1"), f"not UTF-8 (byte {len(START) + 11})"),
        (START.encode() + b', "body": "\xed\xa0\xbd"}', f"not UTF-8 (byte {len(START) + 11})"),
    ],
    ids=["BOM", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "registry", "latin-1", "CESU-8"],
)
def test_another_encoding_is_named_and_the_identity_read(raw, reason):
    assert read(raw) == (WHOLE, reason)


@pytest.mark.parametrize("name", IDENTITY)
@pytest.mark.parametrize("cut", [rb"\ud83d", b"\xff"], ids=["half an emoji", "no UTF-8"])
def test_an_identity_that_is_damaged_itself_is_left_out(name, cut):
    """Another one in its place could be that of another message."""
    raw = EVENT.encode().replace(f'"{name}": "'.encode(), f'"{name}": "'.encode() + cut)
    found, _ = read(raw)
    assert found == tuple(None if each == name else value for each, value in zip(IDENTITY, WHOLE, strict=True))


def test_a_field_of_the_same_name_that_is_nested_is_another_one():
    found, _ = read(rb'{"custom": {"message_id": "no", "to": "\ud83d"}, "message_id": "m1"')
    assert found == ("m1", None, None, None)


SECRET = "4839201"


@pytest.mark.parametrize("value", [SECRET, int(SECRET), float(SECRET), [SECRET], {SECRET: SECRET}, True, None])
@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(decode_message(EVENT).__class__)])
def test_no_value_of_an_event_stands_in_a_reason(name, value):
    """A field may hold what belongs into another: a code, a text, a number."""
    raw = with_(**{name: value})
    try:
        decode_message(raw)
    except msgspec.DecodeError as error:
        reason = fault(raw, error)
        assert SECRET not in reason
        assert reason.startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"priority": SECRET}, "priority: not one of normal, high"),
        ({"expires_at": SECRET}, "expires_at: not an RFC 3339 time, as 2026-01-31T08:00:00Z is"),
        ({"expires_at": "2026-01-31T08:00:00"}, "expires_at: a time without a zone: add Z or an offset"),
        ({"to": SECRET + "\n"}, "to: not a phone number (E.164: a plus sign, then 5 to 19 digits)"),
        ({"to": 919812345678}, "to: expected str, got int"),
        ({"message_id": ""}, "message_id: empty"),
        ({"message_id": "x" * 129}, "message_id: longer than 128 characters"),
        ({"template_variables": SECRET}, "template_variables: expected object or array or null, got str"),
    ],
)
def test_what_does_not_fit_the_schema_is_told_by_its_field(fields, reason):
    assert read(with_(**fields))[1] == reason


def test_a_missing_field_is_named():
    assert read(b'{"message_id": "m1"}') == (("m1", None, None, None), "to: missing")


@given(st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_whatever_the_bytes_there_is_a_reason(raw):
    try:
        decode_message(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        why = fault(raw, error)
    else:
        why = "none"
    assert why
    assert len(identity(raw)) == 5


@settings(max_examples=examples(300))
@given(st.integers(0, len(EVENT)), st.text(alphabet='{}[]",:\\u d83NaI\0é', max_size=8))
def test_an_event_damaged_behind_its_identity_keeps_it(place, damage):
    place = max(place, len(START))
    assert identity((EVENT[:place] + damage + EVENT[place:]).encode())[:4] == WHOLE


@pytest.mark.parametrize("hostile", ['"\\', '\\"', "[", "[1e300,", '"a":', "NaN,", "\ud7ff", " "])
def test_the_work_for_one_event_is_bounded(hostile, counted_tokens):
    """Counted: a pass over SCAN_BYTES in at most SCAN_TOKENS steps, and no text is gone over twice."""
    raw = ('{"x":' + hostile * (4 * SCAN_BYTES)).encode()
    identity(raw)
    assert counted_tokens.characters <= SCAN_BYTES
    assert counted_tokens.number <= 4096


class Counted:
    """The scanner's regular expression, counting what it is given."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self.number = self.characters = 0

    def finditer(self, text):
        for match in self._pattern.finditer(text):
            self.number += 1
            self.characters += len(match.group())
            yield match


@pytest.fixture
def counted_tokens(monkeypatch):
    from connector.stream.intake import unreadable

    counted = Counted(unreadable._TOKEN)
    monkeypatch.setattr(unreadable, "_TOKEN", counted)
    return counted
