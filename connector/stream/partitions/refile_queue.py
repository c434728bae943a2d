"""Messages that left their lane to be filed anew: their campaign, or their provider's definition, has changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

from connector.delivery.queue.item import Item


class RefileQueue:
    """Between those who take messages out of lanes and intake, which files them a turn at a time."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._added = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, items: Iterable[Item]) -> None:
        """File these anew, in turns."""
        self._items.extend(items)
        self._added.set()

    def pop(self, most: int) -> list[Item]:
        """The next ones."""
        return [self._items.popleft() for _ in range(min(most, len(self._items)))]

    def clear(self) -> list[Item]:
        """The epoch has ended: what is still to be filed anew."""
        return self.pop(len(self._items))

    async def wait(self, seconds: float) -> None:
        """Until some are added, at most so long."""
        self._added.clear()
        timer = asyncio.get_running_loop().call_later(seconds, self._added.set)
        try:
            await self._added.wait()
        finally:
            timer.cancel()
