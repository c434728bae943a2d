"""Replies that take long to read leave the event loop to the other providers in between."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import Final

from connector.clock import Clock

SLOW_SECONDS: Final = 0.01  # a reply of a thousand entries takes 2 ms


class SlowReadings:
    """What the lanes of one process share: when one of those whose replies are slow to read may read the next one.

    Attributes:
        free: monotonic seconds.
    """

    def __init__(self) -> None:
        self.free = -math.inf


class ReadingTurns:
    """When the next reply of one provider may be read: after a slow reading, not before as much time has passed again.

    That is so for a provider by itself, and for all whose last reply was slow to read together: however many they are,
    half of the time is left to the others. A provider whose replies are quick to read waits for nobody.

    What one reply may cost is bounded where it is read (`response/work.py`). Without this, the replies of many requests
    would be read back to back, and the bound would count once for each of them.

    Args:
        shared: with the other lanes of the process.
    """

    def __init__(self, clock: Clock, shared: SlowReadings | None = None) -> None:
        self._clock = clock
        self._shared = shared or SlowReadings()
        self._free = clock.monotonic()
        self._slow = False
        self._hurried = asyncio.Event()

    def free(self, now: float) -> bool:
        """Whether `come` would not wait: nearly always, and asked without making a coroutine for each reply."""
        return self._turn() <= now

    async def come(self) -> None:
        """Wait until a reply may be read."""
        while not self._hurried.is_set() and (seconds := self._turn() - self._clock.monotonic()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), seconds)

    def read(self, begun: float) -> None:
        """A reply has been read, or could not be; `begun`: monotonic seconds, when that was begun."""
        ended = self._clock.monotonic()
        self._slow = ended - begun > SLOW_SECONDS
        if self._slow:
            self._free = self._shared.free = ended + (ended - begun)

    def _turn(self) -> float:
        return max(self._free, self._shared.free) if self._slow else self._free

    def hurry(self) -> None:
        """The lane is closing: nobody waits any more."""
        self._hurried.set()
