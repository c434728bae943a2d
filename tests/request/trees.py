"""Operations written as Python values, as a definition's payload would be: `{"to": "$$To"}`."""

from __future__ import annotations

from typing import Any

from connector.definition.expression import Expression
from connector.definition.expression_text import split
from connector.definition.tree import (
    Array,
    Auth,
    Batching,
    Constant,
    Encoded,
    NoAuth,
    Node,
    Object,
    ObjectMember,
    Operation,
    Replacement,
    Response,
    Spread,
    Text,
)
from connector.model import Batch, Message
from connector.request.renderer import Renderer, compile_operation


def node(value: Any) -> Node:
    """The tree of a JSON-like value."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in ("$json", "$form", "$xml", "$base64"):
            ((encoding, inner),) = value.items()
            return Encoded(encoding[1:], node(inner))
        return Object(tuple(member(key, item) for key, item in value.items()))
    if isinstance(value, list):
        return Array(tuple(node(item) for item in value))
    if isinstance(value, Constant):
        return value
    return Constant(value)


def text(value: str) -> Constant | Replacement | Text:
    parts = split(value)
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return Replacement(parts[0])
    if any(isinstance(part, Expression) for part in parts):
        return Text(parts)
    return Constant("".join(str(part) for part in parts))


def member(key: str, item: Any) -> ObjectMember | Spread:
    if key == "...":
        spread = text(item)
        assert isinstance(spread, Replacement)
        return Spread(spread.expression)
    named = text(key)
    return ObjectMember(key if isinstance(named, Constant) else named, node(item))


def operation(
    body: Any,
    *,
    kind: str = "json",
    method: str = "POST",
    url: str = "https://sms.example.com/send",
    query: dict[str, Any] | None = None,
    headers: dict[str, Any] | None = None,
    auth: Auth | None = None,
    key: str | list[str] | None = None,
    records: int = 1000,
    join: str = ",",
    max_bytes: int | None = None,
    response: Response | None = None,
    when: str | None = None,
) -> Operation:
    """An operation; `key` as in the language: a dotted path, a list of them, or `.`."""
    paths = [key] if isinstance(key, str) else key
    batching = None
    if paths is not None:
        keys = tuple(() if path == "." else tuple(path.split(".")) for path in paths)
        batching = Batching(keys, max_records=records, join=join, max_bytes=max_bytes)
    target = text(url)
    assert isinstance(target, Text | Constant)
    query_node, header_node = node(query or {}), node(headers or {})
    assert isinstance(query_node, Object)
    assert isinstance(header_node, Object)
    return Operation(
        name="send",
        path="operations[0]",
        method=method,
        url=target,
        query=query_node,
        headers=header_node,
        auth=auth or NoAuth(),
        kind=kind,
        body=None if body is None else node(body),
        batching=batching,
        response=response,
        when=when,
    )


def renderer(body: Any, **options: Any) -> Renderer:
    return compile_operation(operation(body, **options))


def message(number: int = 1, **fields: Any) -> Message:
    """Message `number`, to a phone of its own."""
    fields.setdefault("to", f"+9198{number:08d}")
    return Message(message_id=f"m{number}", **fields)


def batch() -> Batch:
    return Batch(id="0123456789abcdef0123456789abcdef", now=1_700_000_000.0)
