"""What references mean once a whole operation is known.

`$$MessageID` becomes `receipt()` where receipts bring it back: what CleverTap's own payloads mean by it. A reply is not
compared with a reference that the request does not hold: whoever extends a definition may have replaced its record.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connector.definition.expression import REFERENCES, Expression, Head
from connector.definition.receipt_tree import Receipts
from connector.definition.system import MESSAGE_ID
from connector.definition.tree import (
    Array,
    Encoded,
    EntrySource,
    Node,
    Object,
    ObjectMember,
    Operation,
    Replacement,
    Response,
    Spread,
    Text,
)
from connector.definition.walk import uses


def refer(operation: Operation, receipts: Receipts | None) -> Operation:
    """The operation with `$$MessageID` as a reference, where receipts bring one back in a field of theirs; and with
    what they tell the messages of a request apart by.
    """
    if receipts is not None:
        operation = replace(operation, apart=receipts.match.apart)
    if receipts is None or receipts.match.by != "field":
        return replace(operation, response=_compared(operation))
    operation = replace(
        operation,
        url=_node(operation.url),
        query=_node(operation.query),
        headers=_node(operation.headers),
        body=None if operation.body is None else _node(operation.body),
        response=_response(operation.response),
    )
    return replace(operation, response=_compared(operation))


def _compared(operation: Operation) -> Response | None:
    """The response without references that nothing of the request is."""
    response = operation.response
    if response is None or not any(
        expression.calls & REFERENCES for entries in response.entries for expression, _ in entries.match.pairs
    ):
        return response
    sent = frozenset[str]().union(*(use.expression.calls for use in uses(operation)))
    return replace(response, entries=tuple(_without(entries, REFERENCES - sent) for entries in response.entries))


def _without(entries: EntrySource, unsent: frozenset[str]) -> EntrySource:
    pairs = tuple((_instead(expression, unsent), path) for expression, path in entries.match.pairs)
    return replace(entries, match=replace(entries.match, pairs=pairs))


def _instead(expression: Expression, unsent: frozenset[str]) -> Expression:
    """What stands in for a reference, in place of all of it."""
    default = expression.filters[0] if expression.filters else None
    argument = default.arguments[0] if default is not None and default.filter.name == "default" else None
    if expression.head.kind != "call" or expression.head.text not in unsent or not isinstance(argument, Expression):
        return expression
    return replace(argument, filters=argument.filters + expression.filters[1:])


def _expression(expression: Expression) -> Expression:
    if MESSAGE_ID not in expression.names:
        return expression
    named = expression.head == Head("name", MESSAGE_ID)
    calls = [
        replace(
            call,
            arguments=tuple(_expression(each) if isinstance(each, Expression) else each for each in call.arguments),
        )
        for call in expression.filters
    ]
    # The name stays among those it reads: it still is what an event's own value goes before.
    return replace(
        expression,
        head=Head("call", MESSAGE_ID) if named else expression.head,
        filters=tuple(calls),
        calls=expression.calls | {MESSAGE_ID},
    )


def _node(node: Any) -> Any:
    """A node of the same kind."""
    match node:
        case Replacement(expression):
            return Replacement(_expression(expression))
        case Text(parts):
            return Text(tuple(part if isinstance(part, str) else _expression(part) for part in parts))
        case Array(items):
            return Array(tuple(_node(item) for item in items))
        case Encoded(encoding, inner):
            return Encoded(encoding, _node(inner))
        case Object(members):
            return Object(tuple(_member(member) for member in members))
    return node


def _member(member: ObjectMember | Spread) -> ObjectMember | Spread:
    if isinstance(member, Spread):
        return Spread(_expression(member.expression))
    key = member.key if isinstance(member.key, str) else _node(member.key)
    value: Node = _node(member.value)
    return ObjectMember(key, value)


def _response(response: Response | None) -> Response | None:
    return None if response is None else replace(response, entries=tuple(map(_entries, response.entries)))


def _entries(entries: EntrySource) -> EntrySource:
    pairs = tuple((_expression(expression), path) for expression, path in entries.match.pairs)
    return replace(entries, match=replace(entries.match, pairs=pairs))
