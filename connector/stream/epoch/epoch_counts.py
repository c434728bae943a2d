"""How often partitions were opened, and how long closing them took, as plain numbers."""

from __future__ import annotations

from connector.delivery.counts import Histogram

DRAIN_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Bounds for closing partitions: up to the drain's time-out and what follows it."""


class EpochCounts:
    """Totals since the worker was made.

    Attributes:
        opened: times partitions were opened.
        drains: seconds that closing them took.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.drains = Histogram(DRAIN_SECONDS)
