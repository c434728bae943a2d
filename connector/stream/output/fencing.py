"""What every request and every write has to pass: are the partitions still ours?"""

from __future__ import annotations

from connector.delivery.http.request_errors import DepartureGuard
from connector.stream.membership.lease import Lease
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.partition import Partition


class Fencing(DepartureGuard):
    """Asked before a request leaves and before something is written.

    What is named `await_…` waits while it is not certain; the others answer at once.
    """

    def __init__(self, owned: Assignment, lease: Lease) -> None:
        self._owned = owned
        self._lease = lease

    @property
    def live(self) -> bool:
        """Requests may be sent, as far as this worker has heard."""
        return self._owned.live

    async def await_lease_for(self, partition: Partition) -> bool:
        """Wait until the lease holds, before every write for a partition. False when the partition has gone."""
        while partition.live and not self._lease.certain:
            await self._lease.changed()
        return partition.live

    async def await_lease(self) -> bool:
        """Wait until the lease holds, before every request. False when the epoch has ended."""
        while self._owned.live and not self._lease.certain:
            await self._lease.changed()
        return self._owned.live

    def may_leave_now(self) -> bool:
        return self._lease.certain
