"""Which messages may share a request: those with the same key wait in one window."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple


class WindowKey(NamedTuple):
    """What the messages of one window have in common.

    Attributes:
        operation: its index.
        campaign: of the messages.
        batch: the renderer's batch key; None for an operation without batching.
        high: they are of high priority.
    """

    operation: int
    campaign: str | None
    batch: Hashable
    high: bool

    @property
    def stream(self) -> tuple[int, str | None]:
        """Operation and campaign: what one sender sends in one way."""
        return self.operation, self.campaign
