"""The batch key: what stands outside the records, rendered.

Two messages share a batch exactly when everything outside their records renders to the same bytes. So the key holds,
for each place outside that depends on a message, what it renders: in JSON the value with its type, elsewhere its text.
What belongs to the batch (`batch_id()`, `count()`, `now()`) is the same for all its messages and is not in the key.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from connector.definition.expression import MISSING, Expression
from connector.definition.tree import Array, Encoded, Member, Node, Object, Replacement, Text
from connector.errors import MessageError
from connector.model import Message
from connector.request.encoders import json_bytes
from connector.request.textual import longer_text, unescaped, whole_text
from connector.request.values import NO_BATCH, Path


class BatchKey:
    """The key of one operation.

    Attributes:
        expressions: what is in it, as written, in the order of the definition.
    """

    def __init__(self) -> None:
        self.expressions: list[str] = []
        self._pieces: list[tuple[Any, str | None, bool]] = []
        self._seen: set[tuple[object, bool]] = set()

    def add(self, node: Node, *, json: bool, keys: Sequence[Path] = ()) -> None:
        """Take in what stands in `node` outside `keys` (relative to it); `json` where values keep their type."""
        for outside, typed in _outside(node, keys, json=json):
            parts = outside.parts if isinstance(outside, Text) else (outside.expression,)
            expressions = [part for part in parts if isinstance(part, Expression)]
            if not any(expression.names or "message_id" in expression.calls for expression in expressions):
                continue
            identity = (outside, typed)
            if identity in self._seen:
                continue
            self._seen.add(identity)
            for expression in expressions:
                if expression.names and expression.written not in self.expressions:
                    self.expressions.append(expression.written)
            self._pieces.append(_piece(outside, typed=typed))

    def of(self, message: Message) -> tuple[Any, ...]:
        """The key of `message`; raises MessageError when something outside has no value."""
        out = []
        for build, absent, typed in self._pieces:
            value = build(message, NO_BATCH)
            if value.__class__ is not str:
                if value is MISSING:
                    if absent is not None:
                        raise MessageError(absent)
                elif typed:
                    value = json_bytes(value)
            out.append(value)
        return tuple(out)


def expressions_in(node: Node) -> Iterator[Expression]:
    """Every replacement in `node`."""
    for outside, _ in _outside(node, (), json=True):
        if isinstance(outside, Text):
            yield from (part for part in outside.parts if isinstance(part, Expression))
        else:
            yield outside.expression


def _outside(node: Node, keys: Sequence[Path], *, json: bool) -> Iterator[tuple[Replacement | Text, bool]]:
    """Every place outside `keys` with replacements, and whether its value keeps its type there."""
    if () in keys:
        return
    match node:
        case Replacement(expression):
            yield node, json and not expression.raw
        case Text():
            yield node, False
        case Encoded(encoding, inner):
            yield from _outside(inner, keys, json=encoding == "json")
        case Array(items):
            for index, item in enumerate(items):
                yield from _outside(item, _below(keys, str(index)), json=json)
        case Object(members):
            for member in members:
                if not isinstance(member, Member):
                    yield Replacement(member.expression), True
                elif isinstance(member.key, str):
                    yield from _outside(member.value, _below(keys, member.key), json=json)
                else:
                    yield member.key, False
                    yield from _outside(member.value, (), json=json)


def _below(keys: Sequence[Path], name: str) -> list[Path]:
    return [path[1:] for path in keys if path and path[0] == name]


def _piece(outside: Replacement | Text, *, typed: bool) -> tuple[Any, str | None, bool]:
    if isinstance(outside, Text):
        return longer_text(outside.parts, unescaped, unescaped), None, False
    expression = outside.expression
    absent = None if expression.optional else f"{expression.written} has no value"
    if typed:
        return expression.compile(), absent, True
    return whole_text(expression, unescaped, unescaped), absent, False
