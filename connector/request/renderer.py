"""An operation of a definition becomes a `Renderer`: messages in, one HTTP request out."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from connector.definition.tree import QUERY, Auth, Batching, Constant, Operation, Text
from connector.errors import MessageError
from connector.model import Batch, Message, Request
from connector.request.envelope import Envelope
from connector.request.key import BatchKey
from connector.request.records import Collected, Records
from connector.request.values import MergePoint
from connector.request.when import compile_when

URL_BYTES = 7_500
"""Bound on a URL where `batching.bytes` gives none: servers and proxies commonly refuse request lines of 8 KiB."""


@dataclass(slots=True)
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


Guilty = Sequence[tuple[int, MessageError]]


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
        self._keys = [MergePoint(path) for path in batching.keys] if batching else []
        self._envelope = Envelope(operation, self._keys)
        self._max_bytes = batching.max_bytes if batching else None
        if self._max_bytes is None and self._envelope.in_url:
            self._max_bytes = URL_BYTES
        self._records = Records(operation, batching, self._keys) if batching else None
        self._batch_key = _batch_key(operation, self._keys)
        self._fits = compile_when(operation.when) if operation.when is not None else None
        self.description = _describe(batching, self._batch_key)

    def fits(self, message: Message) -> bool:
        """Whether the operation's `when` holds for `message`; an expression that fails does not hold."""
        return self._fits is None or self._fits(message)

    def batch_key(self, message: Message) -> Hashable:
        """Equal exactly when everything outside the records renders to the same bytes.

        The provider, the operation and the campaign belong to the key as well and are the caller's. Raises MessageError
        when something outside has no value.
        """
        return self._batch_key.of(message) if self._keys else ()

    def batch_keys(self, messages: Sequence[Message]) -> Sequence[Hashable] | None:
        """`batch_key` of each; None where they have to be asked one by one."""
        return self._batch_key.of_all(messages) if self._keys else [()] * len(messages)

    @property
    def key_parts(self) -> Sequence[str]:
        """For each element of a `batch_key`, the replacements it comes from."""
        return self._batch_key.parts if self._keys else ()

    def render(self, messages: Sequence[Message], batch: Batch) -> Rendered:
        """One request of as many of `messages` as fit; all of them have the same batch key. Sets `batch.count`."""
        if self._records is None:
            return self._render_one(messages, batch)
        if len(messages) == 1 and (request := self._alone(self._records, messages[0], batch)) is not None:
            return Rendered(request, [0], [], [])
        rendered, guilty = self._render_batch(self._records, messages, batch)
        if not guilty:
            return rendered
        kept = list(range(len(messages)))
        invalid: list[tuple[int, MessageError]] = []
        while guilty:  # without them, until only messages are left that can be rendered together
            invalid += [(kept[position], error) for position, error in guilty]
            positions = {position for position, _ in guilty}
            kept = [index for position, index in enumerate(kept) if position not in positions]
            rendered, guilty = self._render_batch(self._records, [messages[index] for index in kept], batch)
        invalid += [(kept[position], error) for position, error in rendered.invalid]
        return Rendered(
            rendered.request,
            [kept[position] for position in rendered.sent],
            sorted(invalid, key=lambda pair: pair[0]),
            [kept[position] for position in rendered.left],
        )

    def _alone(self, records: Records, message: Message, batch: Batch) -> Request | None:
        """The request of one message; None where `_render_batch` has to say why there is none. The hot path of single
        messages.
        """
        batch.count = 1
        try:
            request = self._envelope.build(message, batch) if records.place_alone(message, batch) else None
        except MessageError:
            return None
        finally:
            records.clear()
        bound = self._max_bytes
        return None if request is not None and bound is not None and self._envelope.size(request) > bound else request

    def _render_batch(self, records: Records, messages: Sequence[Message], batch: Batch) -> tuple[Rendered, Guilty]:
        """The request; or the messages without which to try again: only writing them told that they are invalid."""
        collected = records.collect(messages, batch, self.max_records)
        sent, left = collected.sent, collected.left
        nothing = Rendered(None, [], collected.invalid, left)
        if not sent:
            return nothing, ()
        try:
            request, count = self._largest(self._builder(records, collected, messages, batch), len(sent))
        except _TooLargeError:
            return nothing, self._too_large(records, [(index, messages[index]) for index in sent], batch)
        except MessageError as error:
            # What no message is guilty of stands outside the records, and is the fault of all.
            alone = self._unsignable(records, collected, messages, batch) if self._envelope.may_be_unsignable else ()
            return nothing, collected.unwritable() or alone or [(index, error) for index in sent]
        finally:
            records.clear()
        if count < len(sent):
            left = sorted(left + sent[count:])
            sent = sent[:count]
        return Rendered(request, sent, collected.invalid, left), ()

    def _builder(
        self, records: Records, collected: Collected, messages: Sequence[Message], batch: Batch
    ) -> Callable[[int], Request]:
        """Builds the request of the first so many records."""

        def build(count: int) -> Request:
            records.place(collected, count)
            batch.count = count
            return self._envelope.build(messages[collected.sent[0]], batch)

        return build

    def _too_large(self, records: Records, sent: Sequence[tuple[int, Message]], batch: Batch) -> Guilty:
        """Those over the bound alone. The first is one, or nobody would ask."""
        guilty = []
        for index, message in sent:
            alone = [message]
            try:
                self._largest(self._builder(records, records.collect(alone, batch, 1), alone, batch), 1)
            except MessageError as error:
                guilty.append((index, error))
        return guilty

    def _unsignable(self, records: Records, collected: Collected, messages: Sequence[Message], batch: Batch) -> Guilty:
        """Those for which what is added when they are sent cannot be computed, alone in a request."""
        return self._too_large(records, [(index, messages[index]) for index in collected.sent], batch)

    def _render_one(self, messages: Sequence[Message], batch: Batch) -> Rendered:
        batch.count = batch.seq = 1
        left = list(range(1, len(messages)))
        if not messages:
            return Rendered(None, [], [], left)
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


class _TooLargeError(MessageError):
    def __init__(self, size: int, bound: int) -> None:
        super().__init__(f"alone it makes a request of {size} bytes; `bytes` allows {bound}")


def _batch_key(operation: Operation, keys: Sequence[MergePoint]) -> BatchKey:
    key = BatchKey()
    key.add(operation.url if isinstance(operation.url, Text) else Constant(""), json=False)
    in_query = [point.path[1:] for point in keys if point.path[:1] == (QUERY,)]
    key.add(operation.query, json=False, keys=in_query)
    key.add(operation.headers, json=False)
    if operation.body is not None:
        key.add(operation.body, json=operation.kind == "json", keys=[point.path for point in keys])
    return key


def _describe(batching: Batching | None, key: BatchKey) -> str:
    if batching is None:
        return "each message is a request of its own"
    return "; ".join(["operation and campaign", *key.expressions])
