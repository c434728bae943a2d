"""Results of one request that differ in little: what nearly all of a batch are. Nothing is made per message until it is
asked for; the writer knows how to write them without asking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final, overload

import msgspec

from connector.definition.gsm import segments
from connector.delivery.queue.item import Item
from connector.model import Message, Result

MIN_UNIFORM_RESULTS = 16
"""Fewer results than this are made one by one: it costs less than finding out that they are alike."""


@final
class UniformResults(Sequence[Result]):
    """One result per item, in order. To be told by `type(…) is`, like `UniformOutcomes`.

    Attributes:
        shared: what is the same for all; nothing else of it counts.
        items: what they finish; not read from a retry topic.
        messages: theirs.
        ids: the provider's, per message; None where it gave none.
        segments: of each message's body.
    """

    __slots__ = ("ids", "items", "messages", "segments", "shared")

    def __init__(
        self, shared: Result, items: Sequence[Item], messages: Sequence[Message], ids: Sequence[str] | None
    ) -> None:
        self.shared = shared
        self.items = items
        self.messages = messages
        self.ids = ids
        self.segments = [None if it.body is None else segments(it.body) for it in messages]

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> list[Result]: ...
    def __getitem__(self, index: int | slice) -> Result | list[Result]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        item, message = self.items[index], self.messages[index]
        return msgspec.structs.replace(
            self.shared,
            source=item.event(),
            message_id=message.message_id,
            to=message.to,
            provider_message_id=None if self.ids is None else self.ids[index],
            attempts=item.attempts + 1,
            segments=self.segments[index],
            received_at=item.received_at,
        )
