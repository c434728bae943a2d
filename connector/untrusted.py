"""JSON that others wrote, read within bounds: its depth, its numbers, and the time it takes.

msgspec bounds a number's digits, and raises RecursionError where the stack ends: how deep that is depends on Python's
version and on who calls. So depth has a number of its own, looked at before anything is decoded. Its parser of floats
takes 14 µs for `1e300`, 25 times as long as Python's: a megabyte of those held the loop for seconds. Numbers of no
known type go through Python's.
"""

from __future__ import annotations

import math
import re
from itertools import accumulate
from typing import Any, Generic, TypeVar

import msgspec

DEPTH = 200
"""Arrays and objects within each other. orjson writes 254; the rest is for what a definition puts around a value."""

READ_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError, MemoryError)
"""What decoding may raise on bytes of others, whatever they are."""

T = TypeVar("T")

# A string to its end, or to the end of the text: each byte is looked at once, whatever the text is.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_OTHERS = bytes(sorted(set(range(256)) - set(b"[]{}")))
_AS_STEPS = bytes.maketrans(b"[{]}", b"\1\1\0\0")
_STEPS = (-1, 1)


class UnreadableError(ValueError):
    """It is not what it should be. Says what is wrong in our own words: nothing of the content."""


def too_deep(raw: bytes) -> bool:
    """Whether arrays and objects stand within each other deeper than DEPTH.

    Each level takes two bytes, so an ordinary event is not looked at; what opens few of them needs no second look. A
    megabyte of nothing else takes 60 ms.
    """
    if len(raw) <= 2 * DEPTH or raw.count(b"[") + raw.count(b"{") <= DEPTH:
        return False
    steps = _STRINGS.sub(b"", raw).translate(_AS_STEPS, _OTHERS)
    return max(accumulate(map(_STEPS.__getitem__, steps)), default=0) > DEPTH


def finite(text: str) -> float:
    """A float from its text. Raises ValueError where none is so large: `1e400` must not become infinity."""
    number = float(text)
    if math.isinf(number):
        raise ValueError("Number out of range")  # as msgspec says it
    return number


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """msgspec's, for values whose numbers others chose. Its callers look at `too_deep` first."""
    return msgspec.json.Decoder(kind, float_hook=finite)


class BoundedReader(Generic[T]):
    """Reads values of one type.

    Args:
        kind: what they are.
        most: bytes beyond which it is none of them.
    """

    def __init__(self, kind: type[T], *, most: int | None = None) -> None:
        self._decode = decoder(kind).decode
        self._most = most

    def __call__(self, raw: bytes | str | None) -> T:
        """The value. Raises UnreadableError."""
        value = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw or b""
        if not value:
            raise UnreadableError("it is empty")
        if self._most is not None and len(value) > self._most:
            raise UnreadableError(f"it has {len(value)} bytes, more than {self._most}")
        if too_deep(value):
            raise UnreadableError(f"nested deeper than {DEPTH}")
        try:
            return self._decode(value)
        except READ_ERRORS as error:
            raise UnreadableError(_words(error)) from None


def _words(error: BaseException) -> str:
    """What is wrong, without what was written there."""
    if isinstance(error, msgspec.ValidationError):
        text = str(error)
        if text.startswith("Object missing required field `"):
            return "a field is missing: " + text.split("`")[1]
        return f"a value does not fit{_place(text)}"
    if isinstance(error, msgspec.DecodeError | UnicodeDecodeError):
        return "it is not JSON in UTF-8"
    return f"it cannot be decoded ({type(error).__name__})"


def _place(text: str) -> str:
    """Msgspec ends with the path; keys of maps are `[...]` in it."""
    _, found, path = text.rpartition(" - at `")
    return f" at {path.rstrip('`')}" if found else ""


def text_of(value: Any, *, most: int) -> str | None:
    """A text of others of up to `most` characters; None for anything else."""
    return value if isinstance(value, str) and 0 < len(value) <= most else None
