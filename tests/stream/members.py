"""A worker's membership without a group: as certain as the test says."""

from __future__ import annotations

from connector.clock import ManualClock
from connector.settings.model import Settings
from connector.stream.membership.group_answers import Membership
from connector.stream.membership.lease import Lease


def membership(settings: Settings, clock: ManualClock | None = None) -> Membership:
    """One that has proven nothing yet."""
    clock = clock or ManualClock()
    return Membership(Lease(clock, seconds=settings.timeouts.session / 2), settings, clock)
