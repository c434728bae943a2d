"""What is asked of Kafka when partitions are opened: committed offsets, log bounds, the results already written."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from connector.clock import Clock
from connector.kafka.admin import describe_topics
from connector.kafka.clients import started
from connector.kafka.committed import committed_offsets
from connector.kafka.fetched import EVENT_BYTES, Fetched, ReadOptions, own_record_bytes
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.log_offsets import EARLIEST, LATEST, log_offsets
from connector.kafka.reader import Bounds
from connector.kafka.skipped import Skipped
from connector.kafka.topic_lookup import look_up
from connector.kafka.topic_plan import ActualTopic
from connector.stream.partitions.formats import SETTLES
from connector.stream.partitions.tail import read_tail


class Committed(NamedTuple):
    offset: int
    metadata: str


class Cluster:
    """An admin client and consumers without a group, started when first needed and kept.

    Our own topics are read to the high watermark: a transaction of somebody else that is left open there would hide our
    results from us. Sources end where the first transaction that is not decided begins.

    Args:
        options: client options for aiokafka (hosts, security).
        skipped: where records that are passed over are counted.
        sources: topics of events: only what is committed counts there.
        event_bytes: of the largest event.

    Attributes:
        options: the same, for other clients.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        *,
        clock: Clock,
        skipped: Skipped,
        sources: Collection[str],
        event_bytes: int = EVENT_BYTES,
    ) -> None:
        self.options = dict(options)
        self._clock = clock
        self._sources = frozenset(sources)
        self._own = ReadOptions(skipped, most=own_record_bytes(event_bytes))
        self._events = ReadOptions(skipped, unreadable="stand", isolation="committed", most=event_bytes)
        self._admin: AIOKafkaAdminClient | None = None
        self._reader: GuardedConsumer | None = None
        self._events_reader: GuardedConsumer | None = None
        self._reading = asyncio.Lock()
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connect. Raises aiokafka.errors.KafkaConnectionError where no broker answers."""
        async with self._starting:  # several tasks may be the first to ask
            if self._admin is None:
                self._admin = await started(AIOKafkaAdminClient(**self.options))
            if self._reader is None:
                self._reader = await self._consumer(self._own)

    async def _consumer(self, reading: ReadOptions) -> GuardedConsumer:
        reader = GuardedConsumer(
            **self.options,
            reading=reading,
            group_id=None,
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
            auto_offset_reset="earliest",
        )
        begun: GuardedConsumer = await started(reader)
        return begun

    async def stop(self) -> None:
        readers = [self._reader, self._events_reader]
        self._reader = self._events_reader = None
        admin, self._admin = self._admin, None
        for reader in readers:
            if reader is not None:
                await reader.stop()
        if admin is not None:
            await admin.close()

    async def name(self) -> str:
        """What tells this cluster from others; empty where brokers do not say."""
        await self.start()
        assert self._admin is not None
        return str((await self._admin.describe_cluster()).get("cluster_id") or "")

    async def partitions(self, topics: Collection[str]) -> dict[str, set[int]]:
        """Partition numbers of these topics; empty for one that does not exist."""
        await self.start()
        assert self._admin is not None
        found: dict[str, set[int]] = {topic: set() for topic in topics}
        for topic in await look_up(self._admin, topics):
            found[topic["topic"]] = {partition["partition"] for partition in topic["partitions"]}
        return found

    async def topics(self, names: Collection[str]) -> dict[str, ActualTopic]:
        """What is told of those that are there: partitions, configuration, what we may do.

        Raises what aiokafka raises.
        """
        await self.start()
        assert self._admin is not None
        return await describe_topics(self._admin, names)

    async def committed(self, group: str, topics: Collection[str]) -> dict[TopicPartition, Committed]:
        """The group's offsets in these topics with their metadata. Raises KafkaError where nobody can tell now."""
        numbers = await self.partitions(topics)
        return await self.committed_of(
            group, [TopicPartition(topic, number) for topic in topics for number in sorted(numbers[topic])]
        )

    async def committed_of(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Committed]:
        """Likewise, of these partitions."""
        await self.start()
        assert self._admin is not None
        offsets = await committed_offsets(self._admin, group, partitions)
        return {tp: Committed(found.offset, found.metadata) for tp, found in offsets.items()}

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        """The logs' bounds now."""
        if not partitions:
            return {}
        begins, ends = await asyncio.gather(
            self._offsets(dict.fromkeys(partitions, EARLIEST)), self._offsets(dict.fromkeys(partitions, LATEST))
        )
        return {tp: Bounds(begins[tp], ends[tp]) for tp in partitions}

    async def stable_ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the first transaction that is not decided begins, or the end: what is new comes from here on."""
        return await self._offsets(dict.fromkeys(partitions, LATEST), committed=True)

    async def offsets_at(self, partitions: Collection[TopicPartition], instant: datetime) -> dict[TopicPartition, int]:
        """Per partition the offset of the first record at or after `instant`, or the end."""
        found = await self._offsets(dict.fromkeys(partitions, int(instant.timestamp() * 1000)))
        bounds = await self.bounds(partitions)
        return {tp: at if (at := found[tp]) >= 0 else bounds[tp].end for tp in partitions}

    async def _offsets(self, at: Mapping[TopicPartition, int], *, committed: bool = False) -> dict[TopicPartition, int]:
        await self.start()
        assert self._admin is not None
        return await log_offsets(self._admin, at, committed=committed)

    async def read_tail(
        self,
        starts: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
        seen: Callable[[TopicPartition, ConsumerRecord], None],
        *,
        wanted: Callable[[], bool],
    ) -> int:
        """Read our own records from `starts` to `ends`; see `tail.read_tail`. One at a time: there is one reader."""
        reader = await self._ready()
        async with self._reading:
            return await read_tail(reader, starts, ends, seen, clock=self._clock, wanted=wanted)

    async def read_between(self, tp: TopicPartition, start: int, end: int, *, wanted: Callable[[], bool]) -> Fetched:
        """The events from `start` to before `end`, as the worker gets them: none where the log has a gap."""
        found = Fetched(start)
        found.end = end
        if tp.topic in self._sources:
            reader = await self._ready_for_events()
        else:
            reader = await self._consumer(dataclasses.replace(self._own, unreadable="stand"))
        try:
            async with self._reading:
                await read_tail(
                    reader, {tp: start}, {tp: end}, lambda _, it: found.append(it), clock=self._clock, wanted=wanted
                )
        finally:
            if reader is not self._events_reader:
                await reader.stop()
        return found

    async def settled_since(self, tp: TopicPartition, start: int) -> set[bytes]:
        """What records of ours from `start` to the end say they settle: values of their header."""
        end = (await self.bounds([tp]))[tp].end
        found: set[bytes] = set()

        def seen(_: TopicPartition, record: ConsumerRecord) -> None:
            found.update(value for name, value in record.headers if name == SETTLES)

        await self.read_tail({tp: start}, {tp: end}, seen, wanted=lambda: True)
        return found

    async def purge(self, before: Mapping[TopicPartition, int]) -> None:
        """Delete records before these offsets."""
        wanted = {tp: RecordsToDelete(before_offset=offset) for tp, offset in before.items() if offset > 0}
        if not wanted:
            return
        await self.start()
        assert self._admin is not None
        await self._admin.delete_records(wanted)

    async def _ready(self) -> GuardedConsumer:
        await self.start()
        assert self._reader is not None
        return self._reader

    async def _ready_for_events(self) -> GuardedConsumer:
        async with self._starting:
            if self._events_reader is None:
                self._events_reader = await self._consumer(self._events)
            return self._events_reader
