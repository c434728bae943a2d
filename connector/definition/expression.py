"""Replacements, `$$Name` and `$${expression}`: what one is, and its value per message (read by `expression_text`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final

from connector.definition.arguments import MISSING, ExpressionError, Filter, FilterStep
from connector.definition.octets import Octets
from connector.definition.system import SYSTEM_NAMES
from connector.errors import MessageError
from connector.model import Batch, Message

__all__ = ["CALLS", "MISSING", "Expression", "ExpressionError", "FilterCall", "Head"]

ReadValue = Callable[[Message, Batch], Any]
Column = Callable[[Sequence[Message]], list[Any] | None]

# Calls, so that they can never collide with a custom name.
CALLS: Final[dict[str, ReadValue]] = {
    "message_id": lambda message, _: message.message_id,
    "seq": lambda _, batch: batch.seq,
    "index": lambda _, batch: batch.seq - 1,
    "batch_id": lambda _, batch: batch.id,
    "count": lambda _, batch: batch.count,
    "now": lambda _, batch: int(batch.now),
}


@dataclass(frozen=True, slots=True)
class Head:
    """What an expression starts from: `kind` is name, literal or call."""

    kind: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FilterCall:
    """One filter with its arguments: constants, or expressions evaluated per message."""

    filter: Filter
    arguments: tuple[Any, ...] = field(repr=False)  # a secret may be one of them

    @property
    def constant(self) -> bool:
        """True when no argument depends on the message."""
        return not any(isinstance(argument, Expression) for argument in self.arguments)

    @property
    def gives_bytes(self) -> bool:
        """True when its value is bytes, or may be."""
        inside = self.arguments if self.filter.chooses else ()
        return self.filter.gives_bytes or any(isinstance(each, Expression) and each.octets for each in inside)

    def sends(self, name: str) -> bool:
        """True when an argument that stays in its value holds that of `name`."""
        if self.filter.tells and not self.filter.chooses:
            return False
        return any(isinstance(each, Expression) and each.sends(name) for each in self.arguments)


@dataclass(frozen=True, slots=True)
class Expression:
    """One replacement, parsed and checked.

    Attributes:
        source: as written, without `$$` and braces.
        head, filters: what it starts from and what is done to it.
        optional: it ends in `?`: no value leaves out what it stands in.
        names: replacement names it reads, as written, arguments included.
        calls: our calls it uses, arguments included.
        raw: its value is inserted unencoded.
    """

    source: str
    head: Head
    filters: tuple[FilterCall, ...] = ()
    optional: bool = False
    names: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    raw: bool = False

    @property
    def written(self) -> str:
        """As it stands in a definition: `$$To`, `$${Body|truncate(160)}`."""
        bare = self.head.kind == "name" and not self.filters and not self.optional
        return f"$${self.source}" if bare else f"$${{{self.source}}}"

    @property
    def octets(self) -> bool:
        """True when its value is bytes, or may be."""
        return bool(self.filters) and self.filters[-1].gives_bytes

    def sends(self, name: str) -> bool:
        """True when its value holds that of `name`, in whatever form, and does not only tell something about it."""
        sent = self.head == Head("name", name)
        for call in self.filters:
            sent = (sent and not call.filter.tells) or call.sends(name)
        return sent

    def compile(self) -> ReadValue:
        """A function of (message, batch) that gives the value, or MISSING where there is none.

        No value is missing, null or ""; after a `default` whatever it gave is kept. The function raises MessageError
        when a filter cannot take the value it is given.
        """
        read = self.read_raw()
        return _read_text(read) if self.filters and self.filters[-1].filter.digest else read

    def read_raw(self) -> ReadValue:
        """The same; a digest stays bytes, as the argument of a filter takes it."""
        read = _read_head(self.head)
        defaulted = False
        for call in self.filters:
            defaulted = defaulted or call.filter.name == "default"
            read = _read_filtered(self.written, read, call, keep_empty=defaulted)
        return read

    def column(self) -> Column | None:
        """A function of messages that gives the values of all, where the expression is a bare name; else None.

        The function gives None for messages one of which has no value.
        """
        if self.head.kind != "name" or self.filters or self.raw:
            return None
        name = self.head.text
        read = SYSTEM_NAMES.get(name)

        def column(messages: Sequence[Message]) -> list[Any] | None:
            try:
                values = [it.custom[name] for it in messages] if read is None else list(map(read, messages))  # type: ignore[index]
            except (KeyError, TypeError):  # no such value; no values at all
                return None
            kinds = set(map(type, values))  # to compare each with None and "" takes four times as long
            if kinds == {str}:
                return values if all(values) else None
            return None if NoneType in kinds or (str in kinds and "" in values) else values

        return column

    def normalise(self) -> Callable[[Any], Any]:
        """The filters alone, for a value read from a reply; MISSING when it is empty or a filter cannot take it.

        Raises ExpressionError when a filter's argument depends on a message.
        """
        for call in self.filters:
            if not call.constant:
                raise ExpressionError(
                    f"`{call.filter.name}` takes a value of the message here, which a reply does not have",
                    "use a constant argument",
                )
        steps = [call.filter.build(*call.arguments) for call in self.filters]

        def normalise(value: Any) -> Any:
            try:
                for step in steps:
                    if value is None or value is MISSING or value == "":
                        return MISSING
                    value = step(value)
            except MessageError:
                return MISSING
            return MISSING if value is None or value == "" else value

        return normalise


# ---- evaluation: closures ------------------------------------------------------------------------------------------


def _read_head(head: Head) -> ReadValue:
    if head.kind == "literal":
        literal: Any = head.text or MISSING
        return lambda message, batch: literal
    if head.kind == "call":
        return CALLS[head.text]
    name = head.text
    if name == "To":  # required and never empty
        return lambda message, batch: message.to
    if name not in SYSTEM_NAMES:

        def read_custom(message: Message, batch: Batch) -> Any:
            custom = message.custom
            if custom is None:
                return MISSING
            value = custom.get(name)
            return MISSING if value is None or value == "" else value

        return read_custom
    field = SYSTEM_NAMES[name]

    def read_field(message: Message, batch: Batch) -> Any:
        value = field(message)
        return MISSING if value is None or value == "" else value

    return read_field


def _read_text(read: ReadValue) -> ReadValue:
    """A digest as it stands in a request: in hexadecimal."""

    def text(message: Message, batch: Batch) -> Any:
        value = read(message, batch)
        return value.written() if isinstance(value, Octets) else value

    return text


def _read_filtered(written: str, read: ReadValue, call: FilterCall, *, keep_empty: bool) -> ReadValue:
    """`read`, then one filter. Before a `default` nothing but values pass; from it on, what it gave is kept."""
    takes_missing = call.filter.name == "default"
    place = f"{written}: {call.filter.name}"
    step = call.filter.build(*call.arguments) if call.constant else None
    sources = [a.read_raw() if isinstance(a, Expression) else None for a in call.arguments]
    if call.filter.chooses and step is None:
        return _read_chosen(place, read, call, sources)

    def build(message: Message, batch: Batch) -> FilterStep:
        """The filter with this message's arguments."""
        arguments = [
            argument if source is None else source(message, batch)
            for argument, source in zip(call.arguments, sources, strict=True)
        ]
        if not takes_missing and any(argument is MISSING for argument in arguments):
            raise MessageError("an argument has no value")
        return call.filter.build(*arguments)

    def filtered(message: Message, batch: Batch) -> Any:
        value = read(message, batch)
        if value is MISSING and not takes_missing:
            return MISSING
        try:
            value = (step or build(message, batch))(value)
        except MessageError as error:
            raise MessageError(f"{place}: {error.reason}") from None
        except UnicodeEncodeError:
            raise MessageError(f"{place}: the text holds half of a surrogate pair") from None
        if not keep_empty and (value is None or value == ""):
            return MISSING
        return value

    return filtered


def _read_chosen(place: str, read: ReadValue, call: FilterCall, sources: Sequence[ReadValue | None]) -> ReadValue:
    """`read`, then the argument that the filter chooses, and no other: another may not take this message's text."""
    choose = call.filter.build(*range(len(sources)))

    def chosen(message: Message, batch: Batch) -> Any:
        value = read(message, batch)
        if value is MISSING:
            return MISSING
        try:
            position = choose(value)
            source = sources[position]
            found = call.arguments[position] if source is None else source(message, batch)
        except MessageError as error:
            raise MessageError(f"{place}: {error.reason}") from None
        return MISSING if found is None or found == "" else found

    return chosen
