"""Leaves as text: what form, XML, headers, URLs and plain text have in common.

Each format is two functions: `escape` for what a user or the definition wrote, and `check` for what `raw` inserts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from connector.definition.charsets import charset as charset_of
from connector.definition.conversions import as_text
from connector.definition.expression import MISSING, Column, Expression
from connector.definition.tree import Constant, Replacement, Text
from connector.errors import MessageError
from connector.model import Batch, Message

Build = Callable[[Message, Batch], Any]
Escape = Callable[[str], str]


def constant_text(constant: Constant) -> str:
    """A constant as text: a number in its own spelling, null as nothing."""
    if constant.text is not None:
        return constant.text
    return "" if constant.value is None else as_text(constant.value)


def as_characters(raw: bytes) -> str:
    """Bytes where nothing is sent (a batch key): one character each."""
    return raw.decode("latin-1")


def whole_text(
    expression: Expression, escape: Escape, check: Escape, octets: Callable[[bytes], str] = as_characters
) -> Build:
    """A string that is one replacement, as escaped text; MISSING where it has no value. `octets` lands bytes."""
    read, written = expression.compile(), expression.written
    if expression.octets:

        def encoded(message: Message, batch: Batch) -> Any:
            value = read(message, batch)
            if type(value) is bytes:
                return octets(value)
            return value if value is MISSING else escape(as_text(value))  # `gsm` chose a text

        return encoded
    land = check if expression.raw else escape

    def whole(message: Message, batch: Batch) -> Any:
        value = read(message, batch)
        if value is MISSING:
            return value
        try:
            return land(value if type(value) is str else as_text(value))
        except MessageError as error:
            raise MessageError(f"{written}: {error.reason}") from None

    return whole


def longer_text(
    parts: Sequence[str | Expression],
    escape: Escape,
    check: Escape,
    literal: Escape | None = None,
    octets: Callable[[bytes], str] = as_characters,
) -> Build:
    """Longer text, its literal parts escaped once (by `literal`, else as values are).

    A missing optional value is empty. Raises MessageError when a literal part cannot stand there.
    """
    builds: list[Build] = []
    for part in parts:
        if isinstance(part, str):
            builds.append(_literal((literal or escape)(part)))
        else:
            builds.append(_inside(part, escape, check, octets))

    def text(message: Message, batch: Batch) -> str:
        return "".join([build(message, batch) for build in builds])

    return text


def _literal(text: str) -> Build:
    return lambda message, batch: text


def _inside(
    expression: Expression, escape: Escape, check: Escape, octets: Callable[[bytes], str] = as_characters
) -> Build:
    whole, written, optional = whole_text(expression, escape, check, octets), expression.written, expression.optional

    def inside(message: Message, batch: Batch) -> Any:
        value = whole(message, batch)
        if value is not MISSING:
            return value
        if optional:
            return ""
        raise MessageError(f"{written} has no value")

    return inside


def unescaped(text: str) -> str:
    """The escape of a place that takes any text."""
    return text


def key_text(key: Replacement | Text) -> Build:
    """The plain text of a key that holds replacements; MISSING where it is one optional replacement without a value."""
    if isinstance(key, Text):
        return longer_text(key.parts, unescaped, unescaped)
    expression = key.expression
    if not expression.optional:
        return _inside(expression, unescaped, unescaped)
    return whole_text(expression, unescaped, unescaped)


# ---- the encoders that write text -----------------------------------------------------------------------------------


class TextEncoder:
    """Base of the encoders whose leaves are text.

    `charset` is what the body will be encoded in: a leaf that it cannot hold makes its message invalid, not the batch.
    """

    def __init__(self, charset: str) -> None:
        self.charset = charset
        self._encode = charset_of(charset).encode

    def escape(self, text: str) -> str:
        """User text as it lands; raises MessageError for what cannot."""
        return self.check(text)

    def check(self, text: str) -> str:
        """`raw` text: as it is, refused where it cannot be sent at all."""
        if not text.isascii():
            self._encode(text)
        return text

    def octets(self, raw: bytes) -> str:
        """Bytes as they land; raises ValueError where none can."""
        raise ValueError("`encode` gives bytes, which cannot stand here")

    def _lands(self, expression: Expression) -> Expression:
        if expression.octets:
            self.octets(b"")
        return expression

    def constant(self, constant: Constant) -> Any:
        return self.escape(constant_text(constant))

    def whole(self, expression: Expression) -> Build:
        return whole_text(self._lands(expression), self.escape, self.check, self.octets)

    def column(self, expression: Expression) -> Column | None:
        return None  # each is escaped

    def text(self, parts: Sequence[str | Expression]) -> Build:
        for part in parts:
            if isinstance(part, Expression):
                self._lands(part)
        return longer_text(parts, self.escape, self.check, octets=self.octets)

    def spread(self, value: Any) -> Any:
        return MISSING if value is None else self.escape(as_text(value))

    def inserted(self, text: str) -> Any:
        return self.escape(text)


# ---- headers --------------------------------------------------------------------------------------------------------

_control = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]").search


def header_text(text: str) -> str:
    """A header's value; raises MessageError for a line break or another control character (header injection)."""
    if _control(text):
        raise MessageError("a control character, which a header cannot hold")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise MessageError("a character that a header cannot hold") from None
    return text
