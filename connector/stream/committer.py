"""Offsets in: at most one commit outstanding, with the ends a new owner has to read from, and its answer believed.

Faust's own commit writes no metadata and answers True after leaving revoked partitions out, so the commit goes to its
aiokafka consumer, on the consumer's own thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata

from connector.stream.partition import Partition
from connector.stream.tail import encode_metadata

log = structlog.get_logger(__name__)

Commit = Callable[[Mapping[TopicPartition, OffsetAndMetadata]], Awaitable[None]]


class Committer:
    """Commits the positions of partitions.

    Args:
        commit: sends the offsets; raises what aiokafka raises.
    """

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._outstanding: asyncio.Task[bool] | None = None

    async def commit(self, partitions: Iterable[Partition], *, seconds: float) -> bool:
        """Commit what has moved. True when every position is committed; False when refused or not answered in time.

        aiokafka repeats a retriable commit for ever during an outage. It is left pending rather than cancelled, and no
        second one is queued behind it.
        """
        if self._outstanding is not None:
            await asyncio.wait({self._outstanding}, timeout=seconds)
            if not self._outstanding.done():
                return False
            self._outstanding = None
        wanted = {partition: partition.ledger.position for partition in partitions}
        moved = {partition: offset for partition, offset in wanted.items() if offset > partition.committed}
        if not moved:
            return True
        self._outstanding = asyncio.create_task(self._send(moved))
        await asyncio.wait({self._outstanding}, timeout=seconds)
        return all(partition.committed >= offset for partition, offset in moved.items())

    async def confirm(self, partitions: Iterable[Partition], *, seconds: float) -> bool:
        """Commit again what is committed already: succeeds only for a live member of the current generation."""
        if self._outstanding is not None and not self._outstanding.done():
            await asyncio.wait({self._outstanding}, timeout=seconds)
        same = {partition: partition.committed for partition in partitions}
        if not same:
            return True
        task = asyncio.create_task(self._send(same))
        await asyncio.wait({task}, timeout=seconds)
        return task.done() and not task.cancelled() and bool(task.result())

    async def _send(self, offsets: Mapping[Partition, int]) -> bool:
        request = {
            TopicPartition(partition.topic, partition.partition): OffsetAndMetadata(
                offset, encode_metadata(partition.marks.at(offset))
            )
            for partition, offset in offsets.items()
        }
        try:
            await self._commit(request)
        except (CommitFailedError, IllegalStateError, KafkaError) as error:
            # Refused: the group moved on. Whoever owns the partitions now reads the results and repeats nothing.
            log.warning("commit refused", error=type(error).__name__, partitions=len(request))
            return False
        for partition, offset in offsets.items():
            partition.committed = max(partition.committed, offset)
            partition.marks.trim(partition.committed)
        return True
