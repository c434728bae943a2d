"""Where final results go, whoever made them: intake, lanes, or the check for duplicates in between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from connector.delivery.queue.item import Item
from connector.model import Result


class ResultSink(Protocol):
    """Takes final results.

    Implemented by `ResultWriter` (connector/stream/output/writer.py), put in place in
    `connector/stream/wiring/output.py`.
    Implemented by `DedupedResults` (connector/stream/intake/dedupe.py), put in place in
    `connector/stream/wiring/output.py`.
    """

    def add(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        """Take the results of these items, one each, without waiting. They are settled when they are durable."""
