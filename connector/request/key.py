"""The batch key: what stands outside the records, rendered.

Two messages share a batch exactly when everything outside their records renders to the same bytes. So the key holds,
for each place outside that depends on a message, what it renders: in JSON the value with its type, elsewhere its text.
What belongs to the batch (`batch_id()`, `count()`, `now()`) is the same for all its messages and is not in the key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from connector.definition.expression import MISSING, Expression
from connector.definition.system import SYSTEM_NAMES
from connector.definition.tree import Array, Encoded, Node, Object, ObjectMember, Replacement, Text
from connector.errors import MessageError
from connector.model import Message
from connector.request.encoders import json_bytes
from connector.request.textual import Build, longer_text, unescaped, whole_text
from connector.request.values import NO_BATCH, KeyPath


class BatchKey:
    """The key of one operation.

    Attributes:
        expressions: what is in it, as written, in the order of the definition.
        parts: for each element of a key, the replacements it is rendered from.
    """

    def __init__(self) -> None:
        self.expressions: list[str] = []
        self.parts: list[str] = []
        self._builds: list[Build] = []
        self._pieces: list[tuple[str | None, bool]] = []  # why it may not be absent; whether it keeps its type
        self._seen: dict[tuple[Replacement | Text, bool], None] = {}
        self._plain: PlainKey | None = None

    def add(self, node: Node, *, json: bool, keys: Sequence[KeyPath] = ()) -> None:
        """Take in what stands in `node` outside `keys` (relative to it); `json` where values keep their type."""
        for outside, typed in _outside(node, keys, json=json):
            parts = outside.parts if isinstance(outside, Text) else (outside.expression,)
            expressions = [part for part in parts if isinstance(part, Expression)]
            if not any(expression.names or "message_id" in expression.calls for expression in expressions):
                continue
            identity = (outside, typed)
            if identity in self._seen:
                continue
            self._seen[identity] = None
            self.parts.append(" ".join([expression.written for expression in expressions]))
            for expression in expressions:
                if expression.names and expression.written not in self.expressions:
                    self.expressions.append(expression.written)
            build, absent, keeps = _piece(outside, typed=typed)
            self._builds.append(build)
            self._pieces.append((absent, keeps))
        self._plain = _plain([outside for outside, _ in self._seen])

    def of(self, message: Message) -> tuple[Any, ...]:
        """The key of `message`; raises MessageError when something outside has no value."""
        if (plain := self.of_all([message])) is not None:
            return plain[0]
        key = tuple([build(message, NO_BATCH) for build in self._builds])
        for value in key:
            if value.__class__ is not str:
                return tuple(map(_typed, key, self._pieces))
        return key

    def of_all(self, messages: Sequence[Message]) -> list[tuple[Any, ...]] | None:
        """The keys of messages at once, in a tenth of the time; None where one of them has to be asked by itself."""
        return None if self._plain is None else self._plain(messages)


PlainKey = Callable[[Sequence[Message]], list[tuple[Any, ...]] | None]


def _plain(places: Sequence[Replacement | Text]) -> PlainKey | None:
    """How keys are read where every place is a bare replacement, as nearly always: column by column.

    None for messages one of which does not have a text with something in it at every place.
    """
    heads = []
    for place in places:
        if not isinstance(place, Replacement) or place.expression.filters or place.expression.head.kind != "name":
            return None
        heads.append(place.expression.head.text)
    fields = {name: SYSTEM_NAMES[name] for name in heads if name in SYSTEM_NAMES}
    customs = any(name not in fields for name in heads)

    def plain(messages: Sequence[Message]) -> list[tuple[Any, ...]] | None:
        maps = [message.custom or {} for message in messages] if customs else []
        columns = [
            list(map(fields[name], messages)) if name in fields else [custom.get(name) for custom in maps]
            for name in heads
        ]
        for column in columns:
            if set(map(type, column)) != {str} or not all(column):
                return None
        return list(zip(*columns, strict=True)) if columns else [()] * len(messages)

    return plain


def _typed(value: Any, piece: tuple[str | None, bool]) -> Any:
    """A value of the key; with its type where it keeps that in the request."""
    absent, typed = piece
    if value is MISSING and absent is not None:
        raise MessageError(absent)
    return json_bytes(value) if typed and value is not MISSING and value.__class__ is not str else value


def expressions_in(node: Node) -> Iterator[Expression]:
    """Every replacement in `node`."""
    for outside, _ in _outside(node, (), json=True):
        if isinstance(outside, Text):
            yield from (part for part in outside.parts if isinstance(part, Expression))
        else:
            yield outside.expression


def _outside(node: Node, keys: Sequence[KeyPath], *, json: bool) -> Iterator[tuple[Replacement | Text, bool]]:
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
                if not isinstance(member, ObjectMember):
                    yield Replacement(member.expression), True
                elif isinstance(member.key, str):
                    yield from _outside(member.value, _below(keys, member.key), json=json)
                else:
                    yield member.key, False
                    yield from _outside(member.value, (), json=json)


def _below(keys: Sequence[KeyPath], name: str) -> list[KeyPath]:
    return [path[1:] for path in keys if path and path[0] == name]


def _piece(outside: Replacement | Text, *, typed: bool) -> tuple[Build, str | None, bool]:
    if isinstance(outside, Text):
        return longer_text(outside.parts, unescaped, unescaped), None, False
    expression = outside.expression
    absent = None if expression.optional else f"{expression.written} has no value"
    if typed:
        return expression.compile(), absent, True
    return whole_text(expression, unescaped, unescaped), absent, False
