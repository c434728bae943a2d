"""Is this process still what it thinks it is? A stopped or starved process wakes up believing it owns its partitions.

A tick runs every `TICK_SECONDS`. When the last one is older than half the session time-out the broker may have given
the partitions away, so nothing is sent or written until the group has confirmed the membership.
"""

from __future__ import annotations

import asyncio

from connector.clock import Clock

TICK_SECONDS = 0.1


class Pulse:
    """Remembers the last tick; says whether sending is safe without asking the group first.

    Args:
        limit: seconds without a tick after which membership is in doubt: half the session time-out.
    """

    def __init__(self, clock: Clock, *, limit: float) -> None:
        self._clock = clock
        self._limit = limit
        self._last = clock.monotonic()
        self._doubt = False
        self._certain = asyncio.Event()
        self._certain.set()

    @property
    def certain(self) -> bool:
        """True while ticks come and no doubt is left over."""
        if self._clock.monotonic() - self._last > self._limit:
            self.doubt()
        return not self._doubt

    def doubt(self) -> None:
        """Hold everything back until `confirm`."""
        self._doubt = True
        self._certain.clear()

    def tick(self) -> bool:
        """Called by the loop every TICK_SECONDS; returns `certain` as it was before this tick."""
        certain = self.certain
        self._last = self._clock.monotonic()
        return certain

    def confirm(self) -> None:
        """The group has confirmed the membership, or the epoch has ended and there is nothing left to hold back."""
        self._last = self._clock.monotonic()
        self._doubt = False
        self._certain.set()

    async def wait(self) -> None:
        """Wait until membership is certain."""
        await self._certain.wait()
