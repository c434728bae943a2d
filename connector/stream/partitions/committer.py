"""Offsets in: at most one commit outstanding, with the ends a new owner has to read from, and its answer believed.

Faust's own commit writes no metadata and answers True after leaving revoked partitions out, so the commit goes to its
aiokafka consumer, on the consumer's own thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from msgspec import UNSET
from msgspec.structs import replace

from connector.stream.partitions.formats import METADATA_BYTES, Metadata, encode_metadata, turns
from connector.stream.partitions.partition import Partition

log = structlog.get_logger(__name__)


class OffsetCommits(Protocol):
    """A consumer's group, as far as offsets are committed to it.

    Implemented by `Group` (connector/stream/faust/group.py), put in place in `connector/stream/wiring/parts.py`.
    Implemented by `RetryReader` (connector/stream/retry/retry_reader.py), put in place in
    `connector/stream/wiring/parts.py`.
    """

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit with metadata. Raises what aiokafka raises."""


class Committer:
    """Commits the positions of partitions.

    Args:
        group: takes the offsets.
    """

    def __init__(self, group: OffsetCommits) -> None:
        self._group = group
        self._outstanding: asyncio.Task[bool] | None = None

    async def commit(self, partitions: Iterable[Partition], *, seconds: float, closed: bool = False) -> bool:
        """Commit what has moved, or everything where their epoch is `closed` with it.

        True when every position is committed; False when it is refused, or not answered in time.

        aiokafka repeats a retriable commit for ever during an outage. It is left pending rather than cancelled, and no
        second one is queued behind it.
        """
        owned = list(partitions)

        def moved() -> dict[Partition, int]:
            wanted = {partition: partition.ledger.position for partition in owned}
            return {it: offset for it, offset in wanted.items() if closed or offset > it.committed}

        return await self._one(moved, seconds, closed=closed)

    async def confirm(self, partitions: Iterable[Partition], *, seconds: float) -> bool:
        """Commit again what is committed already: succeeds only for a live member of the current generation."""
        owned = list(partitions)
        return await self._one(lambda: {it: it.committed for it in owned if it.committed >= 0}, seconds)

    async def _one(
        self, choose: Callable[[], Mapping[Partition, int]], seconds: float, *, closed: bool = False
    ) -> bool:
        """Send one commit, after the one before it. Several coroutines may be in here: whoever finds nothing
        outstanding begins its own before it gives up its turn of the loop, so the others wait for that one.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while (before := self._outstanding) is not None and not before.done():
            if (left := until - loop.time()) <= 0:
                return False
            await asyncio.wait({before}, timeout=left)
        # No await from here to the next assignment.
        offsets = choose()
        if not offsets:
            return True
        self._outstanding = task = asyncio.create_task(self._send(offsets, closed=closed))
        await asyncio.wait({task}, timeout=max(0.0, until - loop.time()))
        return task.done() and not task.cancelled() and task.result()

    async def _send(self, offsets: Mapping[Partition, int], *, closed: bool = False) -> bool:
        request = {
            TopicPartition(partition.topic, partition.partition): OffsetAndMetadata(
                offset, metadata_of(partition, offset, partition.owed, closed=closed)
            )
            for partition, offset in offsets.items()
        }
        try:
            await self._group.commit(request)
        except (CommitFailedError, IllegalStateError, KafkaError, OSError) as error:
            # Refused: the group moved on. Whoever owns the partitions now reads the results and repeats nothing.
            log.warning("commit refused", error=type(error).__name__, partitions=len(request))
            return False
        for partition, offset in offsets.items():
            partition.committed = max(partition.committed, offset)
            partition.marks.trim(partition.committed)
            partition.counts.trim(partition.committed)
        return True


def metadata_of(partition: Partition, offset: int, owed: Collection[int], *, closed: bool) -> str:
    """What goes with a commit of `offset`; `owed`: events whose results are."""
    metadata = Metadata(
        dict(partition.marks.at(offset)), closed=closed or UNSET, owed=turns(offset, owed) if owed else UNSET
    )
    if not partition.counts:
        return encode_metadata(metadata)
    counted = encode_metadata(replace(metadata, counts=partition.counts.at(offset)))
    # A result that is owed matters more than a count: without that a cap begins anew.
    return counted if len(counted) <= METADATA_BYTES else encode_metadata(metadata)
