"""How far apart fetches are that bring little.

Kafka answers a fetch as soon as it has one event: where a few hundred come in a second, each would be a fetch, a hop
between threads and a slice by itself, at a millisecond of CPU time. So the next fetch is *asked for* a little later: it
brings what came meanwhile, and what comes is handed over at once. An event that comes alone waits for nothing, as a
fetch waits for it at the broker.
"""

from __future__ import annotations

from connector.clock import Clock

FEW_RECORDS = 100
"""After a fetch that brought fewer records the next one is asked for no sooner than …"""
PACE_SECONDS = 0.005
STEADY_PACE_SECONDS = 0.01
"""… and where they keep coming, than this. What comes meanwhile waits so long at worst."""


class FetchPacing:
    """When the next fetch may be asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next = self._noted = 0.0

    @property
    def delay(self) -> float:
        """Seconds until then; not above 0 where it is now."""
        return self._next - self._clock.monotonic()

    def note(self, records: int) -> None:
        """A fetch brought so many."""
        if 0 < records < FEW_RECORDS:
            now = self._clock.monotonic()
            steady = now - self._noted < 2 * STEADY_PACE_SECONDS
            self._next = now + (STEADY_PACE_SECONDS if steady else PACE_SECONDS)
            self._noted = now
