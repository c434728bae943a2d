"""Reading topics from outside the group: for commands that look, count and search. Commits nothing, joins nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, GroupLoadInProgressError, KafkaError

from connector.errors import ConnectorError
from connector.kafka.admin import open_admin
from connector.kafka.clients import connect
from connector.settings.model import Settings

POLL_RECORDS = 20_000
"""One poll while scanning: parsing, not polling, is then the cost."""
POLL_MILLISECONDS = 200

COORDINATOR_SECONDS = 0.5
COORDINATOR_TRIES = 30
"""15 s: a new cluster needs one or two, a busy one that loads its groups some more."""

T = TypeVar("T")


class Bounds(NamedTuple):
    """The log of a partition holds offsets `begin` to `end` - 1."""

    begin: int
    end: int


class Members(NamedTuple):
    """A consumer group as its coordinator sees it: `Stable`, `Empty`, `PreparingRebalance`, …"""

    state: str
    number: int


class Reader:
    """A consumer without a group, and an admin client.

    Attributes:
        scanned: records read so far.
    """

    def __init__(self, consumer: AIOKafkaConsumer, admin: AIOKafkaAdminClient) -> None:
        self._consumer = consumer
        self._admin = admin
        self.scanned = 0

    async def partitions(self, topics: Collection[str], *, optional: bool = False) -> list[TopicPartition]:
        """The partitions of those topics.

        All topics are listed: asking for a missing one by name would create it where brokers do that by themselves.

        Raises:
            ConnectorError: a topic is not there, or not for us, unless that is `optional`. A search that leaves it out
                would say that there is nothing.
        """
        found = []
        for topic in await self._admin.describe_topics():
            if topic["topic"] in topics and not topic["error_code"]:
                found += [TopicPartition(topic["topic"], it["partition"]) for it in topic["partitions"]]
        missing = set(topics) - {tp.topic for tp in found}
        if missing and not optional:
            raise ConnectorError(
                f"no topic {', '.join(sorted(missing))}, or this user is not authorized to see it; "
                "look with `sms-connector topics check`"
            )
        return sorted(found)

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        """The logs' bounds now."""
        if not partitions:
            return {}
        begins = await self._consumer.beginning_offsets(list(partitions))
        ends = await self._consumer.end_offsets(list(partitions))
        return {tp: Bounds(begins[tp], ends[tp]) for tp in partitions}

    async def offsets_at(self, partitions: Collection[TopicPartition], instant: datetime) -> dict[TopicPartition, int]:
        """Per partition the offset of the first record at or after `instant`, or the end."""
        if not partitions:
            return {}
        found = await self._consumer.offsets_for_times(dict.fromkeys(partitions, int(instant.timestamp() * 1000)))
        bounds = await self.bounds(partitions)
        return {tp: at.offset if (at := found.get(tp)) is not None else bounds[tp].end for tp in partitions}

    async def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's committed offsets; partitions without one are left out."""
        if not partitions:
            return {}
        asked = list(partitions)
        offsets = await _coordinated(lambda: self._admin.list_consumer_group_offsets(group, partitions=asked))
        return {tp: found.offset for tp, found in offsets.items() if found.offset >= 0}

    async def members(self, group: str) -> Members:
        """State and size of the group."""
        (response,) = await _coordinated(lambda: self._admin.describe_consumer_groups([group]))
        _error, _name, state, _type, _protocol, members = response.groups[0][:6]
        return Members(state, len(members))

    async def scan(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[ConsumerRecord]:
        """Every record from `starts` up to, not including, `ends`; in order within a partition."""
        todo = {tp for tp, start in starts.items() if start < ends[tp]}
        self._seek({tp: starts[tp] for tp in todo})
        while todo:
            found = await self._consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=POLL_RECORDS)
            for tp, records in found.items():
                for record in records:
                    if record.offset < ends[tp]:
                        self.scanned += 1
                        yield record
            for tp in list(todo):
                if await self._consumer.position(tp) >= ends[tp]:
                    todo.discard(tp)
                    self._consumer.pause(tp)

    async def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncIterator[list[ConsumerRecord]]:
        """Every record from `starts` on, for ever, poll by poll; empty lists while there is nothing."""
        self._seek(starts)
        while True:
            found = await self._consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=POLL_RECORDS)
            records = [record for batch in found.values() for record in batch]
            self.scanned += len(records)
            yield records

    async def first(self, partition: TopicPartition, offset: int, end: int) -> ConsumerRecord | None:
        """The record at `offset`, or the next one before `end`: the log may have gaps."""
        async for record in self.scan({partition: offset}, {partition: end}):
            return record
        return None

    def _seek(self, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer.assign(list(starts))
        for tp, offset in starts.items():
            self._consumer.resume(tp)
            self._consumer.seek(tp, offset)


@asynccontextmanager
async def open_reader(settings: Settings) -> AsyncIterator[Reader]:
    """A started reader. Raises ConnectorError when no broker lets us in, or one refuses."""
    async with open_admin(settings) as admin:
        consumer = AIOKafkaConsumer(
            **connect(settings.kafka).options(),
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=50,
            max_poll_records=POLL_RECORDS,
        )
        try:
            await consumer.start()
            yield Reader(consumer, admin)
        except KafkaError as error:
            raise ConnectorError(f"Kafka refused: {type(error).__name__}: {error}") from error
        finally:
            await consumer.stop()


async def _coordinated(ask: Callable[[], Awaitable[T]]) -> T:
    """What a group's coordinator answers.

    The first question about any group makes a new cluster create the topic that groups are kept in; until then, and
    while it is loaded, nobody coordinates.
    """
    for _ in range(COORDINATOR_TRIES):
        try:
            return await ask()
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError):
            await asyncio.sleep(COORDINATOR_SECONDS)
    return await ask()


def ends_of(bounds: Mapping[TopicPartition, Bounds]) -> dict[TopicPartition, int]:
    """Where the logs end."""
    return {tp: it.end for tp, it in bounds.items()}


def in_order(records: Iterable[ConsumerRecord]) -> list[ConsumerRecord]:
    """By time, then by place: how a person reads records of several partitions."""
    return sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))
