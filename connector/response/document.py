"""From the bytes of a reply to a document: plain dicts, lists, text and numbers. Whatever the bytes are, it ends in one
or in ValueError.

The declared decoders are tried in order; Content-Type is never asked (Nimbus answers JSON as text/html, Exotel HTML as
application/json).
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Sequence
from typing import Any, Final
from xml.parsers import expat

import orjson

from connector.response.work import (
    BYTES_A_STEP,
    JSON_CONTAINER,
    JSON_VALUE,
    JSON_VALUE_LENIENT,
    XML_BYTES_A_STEP,
    XML_MARK,
    Work,
)

# Elements inside one another. Replies of SMS providers have fewer than ten levels.
XML_DEPTH: Final = 100

# Digits of a whole number. Longer ones are no ids of anybody, and Python's time for them grows with the square.
NUMBER_DIGITS: Final = 100

# Characters a regular expression is given at most: a bound on its time, ample for a reply that is text.
TEXT_LIMIT: Final = 64 * 1024

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Fields(dict[str, Any]):
    """A JSON object that wrote a key twice: the last value by key, all of them in `pairs`."""

    pairs: list[tuple[str, Any]]


def decode(body: bytes, decoders: Sequence[str], work: Work, *, keep_repeated: bool = False) -> Any:
    """The document of the first decoder that can read `body`; None for `none`.

    Raises ValueError, saying why, when none can, and TooMuchWorkError. `keep_repeated`: objects that repeat a key are
    `Fields`.
    """
    reasons = []
    for decoder in decoders:
        if decoder == "none":
            return None
        try:
            return parse_xml(body, work) if decoder == "xml" else parse_json(body, work, keep_repeated=keep_repeated)
        except ValueError as error:
            reasons.append(f"not {decoder.upper()} ({error})")
    raise ValueError(", ".join(reasons))


_MARKS: Final = re.compile(rb"(?:\s*\xef\xbb\xbf)+")  # not one by one: a reply can be made of a million

_MARKS_BEHIND: Final = re.compile(rb"(?:\xef\xbb\xbf\s*)+\Z")
_BEHIND: Final = 64  # bytes at the end that are searched for them


def unframed(body: bytes) -> bytes:
    """`body` without what stands around a document and is no part of it: marks of byte order (some servers write two,
    or one after a line break or at the end), NULs behind the end.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return body
    body = body.rstrip(b"\0 \t\r\n") if body.endswith(b"\0") or b"\0" in body[-4:] else body
    behind = _MARKS_BEHIND.search(body[-_BEHIND:])
    if behind is not None:
        body = body[: len(body) - len(behind.group())]
    framed = _MARKS.match(body)
    if framed is not None:
        body = body[framed.end() :]
    return body


def decode_text(body: bytes) -> tuple[str, bool]:
    """At most TEXT_LIMIT characters of text, unreadable bytes replaced, and whether something was cut off.

    A line break is LF, also where the reply writes CRLF: `(?m)$` does not stand before a CR, and a list of failures
    would be found empty. Those at its end are no part of it: RE2's `$` is the very end.
    """
    body = unframed(body)
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            text = body[len(mark) :][: 4 * TEXT_LIMIT].decode(encoding, "replace")
            break
    else:
        text = body[: 4 * TEXT_LIMIT].decode("utf-8", "replace")
    cut = len(text) > TEXT_LIMIT or len(body) > 4 * TEXT_LIMIT
    text = text[:TEXT_LIMIT].replace("\r\n", "\n")
    return (text, True) if cut else (text.rstrip("\r\n"), False)


# ---- JSON -----------------------------------------------------------------------------------------------------------


def parse_json(body: bytes, work: Work, *, keep_repeated: bool = False) -> Any:
    """JSON as providers write it. Raises ValueError, and TooMuchWorkError before the work is done.

    Read strictly first, by orjson: msgspec takes 10 µs for a number like 1e300, orjson 0.1. What is not strict, and
    whole numbers that orjson would round, are read by the standard library, with unreadable bytes replaced, raw control
    characters and halves of surrogate pairs (texts cut by the provider) allowed, and NaN, Infinity and numbers out of
    range as null: none of them makes the rest of a reply doubtful.
    """
    containers = body.count(b"[") + body.count(b"{")
    values = body.count(b",") + containers
    work.spend(values * JSON_VALUE + containers * JSON_CONTAINER + len(body) // BYTES_A_STEP)
    if not keep_repeated and not _has_long_number(body):
        try:
            return orjson.loads(body)
        except ValueError:
            pass
    work.spend(values * JSON_VALUE_LENIENT + len(body) // BYTES_A_STEP)
    body = unframed(body)
    try:
        return _LENIENT_REPEATED.decode(_json_text(body)) if keep_repeated else _LENIENT.decode(_json_text(body))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(_why(error, body)) from None


# Every digit as 0, and what can stand before a number as a blank: a long number is then one text to be found. Reading
# 4 MB so takes 8 ms.
_DIGITS: Final = bytes.maketrans(b"123456789:[,-\n\r\t", b"0" * 9 + b" " * 7)
_LONG: Final = b" " + b"0" * 20  # from here on 64 bits may not hold it


def _has_long_number(body: bytes) -> bool:
    """Whether a whole number of 20 digits or more may stand outside of texts."""
    plain = body.translate(_DIGITS)
    return _LONG in plain or plain.startswith(_LONG[1:])


def _json_text(body: bytes) -> str:
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace").strip()
    return body.decode("utf-8", "replace").strip()


def _whole(text: str) -> int:
    if len(text) > NUMBER_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _no_number(text: str) -> None:
    """NaN, Infinity, -Infinity."""


def _repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    repeated = Fields(fields)
    repeated.pairs = pairs
    return repeated


_LENIENT = json.JSONDecoder(strict=False, parse_int=_whole, parse_float=_finite, parse_constant=_no_number)
_LENIENT_REPEATED = json.JSONDecoder(
    strict=False, parse_int=_whole, parse_float=_finite, parse_constant=_no_number, object_pairs_hook=_repeated
)


def _why(error: ValueError, body: bytes) -> str:
    """Where it stopped; never what stood there, which may be a phone number or a text."""
    if not body.strip():
        return "it is empty"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} at character {error.pos + 1}"
    return "a number is too long"


# ---- XML ------------------------------------------------------------------------------------------------------------


def parse_xml(body: bytes, work: Work) -> Any:
    """XML as fields: `<a id="1"><b>x</b><b>y</b></a>` is `{a: {id: "1", b: ["x", "y"]}}`. Raises ValueError, and
    TooMuchWorkError before the work is done.

    Attributes and elements become plain fields without namespaces, repeated ones lists, empty elements null; text
    beside attributes or elements stands under `#text`. Document types and entities are refused.
    """
    marks = body.count(b"<") + body.count(b"=") + body.count(b"&")
    work.spend(marks * XML_MARK + len(body) // XML_BYTES_A_STEP)
    parser = expat.ParserCreate()  # not of namespaces: it would write each name out with its own, however long that is
    target = _XmlFields()
    parser.buffer_text = True
    parser.ordered_attributes = True
    parser.StartElementHandler = target.start
    parser.EndElementHandler = target.end
    parser.CharacterDataHandler = target.data
    parser.StartDoctypeDeclHandler = target.doctype  # no document type, so no entities of its own and no bombs
    try:
        parser.Parse(unframed(body).lstrip(), True)  # a line break before `<?xml` is a fault to expat
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ValueError(_why_not_xml(error, body)) from None
    return target.document


def _why_not_xml(error: Exception, body: bytes) -> str:
    if not body.strip():
        return "it is empty"
    if isinstance(error, _TooDeepError):
        return "nested too deeply"
    if isinstance(error, expat.ExpatError):  # its message: words and a position, no content
        return str(error)
    return "it has a document type or an unknown encoding"


class _TooDeepError(ValueError):
    pass


class _XmlFields:
    """What the parser tells about elements, collected as fields."""

    def __init__(self) -> None:
        self._open: list[dict[str, Any]] = [{}]
        self._text: list[list[str]] = [[]]

    @property
    def document(self) -> dict[str, Any]:
        """The root element, under its name."""
        return self._open[0]

    def doctype(self, *declaration: object) -> None:
        raise ValueError

    def start(self, tag: str, attributes: list[str]) -> None:
        if len(self._open) > XML_DEPTH:
            raise _TooDeepError
        fields: dict[str, Any] = {}
        for name, value in zip(attributes[::2], attributes[1::2], strict=True):
            if name != "xmlns" and not name.startswith("xmlns:"):
                _add(fields, name, value)
        self._open.append(fields)
        self._text.append([])

    def data(self, text: str) -> None:
        self._text[-1].append(text)

    def end(self, tag: str) -> None:
        fields = self._open.pop()
        text = "".join(self._text.pop()).strip()
        value: Any = text or None
        if fields:
            value = fields
            if text:
                fields["#text"] = text
        _add(self._open[-1], tag, value)


def _add(fields: dict[str, Any], name: str, value: Any) -> None:
    name = name.rpartition(":")[2]
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]
