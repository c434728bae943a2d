"""Events that are not messages: why, in words that repeat no value of theirs, and what can still be read of them.

Sending is strict: only valid JSON in UTF-8 that fits the schema becomes a request. The result that says so should name
its message all the same, so the identity is read from whatever can be made out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from connector.delivery.outcomes.unsent import PartialIdentity
from connector.errors import MessageError
from connector.model import Message, Priority
from connector.settings.names import did_you_mean
from connector.stream.intake.unknown_names import NAME_CHARACTERS, shown

# What is looked at of an event that is not JSON: a message is far smaller, and the work for one event stays within
# a few milliseconds whatever stands in it.
SCAN_BYTES = 64 * 1024
SCAN_TOKENS = 4096
FIELD_CHARACTERS = 256

IDENTITY = ("message_id", "provider", "campaign_id", "to")
_FIELDS = frozenset(Message.__struct_fields__)


class _Raw(msgspec.Struct, gc=False):
    message_id: msgspec.Raw = msgspec.Raw()
    provider: msgspec.Raw = msgspec.Raw()
    campaign_id: msgspec.Raw = msgspec.Raw()
    to: msgspec.Raw = msgspec.Raw()


_decode_raw = msgspec.json.Decoder(_Raw).decode
_decode_names = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_NOT_DECODED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def identity(raw: bytes) -> PartialIdentity:
    """The identifying fields of an event, where they are texts of an acceptable length and whole.

    Valid JSON is read to its end; of anything else the first SCAN_BYTES are searched for the outermost object's fields.
    """
    try:
        found = _decode_raw(raw)
    except _NOT_DECODED:
        texts = _scan(raw).texts
    else:
        texts = {}
        for name in IDENTITY:
            try:
                texts[name] = _decode_text(getattr(found, name))
            except _NOT_DECODED:
                continue
    return PartialIdentity(**{name: text for name, text in texts.items() if 0 < len(text) <= FIELD_CHARACTERS})


def fault(raw: bytes, error: Exception) -> str:
    """Why the event cannot be read. `error`: what decoding it strictly raised."""
    if not raw:
        return "it has no value"
    if isinstance(error, MessageError):
        return error.reason
    return _foreign(raw) or _why(raw, error)


# ---- in words -------------------------------------------------------------------------------------------------------

_UTF_16_OR_32 = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff", b"{\0", b"\0{", b"\0\0\0{")
_FRAME_BYTES = 5
"""A schema registry's serializer writes a zero byte and four bytes with the schema's id before the value."""


def _foreign(raw: bytes) -> str | None:
    """What the first bytes say, where they are not those of JSON in UTF-8."""
    if raw.startswith(b"\xef\xbb\xbf"):
        return "it begins with a byte order mark (BOM); write UTF-8 without one"
    if raw.startswith(_UTF_16_OR_32):
        return "it is UTF-16 or UTF-32; write UTF-8"
    if _framed(raw):
        return "it begins with the id of a schema registry; write plain JSON"
    return None


def _framed(raw: bytes) -> bool:
    return raw[:1] == b"\0" and raw[_FRAME_BYTES : _FRAME_BYTES + 1] == b"{"


def _why(raw: bytes, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        try:
            raw.decode()
        except UnicodeDecodeError as first:  # the decoder counts from the start of the text it is in
            return f"not UTF-8 (byte {first.start})"
        return "not UTF-8"
    if isinstance(error, msgspec.ValidationError):
        return _against_schema(str(error), raw)
    return _malformed(raw, str(error))


_PLACE = re.compile(r"(?P<what>.*?)(?: - at `\$\.(?P<field>[a-z_]+).*)?", re.DOTALL)
_TYPES = re.compile(r"Expected `(?P<wanted>[a-z |]+)`, got `(?P<found>[a-z]+)`")
_MISSING = re.compile(r"Object missing required field `(?P<field>[a-z_]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.*)`", re.DOTALL)
_LONG = re.compile(r"Expected `str` of length <= (?P<most>[0-9]+)")

# How msgspec's message begins, and ours. Its own texts are not passed on: some hold the value.
_PLAIN = {
    "Invalid enum value": f"not one of {', '.join(Priority)}",
    "Invalid RFC3339": "not an RFC 3339 time, as 2026-01-31T08:00:00Z is",
    "Expected `datetime` with a timezone": "a time without a zone: add Z or an offset",
    "Expected `str` matching regex": "not a phone number (E.164: a plus sign, then 5 to 19 digits)",
    "Expected `str` of length >=": "empty",
    "Number out of range": "a number out of range",
    "Integer value out of range": "a number out of range",
}


def _against_schema(text: str, raw: bytes) -> str:
    """A msgspec.ValidationError in our words."""
    place = _PLACE.fullmatch(text)
    what, field = (place["what"], place["field"]) if place is not None else (text, None)
    if (missing := _MISSING.fullmatch(what)) is not None:
        return f"{missing['field']}: missing{_written_otherwise(missing['field'], raw)}"
    if (unknown := _UNKNOWN.fullmatch(what)) is not None:
        near = did_you_mean(unknown["field"][:NAME_CHARACTERS], _FIELDS)
        return f"`{shown(unknown['field'])}`: no field of a message" + (f"; {near}" if near else "")
    if (types := _TYPES.fullmatch(what)) is not None:
        told = f"expected {types['wanted'].replace(' | ', ' or ')}, got {types['found']}"
    elif (long := _LONG.fullmatch(what)) is not None:
        told = f"longer than {long['most']} characters"
    else:
        told = next((ours for start, ours in _PLAIN.items() if what.startswith(start)), "not as its schema says")
    return f"{field}: {told}" if field in _FIELDS else told


def _written_otherwise(field: str, raw: bytes) -> str:
    """Where a field that is missing may stand under another name: `To`, `messageId`."""
    try:
        names = _decode_names(raw).keys() - _FIELDS
    except _NOT_DECODED:
        return ""
    plain = field.replace("_", "")
    found = [name for name in sorted(names) if re.sub("[^a-z0-9]", "", name.lower()) == plain]
    return f"; `{shown(found[0])}` is there: write `{field}`" if found else ""


_SYNTAX = re.compile(r"JSON is malformed: (?P<what>[a-z0-9 -]+ \(byte [0-9]+\))")


def _malformed(raw: bytes, text: str) -> str:
    """A msgspec.DecodeError in our words: what is not JSON at all."""
    scan = _scan(raw)
    if scan.flaw is not None and ("truncated" in text or "surrogate" in text or "invalid character" in text):
        field, told = scan.flaw
        return f"{field}: {told}" if field in _FIELDS else told
    if "truncated" in text:
        return "the JSON ends too early"
    syntax = _SYNTAX.fullmatch(text)
    return f"not valid JSON: {syntax['what']}" if syntax is not None else "not valid JSON"


# ---- read leniently -------------------------------------------------------------------------------------------------

# Every text has a token, so one pass over it is all the work: the closing quote of a string may be missing.
_TOKEN = re.compile(r'"(?:[^"\\]+|\\.)*"?|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]").search
_HALF = "half of a character (an unpaired surrogate, as \\ud83d is): a text was cut inside an emoji"
_NO_NUMBER = frozenset({"NaN", "Infinity", "-Infinity"})


class _Scan(NamedTuple):
    texts: dict[str, str]  # identifying fields
    flaw: tuple[str, str] | None = None  # the field that made it no JSON, and why


def _scan(raw: bytes) -> _Scan:
    """Search the outermost object's fields, whatever is wrong with it."""
    texts: dict[str, str] = {}
    flaw: tuple[str, str] | None = None
    for field, token in _members(_text(raw[:SCAN_BYTES])):
        if token[0] == '"':
            value = _string(token)
            whole = value is not None and _SURROGATE(value) is None
            if field in IDENTITY:
                texts.pop(field, None)
            if field in IDENTITY and value is not None and whole:
                texts[field] = value
            if value is not None and not whole and flaw is None:
                flaw = (field, _HALF)
        elif token in _NO_NUMBER and flaw is None:
            flaw = (field, f"{token} is not a JSON number")
    return _Scan(texts, flaw)


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Strings and words of the outermost object, each with the name of the field it stands in.

    What stands deeper belongs to the same field, but not to an identifying one: its name is empty then.
    """
    depth, field = 0, ""
    expected = "name"  # in the outermost object: a name, its colon, or the value of `field`; nothing after that
    for match in islice(_TOKEN.finditer(text), SCAN_TOKENS):
        piece = match.group()
        if piece in "{[":
            depth += 1
            if depth == 1 and piece != "{":
                return
        elif piece in "}]":
            depth -= 1
            if depth <= 0:
                return
        elif depth > 1:
            if piece not in ",:":
                yield "" if field in IDENTITY else field, piece
        elif piece == ",":
            field, expected = "", "name"
        elif piece == ":":
            expected = "value" if expected == "colon" else ""
        elif expected == "name":
            field, expected = _string(piece) or "", "colon"
            yield "", piece
        else:
            yield field if expected == "value" else "", piece
            expected = ""


def _string(token: str) -> str | None:
    """What a string says, halves of characters and control characters included; None where it is not whole."""
    try:
        value = json.loads(token, strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def _text(raw: bytes) -> str:
    if _framed(raw):
        raw = raw[_FRAME_BYTES:]
    encoding = json.detect_encoding(raw)
    if encoding.startswith("utf-8"):  # what is not UTF-8 becomes a surrogate, so that its field is not taken for whole
        return raw.decode(encoding, "surrogateescape")
    return raw.decode(encoding, "replace")
