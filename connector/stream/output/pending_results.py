"""Results on their way to Kafka, and whether there is room for more: a broker that takes nothing stops the requests."""

from __future__ import annotations

import asyncio

from connector.delivery.queue.item import ItemOrigin
from connector.stream.output.partition_buffer import PartitionBuffer


class PendingResults:
    """What the writer holds, by source partition.

    Args:
        most: so many results may wait for their acknowledgement before there is no room.

    Attributes:
        buffers: per partition (see `partition_of`); the writer's to fill and to empty.
        unacknowledged: results that are not durable yet. Counted, not added up: a message per request asks as often.
    """

    def __init__(self, most: int) -> None:
        self.buffers: dict[ItemOrigin, PartitionBuffer] = {}
        self.unacknowledged = 0
        self._most = most
        self._room = asyncio.Event()
        self._room.set()

    @property
    def room(self) -> bool:
        """Whether `await_room` would return at once."""
        return self._room.is_set()

    @property
    def busy(self) -> bool:
        """Whether anything waits to be written, or to be acknowledged."""
        return any(buffer.task is not None or buffer.waiting for buffer in self.buffers.values())

    def unacknowledged_for(self, now: float) -> float:
        """Seconds for which the oldest write has waited for its acknowledgement, at `now` of the event loop's time."""
        return max((now - buffer.written_at for buffer in self.buffers.values() if buffer.writing), default=0.0)

    def allow(self, most: int) -> None:
        """So many may wait from now on; the next change makes it count."""
        self._most = most

    async def await_room(self) -> None:
        """Wait while too many results are not acknowledged, or until `release`.

        Whoever is killed then leaves no trace of them, and they are sent again: a broker that takes nothing must stop
        the requests, not only the commits.
        """
        await self._room.wait()

    def release(self) -> None:
        """Let everybody go who waits for room: the epoch is closing."""
        self._room.set()

    def count(self, buffer: PartitionBuffer, results: int) -> None:
        """So many more wait in a buffer, or so many less; say `changed` when all are counted."""
        buffer.unacknowledged += results
        if self.buffers.get(buffer.origin) is buffer:
            self.unacknowledged += results

    def forget(self, origin: ItemOrigin) -> PartitionBuffer:
        """A partition has gone; what of it is acknowledged later counts no more."""
        buffer = self.buffers.pop(origin)
        self.unacknowledged -= buffer.unacknowledged
        return buffer

    def changed(self) -> None:
        """Some came, or are acknowledged or forgotten."""
        if self.unacknowledged < self._most:
            self._room.set()
        else:
            self._room.clear()
