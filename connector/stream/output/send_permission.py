"""What every request has to pass before it leaves: are the partitions still ours, and can its results be written?"""

from __future__ import annotations

from collections.abc import Sequence

from connector.definition.tree import Operation
from connector.delivery.queue.item import Item
from connector.stream.output.fencing import Fencing
from connector.stream.output.journal import Journal
from connector.stream.output.pending_results import PendingResults
from connector.stream.output.writability import Writability


class SendPermission:
    """Asked for each request of all lanes.

    Args:
        pending: its room is waited for.
        journal: what `on_uncertain: report` writes before each request.
    """

    def __init__(self, fencing: Fencing, *, pending: PendingResults, journal: Journal, writable: Writability) -> None:
        self._fencing = fencing
        self._pending = pending
        self._journal = journal
        self._writable = writable

    async def await_permission(self, operation: Operation, batch_id: str, items: Sequence[Item]) -> bool:
        """Wait until a request may leave, before every one. False when this worker may no longer send."""
        fencing = self._fencing
        if not fencing.live:
            return False
        if not (self._pending.room and fencing.may_leave_now()):  # else there is nothing to wait for: asked per request
            await self._pending.await_room()
            if not await fencing.await_lease():
                return False
        if operation.on_uncertain == "report":
            await self._journal.sending(batch_id, items)  # which may take a while, and be refused
            if not await fencing.await_lease():
                return False
        return not self._writable.holding or await self._await_writable()

    async def withdraw(self, operation: Operation, items: Sequence[Item]) -> None:
        """A request does not leave though it may: the journal takes it back before its messages are journalled anew."""
        if operation.on_uncertain == "report":
            await self._journal.release(items)

    async def _await_writable(self) -> bool:
        """Wait while Kafka refuses what this worker has to write."""
        return await self._writable.await_writable(lambda: self._fencing.live) and await self._fencing.await_lease()
