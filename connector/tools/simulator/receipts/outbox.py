"""Callbacks of one fake that wait for their time or for a free connection: pure; the caller says what time it is."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from connector.tools.simulator.receipts.fate import News
from connector.tools.simulator.receipts.reporter import WrittenCallback

MAX_WAITING = 100_000
"""Receipts that wait; some 100 MB. What comes on top is not sent, and counted."""


@dataclass(slots=True)
class Parcel:
    """One callback, with all its attempts.

    Attributes:
        due: when to send it, seconds since the epoch.
        url: where to.
        news: what it tells.
        forged: sent by somebody else, with a wrong signature or to a wrong URL.
        probe: sent as it stands, instead of `news`.
        attempts: how many were made.
    """

    due: float
    url: str
    news: tuple[News, ...] = ()
    forged: bool = False
    probe: WrittenCallback | None = None
    attempts: int = 0

    @property
    def size(self) -> int:
        return max(len(self.news), 1)


@dataclass(slots=True)
class Outbox:
    """A queue by time.

    Attributes:
        concurrency: so many are under way at once.
        waiting: receipts in it, those under way included.
        under_way: callbacks that were taken and not yet put back or finished.
        forgotten: receipts for which there was no room.
    """

    concurrency: int = 10
    max_waiting: int = MAX_WAITING
    waiting: int = 0
    under_way: int = 0
    forgotten: int = 0
    _heap: list[tuple[float, int, Parcel]] = field(default_factory=list)
    _number: int = 0

    def put(self, parcels: Iterable[Parcel]) -> None:
        """Let them wait for their time."""
        for parcel in parcels:
            if self.waiting + parcel.size > self.max_waiting:
                self.forgotten += parcel.size
                continue
            self.waiting += parcel.size
            self._push(parcel)

    def take(self, now: float) -> Parcel | None:
        """The next one that is due, if another may be under way."""
        if self.under_way >= self.concurrency or not self._heap or self._heap[0][0] > now:
            return None
        self.under_way += 1
        return heapq.heappop(self._heap)[2]

    def again(self, parcel: Parcel, due: float) -> None:
        """It was not acknowledged, and comes again."""
        self.under_way -= 1
        parcel.due = due
        self._push(parcel)

    def finish(self, parcel: Parcel) -> None:
        """It needs no further attempt."""
        self.under_way -= 1
        self.waiting -= parcel.size

    def next_due(self) -> float | None:
        """When to ask again, seconds since the epoch; None: not before something is put in or finished."""
        return self._heap[0][0] if self._heap and self.under_way < self.concurrency else None

    def _push(self, parcel: Parcel) -> None:
        self._number += 1  # equal times keep their order, and parcels are never compared
        heapq.heappush(self._heap, (parcel.due, self._number, parcel))
