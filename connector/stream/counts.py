"""What a worker has done, as plain numbers: counted per chunk, record batch or epoch, never per message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from connector.delivery.counts import Histogram, zeros
from connector.model import Status

DRAIN_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Bounds for closing partitions: up to the drain's time-out and what follows it."""


class IntakeCounts:
    """Totals since the worker was made.

    Args:
        topics: that events are read from: each is counted from the start, at 0.

    Attributes:
        events: taken, by topic; those that were settled already are left out.
        refused: ended at intake, by provider (empty where none, or one that nobody defined, is named) and status.
        diverted: sent to a retry topic at intake, because their lane was crowded or could not send, by provider.
    """

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self.events = zeros(topics)
        self.refused: Counter[tuple[str, str]] = Counter({("", status.value): 0 for status in Status})
        self.diverted: Counter[str] = Counter()


class EpochCounts:
    """Totals since the worker was made.

    Attributes:
        opened: times partitions were opened.
        drains: seconds that closing them took.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.drains = Histogram(DRAIN_SECONDS)
