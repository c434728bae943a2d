"""Entries in, states out: joined, written, acknowledged, noted on disk, settled, in this order and one run at a time.

No state is followed by an earlier one of the same message: a partition's records are written in the order of its
entries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from aiokafka.errors import ProducerClosed

from connector.clock import Clock
from connector.kafka.batches import RecordFields
from connector.receipts.receipt_records import read_receipt
from connector.settings.model import Topics
from connector.store.state_store import States, ViewPlace
from connector.stream.intake.passed_over import PassedOver
from connector.stream.output.dispatch import BatchPlace, Dispatch, Forms
from connector.stream.output.fencing import Fencing
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.formats import SETTLES
from connector.stream.partitions.partition import Partition
from connector.stream.receipts.join_status import JoinCounts
from connector.stream.receipts.joining import JoinedEntries, Joining
from connector.stream.receipts.partition_stage import PartitionStage
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)


class JoinStage(PartitionStage):
    """Takes entries.

    Args:
        joining: decides.
        dispatch: writes.
        fencing: asked before each write.
        passed_over: asked for entries that the fetcher left out.

    Attributes:
        states: by partition, while they are owned.
    """

    def __init__(
        self,
        owned: Assignment,
        *,
        joining: Joining,
        dispatch: Dispatch,
        fencing: Fencing,
        passed_over: PassedOver,
        topics: Topics,
        counts: JoinCounts,
        clock: Clock,
    ) -> None:
        super().__init__(owned, passed_over=passed_over)
        self.states: Mapping[Partition, States] = {}
        self._joining = joining
        self._dispatch = dispatch
        self._fencing = fencing
        self._receipts, self._unmatched = topics.receipts, topics.receipts_unmatched
        self._counts = counts
        self._clock = clock

    async def _write(self, partition: Partition, records: Sequence[Any]) -> bool:
        """Join, write and settle these; False where the partition has gone meanwhile."""
        partition.marks.add(records[0].offset, partition.ends)
        states = self.states[partition]
        joined = self._joining.join(partition, records, states)
        if not joined.offsets:
            return True
        if not await self._fencing.await_lease_for(partition):
            return False
        try:
            await self._send(partition, self._receipts, joined.receipts, _without_words)
            await self._send(partition, self._unmatched, joined.unmatched, _without_document)
        except ProducerClosed:
            if partition.live:
                raise
        if not partition.live:  # its next owner reads back what has been written
            return False
        self._note(partition, joined, states)
        await asyncio.sleep(0)
        return True

    def _note(self, partition: Partition, joined: JoinedEntries, states: States) -> None:
        """It is durable: on disk, then in the ledger. What the disk does not have yet is read back from the topic."""
        if joined.receipts:
            last = next(value for name, value in joined.receipts[-1][2] if name == SETTLES)
            known = {key: bytes([seen]) for key, seen in joined.states.items()}
            states.write(known, ViewPlace(partition.ends[self._receipts], last))
        partition.ledger.settle(joined.offsets)
        self._counts.add(joined.counts, len(joined.offsets))
        now = self._clock.wall()
        for arrived in joined.arrivals:
            self._counts.durable.add(max(0.0, now - arrived))

    async def _send(self, partition: Partition, topic: str, records: Sequence[RecordFields], forms: Forms) -> None:
        place = BatchPlace(partition, topic, partition.partition)
        for batch in self._dispatch.pack(records) if records else ():
            await self._dispatch.send(place, [batch], forms=forms)


def _without_words(record: RecordFields) -> Iterator[RecordFields]:
    """A state without the provider's own words, where the topic does not take it with them."""
    key, value, headers = record
    try:
        said = read_receipt(value)
    except UnreadableError:
        return
    bare = msgspec.structs.replace(said, reason=None, code=None, provider_message_id=None)
    yield key, msgspec.json.encode(bare), headers


def _without_document(record: RecordFields) -> Iterator[RecordFields]:
    """What is unmatched with half of its document, at last with none: it still says which entry it was."""
    key, value, headers = record
    yield key, (value or b"")[: len(value or b"") // 2], headers
    yield key, b"", headers
