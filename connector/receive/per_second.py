"""What anybody may cause is done so many times in a second, and no more: lines of the log, records that are kept."""

from __future__ import annotations


class PerSecond:
    """Lets so many through in each second of the clock that is given."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._second = 0
        self._number = 0

    def may(self, now: float) -> bool:
        """Whether one more may. `now` in seconds."""
        if int(now) != self._second:
            self._second, self._number = int(now), 0
        self._number += 1
        return self._number <= self._most
