"""How much one worker holds: open messages and bytes, whatever the backlog or the outage."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping


class Budget:
    """Counts what is admitted and not settled, per source topic; intake of a source waits while it has no room.

    A source with a share has so much kept free for it; the rest is for whoever comes first.

    Args:
        shares: source topic → fraction kept free for it. Topics that are not in it (retry topics) have none.

    Attributes:
        messages, bytes: open now.
    """

    def __init__(self, *, messages: int, bytes_: int, shares: Mapping[str, float] | None = None) -> None:
        self._shares = {topic: share for topic, share in (shares or {}).items() if share > 0}
        self._max_messages = messages
        self._max_bytes = bytes_
        self._messages: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def messages(self) -> int:
        return self._messages.total()

    @property
    def bytes(self) -> int:
        return self._bytes.total()

    def full(self, topic: str) -> bool:
        """Whether nothing further of this topic may be admitted."""
        return self._full(topic, self._messages, self._max_messages) or self._full(topic, self._bytes, self._max_bytes)

    def _full(self, topic: str, used: Counter[str], most: int) -> bool:
        if used[topic] < self._shares.get(topic, 0.0) * most:
            return False
        return self._free(used, most) <= 0

    def free(self) -> tuple[int, int]:
        """Messages and bytes that are left for whoever comes first; below 0 where slices went beyond the bound."""
        return self._free(self._messages, self._max_messages), self._free(self._bytes, self._max_bytes)

    def _free(self, used: Counter[str], most: int) -> int:
        if not self._shares:
            return most - used.total()
        # What is kept free counts as used, whether it is or not.
        return int(most - sum(max(used[it], self._shares.get(it, 0.0) * most) for it in {*used, *self._shares}))

    def reserved(self, topic: str) -> bool:
        """Whether half of what is kept free for this topic is still free: one provider may use up the other half."""
        share = self._shares.get(topic, 0.0)
        return (
            self._messages[topic] < share * self._max_messages / 2 and self._bytes[topic] < share * self._max_bytes / 2
        )

    def take(self, topic: str, messages: int, bytes_: int) -> None:
        self._messages[topic] += messages
        self._bytes[topic] += bytes_

    def release(self, topic: str, messages: int, bytes_: int) -> None:
        self._messages[topic] -= messages
        self._bytes[topic] -= bytes_
        self.changed()

    def clear(self) -> None:
        """The epoch has ended: nothing of it is held any more."""
        self._messages.clear()
        self._bytes.clear()
        self.changed()

    def changed(self) -> None:
        """Something that `wait` may have waited for has moved (also the ledgers, or the epoch)."""
        self._room.set()

    async def wait(self, seconds: float) -> None:
        """Wait until something is released, at most so long; the caller looks again."""
        self._room.clear()
        timer = asyncio.get_running_loop().call_later(seconds, self._room.set)
        try:
            await self._room.wait()
        finally:
            timer.cancel()
