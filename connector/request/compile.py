"""An operation of a definition becomes a `Renderer`: messages in, one HTTP request out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from connector.definition.tree import Auth, Batching, Constant, Operation, Text
from connector.errors import MessageError
from connector.model import Batch, Message, Request
from connector.request.envelope import Envelope
from connector.request.key import BatchKey
from connector.request.records import Records
from connector.request.values import Key

URL_BYTES = 7_500
"""Bound on a URL where `batching.bytes` gives none: servers and proxies commonly refuse request lines of 8 KiB."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What `render` made of its messages; the lists hold indexes into them and together hold each once.

    Attributes:
        request: None when nothing could be sent.
        sent: in the request, in the order of its records.
        invalid: cannot be rendered, and why.
        left: collide with a sent one, or no longer fit: for the next window.
    """

    request: Request | None
    sent: list[int]
    invalid: list[tuple[int, MessageError]]
    left: list[int]


def compile_operation(operation: Operation) -> Renderer:
    """Compile `operation`; raises DefinitionError for what its format cannot hold."""
    return Renderer(operation)


class Renderer:
    """The compiled operation. Not for two threads: merged records stand in one place while a request is built.

    Attributes:
        operation: what it was compiled from.
        auth: what the delivery client has to add (OAuth2, SigV4); basic is already in the headers.
        min_records, max_records: messages per request; 1 and 1 without batching.
        description: what two messages must have in common to share a request, in words.
    """

    def __init__(self, operation: Operation) -> None:
        batching = operation.batching
        self.operation = operation
        self.auth: Auth = operation.auth
        self.min_records = batching.min_records if batching else 1
        self.max_records = batching.max_records if batching else 1
        self._keys = [Key(path) for path in batching.keys] if batching else []
        self._envelope = Envelope(operation, self._keys)
        self._max_bytes = batching.max_bytes if batching else None
        if self._max_bytes is None and self._envelope.in_url:
            self._max_bytes = URL_BYTES
        self._records = Records(operation, batching, self._keys) if batching else None
        self._batch_key = _batch_key(operation, self._keys)
        self._fits = _condition(operation.when)
        self.description = _describe(batching, self._batch_key)

    def fits(self, message: Message) -> bool:
        """Whether the operation's `when` holds for `message`; an expression that fails does not hold."""
        return self._fits(message)

    def batch_key(self, message: Message) -> Hashable:
        """Equal exactly when everything outside the records renders to the same bytes.

        The provider, the operation and the campaign belong to the key as well and are the caller's. Raises MessageError
        when something outside has no value.
        """
        return self._batch_key.of(message) if self._keys else ()

    def render(self, messages: Sequence[Message], batch: Batch) -> Rendered:
        """One request of as many of `messages` as fit; all of them have the same batch key. Sets `batch.count`."""
        if self._records is None:
            return self._render_one(messages, batch)
        collected = self._records.collect(messages, batch, self.max_records)
        sent, invalid, left = collected.sent, collected.invalid, collected.left
        if not sent:
            return Rendered(None, sent, invalid, left)

        def build(count: int) -> Request:
            assert self._records is not None
            self._records.place(collected, count)
            batch.count = count
            return self._envelope.build(messages[sent[0]], batch)

        try:
            request, count = self._largest(build, len(sent))
        except _TooLargeError as error:
            return self._without([(sent[0], error)], messages, batch)
        except MessageError as error:
            # One message's fault is only its own; what no message is guilty of stands outside and is all messages'.
            return self._without(collected.unwritable() or [(index, error) for index in sent], messages, batch)
        if count < len(sent):
            left = sorted(left + sent[count:])
            sent = sent[:count]
        return Rendered(request, sent, invalid, left)

    def _render_one(self, messages: Sequence[Message], batch: Batch) -> Rendered:
        batch.count = batch.seq = 1
        left = list(range(1, len(messages)))
        try:
            request, _ = self._largest(lambda _: self._envelope.build(messages[0], batch), 1)
        except MessageError as error:
            return Rendered(None, [], [(0, error)], left)
        return Rendered(request, [0], [], left)

    def _largest(self, build: Callable[[int], Request], count: int) -> tuple[Request, int]:
        """The request of the largest prefix of `count` messages that fits; raises _TooLargeError when one does not.

        Sizes grow nearly evenly with the number of messages, so the first guesses are proportional; from the fifth on
        the interval is halved, which bounds the work when one message is far larger than the others.
        """
        request = build(count)
        bound = self._max_bytes
        if bound is None or (size := self._envelope.size(request)) <= bound:
            return request, count
        fits, fits_size, best = 0, 0, None
        over, over_size = count, size
        guesses = 0
        while over - fits > 1:
            guesses += 1
            share = (bound - fits_size) / (over_size - fits_size) if guesses < 5 else 0.5
            guess = min(max(fits + int((over - fits) * share), fits + 1), over - 1)
            request = build(guess)
            size = self._envelope.size(request)
            if size <= bound:
                fits, fits_size, best = guess, size, request
            else:
                over, over_size = guess, size
        if best is None:
            raise _TooLargeError(over_size, bound)
        return best, fits

    def _without(
        self, invalid: Sequence[tuple[int, MessageError]], messages: Sequence[Message], batch: Batch
    ) -> Rendered:
        """Render again without the messages that are `invalid`."""
        out = dict(invalid)
        kept = [index for index in range(len(messages)) if index not in out]
        again = self.render([messages[index] for index in kept], batch)
        return Rendered(
            again.request,
            [kept[index] for index in again.sent],
            sorted([*invalid, *((kept[index], error) for index, error in again.invalid)], key=lambda pair: pair[0]),
            [kept[index] for index in again.left],
        )


class _TooLargeError(MessageError):
    def __init__(self, size: int, bound: int) -> None:
        super().__init__(f"alone it makes a request of {size} bytes; `bytes` allows {bound}")


def _batch_key(operation: Operation, keys: Sequence[Key]) -> BatchKey:
    key = BatchKey()
    key.add(operation.url if isinstance(operation.url, Text) else Constant(""), json=False)
    key.add(operation.query, json=False)
    key.add(operation.headers, json=False)
    if operation.body is not None:
        key.add(operation.body, json=operation.kind == "json", keys=[key.path for key in keys])
    return key


def _describe(batching: Batching | None, key: BatchKey) -> str:
    if batching is None:
        return "each message is a request of its own"
    return "; ".join(["operation and campaign", *key.expressions])


def _condition(when: str | None) -> Callable[[Message], bool]:
    """`when`, compiled: JMESPath over the message as its event has it."""
    if when is None:
        return lambda message: True
    expression = jmespath.compile(when)

    def holds(message: Message) -> bool:
        try:
            value = expression.search(msgspec.to_builtins(message))
        except JMESPathError:
            return False
        return value is not None and value is not False and value not in ("", [], {})

    return holds
