"""The records of a batch: each message's own values, collected until something keeps a message out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from connector.definition.conversions import as_text
from connector.definition.expression import MISSING, Column, Expression, Head
from connector.definition.tree import Batching, Constant, Operation, Replacement, Text
from connector.errors import MessageError
from connector.model import Batch, Message
from connector.request.elements import Elements, counting, stands_alone
from connector.request.encoders import JsonEncoder, json_bytes
from connector.request.key import expressions_in
from connector.request.merged_values import Merged, Several, merging
from connector.request.textual import Build
from connector.request.values import Encoder, MergePoint, wrong


@dataclass(slots=True)
class Collected:
    """What became of the messages given to `collect`; the lists hold indexes into them, as in `Rendered`."""

    merged: Merged
    sent: list[int] = field(default_factory=list)
    invalid: list[tuple[int, MessageError]] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    def unwritable(self) -> list[tuple[int, MessageError]]:
        """The sent messages whose own values cannot be written: JSON finds out only when it writes the batch."""
        found = []
        for index, value in zip(self.sent, self.merged.values, strict=True):
            try:
                for own in value if isinstance(self.merged, Several) else (value,):
                    if own is not MISSING:
                        json_bytes(own)
            except MessageError as error:
                found.append((index, error))
        return found


class Records:
    """The keys of one operation, compiled."""

    def __init__(self, operation: Operation, batching: Batching, keys: Sequence[MergePoint]) -> None:
        self._keys = keys
        self._builds: list[Build] = []
        self._merging: list[Callable[[], Merged]] = []
        self._told_apart = _told_apart(operation)
        for key, recipient in zip(keys, _recipients(keys), strict=True):
            assert key.node is not None
            assert key.encoder is not None
            assert key.value is not None
            if isinstance(key.node, Replacement) and key.node.expression.raw and isinstance(key.encoder, JsonEncoder):
                raise wrong("batching.key", "raw JSON cannot be merged", "leave `raw` out")
            if any("count" in expression.calls for expression in expressions_in(key.node)):
                remedy = "put it outside the batching key"
                raise wrong("batching.key", "`count()` stands in a record, and is not known before the last", remedy)
            build = key.value.required()
            join = key.encoder.constant(Constant(batching.join))
            if isinstance(key.node, Text | Replacement):
                build = _separable(build, join, _written(key.node, key.encoder).count(join))
            self._builds.append(_present(build) if recipient and len(keys) > 1 else build)
            self._merging.append(merging(key.node, join))
        builds = self._builds
        self._count = counting(keys, batching.join)
        self._column = None if len(keys) > 1 or keys[0].value is None else keys[0].value.column
        self._build: Build = (
            builds[0] if len(builds) == 1 else lambda message, batch: [build(message, batch) for build in builds]
        )

    def collect(self, messages: Sequence[Message], batch: Batch, limit: int) -> Collected:
        """The values of the messages that can share a request, at most `limit` of them. Moves `batch.seq`."""
        merged = self._merging[0]() if len(self._keys) == 1 else Several([make() for make in self._merging])
        collected = Collected(merged)
        at_once = merged.fits is None and self._count is None and len(messages) <= limit
        values = self._together(messages, batch) if at_once else None
        if values is None:
            self._one_by_one(collected, messages, batch, limit)
        else:
            merged.values += values
            collected.sent += range(len(messages))
        return collected

    def _together(self, messages: Sequence[Message], batch: Batch) -> list[Any] | None:
        """The values of all messages, as it nearly always is; None where something may keep one of them out."""
        if len({message.to.removeprefix("+") for message in messages}) < len(messages):
            return None
        build = self._build
        try:
            values = None if self._column is None or len(messages) == 1 else self._column(messages)
            if values is None:
                values = [build(message, batch) for batch.seq, message in enumerate(messages, 1)]
                if MISSING in values:
                    return None
            for source in self._told_apart:
                if not _distinct(source, messages, batch):
                    return None
        except MessageError:
            return None
        return values

    def _one_by_one(self, collected: Collected, messages: Sequence[Message], batch: Batch, limit: int) -> None:
        """Message by message, keeping out what cannot be rendered or collides with one that is in."""
        build, fits, take = self._build, collected.merged.fits, collected.merged.take
        sent, left = collected.sent, collected.left
        phones, taken = set[str](), set[Mark]()
        count, agreed, alone = self._count, Elements(), False
        seq = 1
        for index, message in enumerate(messages):
            phone = message.to.removeprefix("+")
            if phone in phones or seq > limit:
                left.append(index)
                continue
            batch.seq = seq
            try:
                value = build(message, batch)
                if value is MISSING:
                    raise MessageError(_ABSENT)
                marks = _marks(self._told_apart, message, batch)
            except MessageError as error:
                collected.invalid.append((index, error))
                continue
            if not taken.isdisjoint(marks) or (fits is not None and not fits(value)):
                left.append(index)
                continue
            if count is not None:
                elements = count(value)
                if sent and (alone or elements != agreed):
                    left.append(index)
                    continue
                agreed, alone = elements, stands_alone(elements)
            take(value)
            taken.update(marks)
            phones.add(phone)
            sent.append(index)
            seq += 1

    def place_alone(self, message: Message, batch: Batch) -> bool:
        """Put the record of a request of one message where the body is going to look for it, as `collect` and `place`
        would. False where it has none. Moves `batch.seq`; raises MessageError where the message cannot be rendered.
        """
        batch.seq = 1
        value = self._build(message, batch)
        if value is MISSING:
            return False
        for source in self._told_apart:  # what its entry is found by can be computed
            for build, _ in source:
                build(message, batch)
        for key, own, make in zip(self._keys, value if len(self._keys) > 1 else (value,), self._merging, strict=True):
            if own.__class__ is list:  # an array by itself is what arrays merge to
                key.merged = own
                continue
            merged = make()
            if merged.fits is not None and not merged.fits(own):
                return False
            merged.take(own)
            key.merged = merged.first(1)
        return True

    def place(self, collected: Collected, count: int) -> None:
        """Put the first `count` records where the body is going to look for them."""
        first = collected.merged.first(count)
        for key, value in zip(self._keys, first if isinstance(collected.merged, Several) else [first], strict=True):
            key.merged = value

    def clear(self) -> None:
        """Let go of the records of the last request."""
        for key in self._keys:
            key.merged = MISSING


_ABSENT = "nothing of the message would stand in the request"


def _recipients(keys: Sequence[MergePoint]) -> list[bool]:
    """Which keys hold the recipient. Where it is only an argument (`Variables|under(To)`) that may be absent, if it
    stands in another key.
    """
    read = [list(expressions_in(key.node)) for key in keys if key.node is not None]
    heads = [any(expression.head == Head("name", "To") for expression in each) for each in read]
    return heads if any(heads) else [any("To" in expression.names for expression in each) for each in read]


def _present(build: Build) -> Build:
    """A key that holds the recipient: a message that is not in it is not in the request."""

    def present(message: Message, batch: Batch) -> Any:
        value = build(message, batch)
        if value is MISSING:
            raise MessageError(_ABSENT)
        return value

    return present


def _written(node: Text | Replacement, encoder: Encoder) -> str:
    """What the definition itself writes at a key, as it lands."""
    if isinstance(node, Replacement):
        return ""
    return "".join(str(encoder.constant(Constant(part))) for part in node.parts if isinstance(part, str))


def _separable(build: Build, join: str, written: int) -> Build:
    """A key whose values are joined: one that holds the separator would be read as two records, one of them to
    whomever its author chose. `written`: how often the definition's own text holds it.
    """
    longer = len(join) > 1 and not written

    def separable(message: Message, batch: Batch) -> Any:
        value = build(message, batch)
        kind = type(value)
        if kind is dict or kind is list or value is MISSING:
            return value
        text = value if kind is str else as_text(value)
        holds = join in text and text.count(join) > written
        if holds or (longer and (f"{text}{join}".find(join) < len(text) or f"{join}{text}".rfind(join) > 0)):
            raise MessageError("a value holds the text that separates the records of a batch")
        return value

    return separable if join else build


# ---- what two messages of a batch must not share --------------------------------------------------------------------

Mark = tuple[int, tuple[str, ...]]


Told = tuple[Build, Column | None]


def _told_apart(operation: Operation) -> list[list[Told]]:
    """By what the reply's entries, and receipts, will be told apart, source by source; none where recipients alone tell
    them apart.
    """
    entries = operation.response.entries if operation.response else ()
    compared = [[expression for expression, _ in entry.match.pairs] for entry in entries]
    return [
        [(expression.compile(), expression.column()) for expression in each]
        for each in [*compared, list(operation.apart)]
        if each and not any(map(_tells_recipients_apart, each))
    ]


def _marks(sources: Sequence[Sequence[Told]], message: Message, batch: Batch) -> list[Mark]:
    """What no other message of the request may have."""
    found = []
    for source, builds in enumerate(sources):
        values = [build(message, batch) for build, _ in builds]
        if MISSING not in values:
            found.append((source, tuple([as_text(value) for value in values])))
    return found


def _distinct(expressions: Sequence[Told], messages: Sequence[Message], batch: Batch) -> bool:
    """Whether every message has values of its own. False also where that cannot be said of all of them at once."""
    columns = [
        (column and column(messages)) or [build(message, batch) for batch.seq, message in enumerate(messages, 1)]
        for build, column in expressions
    ]
    if set(map(type, chain.from_iterable(columns))) != {str}:
        return False
    marks = set(columns[0]) if len(columns) == 1 else set(zip(*columns, strict=True))
    return len(marks) == len(messages)


def _tells_recipients_apart(expression: Expression) -> bool:
    """Different recipients give different values, and equal recipients never share a batch anyway."""
    filters = [call.filter.name for call in expression.filters]
    if expression.head.kind == "call" and expression.head.text in ("seq", "index") and not filters:
        return True  # no two records have one position
    return expression.head == Head("name", "To") and filters in ([], ["digits"], ["e164"])
