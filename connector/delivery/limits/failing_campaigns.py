"""Campaigns whose requests fail while those of others get through: their own fault, so they alone wait."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

IN_A_ROW = 3
"""Requests of a campaign that fail one after the other while others get through: two may be two bad numbers."""

FIRST_SECONDS, LONGEST_SECONDS = 2.0, 120.0
"""How long a campaign waits before it is tried again; doubled each time that fails."""

MOST = 1000
"""Campaigns watched at once; the ones that began to fail first are forgotten first."""


@dataclass(slots=True)
class _Failing:
    """A campaign whose last request failed: since when, how many in a row, and how often it was set aside."""

    since: float
    row: int = 0
    times: int = 0
    until: float = -math.inf


class FailingCampaigns:
    """Watches failing campaigns, and says which of them wait.

    Nothing is kept of campaigns that work, so that it costs nothing while all do.
    """

    def __init__(self) -> None:
        self._failing: dict[str | None, _Failing] = {}
        self._waiting: set[str | None] = set()

    def __bool__(self) -> bool:
        """Whether any campaign fails."""
        return bool(self._failing)

    def failed(self, campaign: str | None, now: float, last_good: float) -> float | None:
        """A request of it failed; `last_good`: when the last request that got through was begun.

        Returns for how many seconds the campaign waits, where this was one too many.
        """
        it = self._failing.get(campaign)
        if it is None:
            while len(self._failing) >= MOST:
                self._forget(next(iter(self._failing)))
            it = self._failing[campaign] = _Failing(now)
        if now < it.until:  # it was under way with the one that has told already
            return None
        it.row += 1
        # One of its own that got through would have ended the row: this was another campaign's.
        if it.row < IN_A_ROW or last_good < it.since:
            return None
        seconds: float = min(FIRST_SECONDS * 2.0 ** min(it.times, 60), LONGEST_SECONDS)
        it.times += 1
        it.until = now + seconds
        self._waiting.add(campaign)
        return seconds

    def passed(self, campaign: str | None) -> None:
        """A request of it got through."""
        if campaign in self._failing:
            self._forget(campaign)

    def waiting(self, now: float) -> Iterator[str | None]:
        """Campaigns that wait now."""
        self._waiting = {it for it in self._waiting if now < self._failing[it].until}
        return iter(self._waiting)

    def _forget(self, campaign: str | None) -> None:
        del self._failing[campaign]
        self._waiting.discard(campaign)
