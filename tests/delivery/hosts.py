"""What a lane lives in, faked: it keeps the results, and says what it is told to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec

from connector.definition.tree import Operation
from connector.delivery.lane_host import LaneHost
from connector.delivery.queue.item import Item
from connector.model import Message, Result

decode_message = msgspec.json.Decoder(Message).decode


def decode_items(items: Sequence[Item]) -> list[Message]:
    return [decode_message(item.raw) for item in items]


class FakeHost(LaneHost):
    """Without `park` nothing is taken over, without `await_permission` everything may leave."""

    caught_up = True
    memory_full = False

    def __init__(
        self,
        finish: Callable[[Sequence[Item], Sequence[Result]], None],
        *,
        park: Callable[[Sequence[Item], float], Any] | None = None,
        await_permission: Callable[[Operation, str, Sequence[Item]], Awaitable[bool]] | None = None,
        decode: Callable[[Sequence[Item]], list[Message]] = decode_items,
    ) -> None:
        self.finish = finish  # type: ignore[method-assign]
        self.decode = decode  # type: ignore[method-assign]
        self.suppresses: Callable[[str], bool] = lambda _to: False
        self.withdrawn: list[list[int]] = []
        self._changes = 0
        self._park = park
        self._await_permission = await_permission

    def park(self, items: Sequence[Item], due: float) -> bool:
        if self._park is None:
            return False
        self._park(items, due)
        return True

    @property
    def suppression_changes(self) -> int:
        """Another at each look: it is always asked again."""
        self._changes += 1
        return self._changes

    def suppressed(self, items: Sequence[Item], messages: Sequence[Message]) -> Sequence[bool]:
        """As its attribute `suppresses` says of each number."""
        found = [self.suppresses(message.to) for message in messages]
        return found if any(found) else ()

    async def await_permission(self, operation: Operation, batch_id: str, items: Sequence[Item]) -> bool:
        return self._await_permission is None or await self._await_permission(operation, batch_id, items)

    async def withdraw_permission(self, operation: Operation, items: Sequence[Item]) -> None:
        self.withdrawn.append([item.offset for item in items])
