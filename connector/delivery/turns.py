"""Replies that take long to read leave the event loop to the other providers in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from connector.clock import Clock

SLOW_SECONDS: Final = 0.01  # a reply of a thousand entries takes 2 ms


class Turns:
    """When the next reply of one provider may be read: after a slow reading, not before as much time has passed again.

    What one reply may cost is bounded where it is read (`response/work.py`). Without this, the replies of many requests
    would be read back to back, and the bound would count once for each of them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free = clock.monotonic()
        self._hurried = asyncio.Event()

    async def come(self) -> None:
        """Wait until a reply may be read."""
        while not self._hurried.is_set() and (seconds := self._free - self._clock.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), seconds)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Around the reading of a reply."""
        begun = self._clock.monotonic()
        try:
            yield
        finally:
            ended = self._clock.monotonic()
            if ended - begun > SLOW_SECONDS:
                self._free = ended + (ended - begun)

    def hurry(self) -> None:
        """The lane is closing: nobody waits any more."""
        self._hurried.set()
