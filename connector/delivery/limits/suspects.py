"""Messages that failed while others got through: what fails of them again is their own fault, and shows no outage.

A failure is a message's own where a request that began after it got through, and the breaker has not opened in between.
Until then it may be the first of an outage: a request that began earlier shows nothing, whenever its reply comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from connector.delivery.limits.circuit_breaker import CERTAIN, CircuitBreaker
from connector.delivery.queue.item import Item


class Suspects:
    """What is known of the failures of one account's messages.

    Args:
        breaker: the account's.

    Attributes:
        good: when the last request that got through was begun.
    """

    def __init__(self, breaker: CircuitBreaker) -> None:
        self.good = -math.inf
        self._breaker = breaker
        self._row: set[int] = set()  # requests of suspects that failed, by their first messages, since one got through
        self._row_since = math.inf

    def passed(self, started: float) -> None:
        """A request begun at `started` got through."""
        self.good = max(self.good, started)
        if started >= self._row_since:
            self._row.clear()
            self._row_since = math.inf

    def failed(self, items: Sequence[Item], now: float, *, started: float) -> bool:
        """A request with these messages failed. Whether that may show an outage.

        It does not where each of them is a suspect: the last messages of a campaign are often such as always fail. But
        where many others of them fail in a row it is more likely that the provider does.
        """
        if self._breaker.over(started):
            return True
        suspects = self.are(items)
        for item in items:
            if item.failed_at <= self._breaker.opened_at:
                item.failed_at = now
        if not suspects:
            return True
        self._row.add(id(items[0]))
        self._row_since = min(self._row_since, now)
        return len(self._row) > CERTAIN * self._breaker.enough

    def accuse(self, items: Iterable[Item], started: float) -> None:
        """The breaker opened for these messages; then a request of others, begun at `started`, got through."""
        for item in items:
            item.failed_at = started

    def are(self, items: Sequence[Item]) -> bool:
        """Whether each of these messages has failed by its own fault."""
        opened_at, good = self._breaker.opened_at, self.good
        return all(opened_at < item.failed_at <= good for item in items)

    def owned(self, at: float) -> bool:
        """Whether a failure at this time was the message's own, as far as is known by now."""
        return self._breaker.opened_at < at <= self.good
