"""Opening partitions of the index: the store as it is on disk, as far as it is a view of its topics, and what to read.

A store that is not whole up to what is committed has seen other entries wait than do: they are read once more, from the
first of them on, which the commit says. What is unmatched by then is read back, so that it is not written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from connector.errors import Problem, TopicError
from connector.kafka.reader import Bounds
from connector.kafka.receipt_topics import indexer_group
from connector.receipts.callback import Why
from connector.receipts.correlation import KEY_BYTES
from connector.receipts.index_records import IndexRecord, read_index
from connector.receipts.receipt_records import read_unmatched
from connector.settings.model import Settings
from connector.store.index_store import IndexPlace, IndexStore, KeyState
from connector.store.state_store import StoreIdentity, Stores
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.formats import settled_place, waiting_from
from connector.stream.receipts.lookup import MOST_WAITING, Lookup
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)

TOGETHER = 5_000


@dataclass(slots=True)
class OpenedIndex:
    """One partition of the index.

    Attributes:
        end: of the index when it was opened: before it is read to there, entries would wait for what is known.
        read: up to where it is read.
        heal: entries that somebody else has given up, and whose messages are known here.
    """

    store: IndexStore
    lookup: Lookup
    end: int
    read: int
    heal: list[tuple[int, IndexRecord]]


@dataclass(slots=True)
class UnmatchedBefore:
    """What had become of entries of a partition when it was opened.

    Attributes:
        settled: those from where reading begins that are unmatched already.
        heal: those that were given up, and whose messages are known.
    """

    settled: set[int] = field(default_factory=set)
    heal: list[tuple[int, IndexRecord]] = field(default_factory=list)


class IndexOpening:
    """Opens partitions.

    Args:
        settings: with the group of entries that are looked up.
        partitions: of each of the topics.
        limits: bytes of the largest record of each topic.
    """

    def __init__(
        self,
        cluster: Cluster,
        stores: Stores[IndexStore],
        settings: Settings,
        *,
        partitions: int,
        limits: Mapping[str, int],
    ) -> None:
        topics = settings.topics
        self._cluster = cluster
        self._stores = stores
        self._settings = settings
        self._partitions = partitions
        self._limits = limits[topics.receipts_matched], limits[topics.receipts_unmatched]
        self._entries, self._index = topics.receipts_in, topics.receipts_index
        self._unmatched = topics.receipts_unmatched

    async def results(self) -> int:
        """Partitions of the results; what is in the index is known of each of them.

        Raises:
            TopicError: a topic of receipts is gone, or has another number of partitions than when this began.
        """
        topics = (self._entries, self._index, self._unmatched, self._settings.topics.receipts_matched)
        found = await self._cluster.partitions([*topics, self._settings.topics.results])
        remedy = "give the topics of receipts one number, then start all receivers and `receipts run` again"
        problems = [
            Problem(
                f"it has {len(found[topic])} partitions, and had {self._partitions}"
                if found[topic]
                else "it is not there any more: what messages are known by would be lost unnoticed",
                remedy if found[topic] else self._made_anew(topic),
                path=topic,
            )
            for topic in topics
            if len(found[topic]) != self._partitions
        ]
        if problems:
            raise TopicError(problems)
        return len(found[self._settings.topics.results])

    def _made_anew(self, topic: str) -> str:
        made = "run `sms-connector topics create`, then start again"
        if topic != self._index:
            return made
        group = indexer_group(self._settings.group)
        return f"delete the offsets of group {group!r}, so that the results are indexed once more; {made}"

    async def open(self, numbers: Collection[int], group: str, *, wanted: Callable[[], bool]) -> dict[int, OpenedIndex]:
        """These partitions, each with the store it has; `place` of their lookups says from where to read.

        Raises:
            TopicError: the topics are not those that this began with.
        """
        await self.results()
        committed = await self._cluster.committed(group, [self._entries])
        tps = [
            TopicPartition(topic, number)
            for topic in (self._entries, self._index, self._unmatched)
            for number in sorted(numbers)
        ]
        bounds = await self._cluster.bounds(tps)
        name = await self._cluster.name()
        stores: dict[int, IndexStore] = {}
        try:
            for number in sorted(numbers):
                stores[number] = self._store(name, number, bounds)
            for number, store in list(stores.items()):
                if not await self._is_view(number, store, wanted=wanted):
                    log.warning("the index on disk is of another log; made anew from the topic", partition=number)
                    store.close()
                    stores[number] = self._stores.renew(self._identity(name, number))
            opened = {}
            for number, store in stores.items():
                at = bounds[TopicPartition(self._entries, number)]
                start = self._start(number, store, at, committed.get(TopicPartition(self._entries, number)))
                place = await self._read_back(number, store, start, bounds, wanted=wanted)
                opened[number] = self._opened(number, store, place, bounds)
        except BaseException:
            for store in stores.values():
                store.close()
            raise
        return opened

    def _identity(self, name: str, number: int) -> StoreIdentity:
        return StoreIdentity(name, self._index, number, self._partitions)

    def _store(self, name: str, number: int, bounds: Mapping[TopicPartition, Bounds]) -> IndexStore:
        """What is on disk, where it can be a view of these logs."""
        identity = self._identity(name, number)
        store = self._stores.open(identity)
        at = bounds[TopicPartition(self._index, number)]
        if store.place is not None and not at.begin <= store.place.index <= at.end:
            log.warning("the index on disk is older than its topic; made anew from it", partition=number)
            store.close()
            return self._stores.renew(identity)
        return store

    async def _is_view(self, number: int, store: IndexStore, *, wanted: Callable[[], bool]) -> bool:
        """Whether the last record it has seen of the index is the one that stands there."""
        place = store.place
        if place is None or not place.last:
            return True
        found: list[bytes] = []

        def seen(_: TopicPartition, record: ConsumerRecord) -> None:
            found.append(b"%d/%b" % (record.timestamp, record.key or b""))

        tp = TopicPartition(self._index, number)
        await self._cluster.read_tail({tp: place.index - 1}, {tp: place.index}, seen, wanted=wanted)
        return not found or found[0] == place.last

    def _start(self, number: int, store: IndexStore, at: Bounds, committed: Committed | None) -> int:
        """From where entries are read: from where the store ends, if all before that is done with or waits in it."""
        place = store.place
        position = at.begin if committed is None else committed.offset
        if place is not None and at.begin <= place.entries <= at.end and place.entries >= position:
            return place.entries
        first = position if committed is None else waiting_from(committed.metadata, position)
        if store.waiting:
            store.forget_waiting()
        log.info("entries that may wait are read once more", partition=number, offset=first)
        return max(at.begin, min(first, position)) if position <= at.end else at.begin

    async def _read_back(
        self,
        number: int,
        store: IndexStore,
        start: int,
        bounds: Mapping[TopicPartition, Bounds],
        *,
        wanted: Callable[[], bool],
    ) -> tuple[IndexPlace, UnmatchedBefore]:
        """What is unmatched by now, into the store; with the place that it has come to."""
        place = store.place or IndexPlace()
        tp = TopicPartition(self._unmatched, number)
        at, end = bounds[tp], bounds[TopicPartition(self._entries, number)].end
        # Entries that are read once more may be unmatched since long before the store ended.
        whole = start >= place.entries and at.begin <= place.unmatched <= at.end
        begin = place.unmatched if whole else at.begin
        before = UnmatchedBefore()
        kept: dict[bytes, list[tuple[int, bool]]] = {}
        prefix = f"{self._entries}/{number}"
        place = msgspec.structs.replace(place, entries=start, unmatched=at.end)

        def seen(_: TopicPartition, record: ConsumerRecord) -> None:
            named = settled_place(record.headers)
            if named is None or named[0] != prefix:
                return
            offset = named[1]
            if offset >= end:  # nobody can have looked it up
                return
            if offset >= start:
                before.settled.add(offset)
            if record.key is not None and len(record.key) == KEY_BYTES:
                kept.setdefault(record.key, []).append((offset, _is_unknown(record)))
                if len(kept) >= TOGETHER:
                    before.heal += _note_unmatched(store, kept, store.place or IndexPlace())
                    kept.clear()

        await self._cluster.read_tail({tp: begin}, {tp: at.end}, seen, wanted=wanted)
        before.heal += _note_unmatched(store, kept, place)
        return place, before

    def _opened(
        self,
        number: int,
        store: IndexStore,
        back: tuple[IndexPlace, UnmatchedBefore],
        bounds: Mapping[TopicPartition, Bounds],
    ) -> OpenedIndex:
        place, before = back
        at = bounds[TopicPartition(self._index, number)]
        if not at.begin <= place.index <= at.end:
            place = msgspec.structs.replace(place, index=at.begin)
        lookup = Lookup(
            self._entries,
            number,
            partitions=self._partitions,
            store=store,
            place=place,
            wait=self._settings.receipts.wait,
            limits=self._limits,
            settled=before.settled,
        )
        return OpenedIndex(store, lookup, at.end, place.index, before.heal)


def _is_unknown(record: ConsumerRecord) -> bool:
    try:
        return read_unmatched(record.value, record.headers).why is Why.UNKNOWN
    except UnreadableError:
        return False


def _note_unmatched(
    store: IndexStore, kept: Mapping[bytes, Sequence[tuple[int, bool]]], place: IndexPlace
) -> list[tuple[int, IndexRecord]]:
    """Entries that are unmatched, by another one where they wait here. The messages of those that were given up (True)
    may still appear; those whose message is known here already are returned with it.
    """
    known: dict[bytes, KeyState] = {}
    ends: list[int] = []
    heal: list[tuple[int, IndexRecord]] = []
    for key, state in zip(kept, store.get(list(kept)), strict=True):
        done = {offset for offset, _ in kept[key]}
        late = {offset for offset, unknown in kept[key] if unknown}
        ends += [offset for offset in state.waiting if offset in done]
        state.waiting = [offset for offset in state.waiting if offset not in done]
        if not state.candidates:
            state.late = sorted(late.union(state.late))[:MOST_WAITING]
        elif len(state.candidates) == 1:
            heal += [(offset, read_index(state.candidates[0])) for offset in sorted(late)]
        known[key] = state
    store.write(known, place, ends=ends)
    return heal
