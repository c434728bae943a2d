"""What only shows when definitions and settings are seen together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from connector.config_text.units import format_duration
from connector.definition.check_receipts import needed_references, references, shortest
from connector.definition.expression import Expression
from connector.definition.tree import Definition, Operation
from connector.definition.walk import Use, place_of, uses
from connector.errors import Problem
from connector.settings.cross_checks import FINISH_SECONDS
from connector.settings.model import Settings
from connector.settings.names import did_you_mean
from connector.settings.way_back import Receive


def misfits(definitions: Iterable[Definition], settings: Settings) -> list[Problem]:
    """Everything of the definitions that these settings have no room for."""
    definitions = list(definitions)
    return [*_too_long(definitions, settings), *_unreferred(definitions, settings.receive)]


def unrouted(names: Collection[str], settings: Settings) -> list[Problem]:
    """Routes to providers that nobody has defined: their messages would wait, and end `invalid`."""
    return [
        Problem(
            f"no provider is called {route.use!r}",
            did_you_mean(route.use, names) or f"there are: {', '.join(sorted(names))}",
            file="settings",
            path=f"routes.{index}.use",
        )
        for index, route in enumerate(settings.routes)
        if route.use not in names
    ]


def _too_long(definitions: Iterable[Definition], settings: Settings) -> list[Problem]:
    """Every request must end before the drain does, or a stop or rebalance cuts it off: its messages are sent again.

    What a definition does not say is the setting `timeouts.http_total`, which the settings check themselves.
    """
    drain = settings.timeouts.drain
    longest = drain - FINISH_SECONDS
    return [
        Problem(
            f"total {format_duration(definition.http.total)} does not fit timeouts.drain {format_duration(drain)}: "
            f"a request must end {format_duration(FINISH_SECONDS)} before the drain does, or it is cut off",
            f"lower it to {format_duration(longest)}, or raise timeouts.drain to "
            f"{format_duration(definition.http.total + FINISH_SECONDS)}",
            file=definition.file,
            path="http.total",
        )
        for definition in definitions
        if definition.http.total is not None and definition.http.total > longest
    ]


def _unreferred(definitions: Iterable[Definition], receive: Receive) -> Iterator[Problem]:
    """What a request must hold for its receipts is made with `receive.url` and `receive.keys`, and has to fit."""
    for definition in definitions:
        prefix = f"{receive.url}/m/{definition.name}/"
        for operation in definition.operations:
            for use, expression in [] if receive.url is not None else needed_references(operation):
                yield _placed(
                    definition,
                    operation,
                    use,
                    f"`{expression.written}` needs receive.url and receive.keys, which are not set",
                    f"set both (and receive.url_keys), or write `{_optional(expression)}` to send without it",
                )
            for use in [] if receive.url is None else uses(operation):
                for expression in references(use.expression):
                    yield from (
                        _placed(definition, operation, use, message, "shorten receive.url, or the definition's name")
                        for message in _lengths(expression, prefix)
                    )


def _lengths(expression: Expression, prefix: str) -> Iterator[str]:
    length = shortest(expression.head.text, prefix)
    for call in expression.filters:
        if call.filter.name == "append":
            length += len(str(call.arguments[0]))
        room = call.arguments[0] if call.filter.name == "at_most" else None
        if isinstance(room, int) and length > room:
            yield f"`{expression.written}` has {length} characters or more, of which {prefix} has {len(prefix)}"


def _optional(expression: Expression) -> str:
    return f"$${{{expression.source}?}}"


def _placed(definition: Definition, operation: Operation, use: Use, message: str, remedy: str) -> Problem:
    path = ".".join(part for part in (operation.path, *use.path) if part)
    if definition.source is None:
        return Problem(message, remedy, file=definition.file, path=path)
    place = place_of(definition.source, path)
    return Problem(message, remedy, file=place.file, path=path, line=place.line, column=place.column)
