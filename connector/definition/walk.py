"""Every replacement of an operation, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from connector.config_text.source import List, Map, Place, PlacedValue
from connector.definition.expression import CALLS_OF_NAMES, REFERENCES, Expression
from connector.definition.tree import (
    QUERY,
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


@dataclass(frozen=True, slots=True)
class Use:
    """One replacement in place.

    Attributes:
        expression: what stands there.
        path: keys from the top of the operation.
        inside: keys from the top of the body, encodings passed through, or QUERY and those in the query; else None.
    """

    expression: Expression
    path: tuple[str, ...]
    inside: tuple[str, ...] | None = None


def uses(operation: Operation) -> Iterator[Use]:
    """All replacements of the request, in the order of the file."""
    if isinstance(operation.url, Text):
        for part in operation.url.parts:
            if isinstance(part, Expression):
                yield Use(part, ("url",))
    yield from _walk(operation.query, ("query",), (QUERY,))
    for use in _walk(operation.headers, ("headers",), ()):
        yield Use(use.expression, use.path)
    if operation.body is not None:
        yield from _walk(operation.body, ("parameters", operation.kind), ())


def reads(operation: Operation, name: str) -> bool:
    """True when a replacement of the request reads `name`."""
    return any(name in use.expression.names for use in uses(operation))


def refers(operation: Operation) -> bool:
    """True when a request, or what its reply is compared with, names messages as their receipts will."""
    naming = REFERENCES | CALLS_OF_NAMES.keys()
    entries = operation.response.entries if operation.response is not None else ()
    compared = [expression for each in entries for expression, _ in each.match.pairs]
    return any(naming & each.calls for each in [*(use.expression for use in uses(operation)), *compared])


def in_record(operation: Operation, use: Use) -> bool:
    """True when it stands at or below a batching key."""
    if operation.batching is None or use.inside is None:
        return False
    return any(use.inside[: len(key)] == key for key in operation.batching.keys)


def in_records(operation: Operation, name: str) -> bool:
    """True when a replacement that reads `name` stands in a record."""
    return any(name in use.expression.names and in_record(operation, use) for use in uses(operation))


_is_index = re.compile("[0-9]{1,9}").fullmatch


def node_at(operation: Operation, key: tuple[str, ...]) -> Node | None:
    """The node a key path leads to, encodings passed through; None where it names nothing."""
    found = path_to(operation, key)
    return None if found is None else found[1]


def path_to(operation: Operation, key: tuple[str, ...]) -> tuple[tuple[str, ...], Node] | None:
    """The keys from the top of the operation to where a key path leads, and what stands there; None for nothing."""
    node: Node | None = operation.body
    path: tuple[str, ...] = ("parameters", operation.kind)
    if key[:1] == (QUERY,):
        node, key, path = operation.query, key[1:], ("query",)
    for segment in (*key, None):
        while isinstance(node, Encoded):
            path, node = (*path, f"${node.encoding}"), node.node
        if segment is None:
            break
        if isinstance(node, Object):
            found = (m.value for m in node.members if isinstance(m, ObjectMember) and m.key == segment)
            node = next(found, None)
        elif isinstance(node, Array) and _is_index(segment) and int(segment) < len(node.items):
            node = node.items[int(segment)]
        else:
            return None
        path = (*path, segment)
    return None if node is None else (path, node)


def where(source: PlacedValue, path: tuple[str, ...]) -> Place:
    """The place of the value at `path`, or of the nearest thing around it that exists."""
    current = source
    for segment in path:
        if isinstance(current, Map) and segment in current.members:
            current = current.members[segment]
        elif isinstance(current, List) and _is_index(segment) and int(segment) < len(current.items):
            current = current.items[int(segment)]
        else:
            break
    return current.place


def place_of(source: PlacedValue, path: str) -> Place:
    """The place of a dotted path, of an operation's too that inherits what stands there: the deepest that exists."""
    segments = tuple("".join(found) for found in _segment.findall(path))
    places = [where(source, segments)]
    if segments[:1] == ("operations",):
        places.append(where(source, segments[2:]))
    return max(places, key=lambda place: len(_segment.findall(place.path)))


_segment = re.compile(r'"([^"]*)"|\[([0-9]+)\]|([^.\[\]"]+)')


def _walk(node: Node, path: tuple[str, ...], inside: tuple[str, ...]) -> Iterator[Use]:
    if isinstance(node, Replacement):
        yield Use(node.expression, path, inside)
    elif isinstance(node, Text):
        for part in node.parts:
            if isinstance(part, Expression):
                yield Use(part, path, inside)
    elif isinstance(node, Encoded):
        yield from _walk(node.node, (*path, f"${node.encoding}"), inside)
    elif isinstance(node, Array):
        for index, item in enumerate(node.items):
            yield from _walk(item, (*path, str(index)), (*inside, str(index)))
    elif isinstance(node, Object):
        for member in node.members:
            yield from _member(member, path, inside)


def _member(member: ObjectMember | Spread, path: tuple[str, ...], inside: tuple[str, ...]) -> Iterator[Use]:
    if isinstance(member, Spread):
        yield Use(member.expression, (*path, "..."), inside)
    elif isinstance(member.key, str):
        yield from _walk(member.value, (*path, member.key), (*inside, member.key))
    else:
        below = (*inside, "*")  # no key path can name it
        yield from _walk(member.key, path, inside)
        yield from _walk(member.value, path, below)
