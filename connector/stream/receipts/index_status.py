"""What the index and its join have done, for metrics and pages: plain numbers, read when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from connector.receipts.callback import Why

OUTCOMES: Final = ("found", "healed", "again", Why.UNKNOWN.value, Why.AMBIGUOUS.value, Why.UNREADABLE.value)
"""What becomes of an entry that is looked up: `healed` after it was given up, `again` by another key."""


class IndexCounts:
    """Totals since the process began.

    Attributes:
        looked_up: entries that are done with, by provider and what became of them.
        indexed: results that were put into the index.
        restored: records of the index that were read.
    """

    def __init__(self) -> None:
        self.looked_up: Counter[tuple[str, str]] = Counter()
        self.indexed = 0
        self.restored = 0

    def expect(self, names: Iterable[str]) -> None:
        """These providers' receipts are looked up: what is counted of them begins at 0."""
        for name in names:
            self.looked_up.update({(name, outcome): 0 for outcome in OUTCOMES})


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """One look at it.

    Attributes:
        reason: why nothing is looked up at this moment; empty where all is well.
        partitions: that are owned.
        waiting: entries that wait.
        lag: seconds that the index is behind, by its last partition; since it was opened where nothing is known yet;
            None where nothing is open.
        bytes: on disk.
        behind: records of the index that are still to be read.
    """

    counts: IndexCounts
    reason: str
    partitions: int
    waiting: int
    lag: float | None
    bytes: int
    behind: int
