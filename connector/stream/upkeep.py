"""What goes on while partitions are owned: ticks that prove we are alive, commits, and the purge of retry topics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.errors import KafkaError

from connector.clock import Clock
from connector.settings.model import Settings
from connector.stream.cluster import Cluster
from connector.stream.committer import Committer
from connector.stream.ownership import Ownership
from connector.stream.partition import Partition
from connector.stream.pulse import TICK_SECONDS, Pulse
from connector.stream.purge import purge

log = structlog.get_logger(__name__)

# Retry topics never expire by time; what is finished in them is deleted this often.
PURGE_SECONDS = 60.0
# How long a commit may go unanswered before the next step no longer waits for it.
COMMIT_SECONDS = 15.0


class Upkeep:
    """Loops of a worker.

    Args:
        sources, retries: commit the positions of the two kinds of partitions.
        settings: how often, and the names of topics and group.
    """

    def __init__(
        self,
        owned: Ownership,
        *,
        pulse: Pulse,
        sources: Committer,
        retries: Committer,
        cluster: Cluster,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._owned = owned
        self._pulse = pulse
        self._sources = sources
        self._retries = retries
        self._cluster = cluster
        self._clock = clock
        self._settings = settings

    async def commit(self, sources: Sequence[Partition], retries: Sequence[Partition]) -> bool:
        """Commit both groups' positions. True when every one of them is."""
        committed = await self._sources.commit(sources, seconds=COMMIT_SECONDS)
        return await self._retries.commit(retries, seconds=COMMIT_SECONDS) and committed

    async def confirm(self) -> bool:
        """Ask the group whether the partitions are still ours."""
        return await self._sources.confirm(self._owned.sources, seconds=COMMIT_SECONDS)

    async def ticking(self) -> None:
        """Notice when this process has stood still."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._pulse.tick():
                continue
            if not self._owned.partitions:  # nothing that could be written
                self._pulse.confirm()
                continue
            log.warning("this process stood still; asking the group whether the partitions are still ours")
            if await self.confirm():
                self._pulse.confirm()

    async def committing(self) -> None:
        """Commit, and delete from the retry topics what is finished there."""
        purged = self._clock.monotonic()
        while True:
            await asyncio.sleep(self._settings.timeouts.commit_interval)
            if not self._owned.live:
                continue
            await self.commit(self._owned.sources, self._owned.retries)
            if self._clock.monotonic() - purged >= PURGE_SECONDS:
                purged = self._clock.monotonic()
                await self._purge()

    async def _purge(self) -> None:
        """What cannot be deleted now, as in an outage of the brokers, is deleted next time."""
        try:
            await purge(self._cluster, self._settings, {it.partition for it in self._owned.retries})
        except KafkaError as error:
            log.warning("finished retry records cannot be deleted", error=type(error).__name__)
