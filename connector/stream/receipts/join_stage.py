"""Entries in, states out: joined, written, acknowledged, noted on disk, settled, in this order and one run at a time.

A partition's records are written in the order of its entries, one record batch after the other, so that no state is
followed by an earlier one of the same message.
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
from connector.kafka.fetched import Fetched
from connector.receipts.receipt_records import read_receipt
from connector.settings.model import Topics
from connector.store.state_store import States, ViewPlace
from connector.stream.faust.chunk import FetchedChunk
from connector.stream.intake.admission import slices
from connector.stream.intake.passed_over import PassedOver
from connector.stream.output.dispatch import BatchPlace, Dispatch, Forms
from connector.stream.output.fencing import Fencing
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.formats import SETTLES
from connector.stream.partitions.partition import Partition
from connector.stream.receipts.join_status import JoinCounts
from connector.stream.receipts.joining import JoinedEntries, Joining
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)


class JoinStage:
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
        self.states: Mapping[Partition, States] = {}
        self._owned = owned
        self._joining = joining
        self._dispatch = dispatch
        self._fencing = fencing
        self._passed_over = passed_over
        self._receipts, self._unmatched = topics.receipts, topics.receipts_unmatched
        self._counts = counts
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._abandoned = False

    @property
    def busy(self) -> bool:
        """Entries are being joined or written."""
        return bool(self._tasks)

    async def finish(self, seconds: float) -> bool:
        """Wait until nothing is; False when `seconds` were not enough, or what was on its way was let go."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        return not self.busy and not self._abandoned

    async def give_up(self) -> None:
        """The partitions are gone: nothing of what has not left yet may leave later, by whatever producer."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._abandoned = False

    async def admit(self, chunk: FetchedChunk) -> None:
        """Take what was fetched; returns when it is done with, or its partitions are gone.

        Raises:
            RefusedError: Kafka refuses for good what has to be written.
        """
        owned = self._owned
        if not owned.live or chunk.generation_id != owned.generation:
            return  # of an earlier generation
        tasks = []
        for number, records in chunk.value:
            if (partition := owned.find(chunk.topic, number)) is not None:
                task = asyncio.create_task(self._take(partition, records))
                task.add_done_callback(self._tasks.discard)
                tasks.append(task)
        self._tasks.update(tasks)
        try:
            found = await asyncio.gather(*tasks, return_exceptions=True)
        except asyncio.CancelledError:
            self._abandoned = True
            raise
        for ended in found:
            if isinstance(ended, Exception):  # and not where it was given up
                raise ended

    async def _take(self, partition: Partition, records: Fetched) -> None:
        epoch = self._owned.epoch
        if records.start > partition.ledger.high:
            missed = await self._passed_over(partition, records.start)
            if missed is None or epoch != self._owned.epoch:
                return
            await self._take(partition, missed)
        for start, end in slices(records):
            if epoch != self._owned.epoch or not await self._write(partition, records[start:end]):
                return
        if epoch == self._owned.epoch and records.end > partition.ledger.high:
            partition.marks.add(partition.ledger.high, partition.ends)
            partition.ledger.pass_to(records.end)

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
