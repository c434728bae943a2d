"""The loops while partitions are owned: commits and the purge of retry topics (`committing`), the lease (`ticking`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiokafka.errors import KafkaError

from connector import logs
from connector.clock import Clock
from connector.settings.model import Settings
from connector.stream.membership.lease import CALM_TICK_SECONDS, TICK_SECONDS, Lease
from connector.stream.output.debts import Positions
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.committer import Committer
from connector.stream.partitions.partition import Partition, known_ends
from connector.stream.retry.purge import purge

log = structlog.get_logger(__name__)

# Retry topics never expire by time; what is finished in them is deleted this often.
PURGE_SECONDS = 60.0
# Where records of a retry topic wait for longer than this, the commit in front of them says anew from where a new owner
# has to read: else that is all that was written since, and nothing of it could be purged.
RENEW_SECONDS = 15.0
# How long a commit may go unanswered before the next step no longer waits for it.
COMMIT_SECONDS = 15.0


class Housekeeping(Positions):
    """The loop of commits and the loop of the lease; closing and debts have it commit out of turn.

    Args:
        sources, retries: commit the positions of the two kinds of partitions.
        settings: how often, and the names of topics and group.
        purges: there are retry topics.
    """

    def __init__(
        self,
        owned: Assignment,
        *,
        lease: Lease,
        producer: ReplaceableProducer,
        sources: Committer,
        retries: Committer,
        cluster: Cluster,
        clock: Clock,
        settings: Settings,
        purges: bool = True,
    ) -> None:
        self._purges = purges
        self._owned = owned
        self._lease = lease
        self._producer = producer
        self._asking: asyncio.Task[bool] | None = None
        self._sources = sources
        self._retries = retries
        self._cluster = cluster
        self._clock = clock
        self._settings = settings

    async def commit(self, sources: Sequence[Partition], retries: Sequence[Partition], *, closed: bool = False) -> bool:
        """Commit both groups' positions, the last ones where the epoch is `closed`. True when every one of them is."""
        committed = await self._sources.commit(sources, seconds=COMMIT_SECONDS, closed=closed)
        return await self._retries.commit(retries, seconds=COMMIT_SECONDS, closed=closed) and committed

    async def commit_again(self, partition: Partition) -> bool:
        """Commit a partition's position with the metadata of now, whether it has moved or not."""
        committer = self._retries if partition in self._owned.retries else self._sources
        return await committer.commit([partition], seconds=COMMIT_SECONDS) and await committer.confirm(
            [partition], seconds=COMMIT_SECONDS
        )

    async def confirm(self) -> bool:
        """Ask the group whether the partitions are still ours."""
        return await self._sources.confirm(self._owned.sources, seconds=COMMIT_SECONDS)

    async def ticking(self) -> None:
        """Let go whoever waits for the lease, and ask the group where it has run out."""
        since: float | None = None
        while True:
            await asyncio.sleep(CALM_TICK_SECONDS if self._lease.certain else TICK_SECONDS)
            if self._lease.tick():
                if since is not None:
                    log.info("membership confirmed; going on", seconds=round(self._clock.monotonic() - since, 1))
                since = None
                if (away := logs.brokers_answer()) is not None:
                    log.info("brokers answer again", seconds=round(away, 1))
            elif self._owned.partitions:  # else there is nothing that could be sent or written
                if since is None:
                    since = self._clock.monotonic()
                    log.warning("no heartbeat was answered for half a session; nothing is sent or written until one is")
                    self._producer.cut()
                self._ask()
            else:
                since = None

    def _ask(self) -> None:
        """Ask the group at once: the next heartbeat may be far, and another answer is never waited for twice."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self.confirm())

    async def committing(self) -> None:
        """Commit, and delete from the retry topics what is finished there."""
        purged = renewed = self._clock.monotonic()
        while True:
            await asyncio.sleep(self._settings.timeouts.commit_interval)
            if not self._owned.live or not self._lease.certain:
                continue
            await self.commit(self._owned.sources, self._owned.retries)
            if self._clock.monotonic() - renewed >= RENEW_SECONDS:
                renewed = self._clock.monotonic()
                await self.renew()
            if self._purges and self._clock.monotonic() - purged >= PURGE_SECONDS:
                purged = self._clock.monotonic()
                await self._purge()

    async def renew(self) -> None:
        """Commit anew where retry records wait and none is under way: with the ends of now."""
        ends = known_ends(self._owned.partitions)
        waiting = [
            it
            for it in self._owned.retries
            if not it.ledger.open
            and it.committed == it.ledger.position < max(it.end, ends[it.partition].get(it.topic, 0))
            and it.marks.renew(it.committed, ends[it.partition])
        ]
        if waiting:
            await self._retries.confirm(waiting, seconds=COMMIT_SECONDS)

    async def _purge(self) -> None:
        """What cannot be deleted now, as in an outage of the brokers, is deleted next time."""
        try:
            await purge(self._cluster, self._settings, {it.partition for it in self._owned.retries})
        except (KafkaError, OSError) as error:
            log.warning("finished retry records cannot be deleted", error=type(error).__name__)
