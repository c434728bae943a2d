"""Reading topics from outside the group: for commands that look, count and search. Commits nothing, joins nothing."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment as MemberAssignment
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)

from connector.errors import ConnectorError
from connector.kafka.admin import UNSUPPORTED, open_admin
from connector.kafka.clients import connect
from connector.kafka.committed import committed_offsets
from connector.kafka.fetched import ReadOptions, own_record_bytes
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.skipped import Skipped
from connector.kafka.topic_lookup import look_up
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


@dataclass(frozen=True, slots=True)
class GroupMember:
    """A member of a consumer group, as its coordinator sees it.

    Attributes:
        id: what the coordinator calls it.
        host: the address it speaks from.
        partitions: that it was given.
    """

    id: str
    client: str
    host: str
    partitions: frozenset[TopicPartition] = frozenset()


class Members(NamedTuple):
    """A consumer group as its coordinator sees it: `Stable`, `Empty`, `PreparingRebalance`, …

    Without a state where the brokers do not tell: librdkafka's mock cluster has no such request.
    """

    state: str
    number: int
    each: tuple[GroupMember, ...] = ()

    @property
    def known(self) -> bool:
        """The brokers tell."""
        return bool(self.state)


class TopicReader:
    """Consumers without a group, and an admin client. What a worker passes over is passed over here as well.

    Args:
        ours: reads topics that the connector writes, to their end.
        events: reads topics that others write, as far as their transactions are decided.
        decided: the topics of the second kind.

    Attributes:
        scanned: records read so far.
    """

    def __init__(
        self, ours: GuardedConsumer, events: GuardedConsumer, admin: AIOKafkaAdminClient, decided: Collection[str]
    ) -> None:
        self._ours = ours
        self._events = events
        self._admin = admin
        self._decided = frozenset(decided)
        self.scanned = 0

    async def partitions(self, topics: Collection[str], *, optional: bool = False) -> list[TopicPartition]:
        """The partitions of those topics.

        Raises:
            ConnectorError: a topic is not there, or not for us, unless that is `optional`. A search that leaves it out
                would say that there is nothing.
        """
        found = []
        for topic in await look_up(self._admin, topics):
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
        begins = await self._ours.beginning_offsets(list(partitions))
        ends = await self._ours.end_offsets(list(partitions))
        return {tp: Bounds(begins[tp], ends[tp]) for tp in partitions}

    async def stable_ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the first transaction that is not decided begins, or the end."""
        ends: dict[TopicPartition, int] = await self._events.end_offsets(list(partitions)) if partitions else {}
        return ends

    async def undecided(self, partition: TopicPartition, offset: int, end: int) -> ConsumerRecord | None:
        """The record at `offset`, or the next one, of a transaction that is not decided."""
        raw = self._ours
        raw.assign([partition])
        raw.resume(partition)
        raw.seek(partition, offset)
        while await raw.position(partition) < end:
            for records in (await raw.getmany(timeout_ms=POLL_MILLISECONDS, max_records=1)).values():
                for record in records:
                    return record
        return None

    async def offsets_at(self, partitions: Collection[TopicPartition], instant: datetime) -> dict[TopicPartition, int]:
        """Per partition the offset of the first record at or after `instant`, or the end."""
        if not partitions:
            return {}
        found = await self._ours.offsets_for_times(dict.fromkeys(partitions, int(instant.timestamp() * 1000)))
        bounds = await self.bounds(partitions)
        return {tp: at.offset if (at := found.get(tp)) is not None else bounds[tp].end for tp in partitions}

    async def committed(self, group: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """The group's committed offsets; partitions without one are left out."""
        if not partitions:
            return {}
        asked = list(partitions)
        offsets = await _coordinated(lambda: committed_offsets(self._admin, group, asked))
        return {tp: found.offset for tp, found in offsets.items()}

    async def members(self, group: str) -> Members:
        """State and size of the group."""

        async def ask() -> Members:
            (response,) = await self._admin.describe_consumer_groups([group])
            error, _name, state, _type, _protocol, members = response.groups[0][:6]
            if error:
                raise for_code(error)(f"group {group}")
            return Members(state, len(members), tuple(map(_member, members)))

        try:
            return await _coordinated(ask)
        except UNSUPPORTED:
            return Members("", 0)

    async def scan(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[ConsumerRecord]:
        """Every record from `starts` up to, not including, `ends`; in order within a partition."""
        decided = [tp for tp in starts if tp.topic in self._decided]
        stable = await self.stable_ends(decided)
        others = {tp: ends[tp] for tp in starts if tp not in stable}
        for consumer, until in (
            (self._events, {tp: min(ends[tp], end) for tp, end in stable.items()}),
            (self._ours, others),
        ):
            async for record in self._scan(consumer, starts, until):
                yield record

    async def _scan(
        self, consumer: GuardedConsumer, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[ConsumerRecord]:
        todo = {tp for tp, end in ends.items() if starts[tp] < end}
        if not todo:
            return
        _seek(consumer, {tp: starts[tp] for tp in todo})
        while todo:
            found = await consumer.getmany(timeout_ms=POLL_MILLISECONDS, max_records=POLL_RECORDS)
            for tp, records in found.items():
                for record in records:
                    if record.offset < ends[tp]:
                        self.scanned += 1
                        yield record
            for tp in list(todo):
                if await consumer.position(tp) >= ends[tp]:
                    todo.discard(tp)
                    consumer.pause(tp)

    async def follow(self, starts: Mapping[TopicPartition, int]) -> AsyncIterator[list[ConsumerRecord]]:
        """Every record of our topics from `starts` on, for ever, poll by poll; empty lists while there is nothing."""
        _seek(self._ours, starts)
        while True:
            found = await self._ours.getmany(timeout_ms=POLL_MILLISECONDS, max_records=POLL_RECORDS)
            records = [record for batch in found.values() for record in batch]
            self.scanned += len(records)
            yield records

    async def first(self, partition: TopicPartition, offset: int, end: int) -> ConsumerRecord | None:
        """The record at `offset`, or the next one before `end`: the log may have gaps."""
        async for record in self.scan({partition: offset}, {partition: end}):
            return record
        return None


@asynccontextmanager
async def open_reader(settings: Settings, note: Callable[[str], object]) -> AsyncIterator[TopicReader]:
    """A started reader; `note` is told what was passed over. Raises ConnectorError when no broker lets us in."""
    topics, skipped = settings.topics, Skipped(tell=False)
    most = own_record_bytes(settings.events.bytes)
    readings = (
        ReadOptions(skipped, most=most),
        ReadOptions(skipped, isolation="committed", most=settings.events.bytes),
    )
    async with open_admin(settings) as admin:
        ours, events = (
            GuardedConsumer(
                **connect(settings.kafka).options(),
                reading=reading,
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=50,
                max_poll_records=POLL_RECORDS,
            )
            for reading in readings
        )
        try:
            await ours.start()
            await events.start()
            yield TopicReader(ours, events, admin, (*topics.source_names, topics.control, topics.suppressions))
        except KafkaError as error:
            raise ConnectorError(f"Kafka refused: {type(error).__name__}: {error}") from error
        finally:
            await ours.stop()
            await events.stop()
            for (topic, reason), number in skipped.counts.items():
                note(f"{number} records of {topic} passed over: {reason.value.replace('_', ' ')}")


def _member(described: tuple[str, str, str, bytes, bytes]) -> GroupMember:
    """`client_host` begins with a slash, and may have a name before it."""
    name, client, host, _, given = described
    try:
        assignment = MemberAssignment.decode(given).partitions() if given else []
    except (ValueError, struct.error):  # of a stranger with a protocol of its own
        assignment = []
    return GroupMember(name, client, host.rpartition("/")[2], frozenset(assignment))


def _seek(consumer: GuardedConsumer, starts: Mapping[TopicPartition, int]) -> None:
    consumer.assign(list(starts))
    for tp, offset in starts.items():
        consumer.resume(tp)
        consumer.seek(tp, offset)


async def _coordinated(ask: Callable[[], Awaitable[T]]) -> T:
    """What a group's coordinator answers.

    The first question about any group makes a new cluster create the topic that groups are kept in; until then, and
    while it is loaded, nobody coordinates.
    """
    for _ in range(COORDINATOR_TRIES):
        try:
            return await ask()
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError):
            await asyncio.sleep(COORDINATOR_SECONDS)
    return await ask()


def ends_of(bounds: Mapping[TopicPartition, Bounds]) -> dict[TopicPartition, int]:
    """Where the logs end."""
    return {tp: it.end for tp, it in bounds.items()}


def in_order(records: Iterable[ConsumerRecord]) -> list[ConsumerRecord]:
    """By time, then by place: how a person reads records of several partitions."""
    return sorted(records, key=lambda record: (record.timestamp, record.partition, record.offset))
