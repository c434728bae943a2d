"""What a receiver is doing at this moment: plain values for its pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.receive.callback_counts import CallbackCounts


@dataclass(frozen=True, slots=True)
class ReceiverStatus:
    """One receiver.

    Attributes:
        counts: what came.
        reason: why no callbacks are wanted now; empty where they are.
        waiting, waiting_limit: callbacks under way.
        bytes, bytes_limit: of bodies that are not answered, and of records that are not acknowledged; each.
        connections: open ones.
        unacknowledged_for: seconds for which the oldest record on its way has waited for its acknowledgement.
        definitions: names of those whose callbacks are taken.
        unused: where definitions on disk are wrong, and so not in use.
    """

    counts: CallbackCounts
    reason: str
    waiting: int
    waiting_limit: int
    bytes: int
    bytes_limit: int
    connections: int
    unacknowledged_for: float
    definitions: Sequence[str]
    unused: Sequence[str]

    @property
    def ready(self) -> bool:
        return not self.reason
