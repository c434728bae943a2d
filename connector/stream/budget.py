"""How much one worker holds: open messages and bytes, whatever the backlog or the outage."""

from __future__ import annotations

import asyncio


class Budget:
    """Counts what is admitted and not settled; intake waits while it is full.

    Attributes:
        messages, bytes: open now.
    """

    def __init__(self, *, messages: int, bytes_: int) -> None:
        self._max_messages = messages
        self._max_bytes = bytes_
        self.messages = 0
        self.bytes = 0
        self._room = asyncio.Event()
        self._room.set()

    @property
    def full(self) -> bool:
        return self.messages >= self._max_messages or self.bytes >= self._max_bytes

    def take(self, messages: int, bytes_: int) -> None:
        self.messages += messages
        self.bytes += bytes_

    def release(self, messages: int, bytes_: int) -> None:
        self.messages -= messages
        self.bytes -= bytes_
        self.changed()

    def clear(self) -> None:
        """The epoch has ended: nothing of it is held any more."""
        self.messages = self.bytes = 0
        self.changed()

    def changed(self) -> None:
        """Something that `wait` may have waited for has moved (also the ledgers, or the epoch)."""
        self._room.set()

    async def wait(self) -> None:
        """Wait until something is released; the caller looks again."""
        self._room.clear()
        await self._room.wait()
