"""Replacements, `$$Name` and `$${expression}`: what one is, and its value per message (read by `expression_text`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Final

from connector.definition.arguments import MISSING, ExpressionError, Filter, FilterStep
from connector.definition.octets import Octets
from connector.definition.system import MESSAGE_ID, SYSTEM_NAMES, overridden, sent_message_id
from connector.errors import MessageError
from connector.model import Batch, Message

__all__ = ["CALLS", "MISSING", "Expression", "ExpressionError", "FilterCall", "Head"]

ReadValue = Callable[[Message, Batch], Any]
Column = Callable[[Sequence[Message]], list[Any] | None]


def _receipt(message: Message, batch: Batch) -> Any:
    return MISSING if batch.references is None else batch.references.token(message)


def _short_receipt(message: Message, batch: Batch) -> Any:
    return MISSING if batch.references is None else batch.references.short_token(message)


def _receipt_url(message: Message, batch: Batch) -> Any:
    return MISSING if batch.references is None else batch.references.url(message)


def _batch_receipt(message: Message, batch: Batch) -> Any:
    """The request's; of a message that is alone in it the message's own, which says more."""
    if batch.references is None:
        return MISSING
    return batch.references.short_token(message) if batch.count == 1 else batch.references.batch_token(batch.id)


def _batch_receipt_url(message: Message, batch: Batch) -> Any:
    if batch.references is None:
        return MISSING
    return batch.references.url(message) if batch.count == 1 else batch.references.batch_url(batch.id)


def _message_reference(message: Message, batch: Batch) -> Any:
    """`$$MessageID` where it comes back with receipts: what the event says, else `receipt()`, else its id."""
    if batch.references is None or overridden(message) is not MISSING:
        return sent_message_id(message)
    return batch.references.token(message)


# Calls, so that they can never collide with a custom name.
CALLS: Final[dict[str, ReadValue]] = {
    "message_id": lambda message, _: message.message_id,
    "seq": lambda _, batch: batch.seq,
    "index": lambda _, batch: batch.seq - 1,
    "batch_id": lambda _, batch: batch.id,
    "count": lambda _, batch: batch.count,
    "now": lambda _, batch: int(batch.now),
    "receipt": _receipt,
    "receipt('short')": _short_receipt,
    "receipt_url": _receipt_url,
    "batch_receipt": _batch_receipt,
    "batch_receipt_url": _batch_receipt_url,
}

REFERENCES: Final = frozenset({"receipt", "receipt('short')", "receipt_url", "batch_receipt", "batch_receipt_url"})
"""Calls whose values name messages in their receipts."""

OF_MESSAGES: Final = frozenset({"message_id", "seq", "index", "receipt", "receipt('short')", "receipt_url"})
"""Calls whose values differ from message to message."""


def called(name: str) -> str:
    """A call as it is written: `seq()`, `receipt('short')`."""
    return name if "(" in name else f"{name}()"


CALLS_OF_NAMES: Final[dict[str, ReadValue]] = {MESSAGE_ID: _message_reference}
"""What a name calls instead of being read, once a definition is loaded (`message_reference.py`)."""


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
        named = self.head.kind == "name" or self.head.text in CALLS_OF_NAMES
        bare = named and not self.filters and not self.optional
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

    @property
    def compared(self) -> tuple[FilterCall, ...]:
        """The filters that both sides of a comparison go through: what stands in for a reference is sent as it is."""
        referring = self.head.kind == "call" and self.head.text in REFERENCES
        return tuple([call for call in self.filters if not (referring and call.filter.name == "default")])

    def normalise(self) -> Callable[[Any], Any]:
        """The filters alone, for a value read from a reply; MISSING when it is empty or a filter cannot take it.

        Raises ExpressionError when a filter's argument depends on a message.
        """
        for call in self.compared:
            if not call.constant:
                raise ExpressionError(
                    f"`{call.filter.name}` takes a value of the message here, which a reply does not have",
                    "use a constant argument",
                )
        steps = [call.filter.build(*call.arguments) for call in self.compared]

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
        return CALLS.get(head.text) or CALLS_OF_NAMES[head.text]
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
    if takes_missing and sources[0] is not None:
        return _read_default(read, sources[0])

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


def _read_default(read: ReadValue, instead: ReadValue) -> ReadValue:
    """`read`, and only where that has no value another expression."""

    def defaulted(message: Message, batch: Batch) -> Any:
        value = read(message, batch)
        return instead(message, batch) if value is MISSING or value is None or value == "" else value

    return defaulted


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
