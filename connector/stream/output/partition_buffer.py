"""What waits to be written for one source partition: finished results, dead letters, events on their way to wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from connector.delivery.queue.item import Item
from connector.model import Result
from connector.stream.partitions.partition import Partition
from connector.stream.retry.retry_records import RetryRecord

if TYPE_CHECKING:
    from aiokafka.producer.message_accumulator import BatchBuilder


class PartitionBuffer:
    """What waits to be written for one source partition.

    Attributes:
        origin: that partition.
        results: encoded, as record batches; all but the last are full.
        noted: so many of them are written down as owed.
        offsets, bytes: of the events they finish. Not the events: whatever is let go while it is in the cache is let
            go for half.
        dead: results whose event goes to the dead letters first.
        moved: events on their way to retry topics.
        unacknowledged: results that are not acknowledged yet, waiting or on their way; see `PendingResults.count`.
        task: writes it; None when nothing waits.
        written_at: when it last began to, by the event loop's time.
        writing: what it began then is not acknowledged yet.
    """

    __slots__ = (
        "bytes",
        "dead",
        "moved",
        "noted",
        "offsets",
        "origin",
        "results",
        "task",
        "unacknowledged",
        "writing",
        "written_at",
    )

    def __init__(self, origin: Partition) -> None:
        self.origin = origin
        self.task: asyncio.Task[None] | None = None
        self.unacknowledged = 0
        self.written_at = float("-inf")
        self.writing = False
        self.clear()

    def clear(self) -> None:
        """What was in it is being written."""
        self.results: list[BatchBuilder] = []
        self.noted = 0
        self.offsets: list[int] = []
        self.bytes = 0
        self.dead: list[tuple[Item, Result]] = []
        self.moved: list[tuple[Item, RetryRecord]] = []

    @property
    def waiting(self) -> int:
        return len(self.offsets) + len(self.dead) + len(self.moved)
