"""What a reply counts: totals that must agree with the request, and ids of which it names only the ends."""

from __future__ import annotations

import re
from typing import Any, Final

from connector.definition.tree import IdRange
from connector.response.document import Fields
from connector.response.fields import Scope
from connector.response.functions import to_number
from connector.response.path import Get
from connector.response.reply_values import scalar_key

_NUMBERED: Final = re.compile("(.*?)([0-9]{1,18})", re.DOTALL).fullmatch
_LARGEST: Final = 10**15  # what is larger counts nothing, and is not repeated in a reason


class Total:
    """`count`: a number in a reply that must be the number of what is there."""

    __slots__ = ("_get",)

    def __init__(self, source: str, scope: Scope, path: str) -> None:
        self._get: Get | None = scope.path(source, f"{path}.count")

    def doubt(self, document: Any, expected: int) -> str | None:
        """Why the number does not agree with `expected`; None where it does."""
        number = whole_number(self._get(document)) if self._get is not None else None
        if number == expected:
            return None
        return f"the reply counts {'none' if number is None else f'{number:,}'}, where {expected:,} are meant"


class Ids:
    """`range`: ids that follow one another."""

    __slots__ = ("_count", "_first", "_last")

    def __init__(self, source: IdRange, scope: Scope, path: str) -> None:
        self._first: Get | None = scope.path(source.first, f"{path}.range.first")
        self._last: Get | None = scope.path(source.last, f"{path}.range.last")
        self._count: Get | None = scope.path(source.count, f"{path}.range.count")

    def of(self, entry: Any, room: int) -> list[str]:
        """The ids an entry stands for, in order. They count up in their last digits and keep their width.

        Raises ValueError, saying why, where it says no range, or one of more than `room` ids.
        """
        first = _parts(self._first, entry)
        if first is None:
            raise ValueError("no number at the end of the first id")
        prefix, digits = first
        start = int(digits)
        if self._count is not None:
            count = whole_number(self._count(entry))
        else:
            last = _parts(self._last, entry)
            count = int(last[1]) - start + 1 if last is not None and last[0] == prefix else None
        if count is None or not 0 <= count < _LARGEST:
            raise ValueError("the ids of its range do not follow one another")
        if count > room:
            raise ValueError(f"a range of {count:,} ids for {room:,} messages")
        return [f"{prefix}{number:0{len(digits)}}" for number in range(start, start + count)]


def whole_number(value: Any) -> int | None:
    """What counts something: a whole number that is not negative, or a text of one."""
    number = to_number(value)
    return int(number) if number is not None and 0 <= number < _LARGEST and number == int(number) else None


def _parts(get: Get | None, entry: Any) -> tuple[str, str] | None:
    """An id before and in its last digits."""
    text = scalar_key(get(entry)) if get is not None else None
    found = _NUMBERED(text.strip()) if text is not None else None
    return None if found is None else (found[1], found[2])


def says_twice(document: Any) -> bool:
    """Whether an object in `document` writes a key twice and means two things by it."""
    open_ = [document]
    while open_:
        each = open_.pop()
        if isinstance(each, Fields) and any(each[key] != value for key, value in each.pairs):
            return True
        if isinstance(each, dict):
            open_.extend(each.values())
        elif isinstance(each, list):
            open_.extend(each)
    return False
