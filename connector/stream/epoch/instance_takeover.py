"""Taking over an instance id whose bearer may still be alive: under `static_membership` the group tells nobody.

A worker that joins under an id in use gets the partitions of the other one at once, without a rebalance. The other one
hears of it by its next heartbeat, at the latest when its lease runs out: half a session after the last request that the
group had accepted, which was sent before we joined. Only then may anything be read back, as it may write until then.

Who closes an epoch in order says so in the metadata of its last commit: then there is nobody to wait for, and a restart
costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import structlog
from aiokafka import TopicPartition

from connector.clock import Clock
from connector.settings.model import Settings
from connector.stream.membership.group_answers import Membership
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.formats import is_closed

log = structlog.get_logger(__name__)

MARGIN_SECONDS = 1.0
"""For what the other one let go in the last moment of its lease."""
TAKEOVER_LOOK_SECONDS = 0.1
"""How often it is looked whether the partitions are still wanted."""


class InstanceTakeover:
    """Waits for the bearer before us."""

    def __init__(self, cluster: Cluster, membership: Membership, settings: Settings, *, clock: Clock) -> None:
        self._cluster = cluster
        self._membership = membership
        self._settings = settings
        self._clock = clock

    @property
    def needed(self) -> bool:
        """Whether ids may have two bearers at all."""
        return self._settings.static_membership is not None

    async def wait(self, assigned: Collection[TopicPartition], *, wanted: Callable[[], bool]) -> None:
        """Return when nobody else can be sending for these partitions, or this is of no interest any more."""
        if not self.needed or not assigned:
            return
        until = self._membership.joined + self._settings.timeouts.session / 2 + MARGIN_SECONDS
        committed = await self._cluster.committed(self._settings.group, {tp.topic for tp in assigned})
        waits = [tp for tp in assigned if tp not in committed or not is_closed(committed[tp].metadata)]
        if not waits or self._clock.monotonic() >= until:
            return
        seconds = round(until - self._clock.monotonic(), 1)
        log.info("waiting until an earlier bearer of this instance id must have stopped", seconds=seconds)
        while wanted():
            if (left := until - self._clock.monotonic()) <= 0:
                return
            await asyncio.sleep(min(left, TAKEOVER_LOOK_SECONDS))
