"""Who is told of what nothing else can mend."""

from __future__ import annotations

from typing import Protocol


class FailureSink(Protocol):
    """Ends the worker in order.

    Implemented by `Worker` (connector/stream/worker.py), put in place in `connector/stream/worker.py`.
    Implemented by `JoinWorker` (connector/stream/receipts/join_worker.py), put in place in
    `connector/stream/receipts/join_worker.py`.
    """

    def failed(self, error: BaseException) -> None:
        """Something cannot be mended where it went wrong: close the epoch, then end. Without waiting; once."""
