"""How late the event loop is: when it is busy with something else, heartbeats and time-outs are late as well."""

from __future__ import annotations

import asyncio

from connector.clock import Clock

TICK_SECONDS = 0.25
KEEP_SECONDS = 10.0


class LoopLag:
    """Asks to be woken every TICK_SECONDS and remembers by how much it was too late."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._now = 0.0
        self._before = 0.0

    def note(self, seconds: float) -> None:
        """The loop was late by so much."""
        now = self._clock.monotonic()
        if now - self._began >= KEEP_SECONDS:
            self._before, self._now, self._began = self._now, 0.0, now
        self._now = max(self._now, seconds)

    def worst(self) -> float:
        """The worst of the last ten to twenty seconds: a scraper sees it however seldom it comes in between."""
        return max(self._before, self._now)

    async def run(self) -> None:
        """Measure, until cancelled."""
        while True:
            due = self._clock.monotonic() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self.note(max(0.0, self._clock.monotonic() - due))
