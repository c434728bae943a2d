"""Results into the index: what messages will be known by, and how far the index is.

Every second, or every five where nothing comes, it is written to each partition of the index: all results of these
partitions that were written before this moment are in it. The moment is the brokers': when the line of before was
acknowledged; and it is said only once everything that the log held after that is acknowledged in the index.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, RecordMetadata

from connector.clock import Clock
from connector.kafka.batches import RecordFields
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.outage import Outlast
from connector.kafka.renewed_producer import LogPlace
from connector.kafka.skipped import Reason, Skipped
from connector.receipts.correlation import HEADER
from connector.receipts.index_records import index_records, watermark_record
from connector.receipts.receipt_records import partition
from connector.stream.receipts.index_status import IndexCounts
from connector.stream.receipts.polling import Polling, Stopping
from connector.stream.receipts.record_writing import RecordWriting
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)

POLL_RECORDS = 5_000
POLL_MILLISECONDS = 100
TICK_SECONDS = 1.0
IDLE_SECONDS = 5.0
"""While no results come: what is told stays in the index as long as all else, and is read by whoever makes it anew."""
BUSY_TICKS = 2
"""A moment is told by the tick after the one that asked for it."""
LOG_APPEND_TIME = 1


class IndexedPartition:
    """One partition of the results: how far the index is with it.

    Attributes:
        position: everything before it is in the index.
        until: as told; None where nothing is known yet.
    """

    def __init__(self, position: int) -> None:
        self.position = position
        self.until: int | None = None
        self._asked: tuple[int, int] | None = None

    def ask(self, moment: int, end: int) -> None:
        """The log ended at `end` after `moment`."""
        if self._asked is None:
            self._asked = moment, end

    def look(self) -> None:
        """Take the moment for told, once all is in the index that the log held then."""
        if self._asked is not None and self.position >= self._asked[1]:
            self.until = self._asked[0]
            self._asked = None


class Indexer(ConsumerRebalanceListener):  # type: ignore[misc]
    """The share of one process of the results.

    Args:
        consumer: of the results, in a group of its own; started, and subscribed here.
        index: the topic.
        partitions: of it.
    """

    def __init__(
        self,
        consumer: GuardedConsumer,
        writing: RecordWriting,
        *,
        results: str,
        index: str,
        partitions: int,
        commit_interval: float,
        outlast: Outlast,
        counts: IndexCounts,
        skipped: Skipped,
        clock: Clock,
        stopping: Stopping,
    ) -> None:
        self._consumer = consumer
        self._writing = writing
        self._results, self._index = results, index
        self._partitions = partitions
        self._commit_interval = commit_interval
        self._outlast = outlast
        self._counts = counts
        self._skipped = skipped
        self._clock = clock
        self._stopping = stopping
        self._poll = Polling(consumer, outlast, stopping, doing="reading results for the index")
        self._owned: dict[int, IndexedPartition] = {}
        self._busy = BUSY_TICKS
        self._turn = asyncio.Lock()
        self._ticked = self._committed = -1e9

    async def run(self) -> None:
        """Until it is not wanted any more. Raises what cannot be outlasted."""
        self._consumer.subscribe([self._results], listener=self)
        while self._stopping.wanted():
            await self._run_turn()
        async with self._turn:
            await self._commit()

    async def _run_turn(self) -> None:
        found = await self._poll(most=POLL_RECORDS, milliseconds=POLL_MILLISECONDS)
        async with self._turn:
            if found and not await self._index_all(found):
                return
            now = self._clock.monotonic()
            if self._owned and now - self._ticked >= (TICK_SECONDS if self._busy else IDLE_SECONDS):
                self._ticked = now
                self._busy = max(0, self._busy - 1)
                await self._tick()
            if now - self._committed >= self._commit_interval:
                self._committed = now
                await self._commit()

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Others go on from what is committed."""
        async with self._turn:
            await self._commit()
            self._owned = {}

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Nothing is told of these before they are read to their ends."""
        self._owned = {tp.partition: IndexedPartition(-1) for tp in assigned}
        self._busy = BUSY_TICKS

    async def _index_all(self, found: Mapping[TopicPartition, Any]) -> bool:
        """What of these results can be looked up, into the index. False where it is not known to be there."""
        placed: defaultdict[LogPlace, list[RecordFields]] = defaultdict(list)
        owned, indexed = self._owned, 0
        for tp, records in found.items():
            for record in records:
                keys = next((value for name, value in record.headers if name == HEADER), None)
                if not keys:
                    continue
                try:
                    told = index_records(keys, record.value)
                except UnreadableError as error:
                    self._skipped.note(tp.topic, tp.partition, record.offset, Reason.FOREIGN, what=str(error))
                    continue
                indexed += bool(told)
                for fields in told:
                    assert fields[0] is not None
                    placed[LogPlace(self._index, partition(fields[0], self._partitions))].append(fields)
        if await self._write(placed) is None:
            return False
        self._counts.indexed += indexed
        self._busy = BUSY_TICKS
        if owned is self._owned:
            for tp, records in found.items():
                if (read := owned.get(tp.partition)) is not None:
                    read.position = records.end
        return True

    async def _tick(self) -> None:
        """Tell how far the index is; and note the moment, for the next time."""
        owned = self._owned
        for known in owned.values():
            known.look()
        until = {number: known.until for number, known in owned.items() if known.until is not None}
        record = watermark_record(until)
        written = await self._write({LogPlace(self._index, number): [record] for number in range(self._partitions)})
        if written is None or owned is not self._owned:
            return
        moment = min(self._moment(it) for it in written)
        tps = [TopicPartition(self._results, number) for number in owned]
        ends = await self._outlast(
            lambda: self._consumer.end_offsets(tps),
            doing="asking for the ends of the results",
            wanted=self._stopping.wanted,
        )
        for tp, end in (ends or {}).items():
            if (it := owned.get(tp.partition)) is not None:
                if it.position < 0:  # nothing has been read: where reading stands says how far it is
                    it.position = await self._consumer.position(tp)
                it.ask(moment, end)

    def _moment(self, written: RecordMetadata) -> int:
        if written.timestamp_type == LOG_APPEND_TIME and written.timestamp >= 0:
            return int(written.timestamp)
        return round(self._clock.wall() * 1000)

    async def _write(self, placed: Mapping[LogPlace, Sequence[RecordFields]]) -> list[RecordMetadata] | None:
        return await self._writing.write(placed, doing="writing the index", wanted=self._stopping.wanted)

    async def _commit(self) -> None:
        """What is in the index is not read again."""
        offsets = {
            TopicPartition(self._results, number): OffsetAndMetadata(known.position, "")
            for number, known in self._owned.items()
            if known.position >= 0
        }
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
        except KafkaError as error:  # read once more by whoever comes next: nothing is in the index twice
            log.debug("positions in the results are not committed", error=type(error).__name__)
