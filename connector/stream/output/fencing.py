"""What every request and every write has to pass: are the partitions still ours?"""

from __future__ import annotations

from connector.delivery.http.request_errors import DepartureGuard
from connector.stream.membership.lease import Lease
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.partition import Partition


class Fencing(DepartureGuard):
    """Asked before a request leaves and before something is written."""

    def __init__(self, owned: Assignment, lease: Lease) -> None:
        self._owned = owned
        self._lease = lease

    @property
    def live(self) -> bool:
        """Requests may be sent, as far as this worker has heard."""
        return self._owned.live

    async def may_write(self, partition: Partition) -> bool:
        """Awaited before every write for a partition: False when it has gone."""
        while partition.live and not self._lease.certain:
            await self._lease.changed()
        return partition.live

    async def still_ours(self) -> bool:
        """Wait while it is not certain. False when the epoch has ended."""
        while self._owned.live and not self._lease.certain:
            await self._lease.changed()
        return self._owned.live

    def may_leave(self) -> bool:
        return self._lease.certain
