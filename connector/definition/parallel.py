"""Lists that are read side by side, element by element: what messages may leave out of one of them, and must not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connector.config_text.source import Map, Place
from connector.definition.expression import Expression
from connector.definition.findings import Findings
from connector.definition.tree import (
    Array,
    Constant,
    Encoded,
    Node,
    Object,
    ObjectMember,
    Operation,
    Replacement,
    Spread,
    Text,
)
from connector.definition.walk import path_to, where

Listed = tuple[tuple[str, ...], Array | Replacement]


def parallel_lists(operation: Operation, source: Map, report: Findings) -> None:
    """Where several lists are read side by side, every message brings one element to each."""
    batching = operation.batching
    if batching is None:
        return
    found = [listed for key in batching.keys if (at := path_to(operation, key)) for listed in _listed(*at)]
    several = len(found) + sum(isinstance(at[1], Text) for key in batching.keys if (at := path_to(operation, key))) > 1
    if not several:
        return
    for path, node in found:
        place = where(source, path)
        if isinstance(node, Replacement):
            _whole(node.expression, place, report, typed=_typed(operation, path))
        elif len(node.items) != 1:
            remedy = "write one: messages that bring more would be read as several"
            report.error(place, f"a list of {len(node.items)} elements stands beside other lists", remedy)
        elif may_be_absent(node.items[0]):
            written = next(_optional(node.items[0]), None)
            _left_out(written, where(source, (*path, "0")), report)


def _whole(expression: Expression, place: Place, report: Findings, *, typed: bool) -> None:
    """A replacement that is a list, or an element of a joined text, by itself."""
    filters = [call.filter.name for call in expression.filters]
    if filters[-1:] == ["under"]:
        return  # every recipient has a name of his own
    if expression.optional:
        _left_out(expression, place, report)
    elif typed and expression.head.text == "TemplateVariables" and not _TEXTS.intersection(filters):
        report.error(
            place,
            f"{expression.written} is a whole list beside other lists, and messages bring different numbers",
            f"write [{expression.written}], a list for each message, or a variable: [$${{TemplateVariables|get(0)}}]",
        )


_TEXTS: Final = frozenset({"join", "json", "str", "get", "base64", "urlencode"})
"""What makes one value of a list or a map."""


def _left_out(expression: Expression | None, place: Place, report: Findings) -> None:
    said = "this" if expression is None else expression.written
    remedy = "leave the `?` out, or fill its place"
    if expression is not None:
        remedy += f": $${{{expression.source.removesuffix('?').rstrip()}|default('')}}"
    message = f"{said} may be left out of a list that is read beside others: all behind it would shift"
    report.error(place, message, remedy)


def _typed(operation: Operation, path: tuple[str, ...]) -> bool:
    """Whether a list stays one here, and does not become a text."""
    encodings = [segment for segment in path if segment in ("$json", "$form", "$xml", "$base64")]
    return encodings[-1] == "$json" if encodings else path[:1] == ("parameters",) and operation.kind == "json"


def _listed(path: tuple[str, ...], node: Node, depth: int = 0) -> Iterator[Listed]:
    """The lists of a key: itself, or those in its maps, which merge."""
    if isinstance(node, Array) or (isinstance(node, Replacement) and not depth):
        yield path, node
    elif isinstance(node, Object):
        for member in node.members:
            if isinstance(member, ObjectMember) and isinstance(member.key, str):
                yield from _listed((*path, member.key), member.value, depth + 1)


def _optional(node: Node) -> Iterator[Expression]:
    """The replacements because of which `node` may be absent."""
    match node:
        case Replacement(expression) if expression.optional:
            yield expression
        case Encoded(_, inner):
            yield from _optional(inner)
        case Array(items):
            for item in items:
                yield from _optional(item)
        case Object(members):
            for member in members:
                if isinstance(member, Spread):
                    yield member.expression
                else:
                    yield from _optional(member.value)


def may_be_absent(node: Node) -> bool:
    """Whether a message may bring nothing here, and be sent all the same."""
    match node:
        case Replacement(expression):
            return expression.optional
        case Encoded(_, inner):
            return may_be_absent(inner)
        case Array(items):
            return bool(items) and all(map(may_be_absent, items))
        case Object(members):
            return bool(members) and all(isinstance(each, Spread) or may_be_absent(each.value) for each in members)
        case _:
            return False


def may_be_empty(node: Node) -> bool:
    """Whether what a message brings here may be a text without a character; of structures that is not known."""
    match node:
        case Constant():
            return node.value is None or node.value == ""
        case Replacement(expression):
            return any(call.filter.name == "default" for call in expression.filters)
        case Text(parts):
            return not any(isinstance(part, str) for part in parts)
        case _:
            return True
