"""Logs in memory, and processes that look receipts up in them: what they read, write and commit, killed at any step.

A log's record has the time of its broker. A process has a folder of its own.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson
from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.kafka.batches import RecordFields
from connector.kafka.fetched import Fetched
from connector.kafka.outage import Outlast
from connector.kafka.reader import Bounds
from connector.kafka.renewed_producer import LogPlace
from connector.kafka.skipped import Skipped
from connector.model import Source
from connector.receipts.callback import ReceiptEntry, Unmatched
from connector.receipts.correlation import HEADER
from connector.receipts.index_records import lookup_record
from connector.receipts.receipt_records import partition, read_entry, read_unmatched
from connector.settings.model import Settings
from connector.store.index_store import IndexStore
from connector.store.state_store import StoreMemory, Stores
from connector.stream.partitions.cluster import Committed
from connector.stream.receipts.index_join import IndexJoin
from connector.stream.receipts.index_opening import IndexOpening
from connector.stream.receipts.index_status import IndexCounts
from connector.stream.receipts.indexer import LOG_APPEND_TIME, Indexer
from connector.stream.receipts.polling import Stopping

PARTITIONS = 2
RESULTS = 2
SETTINGS = Settings()
TOPICS = SETTINGS.topics
ENTRIES, INDEX = TOPICS.receipts_in, TOPICS.receipts_index
MATCHED, UNMATCHED = TOPICS.receipts_matched, TOPICS.receipts_unmatched
GROUP, INDEXER = "receipts-index", "receipts-indexer"
LIMITS = dict.fromkeys((ENTRIES, INDEX, MATCHED, UNMATCHED), 100_000)
WAIT = round(SETTINGS.receipts.wait * 1000)
MINUTE = 60_000


class KilledError(Exception):
    """The process is gone."""


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


class Logs:
    """Topics, committed offsets, and the brokers' clock.

    Attributes:
        now: milliseconds since the epoch.
    """

    def __init__(self) -> None:
        self.records: defaultdict[TopicPartition, list[Any]] = defaultdict(list)
        self.begins: dict[TopicPartition, int] = {}
        self.committed: dict[tuple[str, TopicPartition], tuple[int, str]] = {}
        self.numbers = dict.fromkeys((ENTRIES, INDEX, MATCHED, UNMATCHED), PARTITIONS) | {TOPICS.results: RESULTS}
        self.now = 1_800_000_000_000

    def append(self, tp: TopicPartition, fields: RecordFields) -> Any:
        log = self.records[tp]
        found, value, headers = fields
        log.append(SimpleNamespace(offset=len(log), timestamp=self.now, key=found, value=value, headers=tuple(headers)))
        return SimpleNamespace(timestamp=self.now, timestamp_type=LOG_APPEND_TIME)

    def report(self, number: int, *, others: tuple[bytes, ...] = ()) -> None:
        """A receipt that says `number`."""
        keys = (key(number), *others)
        entry = ReceiptEntry("acme", 1.0, 0, 1, b'{"n":%d}' % number, None, {}, keys)
        self.append(TopicPartition(ENTRIES, partition(keys[0], PARTITIONS)), lookup_record(entry))

    def result(self, number: int, offset: int, *, keys: bytes = b"") -> None:
        """The message at `offset`, which a provider calls `number`, has its result."""
        source = {"topic": "sms.messages", "partition": offset % RESULTS, "offset": offset}
        value = {"status": "accepted", "source": source, "completed_at": "2026-11-27T12:00:00Z"}
        value |= {"message_id": f"m{offset}"}
        tp = TopicPartition(TOPICS.results, offset % RESULTS)
        self.append(tp, (None, orjson.dumps(value), [(HEADER, keys or key(number))]))

    def all(self, topic: str) -> Iterable[tuple[TopicPartition, Any]]:
        for number in range(self.numbers[topic]):
            tp = TopicPartition(topic, number)
            yield from ((tp, record) for record in self.records[tp])

    @property
    def matched(self) -> list[tuple[int, int]]:
        """What each receipt said, and the message it was found to be about."""
        found = []
        for tp, record in self.all(MATCHED):
            entry = read_entry(record.value, record.headers)
            source = cast(Source, entry.token.source)  # type: ignore[union-attr]
            assert record.key == b"%s/%d/%d" % (source.topic.encode(), source.partition, source.offset)
            assert tp.partition == partition(record.key, PARTITIONS)
            found.append((orjson.loads(entry.document)["n"], source.offset))
        return sorted(found)

    @property
    def unmatched(self) -> dict[str, list[Unmatched]]:
        """Place of a receipt → how it was kept, each time."""
        found: defaultdict[str, list[Unmatched]] = defaultdict(list)
        for _, record in self.all(UNMATCHED):
            settles = dict(record.headers)["settles"].decode()
            found[settles].append(read_unmatched(record.value, record.headers))
        return dict(found)

    @property
    def why(self) -> list[str]:
        return sorted(it.why.value for kept in self.unmatched.values() for it in kept)


class LogsCluster:
    """What `Cluster` does, of these logs."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self.read: list[tuple[TopicPartition, int, int]] = []

    async def name(self) -> str:
        return "cluster"

    async def partitions(self, topics: Collection[str]) -> dict[str, set[int]]:
        return {topic: set(range(self._logs.numbers.get(topic, 0))) for topic in topics}

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, Committed]:
        found = self._logs.committed.items()
        return {tp: Committed(*said) for (name, tp), said in found if name == group and tp.topic in topics}

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        logs = self._logs
        return {tp: Bounds(logs.begins.get(tp, 0), len(logs.records[tp])) for tp in partitions}

    async def read_tail(
        self,
        starts: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
        seen: Callable[..., None],
        *,
        wanted: Callable[[], bool],
    ) -> int:
        assert wanted()
        for tp, start in starts.items():
            for record in self._logs.records[tp][max(start, self._logs.begins.get(tp, 0)) : ends[tp]]:
                seen(tp, record)
        return 0

    async def read_between(self, tp: TopicPartition, start: int, end: int, *, wanted: Callable[[], bool]) -> list[Any]:
        assert wanted()
        self.read.append((tp, start, end))
        return self._logs.records[tp][max(start, self._logs.begins.get(tp, 0)) : end]


class LogsConsumer:
    """What a consumer does, of these logs. Its group gives it what `assign` says."""

    def __init__(self, logs: Logs, group: str = "") -> None:
        self._logs = logs
        self._group = group
        self.assigned: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        found = self._logs.committed
        self.assigned = {tp: found.get((self._group, tp), (0, ""))[0] for tp in partitions}
        self.paused = set()

    def seek(self, tp: TopicPartition, offset: int) -> None:
        assert tp in self.assigned
        self.assigned[tp] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused |= {*partitions}

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused -= {*partitions}

    async def position(self, tp: TopicPartition) -> int:
        return self.assigned[tp]

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return {tp: len(self._logs.records[tp]) for tp in partitions}

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, Fetched]:
        await asyncio.sleep(0)
        found = {}
        for tp, at in self.assigned.items():
            records = self._logs.records[tp][at : at + max_records]
            if records and tp not in self.paused:
                taken = Fetched(at)
                taken.extend(records)
                self.assigned[tp] = taken.end = records[-1].offset + 1
                found[tp] = taken
        return found

    async def commit(self, offsets: Mapping[TopicPartition, Any]) -> None:
        for tp, it in offsets.items():
            self._logs.committed[self._group, tp] = it.offset, it.metadata


class LogsWriting:
    """Writes into these logs; `die` ends the process at a step: before it, or after it."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs
        self.die = ""

    async def write(
        self, placed: Mapping[LogPlace, Sequence[RecordFields]], *, doing: str, wanted: Callable[[], bool]
    ) -> list[Any] | None:
        if self.die == "before writing":
            raise KilledError
        said = [self._logs.append(TopicPartition(*at), it) for at, records in placed.items() for it in records]
        if self.die == "after writing":
            raise KilledError
        return said


class IndexProcess:
    """One process: its consumers, its folder, its join."""

    def __init__(self, logs: Logs, folder: Path) -> None:
        self.logs = logs
        self.clock = clock = ManualClock()
        self.counts = IndexCounts()
        self.stopping = Stopping()
        self.entries, self.index = LogsConsumer(logs, GROUP), LogsConsumer(logs)
        self.writing = LogsWriting(logs)
        self.cluster = LogsCluster(logs)
        outlast = Outlast(clock, patience=1.0)
        stores = Stores(folder, IndexStore, keep=5 * 86_400.0, memory=StoreMemory(2**20))
        cluster = cast(Any, self.cluster)
        self.join = IndexJoin(
            cast(Any, self.entries),
            cast(Any, self.index),
            writing=cast(Any, self.writing),
            opening=IndexOpening(cluster, stores, SETTINGS, partitions=PARTITIONS, limits=LIMITS),
            cluster=cluster,
            settings=SETTINGS,
            group=GROUP,
            outlast=outlast,
            counts=self.counts,
            skipped=Skipped(),
            clock=clock,
            stopping=self.stopping,
        )

    async def assign(self, *numbers: int) -> None:
        """The group gives it these."""
        tps = [TopicPartition(ENTRIES, number) for number in numbers or range(PARTITIONS)]
        self.entries.assign(tps)
        await self.join.on_partitions_assigned(tps)

    async def turn(self, times: int = 1) -> None:
        for _ in range(times):
            if self.join._to_open is not None:
                await self.join._open(self.join._to_open)
            await self.join._run_turn()
            self.clock.advance(1.0)

    async def stop(self) -> None:
        await self.join.close()

    def kill(self) -> None:
        """Nothing is committed; what was written to disk is there."""
        for it in self.join._opened.values():
            it.store.close()
        self.join._opened = {}

    @property
    def waiting(self) -> set[str]:
        """Places of receipts that wait."""
        return {
            f"{ENTRIES}/{number}/{entry.offset}"
            for number, it in self.join._opened.items()
            for entry in it.store.first(10_000)
        }


class IndexerProcess:
    """One process's share of the indexer."""

    def __init__(self, logs: Logs) -> None:
        self.consumer = LogsConsumer(logs, INDEXER)
        self.writing = LogsWriting(logs)
        self.clock = clock = ManualClock()
        self.counts, self.skipped = IndexCounts(), Skipped()
        self.indexer = Indexer(
            cast(Any, self.consumer),
            cast(Any, self.writing),
            results=TOPICS.results,
            index=INDEX,
            partitions=PARTITIONS,
            commit_interval=1.0,
            outlast=Outlast(clock, patience=1.0),
            counts=self.counts,
            skipped=self.skipped,
            clock=clock,
            stopping=Stopping(),
        )

    async def assign(self, *numbers: int) -> None:
        tps = [TopicPartition(TOPICS.results, number) for number in numbers or range(RESULTS)]
        self.consumer.assign(tps)
        await self.indexer.on_partitions_assigned(tps)

    async def revoke(self) -> None:
        await self.indexer.on_partitions_revoked(list(self.consumer.assigned))
        self.consumer.assign([])

    async def turn(self, times: int = 1, *, seconds: float = 1.0) -> None:
        for _ in range(times):
            await self.indexer._run_turn()
            self.clock.advance(seconds)
