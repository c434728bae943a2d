"""Replacements as they are written: `$$Name` and `$${expression}`, parsed once, within bounds.

    text        = (characters | "$$$$" | "$$" Name | "$${" expression "}")*
    expression  = head ("|" filter)* "?"?
    head        = Name | "'" literal "'" | call "()" | call "('" word "')" | reference
    filter      = name ("(" argument ("," argument)* ")")?
    argument    = literal | number | reference | true | false | null | key "=" constant | head ("|" filter)*
    reference   = "${" NAME "}"

A quote inside a literal is written twice (`'it''s'`). Values come from users and are never scanned. A reference is read
once, when the definition is loaded, and is a literal from then on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from connector.definition.arguments import ExpressionError, Filter, bind
from connector.definition.expression import CALLS, Expression, FilterCall, Head
from connector.definition.filters import FILTERS
from connector.definition.system import SYSTEM_NAMES

LENGTH: Final = 4_096  # characters of one expression
FILTERS_AT_MOST: Final = 50  # filters of one expression, those of its arguments included
ARGUMENTS: Final = 1_000  # arguments of one expression
DEPTH: Final = 20  # expressions as arguments of one another
PARTS: Final = 1_000  # replacements in one text

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<literal>'(?:[^']|'')*')|(?P<number>-?[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<reference>\$\{[^{}']*\})|(?P<mark>[|?(),=]))"
)
_FOLDED = {name.lower(): name for name in SYSTEM_NAMES}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INSIDE = re.compile(r"(?:\$\{[^{}']*\}|[^'{}]|'(?:[^']|'')*')*")
_WORDS = {"true": True, "false": False, "null": None}


Resolve = Callable[[str], str]
"""From a reference as it is written to its value; raises ExpressionError."""


def _no_references(reference: str) -> str:
    raise ExpressionError(f"`{reference[:64]}` cannot stand here", "write a constant in quotes")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may stand in an expression where it stands.

    Attributes:
        calls: names of calls.
        filters: by name.
        systems: names that are ours, by their lower case: others must not look like them.
        example: of replacements, for errors.
    """

    calls: frozenset[str]
    filters: Mapping[str, Filter]
    systems: Mapping[str, str]
    example: str


MESSAGE: Final = Vocabulary(
    frozenset(CALLS), FILTERS, _FOLDED, "write $$To, $${Body|truncate(160)}, $${'text'} or $${message_id()}"
)
"""Of a request, which is made of messages."""


def split(text: str, words: Vocabulary = MESSAGE, resolve: Resolve = _no_references) -> tuple[str | Expression, ...]:
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
        expression, position = _replacement(text, mark, words, resolve)
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


def _replacement(text: str, mark: int, words: Vocabulary, resolve: Resolve) -> tuple[Expression, int]:
    """The replacement whose `$$` stands at `mark`, and where the text goes on."""
    start = mark + 2
    if name := _NAME.match(text, start):
        return _parse(name.group(), start, words, resolve), name.end()
    if text.startswith("{", start):
        inside = _INSIDE.match(text, start + 1)
        assert inside is not None  # it matches the empty text as well
        if not text.startswith("}", inside.end()):
            raise ExpressionError("`$${` is not closed", "end it with `}`; quotes inside come in pairs", mark)
        return _parse(inside.group(), start + 1, words, resolve), inside.end() + 1
    raise ExpressionError("`$$` names no replacement", "write $$$$ for a literal $$", mark)


def parse(source: str) -> Expression:
    """Parse one expression (`To|digits|last(10)`); raises ExpressionError with the position in `source`."""
    return _parse(source, 0, MESSAGE, _no_references)


def _parse(source: str, offset: int, words: Vocabulary, resolve: Resolve) -> Expression:
    try:
        return _ExpressionParser(source, words, resolve).expression()
    except ExpressionError as error:
        raise ExpressionError(error.message, error.remedy, error.position + offset) from None


class _ExpressionParser:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, source: str, words: Vocabulary, resolve: Resolve) -> None:
        if len(source) > LENGTH:
            raise ExpressionError(f"the expression is longer than {LENGTH:,} characters", "say less in it")
        self.source = source
        self.words = words
        self.resolve = resolve
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
        filters: list[FilterCall] = []
        while self.accept("|"):
            position = self.tokens[self.index][2]
            if filters and filters[-1].filter.name == "raw":
                raise ExpressionError("`raw` is not the last filter", "put it at the end", position)
            filters.append(self.filter(position))
            _of_one_kind(filters, position)
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
        if kind == "reference":
            return Head("literal", self.referred(text, position))
        if kind != "name":
            example = self.words.example
            raise ExpressionError("a replacement starts with a name, a 'literal' or a call()", example, position)
        if self.accept("("):
            calls = self.words.calls
            if text not in calls:
                known = sorted(name for name in calls if "(" not in name)
                raise ExpressionError(f"`{text}()` is not known", _suggest(text, known, "()"), position)
            variants = sorted(name for name in calls if name.startswith(f"{text}("))
            if variants and self.tokens[self.index][0] == "literal":
                word, position = self.next()[1:]
                text = f"{text}({word})"
                if text not in calls:
                    raise ExpressionError(f"`{text[:64]}` is not known", f"known: {', '.join(variants)}", position)
                self.expect(")", f"write {text}")
                return Head("call", text)
            remedy = f"`{text}()` takes no arguments" if not variants else f"write {text}() or {', '.join(variants)}"
            self.expect(")", remedy)
            return Head("call", text)
        system = self.words.systems.get(text.lower(), text)
        if system != text:
            raise ExpressionError(
                f"`$${text}` differs from `$${system}` only in case",
                f"write $${system}, or choose another name",
                position,
            )
        return Head("name", text)

    def filter(self, position: int) -> FilterCall:
        kind, name, _ = self.next()
        if kind != "name":
            raise ExpressionError("a filter's name must follow `|`", "write one, like digits, or take | away", position)
        self.filters += 1
        if self.filters > FILTERS_AT_MOST:
            raise ExpressionError(f"more than {FILTERS_AT_MOST} filters", "fewer do the same", position)
        filters = self.words.filters
        if name not in filters:
            raise ExpressionError(f"the filter `{name[:64]}` is not known", _suggest(name, filters), position)
        positional: list[Any] = []
        keyed: dict[str, Any] = {}
        if self.accept("("):
            while not self.accept(")"):
                if positional or keyed:
                    self.expect(",", f"arguments of `{name}` are separated by `,` and end with `)`")
                self.argument(name, positional, keyed)
        try:
            return FilterCall(filters[name], bind(filters[name], positional, keyed, Expression))
        except ExpressionError as error:
            raise ExpressionError(error.message, error.remedy, position) from None

    def argument(self, name: str, positional: list[Any], keyed: dict[str, Any]) -> None:
        kind, text, position = self.tokens[self.index]
        self.arguments += 1
        if self.arguments > ARGUMENTS:
            raise ExpressionError(f"more than {ARGUMENTS:,} arguments", "supply the value with the event", position)
        following = self.tokens[min(self.index + 1, len(self.tokens) - 1)][:2]
        if following == ("mark", "=") and kind != "end":
            self.index += 2
            key = _unquote(text) if kind == "literal" else text
            if key in keyed:
                raise ExpressionError(f"`{name}` names `{key}` twice", "name it once", position)
            keyed[key] = self.constant(name)
        elif kind in {"literal", "reference"} and following == ("mark", "|"):
            positional.append(self.pipeline())
        elif kind in {"literal", "number", "reference"} or (kind == "name" and text in _WORDS):
            positional.append(self.constant(name))
        else:
            positional.append(self.pipeline())

    def constant(self, name: str) -> Any:
        kind, text, position = self.next()
        if kind == "literal":
            return _unquote(text)
        if kind == "number":
            return float(text) if "." in text else int(text)
        if kind == "reference":
            return self.referred(text, position)
        if kind == "name" and text in _WORDS:
            return _WORDS[text]
        raise ExpressionError(f"`{name}` needs a constant here", "a 'text', a number, true, false or null", position)

    def referred(self, reference: str, position: int) -> str:
        try:
            return self.resolve(reference)
        except ExpressionError as error:
            raise ExpressionError(error.message, error.remedy, position + error.position) from None

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


def _of_one_kind(filters: list[FilterCall], position: int) -> None:
    """After a filter that gives bytes only those stand that take them. Raises ExpressionError."""
    if len(filters) < 2 or not filters[-2].gives_bytes:
        return
    before, call = filters[-2].filter, filters[-1]
    if not call.filter.takes_bytes:
        remedy = f"put it before `{before.name}`, or write `hex` or `base64` between them"
        raise ExpressionError(f"`{call.filter.name}` takes text, and `{before.name}` gives bytes", remedy, position)
    if call.filter.name == "hex" and call.arguments != (None,):
        raise ExpressionError(f"`hex` names a charset, and `{before.name}` has chosen one", "write hex", position)


def _unquote(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _suggest(name: str, known: Any, suffix: str = "") -> str:
    near = get_close_matches(name, list(known), n=1) if len(name) <= 64 else []
    if near:
        return f"did you mean `{near[0]}{suffix}`?"
    return "known: " + ", ".join(f"{each}{suffix}" for each in known)
