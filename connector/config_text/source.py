"""What a file says, with the place of every value: read before anything is known about its meaning.

YAML 1.2's core schema, narrowed: only true, false, null and decimal numbers are special. What other readers would turn
into something else (`040`, `+91…`, `1_000`) is refused where it stands unquoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connector.errors import Problem

LINE: Final = 1_000  # characters of a message, a remedy or a path


def short(text: str) -> str:
    """`text`, with its middle left out where it is long."""
    return text if len(text) <= LINE else f"{text[: LINE // 2]}…{text[-LINE // 2 :]}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: file, dotted path inside it, line and column from 1."""

    file: str
    path: str = ""
    line: int | None = None
    column: int | None = None

    def problem(self, message: str, remedy: str = "") -> Problem:
        """What is wrong here, in a line that can be read, whatever the file holds."""
        return Problem(short(message), short(remedy), self.file, short(self.path), self.line, self.column)

    def member(self, key: str) -> str:
        """The path of a member called `key`."""
        name = key if re.fullmatch(r"[^.\[\]\"\s]+", key) else f'"{key}"'
        return f"{self.path}.{name}" if self.path else name

    def element(self, index: int) -> str:
        """The path of the element at `index`."""
        return f"{self.path}[{index}]"


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar.

    Attributes:
        data: text, number, true, false or null.
        text: its own spelling (`1.10`); the text itself for texts.
        place: where it stands.
        indent: for a block text (`|`): the columns its lines are indented by; None for everything else.
    """

    data: str | int | float | bool | None
    text: str
    place: Place
    indent: int | None = None

    def at(self, position: int) -> Place:
        """The place of a character of this text: exact in a block text, the value's own place elsewhere."""
        if self.indent is None or self.place.line is None:
            return self.place
        before = self.text[:position]
        line = self.place.line + 1 + before.count("\n")
        return replace(self.place, line=line, column=self.indent + position - (before.rfind("\n") + 1) + 1)


@dataclass(frozen=True, slots=True)
class Map:
    """Keys and values in the order of the file. `keys` holds the place of each key."""

    members: dict[str, PlacedValue]
    place: Place
    keys: dict[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class List:
    """Elements in order."""

    items: tuple[PlacedValue, ...]
    place: Place


PlacedValue = Value | Map | List


def kind_of(source: PlacedValue) -> str:
    """What a value is, in words."""
    if isinstance(source, Map):
        return "a map"
    if isinstance(source, List):
        return "a list"
    if source.data is None:
        return "null"
    return {bool: "true or false", str: "a text"}.get(type(source.data), "a number")


def children(source: PlacedValue) -> Iterator[PlacedValue]:
    """Everything directly inside a value."""
    if isinstance(source, Map):
        yield from source.members.values()
    elif isinstance(source, List):
        yield from source.items


def plain(source: PlacedValue) -> Any:
    """The bare data, places forgotten."""
    if isinstance(source, Map):
        return {key: plain(value) for key, value in source.members.items()}
    if isinstance(source, List):
        return [plain(item) for item in source.items]
    return source.data


# ---- scalars -------------------------------------------------------------------------------------------------------

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_number = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?").fullmatch
_doubtful = re.compile(r"[+-]?0[0-9]+(\.[0-9]*)?|\+[0-9][0-9.]*|[+-]?[0-9]+(_[0-9]+)+|0[xob][0-9A-Fa-f]+").fullmatch
_LARGEST: Final = 2**53  # from here on other readers of JSON round
_HUGE: Final = 1.7e308


def scalar(text: str, place: Place, problems: list[Problem]) -> Value:
    """An unquoted scalar of YAML, or a bare word of JSON."""
    if text in _WORDS:
        return Value(_WORDS[text], text, place)
    if _doubtful(text):
        problems.append(place.problem(f"{text} is read differently by different programs", f'quote it: "{text}"'))
        return Value(text, text, place)
    match = _number(text)
    if match is None:
        return Value(text, text, place)
    whole = match.group(2) is None and match.group(3) is None
    number = int(text[:20]) if whole else float(text)  # twenty characters say enough about the size
    if abs(number) > (_LARGEST if whole else _HUGE):
        limit = " (over 2^53)" if whole else ""
        remedy = f'quote it: "{text}"'
        if whole:
            remedy += f"; in a definition $${{'{text}'|int}} sends the number"
        problems.append(place.problem(f"{text} is too large for a number{limit}", remedy))
        return Value(text, text, place)
    return Value(number, text, place)
