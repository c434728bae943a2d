"""A message from an event of another shape: each of its fields by a JMESPath expression, checked with the settings.

Most expressions are a path or a constant, and are looked up without the library, which takes 3 µs for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from connector.config_text.jmes_parse import AstNode, parse
from connector.errors import MessageError

Search = Callable[[Any], Any]


class EventMap:
    """Makes messages.

    Args:
        fields: field of a message → expression.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name: _search(text) for name, text in fields.items()}

    def __call__(self, event: Any) -> dict[str, Any]:
        """The fields that the event has. Raises MessageError."""
        message: dict[str, Any] = {}
        for name, search in self._fields.items():
            try:
                found = search(event)
            except (JMESPathError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
                raise MessageError(f"{name}: its expression fails on this event ({type(error).__name__})") from None
            if found is not None:
                message[name] = found
        return message


def _search(text: str) -> Search:
    tree = parse(text)
    if tree["type"] == "literal":
        return lambda _: tree["value"]
    names = tuple(_path(tree))
    if None in names:
        return jmespath.compile(text).search

    def along(event: Any) -> Any:
        for name in names:
            if not isinstance(event, dict):
                return None
            event = event.get(name)
        return event

    return along


def _path(node: AstNode) -> Iterable[str | None]:
    """The names of `a.b.c`; None among them where the expression is something else."""
    if node["type"] == "field":
        yield node["value"]
    elif node["type"] == "subexpression":
        for child in node["children"]:
            yield from _path(child)
    else:
        yield None
