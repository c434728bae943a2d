"""What intake has done, as plain numbers: counted per chunk, never per message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from connector.delivery.counts import zeros
from connector.model import Status


class IntakeCounts:
    """Totals since the worker was made.

    Args:
        topics: that events are read from: each is counted from the start, at 0.

    Attributes:
        events: taken, by topic; those that were settled already are left out.
        refused: ended at intake, by provider (empty where none, or one that nobody defined, is named) and status.
        scheduled: sent to a retry topic because their `send_at` has not come, by provider; once for each tier.
        capped: sent to a retry topic because their campaign has had its cap; once for each tier they are in.
        diverted: sent to a retry topic at intake, because their lane was crowded or could not send, by provider.
    """

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self.events = zeros(topics)
        self.refused: Counter[tuple[str, str]] = Counter({("", status.value): 0 for status in Status})
        self.scheduled: Counter[str] = Counter()
        self.capped = 0
        self.diverted: Counter[str] = Counter()
