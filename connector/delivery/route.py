"""One operation of a definition, compiled: how a lane asks for requests and what replies mean."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

from connector.definition.tree import Definition, Operation
from connector.errors import MessageError
from connector.model import Batch, Message, Outcome, Reply, Request
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response


class Rendered(Protocol):
    """Messages turned into one request; all are indexes into the messages given."""

    @property
    def request(self) -> Request | None: ...
    @property
    def sent(self) -> Sequence[int]: ...
    @property
    def invalid(self) -> Sequence[tuple[int, MessageError]]: ...
    @property
    def left(self) -> Sequence[int]: ...


class Renderer(Protocol):
    """connector.request.renderer.Renderer, as far as a lane uses it."""

    @property
    def max_records(self) -> int: ...
    @property
    def min_records(self) -> int: ...
    @property
    def key_parts(self) -> Sequence[str]: ...
    def fits(self, message: Message) -> bool: ...
    def batch_key(self, message: Message) -> Hashable: ...
    def batch_keys(self, messages: Sequence[Message]) -> Sequence[Hashable] | None: ...
    def render(self, messages: Sequence[Message], batch: Batch) -> Rendered: ...


class Reading(Protocol):
    """What a reply means: one outcome per message in order; `whole` where one rule decided for all."""

    @property
    def outcomes(self) -> Sequence[Outcome]: ...
    @property
    def whole(self) -> Outcome | None: ...


class Reader(Protocol):
    """connector.response.reply_reader.Reader, as far as a lane uses it."""

    def read(self, reply: Reply, messages: Sequence[Message], batch: Batch, now: float) -> Reading: ...


@dataclass(frozen=True, slots=True)
class Route:
    """An operation with its compiled renderer and reader."""

    operation: Operation
    renderer: Renderer
    reader: Reader


def compile_routes(definition: Definition) -> tuple[Route, ...]:
    """The operations of a definition, in order of preference."""
    return tuple(
        Route(operation, compile_operation(operation), compile_response(operation, definition.secrets))
        for operation in definition.operations
    )
