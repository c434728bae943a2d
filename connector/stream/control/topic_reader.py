"""Reading the control topic: to its end before events are admitted, and onwards."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from aiokafka import TopicPartition

from connector.errors import Problem, TopicError
from connector.kafka.clients import started
from connector.kafka.fetched import ReadOptions
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.outage import Outlast
from connector.kafka.skipped import Skipped

WAIT_MILLISECONDS = 5_000
"""For the next record; it comes at once."""


class ControlRecords(Protocol):
    """Takes what is in the control topic, in its order.

    Implemented by `ControlApplier` (connector/stream/control/apply.py), put in place in
    `connector/stream/wiring/input.py`.
    """

    def apply(self, key: bytes | None, value: bytes | None, place: tuple[int, int]) -> object:
        """Take in one record, which stands at this partition and offset."""


class LogEnds(Protocol):
    """Tells how far a topic goes, on a connection that carries no fetches: a question behind one that waits for records
    is answered half a second later.

    Implemented by `Cluster` (connector/stream/partitions/cluster.py), put in place in
    `connector/stream/wiring/input.py`.
    Implemented by `_Ends` (connector/cli/control_topic.py), put in place in `connector/cli/control_topic.py`.
    """

    async def stable_ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where the first transaction that is not decided begins, or the end."""


class ControlTopicReader:
    """A consumer without a group.

    Args:
        options: for the aiokafka client.
        ends: asked where catching up ends.
        records: takes each.
        skipped: where records that cannot be read are counted.
    """

    def __init__(
        self, options: Mapping[str, Any], *, ends: LogEnds, topic: str, records: ControlRecords, skipped: Skipped
    ) -> None:
        self._ends = ends
        self._reading = ReadOptions(skipped, isolation="committed")
        self._options = dict(options)
        self._topic = topic
        self._records = records
        self._consumer: GuardedConsumer | None = None
        self._partitions: list[TopicPartition] = []
        self._turn = asyncio.Lock()

    async def start(self, numbers: Collection[int]) -> None:
        """Connect, where that is still to be done; `numbers` are the topic's partitions.

        Raises:
            TopicError: it has none: it is not there.
        """
        if self._consumer is not None:
            return
        if not numbers:
            raise missing(self._topic)
        consumer = GuardedConsumer(
            **self._options,
            reading=self._reading,
            group_id=None,
            enable_auto_commit=False,
            fetch_max_wait_ms=WAIT_MILLISECONDS,
        )
        await started(consumer)
        partitions = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        try:
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
        except BaseException:
            await consumer.stop()
            raise
        self._consumer, self._partitions = consumer, partitions

    async def stop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def catch_up(self) -> None:
        """Apply everything that is in the topic now."""
        assert self._consumer is not None
        ends = await self._ends.stable_ends(self._partitions)
        # Who follows may hold the turn while it waits for the next record, which may never come.
        while not await self._reached(ends):
            await self._read(ends)

    async def run(self, outlast: Outlast) -> None:
        """Follow, for ever; brokers that are away are waited for."""
        while True:
            await outlast(lambda: self._read({}), doing=f"reading {self._topic}")

    async def _reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Whether all before `ends` is applied: a position moves in the turn of the loop that applies its records."""
        assert self._consumer is not None
        return all([await self._consumer.position(tp) >= end for tp, end in ends.items()])

    async def _read(self, ends: Mapping[TopicPartition, int]) -> None:
        """Apply what has come, unless everything before `ends` is: then nothing more is waited for."""
        async with self._turn:  # catching up and following take turns
            assert self._consumer is not None
            if ends and await self._reached(ends):
                return
            for records in (await self._consumer.getmany(timeout_ms=WAIT_MILLISECONDS)).values():
                for record in records:
                    self._records.apply(record.key, record.value, (record.partition, record.offset))


def missing(topic: str) -> TopicError:
    """There is no control topic."""
    remedy = (
        "run `sms-connector topics create`, or correct the name in `topics.control`; who is not authorized sees none"
    )
    return TopicError([Problem("is not on the cluster", remedy, path=topic)])
