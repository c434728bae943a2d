"""Entries that bring no reference of ours, looked up: the life of this process's share of them.

    open    the store as far as it is a view of its topics → read the index to its end → take entries
    turn    index, entries, what has waited long enough → written, acknowledged → store → commit
    close   commit, close the stores

It is at least once: an entry may be found twice, and its state is written once all the same. So this group needs
neither fencing nor a ledger. What is unmatched says which entry it was, and is not written again by whoever reads that.
"""

from __future__ import annotations

import asyncio
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from connector.clock import Clock
from connector.kafka.batches import RecordFields
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.outage import Outlast
from connector.kafka.renewed_producer import LogPlace
from connector.kafka.skipped import Reason, Skipped
from connector.settings.model import Settings
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.formats import Metadata, encode_metadata
from connector.stream.receipts.index_opening import IndexOpening, OpenedIndex
from connector.stream.receipts.index_status import IndexCounts, IndexStatus
from connector.stream.receipts.lookup import LookupChanges
from connector.stream.receipts.polling import Polling, Stopping
from connector.stream.receipts.record_writing import RecordWriting

log = structlog.get_logger(__name__)

ENTRIES = 2_000
INDEX = 5_000
EXPIRING = 500
"""Of a partition in one turn, at most."""
POLL_MILLISECONDS = 50
LOOK_SECONDS = 5.0
"""How often it is looked whether the topics are what they were."""
PROGRESS_SECONDS = 5.0
NEARBY = 200
"""Entries that are read again lie so near each other that those between them are read with them."""


class IndexJoin(ConsumerRebalanceListener):  # type: ignore[misc]
    """The share of one process of the entries.

    Args:
        consumer: of the entries, in a group of its own; started, and subscribed here.
        reader: of the index, without a group; started.
        group: of the consumer.
    """

    def __init__(
        self,
        consumer: GuardedConsumer,
        reader: GuardedConsumer,
        *,
        writing: RecordWriting,
        opening: IndexOpening,
        cluster: Cluster,
        settings: Settings,
        group: str,
        outlast: Outlast,
        counts: IndexCounts,
        skipped: Skipped,
        clock: Clock,
        stopping: Stopping,
    ) -> None:
        topics = settings.topics
        self._consumer = consumer
        self._reader = reader
        self._writing = writing
        self._opening = opening
        self._cluster = cluster
        self._entries, self._index = topics.receipts_in, topics.receipts_index
        self._matched, self._unmatched = topics.receipts_matched, topics.receipts_unmatched
        self._commit_interval = settings.timeouts.commit_interval
        self._group = group
        self._outlast = outlast
        self._counts = counts
        self._skipped = skipped
        self._clock = clock
        self._stopping = stopping
        self._poll_entries = Polling(consumer, outlast, stopping, doing="reading entries to be looked up")
        self._poll_index = Polling(reader, outlast, stopping, doing="reading the index")
        self._opened: dict[int, OpenedIndex] = {}
        self._restoring: set[int] = set()
        self._to_open: list[int] | None = None
        self._said: dict[int, tuple[int, str]] = {}
        self._turn = asyncio.Lock()
        self._epoch = 0
        self._results = 0
        self._more = False
        self._since = clock.wall()
        self._committed = self._told = -1e9

    @property
    def status(self) -> IndexStatus:
        """What it is doing."""
        opened = self._opened
        until = min((it.lookup.until(self._results) for it in opened.values()), default=0)
        behind = sum(max(0, opened[number].end - opened[number].read) for number in self._restoring)
        reason = f"the index is being read: {behind} records to go" if behind else ""
        return IndexStatus(
            counts=self._counts,
            reason=reason,
            partitions=len(opened),
            waiting=sum(it.store.waiting for it in opened.values()),
            lag=max(0.0, self._clock.wall() - (until / 1000 or self._since)) if opened else None,
            bytes=sum(it.store.bytes for it in opened.values()),
            behind=behind,
        )

    # ---- partitions -------------------------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        """Give them back: what is committed is done with, or waits."""
        self._epoch += 1
        self._to_open = None
        async with self._turn:
            await self.close()

    async def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        """Note them. They are opened between turns: as long as this takes, aiokafka sends no heartbeat."""
        self._epoch += 1
        self._consumer.pause(*assigned)
        self._to_open = [tp.partition for tp in assigned if tp.topic == self._entries]

    async def _open(self, numbers: Sequence[int]) -> None:
        """Open them. Entries wait in their topic while the index is read."""
        epoch = self._epoch

        def wanted() -> bool:
            return epoch == self._epoch and self._stopping.wanted()

        async def ask() -> tuple[int, dict[int, OpenedIndex]]:
            return await self._opening.results(), await self._opening.open(numbers, self._group, wanted=wanted)

        async with self._turn:
            if not wanted():
                return
            await self.close()
            found = await self._outlast(ask, doing="opening the index", wanted=wanted)
            if found is None:
                return
            self._results, opened = found
            if not wanted():
                for it in opened.values():
                    it.store.close()
                return
            self._to_open = None
            self._begin(opened)

    def _begin(self, opened: Mapping[int, OpenedIndex]) -> None:
        # What was read until now began where the group had committed, and not where these begin: it is read once more.
        self._epoch += 1
        self._since = self._clock.wall()
        self._opened = dict(opened)
        self._restoring = {number for number, it in opened.items() if it.read < it.end}
        self._reader.assign([TopicPartition(self._index, number) for number in opened])
        for number, it in opened.items():
            tp = TopicPartition(self._entries, number)
            self._reader.seek(TopicPartition(self._index, number), it.lookup.place.index)
            self._consumer.seek(tp, it.lookup.place.entries)
            if number not in self._restoring:
                self._consumer.resume(tp)
        log.info(
            "partitions of the index opened",
            partitions=len(opened),
            waiting=sum(it.store.waiting for it in opened.values()),
            to_read=sum(max(0, it.end - it.read) for it in opened.values()),
        )

    async def close(self) -> None:
        """Commit, and let the stores go. Idempotent."""
        if not self._opened:
            return
        await self._commit()
        for it in self._opened.values():
            it.store.close()
        self._opened, self._restoring, self._said = {}, set(), {}
        self._reader.assign([])

    # ---- turns ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until it is not wanted any more. Raises what cannot be outlasted."""
        self._consumer.subscribe([self._entries], listener=self)
        try:
            while self._stopping.wanted():
                if self._to_open is not None:
                    await self._open(self._to_open)
                await self._run_turn()
        finally:
            async with self._turn:
                await self.close()

    async def _run_turn(self) -> None:
        epoch = self._epoch
        index = await self._poll_index(most=INDEX, milliseconds=0) if self._opened else {}
        busy = bool(index) or self._more
        entries = await self._poll_entries(most=ENTRIES, milliseconds=0 if busy else POLL_MILLISECONDS)
        async with self._turn:
            if epoch == self._epoch and self._opened:
                await self._work(index, entries)
            now = self._clock.monotonic()
            if now - self._committed >= self._commit_interval:
                self._committed = now
                await self._commit()

    async def watch(self) -> None:
        """Look after the topics. Raises TopicError where they are not what they were: what is to be written to one that
        is gone would wait for ever.
        """
        while self._stopping.wanted():
            await self._stopping.pause(LOOK_SECONDS)
            wanted = self._stopping.wanted
            found = await self._outlast(self._opening.results, doing="looking at the topics", wanted=wanted)
            self._results = found or self._results

    async def _work(self, index: Mapping[TopicPartition, Any], entries: Mapping[TopicPartition, Any]) -> None:
        """One turn of all partitions: what they change is written together, then noted by each."""
        turns: dict[int, LookupChanges] = {}
        self._more = False
        for number, it in self._opened.items():
            changes = LookupChanges()
            changes.healed, it.heal = it.heal, []
            if (records := index.get(TopicPartition(self._index, number))) is not None:
                self._take_index(number, records, changes)
            if records := entries.get(TopicPartition(self._entries, number)):
                it.lookup.entries(records, changes)
            if number not in self._restoring and it.store.waiting:
                self._more |= it.lookup.expire(self._results, EXPIRING, changes)
            turns[number] = changes
        if await self._write(turns):
            for number, changes in turns.items():
                self._note(number, changes)
            self._restored()

    def _take_index(self, number: int, records: Any, changes: LookupChanges) -> None:
        it = self._opened[number]
        foreign = it.lookup.index(records, changes)
        it.read = records.end
        self._counts.restored += len(records)
        if foreign:
            what = "neither a message nor how far the index is"
            self._skipped.note(self._index, number, records[-1].offset, Reason.FOREIGN, records=foreign, what=what)

    async def _write(self, turns: Mapping[int, LookupChanges]) -> bool:
        """Write what they change; False where the partitions have gone meanwhile."""
        epoch = self._epoch

        def wanted() -> bool:
            return epoch == self._epoch and self._stopping.wanted()

        placed: defaultdict[LogPlace, list[RecordFields]] = defaultdict(list)
        for number, changes in turns.items():
            if changes.healed:
                await self._heal(number, changes, wanted)
            for to, record in changes.matched:
                placed[LogPlace(self._matched, to)].append(record)
            for to, record in changes.again:
                placed[LogPlace(self._entries, to)].append(record)
            placed[LogPlace(self._unmatched, number)] += changes.unmatched
        written = await self._writing.write(placed, doing="writing receipts that were looked up", wanted=wanted)
        return written is not None and wanted()

    async def _heal(self, number: int, changes: LookupChanges, wanted: Callable[[], bool]) -> None:
        """Read entries again that were given up. What is not kept any more stays unmatched."""
        messages = dict(changes.healed)
        tp = TopicPartition(self._entries, number)
        for first, last in _ranges(sorted(messages)):
            found = await self._outlast(
                functools.partial(self._cluster.read_between, tp, first, last + 1, wanted=wanted),
                doing="reading entries again",
                wanted=wanted,
            )
            self._opened[number].lookup.heal(found or (), messages, changes)

    def _note(self, number: int, changes: LookupChanges) -> None:
        """It is acknowledged: into the store, with the place it brings it to."""
        it = self._opened[number]
        place = it.lookup.place
        if place != it.store.place or changes.changed:
            it.store.write(changes.stored, place, waits=list(changes.waits.values()), ends=changes.ends)
        self._counts.looked_up.update(changes.counts)

    def _restored(self) -> None:
        """Take entries of partitions whose index has been read to where it ended."""
        for number in list(self._restoring):
            it = self._opened[number]
            if it.read >= it.end:
                self._restoring.discard(number)
                self._consumer.resume(TopicPartition(self._entries, number))
                log.info("the index is read", partition=number, restoring=len(self._restoring))
        now = self._clock.monotonic()
        if self._restoring and now - self._told >= PROGRESS_SECONDS:
            self._told = now
            log.info("reading the index", records_to_go=self.status.behind, partitions=len(self._restoring))

    async def _commit(self) -> None:
        """What is done with or waits here, and the first that waits."""
        offsets: dict[TopicPartition, OffsetAndMetadata] = {}
        said: dict[int, tuple[int, str]] = {}
        for number, it in self._opened.items():
            place = it.store.place
            if place is None or place != it.lookup.place:
                continue
            first = next((waits.offset for waits in it.store.first(1)), place.entries)
            told = place.entries, encode_metadata(Metadata(waiting_from=first))
            if self._said.get(number) != told:
                offsets[TopicPartition(self._entries, number)] = OffsetAndMetadata(*told)
                said[number] = told
        if not offsets:
            return
        try:
            await self._consumer.commit(offsets)
            self._said |= said
        except KafkaError as error:  # it is read once more, and found twice: the state is written once
            log.debug("entries are not committed", error=type(error).__name__)


def _ranges(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The first and the last offset of those that lie near each other."""
    begin = 0
    for at in range(1, len(offsets) + 1):
        if at == len(offsets) or offsets[at] - offsets[at - 1] > NEARBY:
            yield offsets[begin], offsets[at - 1]
            begin = at
