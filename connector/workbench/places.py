"""Where each replacement stands in the text of a definition, and whether a whole request shares it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from connector.config_text.source import List, Map, Place, PlacedValue
from connector.definition.arguments import ExpressionError
from connector.definition.expression import Expression
from connector.definition.expression_text import split
from connector.definition.tree import Definition, Operation
from connector.definition.walk import Use, in_record, uses

_mark = re.compile(r"\$\$\$\$|\$\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{((?:\$\{[^{}']*\}|[^'{}]|'(?:[^']|'')*')*)\})")
_index = re.compile("[0-9]{1,9}").fullmatch


@dataclass(frozen=True, slots=True)
class PlacedUse:
    """One replacement in the text.

    Attributes:
        names: what it reads.
        line, column: of its `$$`, from 1.
        length: characters.
        shared: it is the same for a whole request; False for what each message brings to its record.
        optional: without a value it is left out.
        operation: in which it stands.
        path: where, in the definition.
    """

    names: tuple[str, ...]
    line: int
    column: int
    length: int
    shared: bool
    optional: bool
    operation: str
    path: str


def placed_uses(definition: Definition, text: str) -> list[PlacedUse]:
    """Every replacement of the requests that stands in `text` itself, not in what it extends; in the text's order.

    What several operations inherit is listed once, as the first of them has it.
    """
    if definition.source is None:
        return []
    marks = _WrittenMarks(text)
    found: dict[tuple[int, int], PlacedUse] = {}
    for operation in definition.operations:
        for use in uses(operation):
            place = _place(definition.source, operation, use)
            if place is None or place.file != definition.file or place.line is None or place.column is None:
                continue
            at = marks.take(operation.name, place.line, place.column, use.expression.source)
            if at is None:
                continue
            placed = PlacedUse(
                names=tuple(sorted(use.expression.names)),
                line=at[0],
                column=at[1],
                length=at[2],
                shared=shares(operation, use),
                optional=use.expression.optional,
                operation=operation.name,
                path=place.path,
            )
            found.setdefault((placed.line, placed.column), placed)
    return [found[at] for at in sorted(found)]


def shares(operation: Operation, use: Use) -> bool:
    """Whether all messages of a request have the same there."""
    return operation.batching is not None and not in_record(operation, use)


class _WrittenMarks:
    """The replacements as the text writes them: an escape of JSON or YAML inside one does not hide where it begins."""

    def __init__(self, text: str) -> None:
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found = [match for match in _mark.finditer(text) if match.group() != "$$$$"]
        self._starts = [match.start() for match in self._found]
        self._taken: set[tuple[str, int]] = set()

    def take(self, operation: str, line: int, column: int, source: str) -> tuple[int, int, int] | None:
        """Line, column and length of the next one behind this place that says `source`; each is given once."""
        if line > len(self._lines):
            return None
        begins = self._lines[line - 1] + column - 1
        for index in range(bisect_right(self._starts, begins - 1), len(self._found)):
            match = self._found[index]
            if (operation, index) in self._taken or (match[1] or match[2]).strip() != source:
                continue
            self._taken.add((operation, index))
            at = bisect_right(self._lines, match.start())
            return at, match.start() - self._lines[at - 1] + 1, len(match.group())
        return None


def _place(source: Map, operation: Operation, use: Use) -> Place | None:
    """Of the value a replacement stands in; of the key where it stands in one."""
    own = tuple(part for part in re.split(r"[\[\].]", operation.path) if part)
    found = _at(source, (*own, *use.path)) or _at(source, use.path)
    if isinstance(found, Map):
        return next(_keys_with(found, use.expression), found.place)
    return None if found is None else found.place


def _keys_with(found: Map, expression: Expression) -> Iterator[Place]:
    for key, place in found.keys.items():
        if "$$" in key:
            try:
                parts = split(key)
            except ExpressionError:
                continue
            if any(isinstance(part, Expression) and part.source == expression.source for part in parts):
                yield place


def _at(source: PlacedValue, path: tuple[str, ...]) -> PlacedValue | None:
    for segment in path:
        if isinstance(source, Map) and segment in source.members:
            source = source.members[segment]
        elif isinstance(source, List) and _index(segment) and int(segment) < len(source.items):
            source = source.items[int(segment)]
        else:
            return None
    return source
