"""From the bytes of a reply to a document: plain dicts, lists, text and numbers. Whatever the bytes are, it ends in one
or in ValueError.

The declared decoders are tried in order; Content-Type is never asked (Nimbus answers JSON as text/html, Exotel HTML as
application/json).
"""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from defusedxml.ElementTree import DefusedXMLParser

# Elements inside one another. Replies of SMS providers have fewer than ten levels.
XML_DEPTH: Final = 100

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


def decode(body: bytes, decoders: Sequence[str], *, keep_repeated: bool = False) -> Any:
    """The document of the first decoder that can read `body`; None for `none`.

    Raises ValueError, saying why, when none can. `keep_repeated`: objects that repeat a key are `Fields`.
    """
    reasons = []
    for decoder in decoders:
        if decoder == "none":
            return None
        try:
            return parse_xml(body) if decoder == "xml" else parse_json(body, keep_repeated=keep_repeated)
        except ValueError as error:
            reasons.append(f"not {decoder.upper()} ({error})")
    raise ValueError(", ".join(reasons))


def unframed(body: bytes) -> bytes:
    """`body` without what stands around a document and is no part of it: marks of byte order (some servers write two,
    or one after a line break), NULs behind the end.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        return body
    body = body.rstrip(b"\0 \t\r\n") if body.endswith(b"\0") or b"\0" in body[-4:] else body
    while (begun := body.lstrip()).startswith(codecs.BOM_UTF8):
        body = begun[len(codecs.BOM_UTF8) :]
    return body


def decode_text(body: bytes) -> tuple[str, bool]:
    """At most TEXT_LIMIT characters of text, unreadable bytes replaced, and whether something was cut off."""
    body = unframed(body)
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            text = body[len(mark) :][: 4 * TEXT_LIMIT].decode(encoding, "replace")
            break
    else:
        text = body[: 4 * TEXT_LIMIT].decode("utf-8", "replace")
    return text[:TEXT_LIMIT], len(text) > TEXT_LIMIT or len(body) > 4 * TEXT_LIMIT


# ---- JSON -----------------------------------------------------------------------------------------------------------


def parse_json(body: bytes, *, keep_repeated: bool = False) -> Any:
    """JSON as providers write it. Raises ValueError.

    Read strictly first (msgspec keeps integers of any length: ids are). What is not strict is read once more, with
    unreadable bytes replaced, raw control characters and halves of surrogate pairs (texts cut by the provider) allowed,
    and NaN, Infinity and numbers out of range as null: none of them makes the rest of a reply doubtful.
    """
    if not keep_repeated:
        try:
            return msgspec.json.decode(body)
        except (ValueError, RecursionError):
            pass
    body = unframed(body)
    try:
        return _LENIENT_REPEATED.decode(_json_text(body)) if keep_repeated else _LENIENT.decode(_json_text(body))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(_why(error, body)) from None


def _json_text(body: bytes) -> str:
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace").strip()
    return body.decode("utf-8", "replace").strip()


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


_LENIENT = json.JSONDecoder(strict=False, parse_float=_finite, parse_constant=_no_number)
_LENIENT_REPEATED = json.JSONDecoder(
    strict=False, parse_float=_finite, parse_constant=_no_number, object_pairs_hook=_repeated
)


def _why(error: ValueError, body: bytes) -> str:
    """Where it stopped; never what stood there, which may be a phone number or a text."""
    if not body.strip():
        return "it is empty"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg.lower()} at character {error.pos + 1}"
    return "a number is too long"


# ---- XML ------------------------------------------------------------------------------------------------------------


def parse_xml(body: bytes) -> Any:
    """XML as fields: `<a id="1"><b>x</b><b>y</b></a>` is `{a: {id: "1", b: ["x", "y"]}}`. Raises ValueError.

    Attributes and elements become plain fields without namespaces, repeated ones lists, empty elements null; text
    beside attributes or elements stands under `#text`. Document types and entities are refused.
    """
    target = _XmlFields()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    try:
        parser.feed(unframed(body))
        return parser.close()
    except (SyntaxError, ValueError, LookupError) as error:
        raise ValueError(_why_not_xml(error, body)) from None


def _why_not_xml(error: Exception, body: bytes) -> str:
    if not body.strip():
        return "it is empty"
    if isinstance(error, _TooDeepError):
        return "nested too deeply"
    if isinstance(error, SyntaxError):  # expat's message: words and a position, no content
        return str(error)
    return "it has a document type or an unknown encoding"


class _TooDeepError(ValueError):
    pass


class _XmlFields:
    """What the parser tells about elements, collected as fields."""

    def __init__(self) -> None:
        self._open: list[dict[str, Any]] = [{}]
        self._text: list[list[str]] = [[]]

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) > XML_DEPTH:
            raise _TooDeepError
        fields: dict[str, Any] = {}
        for name, value in attributes.items():
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

    def close(self) -> dict[str, Any]:
        return self._open[0]


def _add(fields: dict[str, Any], name: str, value: Any) -> None:
    name = name.rpartition("}")[2]
    if name not in fields:
        fields[name] = value
    elif isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]
