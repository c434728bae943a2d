"""One operation of a definition, compiled: how a lane asks for requests and what replies mean."""

from __future__ import annotations

from dataclasses import dataclass

from connector.definition.tree import Definition, Operation
from connector.request.renderer import Renderer, compile_operation
from connector.response.reply_reader import ReplyReader, compile_response


@dataclass(frozen=True, slots=True)
class Route:
    """An operation with its compiled renderer and reader."""

    operation: Operation
    renderer: Renderer
    reader: ReplyReader


def compile_routes(definition: Definition) -> tuple[Route, ...]:
    """The operations of a definition, in order of preference."""
    return tuple(
        Route(operation, compile_operation(operation), compile_response(operation, definition.secrets))
        for operation in definition.operations
    )
