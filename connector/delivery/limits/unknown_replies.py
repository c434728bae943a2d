"""Runs of replies that nobody understands: a provider that changed its format must not make a campaign `unknown`."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from connector.model import Outcome

WINDOW_SECONDS = 30.0
"""As long as the breaker's."""


class UnknownReplies:
    """Counts messages whose reply does not say what became of them.

    Args:
        most: so many in a row are a run, and so is half of the messages of a window that holds as many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._row = 0
        self._window: deque[tuple[float, int, int]] = deque(maxlen=1000)  # (when, unknown, all)
        self._unknown = 0
        self._all = 0

    def note(self, outcomes: Sequence[Outcome], now: float, *, some: bool) -> str | None:
        """One reply; `some`: one of its outcomes is `unknown`. What there is to say where this makes a run."""
        longest = self._row if some else 0
        unknown = 0
        if some:
            for outcome in outcomes:
                if outcome.then == "unknown":
                    unknown += 1
                    self._row += 1
                    longest = max(longest, self._row)
                else:
                    self._row = 0
        else:
            self._row = 0
        self._remember(now, unknown, len(outcomes))
        if longest >= self._most:
            return f"{longest} messages in a row ended unknown: their replies do not say what became of them"
        if some and self._unknown >= self._most and 2 * self._unknown >= self._all:
            return f"{self._unknown} of {self._all} messages ended unknown: replies do not say what became of them"
        return None

    def clear(self) -> None:
        """Begin anew."""
        self._row = self._unknown = self._all = 0
        self._window.clear()

    def _remember(self, now: float, unknown: int, all_: int) -> None:
        window = self._window
        if len(window) == window.maxlen:
            self._drop()
        window.append((now, unknown, all_))
        self._unknown += unknown
        self._all += all_
        while window[0][0] < now - WINDOW_SECONDS:
            self._drop()

    def _drop(self) -> None:
        _, unknown, all_ = self._window.popleft()
        self._unknown -= unknown
        self._all -= all_
