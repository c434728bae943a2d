"""How fast a lane gets rid of messages: what it did in the last while, forgetting the rest."""

from __future__ import annotations

import math

HALF_LIFE_SECONDS = 5.0
"""Long enough to bridge a slow reply, short enough to notice a provider that has just become slow."""


STEP_SECONDS = HALF_LIFE_SECONDS / 1000
"""It fades this often at most: a message per request would make it a part of their cost."""


class Throughput:
    """Messages per second, as an exponentially weighted mean. Costs a few operations per request."""

    def __init__(self, now: float) -> None:
        self._weight = 0.0
        self._messages = 0.0
        self._at = now

    def note(self, messages: int, now: float) -> None:
        """So many messages ended."""
        self._fade(now)
        self._messages += messages

    def seconds(self, messages: int, now: float) -> float:
        """How long so many messages will take; infinite when none has ended for a while."""
        self._fade(now)
        if self._messages < 1.0 or self._weight <= 0.0:
            return math.inf if messages else 0.0
        return messages * self._weight / self._messages

    def _fade(self, now: float) -> None:
        passed = now - self._at
        if passed < STEP_SECONDS:
            return
        keep = 0.5 ** (passed / HALF_LIFE_SECONDS)
        self._messages *= keep
        # The integral of the weights over the time that has passed, so that a steady rate is shown as it is at once.
        self._weight = self._weight * keep + (1.0 - keep) * HALF_LIFE_SECONDS / math.log(2)
        self._at = now
