"""Replacements: `$$Name` and `$${expression}`, parsed once, evaluated per message.

    text        = (characters | "$$$$" | "$$" Name | "$${" expression "}")*
    expression  = head ("|" filter)* "?"?
    head        = Name | "'" literal "'" | call "()"
    filter      = name ("(" argument ("," argument)* ")")?
    argument    = literal | number | true | false | null | key "=" constant | head ("|" filter)*

A quote inside a literal is written twice (`'it''s'`). Values come from users and are never scanned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import NoneType
from typing import Any, Final

from connector.definition.arguments import MISSING, ExpressionError, Filter, Step, bind
from connector.definition.filters import FILTERS
from connector.definition.system import SYSTEM_NAMES
from connector.errors import MessageError
from connector.model import Batch, Message

__all__ = ["CALLS", "MISSING", "Call", "Expression", "ExpressionError", "Head", "parse", "split"]

Read = Callable[[Message, Batch], Any]
Column = Callable[[Sequence[Message]], list[Any] | None]

_FOLDED = {name.lower(): name for name in SYSTEM_NAMES}

# Calls, so that they can never collide with a custom name.
CALLS: Final[dict[str, Read]] = {
    "message_id": lambda message, _: message.message_id,
    "seq": lambda _, batch: batch.seq,
    "batch_id": lambda _, batch: batch.id,
    "count": lambda _, batch: batch.count,
    "now": lambda _, batch: int(batch.now),
}


@dataclass(frozen=True, slots=True)
class Head:
    """What an expression starts from: `kind` is name, literal or call."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One filter with its arguments: constants, or expressions evaluated per message."""

    filter: Filter
    arguments: tuple[Any, ...]

    @property
    def constant(self) -> bool:
        """True when no argument depends on the message."""
        return not any(isinstance(argument, Expression) for argument in self.arguments)


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
    filters: tuple[Call, ...] = ()
    optional: bool = False
    names: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    raw: bool = False

    @property
    def written(self) -> str:
        """As it stands in a definition: `$$To`, `$${Body|truncate(160)}`."""
        bare = self.head.kind == "name" and not self.filters and not self.optional
        return f"$${self.source}" if bare else f"$${{{self.source}}}"

    def compile(self) -> Read:
        """A function of (message, batch) that gives the value, or MISSING where there is none.

        No value is missing, null or ""; after a `default` whatever it gave is kept. The function raises MessageError
        when a filter cannot take the value it is given.
        """
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


def _read_head(head: Head) -> Read:
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


def _read_filtered(written: str, read: Read, call: Call, *, keep_empty: bool) -> Read:
    """`read`, then one filter. Before a `default` nothing but values pass; from it on, what it gave is kept."""
    takes_missing = call.filter.name == "default"
    place = f"{written}: {call.filter.name}"
    step = call.filter.build(*call.arguments) if call.constant else None
    sources = [a.compile() if isinstance(a, Expression) else None for a in call.arguments]

    def build(message: Message, batch: Batch) -> Step:
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


# ---- parsing -------------------------------------------------------------------------------------------------------

LENGTH: Final = 4_096  # characters of one expression
FILTERS_AT_MOST: Final = 50  # filters of one expression, those of its arguments included
ARGUMENTS: Final = 1_000  # arguments of one expression
DEPTH: Final = 20  # expressions as arguments of one another
PARTS: Final = 1_000  # replacements in one text

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<literal>'(?:[^']|'')*')|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<mark>[|?(),=]))"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INSIDE = re.compile(r"(?:[^'{}]|'(?:[^']|'')*')*")
_WORDS = {"true": True, "false": False, "null": None}


def split(text: str) -> tuple[str | Expression, ...]:
    """Divide a text into literal parts and replacements; `$$$$` becomes `$$`. Empty parts are left out.

    Raises ExpressionError with the position in `text`.
    """
    parts: list[str | Expression] = []
    literal: list[str] = []
    position = 0
    while (mark := text.find("$$", position)) >= 0:
        literal.append(text[position:mark])
        if text.startswith("$$$$", mark):
            literal.append("$$")
            position = mark + 4
            continue
        expression, position = _replacement(text, mark)
        if kept := "".join(literal):
            parts.append(kept)
        literal.clear()
        parts.append(expression)
        if len(parts) > 2 * PARTS:
            raise ExpressionError(f"more than {PARTS:,} replacements in one text", "a message is far shorter", mark)
    literal.append(text[position:])
    if kept := "".join(literal):
        parts.append(kept)
    return tuple(parts)


def _replacement(text: str, mark: int) -> tuple[Expression, int]:
    """The replacement whose `$$` stands at `mark`, and where the text goes on."""
    start = mark + 2
    if name := _NAME.match(text, start):
        return _parse(name.group(), start), name.end()
    if text.startswith("{", start):
        inside = _INSIDE.match(text, start + 1)
        assert inside is not None  # it matches the empty text as well
        if not text.startswith("}", inside.end()):
            raise ExpressionError("`$${` is not closed", "end it with `}`; quotes inside come in pairs", mark)
        return _parse(inside.group(), start + 1), inside.end() + 1
    raise ExpressionError("`$$` names no replacement", "write $$$$ for a literal $$", mark)


def parse(source: str) -> Expression:
    """Parse one expression (`To|digits|last(10)`); raises ExpressionError with the position in `source`."""
    return _parse(source, 0)


def _parse(source: str, offset: int) -> Expression:
    try:
        return _Parser(source).expression()
    except ExpressionError as error:
        raise ExpressionError(error.message, error.remedy, error.position + offset) from None


class _Parser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, source: str) -> None:
        if len(source) > LENGTH:
            raise ExpressionError(f"the expression is longer than {LENGTH:,} characters", "say less in it")
        self.source = source
        self.depth = 0
        self.filters = 0
        self.arguments = 0
        self.tokens: list[tuple[str, str, int]] = []
        position, end = 0, len(source.rstrip())
        while position < end:
            token = _TOKEN.match(source, position)
            if token is None:
                start = position + len(source[position:]) - len(source[position:].lstrip())
                if source[start] == "'":
                    raise ExpressionError("a literal is not closed", "end it with '", start)
                remedy = (
                    "texts stand in '…'"
                    if source[start] == '"'
                    else "names are letters, digits and _; texts stand in '…'"
                )
                raise ExpressionError(f"`{source[start]}` cannot stand here", remedy, start)
            kind = str(token.lastgroup)
            self.tokens.append((kind, token.group(kind), token.start(kind)))
            position = token.end()
        self.tokens.append(("end", "", len(source)))
        self.index = 0

    def expression(self) -> Expression:
        parsed = self.pipeline()
        optional = self.accept("?")
        kind, text, position = self.tokens[self.index]
        if kind != "end":
            remedy = "`?` comes last" if optional else "filters are separated by `|`"
            raise ExpressionError(f"`{text}` cannot stand here", remedy, position)
        return Expression(
            self.source.strip(), parsed.head, parsed.filters, optional, parsed.names, parsed.calls, parsed.raw
        )

    def pipeline(self) -> Expression:
        """Head and filters, from the current token on."""
        start = self.tokens[self.index][2]
        self.depth += 1
        if self.depth > DEPTH:
            raise ExpressionError(f"more than {DEPTH} expressions inside one another", "write fewer", start)
        head = self.head()
        filters: list[Call] = []
        while self.accept("|"):
            position = self.tokens[self.index][2]
            if filters and filters[-1].filter.name == "raw":
                raise ExpressionError("`raw` is not the last filter", "put it at the end", position)
            filters.append(self.filter(position))
        names = {head.text} if head.kind == "name" else set()
        calls = {head.text} if head.kind == "call" else set()
        for call in filters:
            for argument in call.arguments:
                if isinstance(argument, Expression):
                    names |= argument.names
                    calls |= argument.calls
        self.depth -= 1
        source = self.source[start : self.tokens[self.index][2]].strip()
        raw = bool(filters) and filters[-1].filter.name == "raw"
        return Expression(source, head, tuple(filters), False, frozenset(names), frozenset(calls), raw)

    def head(self) -> Head:
        kind, text, position = self.next()
        if kind == "literal":
            return Head("literal", _unquote(text))
        if kind != "name":
            remedy = "write $$To, $${Body|truncate(160)}, $${'text'} or $${message_id()}"
            raise ExpressionError("a replacement starts with a name, a 'literal' or a call()", remedy, position)
        if self.accept("("):
            if text not in CALLS:
                raise ExpressionError(f"`{text}()` is not known", _suggest(text, CALLS, "()"), position)
            self.expect(")", f"`{text}()` takes no arguments")
            return Head("call", text)
        system = _FOLDED.get(text.lower(), text)
        if system != text:
            raise ExpressionError(
                f"`$${text}` differs from `$${system}` only in case",
                f"write $${system}, or choose another name",
                position,
            )
        return Head("name", text)

    def filter(self, position: int) -> Call:
        kind, name, _ = self.next()
        if kind != "name":
            raise ExpressionError("a filter's name must follow `|`", "write one, like digits, or take | away", position)
        self.filters += 1
        if self.filters > FILTERS_AT_MOST:
            raise ExpressionError(f"more than {FILTERS_AT_MOST} filters", "fewer do the same", position)
        if name not in FILTERS:
            raise ExpressionError(f"the filter `{name[:64]}` is not known", _suggest(name, FILTERS), position)
        positional: list[Any] = []
        keyed: dict[str, Any] = {}
        if self.accept("("):
            while not self.accept(")"):
                if positional or keyed:
                    self.expect(",", f"arguments of `{name}` are separated by `,` and end with `)`")
                self.argument(name, positional, keyed)
        try:
            return Call(FILTERS[name], bind(FILTERS[name], positional, keyed, Expression))
        except ExpressionError as error:
            raise ExpressionError(error.message, error.remedy, position) from None

    def argument(self, name: str, positional: list[Any], keyed: dict[str, Any]) -> None:
        kind, text, position = self.tokens[self.index]
        self.arguments += 1
        if self.arguments > ARGUMENTS:
            raise ExpressionError(f"more than {ARGUMENTS:,} arguments", "supply the value with the event", position)
        if self.tokens[min(self.index + 1, len(self.tokens) - 1)][1] == "=" and kind != "end":
            self.index += 2
            key = _unquote(text) if kind == "literal" else text
            if key in keyed:
                raise ExpressionError(f"`{name}` names `{key}` twice", "name it once", position)
            keyed[key] = self.constant(name)
        elif kind in {"literal", "number"} or (kind == "name" and text in _WORDS):
            positional.append(self.constant(name))
        else:
            positional.append(self.pipeline())

    def constant(self, name: str) -> Any:
        kind, text, position = self.next()
        if kind == "literal":
            return _unquote(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "name" and text in _WORDS:
            return _WORDS[text]
        raise ExpressionError(f"`{name}` needs a constant here", "a 'text', a number, true, false or null", position)

    def next(self) -> tuple[str, str, int]:
        token = self.tokens[self.index]
        self.index = min(self.index + 1, len(self.tokens) - 1)
        return token

    def accept(self, mark: str) -> bool:
        if self.tokens[self.index][:2] != ("mark", mark):
            return False
        self.index += 1
        return True

    def expect(self, mark: str, remedy: str) -> None:
        if not self.accept(mark):
            raise ExpressionError(f"`{mark}` is missing", remedy, self.tokens[self.index][2])


def _unquote(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _suggest(name: str, known: Any, suffix: str = "") -> str:
    near = get_close_matches(name, list(known), n=1) if len(name) <= 64 else []
    if near:
        return f"did you mean `{near[0]}{suffix}`?"
    return "known: " + ", ".join(f"{each}{suffix}" for each in known)
