"""What every request and every write has to pass: are the partitions still ours, and is there room for the results?"""

from __future__ import annotations

from collections.abc import Sequence

from connector.definition.tree import Operation
from connector.delivery.http.request_errors import DepartureGuard
from connector.delivery.queue.item import Item
from connector.stream.membership.lease import Lease
from connector.stream.output.journal import Journal
from connector.stream.output.writability import Writability
from connector.stream.output.writer import ResultWriter
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.partition import Partition


class Fencing(DepartureGuard):
    """Asked before a request leaves and before something is written.

    Attributes:
        writer: whose room is waited for; set once it is made, as it asks `may_write` in turn.
        journal: what `on_uncertain: report` writes before each request; likewise.
    """

    writer: ResultWriter
    journal: Journal

    def __init__(self, owned: Assignment, lease: Lease, writable: Writability) -> None:
        self._owned = owned
        self._lease = lease
        self._writable = writable

    async def may_send(self, operation: Operation, batch_id: str, items: Sequence[Item]) -> bool:
        """Awaited before every request: False when this worker may no longer send."""
        if not self._owned.live:
            return False
        await self.writer.room()
        if not await self._still_ours():
            return False
        if operation.on_uncertain == "report":
            await self.journal.sending(batch_id, items)  # which may take a while, and be refused
            if not await self._still_ours():
                return False
        return not self._writable.holding or await self._allowed()

    async def may_write(self, partition: Partition) -> bool:
        """Awaited before every write for a partition: False when it has gone."""
        while partition.live and not self._lease.certain:
            await self._lease.changed()
        return partition.live

    async def _allowed(self) -> bool:
        """Wait while Kafka refuses what this worker has to write."""
        return await self._writable.passed(lambda: self._owned.live) and await self._still_ours()

    async def _still_ours(self) -> bool:
        while self._owned.live and not self._lease.certain:
            await self._lease.changed()
        return self._owned.live

    def may_leave(self) -> bool:
        """Asked once more when a connection stands: to connect may have taken longer than the lease held."""
        return self._lease.certain
