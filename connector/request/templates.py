"""Templates over a request as a whole: what `auth: {sign: …}` and `auth: {login: …}` are written in, compiled.

A template becomes a function of a `Turn`, which is one attempt: the request it signs, the time, a nonce, what a login
brought. Nothing is missing here, unlike in replacements: what has no value is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from connector.definition.expression import MISSING, Expression, FilterCall, Head
from connector.definition.octets import Digest, Octets
from connector.definition.signing_filters import TAKING_PAIRS, NameValues, text_of
from connector.definition.tree import Array, Constant, Encoded, Node, Object, ObjectMember, Replacement, Text
from connector.errors import MessageError
from connector.masking import MASK
from connector.request.textual import constant_text

PartOf = Callable[["Turn"], Any]


VALUE_CHARACTERS: Final = 256 * 1024
"""Of one value, and eight times as many as the request has bytes: encoding a text makes up to nine of one."""


class Turn:
    """One attempt, of which every value is computed once.

    Args:
        values: name → how it is computed.
        parts: call → how it is computed.
        given: what a login brought, by name.
        masked: what a secret would be turned into is shown as a mask.
        size: bytes of the request.

    Attributes:
        hidden: what was made of secrets: signatures, keys. Nobody may see it.
        longest: characters of one value, so that values made of one another cannot grow without end.
    """

    __slots__ = ("_known", "_parts", "_values", "given", "hidden", "longest", "masked")

    def __init__(
        self,
        values: Mapping[str, PartOf],
        parts: Mapping[str, PartOf],
        given: Mapping[str, str],
        *,
        masked: bool = False,
        size: int = 0,
    ) -> None:
        self.longest = VALUE_CHARACTERS + 8 * size
        self._values = values
        self._parts = parts
        self._known: dict[str, Any] = {}
        self.given = given
        self.masked = masked
        self.hidden: dict[str, None] = {}

    def value(self, name: str) -> Any:
        """A value by its name."""
        if name in self._known:
            return self._known[name]
        build = self._values.get(name)
        value = self._known[name] = self.given.get(name, "") if build is None else build(self)
        return value

    def part(self, call: str) -> Any:
        """What a call gives."""
        key = f"{call}()"
        if key in self._known:
            return self._known[key]
        value = self._known[key] = self._parts[call](self)
        return value

    def hide(self, value: Any) -> None:
        """Note what was made of a secret."""
        self.hidden[text_of(value)] = None


class Templates:
    """Compiles templates of one place.

    Args:
        secret: names that hold a secret, or are made of one.
    """

    def __init__(self, secret: frozenset[str]) -> None:
        self._secret = secret

    def compile(self, node: Node) -> PartOf:
        """A template, or a structure of them, as a function of a turn.

        It gives a text; of a template that is one replacement the value as it is, and MISSING where that is optional
        and empty. It raises MessageError where a filter cannot take what it is given.
        """
        match node:
            case Replacement():
                return self._whole(node.expression)
            case Text():
                return self._text(node.parts)
            case Object():
                members = [
                    (member.key, self.compile(member.value))
                    for member in node.members
                    if isinstance(member, ObjectMember) and isinstance(member.key, str)
                ]
                return lambda turn: {
                    name: value for name, build in members if (value := plain(build(turn))) is not MISSING
                }
            case Array():
                items = [self.compile(item) for item in node.items]
                return lambda turn: [value for build in items if (value := plain(build(turn))) is not MISSING]
            case Encoded():
                raise AssertionError("loading refuses it")
            case Constant():
                value: Any = node.value if isinstance(node.value, bool | int | float) else constant_text(node)
                return lambda turn: value

    def text(self, node: Node) -> PartOf:
        """The same as text; MISSING stays."""
        build = self.compile(node)

        def text(turn: Turn) -> Any:
            value = build(turn)
            return value if value is MISSING or type(value) is str else text_of(value)

        return text if not isinstance(node, Constant) else _constant(constant_text(node))

    def _whole(self, expression: Expression) -> PartOf:
        build = self._expression(expression)
        if not expression.optional:
            return build

        def whole(turn: Turn) -> Any:
            value = build(turn)
            return MISSING if value == "" else value

        return whole

    def _text(self, parts: Sequence[str | Expression]) -> PartOf:
        builds = [_constant(part) if isinstance(part, str) else self._expression(part) for part in parts]

        def text(turn: Turn) -> Any:
            values = [build(turn) for build in builds]
            if any(map(_octets, values)):  # what is no text may stand between texts
                return Octets(b"".join([value if _octets(value) else text_of(value).encode() for value in values]))
            joined = "".join([value if type(value) is str else text_of(value) for value in values])
            if len(joined) > turn.longest:
                raise MessageError(f"a value is longer than {turn.longest:,} characters")
            return joined

        return text

    def _expression(self, expression: Expression) -> PartOf:
        tainted = bool(expression.names & self._secret) or "${" in expression.source
        calls = expression.filters
        read = _head(expression.head, of_date=bool(calls) and calls[0].filter.name == "date")
        for index, call in enumerate(calls):
            last = index + 1 == len(calls) or not calls[index + 1].filter.derives
            read = self._filtered(read, call, expression.written, tainted=tainted, hide=last)
        return read

    def _filtered(self, read: PartOf, call: FilterCall, written: str, *, tainted: bool, hide: bool) -> PartOf:
        place = f"{written}: {call.filter.name}"
        step = call.filter.build(*call.arguments) if call.constant else None
        arguments = [
            self._expression(argument) if isinstance(argument, Expression) else _constant(argument)
            for argument in call.arguments
        ]
        derives = tainted and call.filter.derives
        takes_pairs, takes_bytes = call.filter.name in TAKING_PAIRS, call.filter.takes_bytes

        def filtered(turn: Turn) -> Any:
            value = read(turn)
            if turn.masked and tainted and (derives or value == MASK):
                return MASK
            if not takes_pairs and isinstance(value, NameValues):
                value = value.written()
            if takes_bytes and type(value) is str and not value.isascii():  # a form in another charset is bytes
                value = Octets(value.encode(errors="surrogateescape")) if _escaped(value) else value
            try:
                value = (step or call.filter.build(*[argument(turn) for argument in arguments]))(value)
            except MessageError as error:
                raise MessageError(f"{place}: {error.reason}") from None
            except UnicodeEncodeError:
                raise MessageError(f"{place}: the text holds half of a surrogate pair") from None
            if value is MISSING or value is None:
                return ""
            if isinstance(value, str | bytes) and len(value) > turn.longest:
                raise MessageError(f"{place}: what it gives is longer than {turn.longest:,} characters")
            if derives and hide:
                turn.hide(value)
            return value

        return filtered


def plain(value: Any) -> Any:
    """A value as JSON may hold it: bytes and pairs as text."""
    return text_of(value) if isinstance(value, bytes | NameValues) else value


_escaped = re.compile("[\udc80-\udcff]").search
"""Bytes that are no UTF-8, as Python writes them in texts."""


def _octets(value: Any) -> bool:
    return isinstance(value, bytes) and not isinstance(value, Digest)


def _constant(value: Any) -> PartOf:
    return lambda turn: value


def _head(head: Head, *, of_date: bool) -> PartOf:
    text = head.text
    if head.kind == "literal":
        return _constant(text)
    if head.kind == "name":
        return lambda turn: turn.value(text)
    if text == "now" and not of_date:
        return lambda turn: int(turn.part("now"))
    return lambda turn: turn.part(text)
