"""Which characters of a rendered request are whose: each value carries a mark through formats and escapes.

The request is rendered once more with marks (characters of the private use area) around every value, by the same code;
then they are taken out. What is left must be the request itself, character by character: where it is not, because a
charset cannot hold marks or a value is hidden in Base64, nothing is coloured rather than something wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from urllib.parse import unquote

import orjson

from connector.definition.arguments import Filter
from connector.definition.conversions import as_json, as_text
from connector.definition.expression import Expression, FilterCall
from connector.definition.octets import Octets
from connector.definition.tree import (
    Array,
    Encoded,
    Node,
    Object,
    ObjectMember,
    Operation,
    Replacement,
    Spread,
    Text,
)
from connector.definition.walk import uses
from connector.errors import ConnectorError
from connector.model import Batch, Message, Request
from connector.request.renderer import compile_operation
from connector.request.show import show
from connector.workbench.places import shares

END: Final = "\ue0ff"
BARE: Final = "\ue0fe"
"""Behind the first mark: what follows is no text in JSON, and its quotes are the marks'."""
FIRST: Final = 0xE100
MOST: Final = 0x1000
"""Replacements that are told apart."""

_LIKE: Final = (
    r"[\ue0fe-\uf0ff]|%EE%8[3-9A-F]%[89AB][0-9A-F]|%EE%[9AB][0-9A-F]%[89AB][0-9A-F]|%EF%8[0-3]%[89AB][0-9A-F]"
)
_mark = re.compile(rf"{_LIKE}|\\u(?:e0f[ef]|e[1-9a-f][0-9a-f]{{2}}|f0[0-9a-f]{{2}})|&#(?:5[7-9]|6[01])[0-9]{{3}};")
_bare = re.compile(rf'"([\ue100-\uf0ff]){BARE}((?:[^"\\]|\\.)*?){END}"')


Way = Literal["bare", "leave", "text"]
"""How what is no text is marked: in JSON with its quotes, in JSON inside something else not at all; else as text."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters `start` to `end` - 1 of a text are the value of a replacement.

    Attributes:
        start, end: of the text as Python counts it.
        name: the replacement, as written.
        shared: it is the same for the whole request.
    """

    start: int
    end: int
    name: str
    shared: bool


def segments(
    operation: Operation, messages: Sequence[Message], batch: Batch, shown: Request, references: Sequence[str]
) -> list[Segment]:
    """The values in `show(shown)`, in order; of a part that cannot be marked none.

    Args:
        operation: the request's.
        messages: in the order of its records.
        batch: as it was rendered with.
        shown: the request, with what is added when it is sent.
        references: the definition's, as `show` takes them.
    """
    marked, labels = _marked(operation)
    try:
        rendered = compile_operation(marked).render(messages, replace(batch, seq=0))
    except ConnectorError:  # a place that takes no such characters
        return []
    if rendered.request is None or len(rendered.sent) < len(messages):
        return []
    return list(_compared(show(rendered.request, references), show(shown, references), labels))


def _compared(marked: str, plain: str, labels: Sequence[tuple[str, bool]]) -> list[Segment]:
    """The segments of every line of the head, and of the body, that is the same without its marks."""
    found: list[Segment] = []
    (head, blank, body), (shown, _, content) = marked.partition("\n\n"), plain.partition("\n\n")
    lines = dict(line.partition(" ")[::2] for line in head.split("\n"))
    start = 0
    for line in shown.split("\n"):
        name, _, _ = line.partition(" ")
        found += _within(f"{name} {lines.get(name, '')}", line, start, labels)
        start += len(line) + 1
    return found + (_within(body, content, len(shown) + 2, labels) if blank else [])


def _within(marked: str, plain: str, offset: int, labels: Sequence[tuple[str, bool]]) -> list[Segment]:
    marked = _bare.sub(_unquoted, marked)
    pieces: list[str] = []
    found: list[Segment] = []
    position = length = 0
    opened: tuple[int, tuple[str, bool]] | None = None
    for match in _mark.finditer(marked):
        pieces.append(marked[position : match.start()])
        length += len(pieces[-1])
        position = match.end()
        character = _character(match.group())
        if character == END:
            if opened is None:
                return []
            start, (name, shared) = opened
            found.append(Segment(offset + start, offset + length, name, shared))
            opened = None
        elif 0 <= (index := ord(character) - FIRST) < len(labels):
            opened = length, labels[index]
    pieces.append(marked[position:])
    return found if "".join(pieces) == plain else []


def _unquoted(match: re.Match[str]) -> str:
    try:
        return f"{match[1]}{orjson.loads(f'{chr(34)}{match[2]}{chr(34)}')}{END}"
    except orjson.JSONDecodeError:
        return match.group()


def _character(text: str) -> str:
    if len(text) == 1:
        return text
    if text.startswith("%"):
        return unquote(text)
    return chr(int(text[2:6], 16) if text.startswith("\\") else int(text[2:-1]))


# ---- marking --------------------------------------------------------------------------------------------------------


def _marked(operation: Operation) -> tuple[Operation, list[tuple[str, bool]]]:
    """The operation whose replacements are marked, and for each mark what it stands for."""
    marks = _Marks(operation)
    batching, url, body = operation.batching, operation.url, operation.body
    path = ("parameters", operation.kind)
    marked = replace(
        operation,
        url=Text(marks.parts(url.parts, ("url",))) if isinstance(url, Text) else url,
        query=marks.object(operation.query, ("query",), how="text"),
        headers=marks.object(operation.headers, ("headers",), how="text"),
        body=None if body is None else marks.node(body, path, how="bare" if operation.kind == "json" else "text"),
        batching=None if batching is None else replace(batching, max_bytes=2**40),
    )
    return marked, marks.labels


class _Marks:
    """Marks the replacements of an operation, one after the other.

    Attributes:
        labels: mark → the replacement as written, and whether it is shared.
    """

    def __init__(self, operation: Operation) -> None:
        self.labels: list[tuple[str, bool]] = []
        self._shared = {(use.path, use.expression): shares(operation, use) for use in uses(operation)}

    def mark(self, expression: Expression, path: tuple[str, ...], *, how: Way) -> Expression:
        if expression.raw or expression.octets or len(self.labels) >= MOST:
            return expression
        step = _step(chr(FIRST + len(self.labels)), how)
        self.labels.append((expression.written, self._shared.get((path, expression), False)))
        return replace(expression, filters=(*expression.filters, FilterCall(Filter("mark", lambda: step), ())))

    def parts(self, parts: Sequence[str | Expression], path: tuple[str, ...]) -> tuple[str | Expression, ...]:
        return tuple(part if isinstance(part, str) else self.mark(part, path, how="text") for part in parts)

    def node(self, given: Node, path: tuple[str, ...], *, how: Way) -> Node:
        match given:
            case Replacement(expression):
                return Replacement(self.mark(expression, path, how=how))
            case Text(parts):
                return Text(self.parts(parts, path))
            case Encoded(encoding, inner):
                nested: Way = "leave" if encoding == "json" else "text"
                return Encoded(encoding, self.node(inner, (*path, f"${encoding}"), how=nested))
            case Array(items):
                return Array(tuple(self.node(item, (*path, str(i)), how=how) for i, item in enumerate(items)))
            case Object():
                return self.object(given, path, how=how)
        return given

    def object(self, given: Object, path: tuple[str, ...], *, how: Way) -> Object:
        return Object(tuple(self._member(member, path, how=how) for member in given.members))

    def _member(self, member: ObjectMember | Spread, path: tuple[str, ...], *, how: Way) -> ObjectMember | Spread:
        if isinstance(member, Spread):
            return Spread(self.mark(member.expression, (*path, "..."), how=how))
        if isinstance(member.key, str):
            return ObjectMember(member.key, self.node(member.value, (*path, member.key), how=how))
        key = self.node(member.key, path, how="text")
        assert isinstance(key, Replacement | Text)
        return ObjectMember(key, self.node(member.value, path, how=how))


def _step(first: str, how: Way) -> Callable[[Any], Any]:
    """The last filter of a replacement: marks around a text, around each value of a structure."""

    def step(value: Any) -> Any:
        if isinstance(value, str):
            return f"{first}{value}{END}"
        if isinstance(value, Octets):
            return f"{first}{value.written()}{END}"
        if isinstance(value, dict):
            return {key: step(item) for key, item in value.items()}
        if isinstance(value, list):
            return [step(item) for item in value]
        if how == "leave":
            return value
        return f"{first}{BARE}{as_json(value)}{END}" if how == "bare" else f"{first}{as_text(value)}{END}"

    return step
