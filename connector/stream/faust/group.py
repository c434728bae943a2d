"""The worker's side of the consumer group, through Faust's consumer: the only place that touches its inside.

Faust runs its aiokafka consumer on a thread of its own; every call goes there with `call_thread`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import OffsetAndMetadata
from faust.types import TP

from connector.stream.partitions.committer import OffsetCommits


class Group(OffsetCommits):
    """Assignment, generation, commits."""

    def __init__(self, app: faust.App) -> None:
        self._app = app

    @property
    def generation(self) -> int:
        """The generation of the current assignment; changes at the next assignment, not at a revocation."""
        generation: int = self._app.consumer_generation_id
        return generation

    @property
    def member_id(self) -> str:
        """What the group calls this member; empty before it has joined."""
        _, consumer = self._thread()
        member: str = consumer._coordinator.member_id  # noqa: SLF001
        return member

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(tp.topic, tp.partition) for tp in self._app.consumer.assignment()}

    def end(self, topic: str, partition: int) -> int | None:
        """The log's end as of the last fetch; None before the first."""
        end: int | None = self._app.consumer.highwater(TP(topic, partition))
        return end

    def stable_end(self, topic: str, partition: int) -> int | None:
        """Where the first transaction that is not decided begins, or the end: events come up to here."""
        _, consumer = self._thread()
        stable: int | None = consumer.last_stable_offset(TopicPartition(topic, partition))
        return self.end(topic, partition) if stable is None or stable < 0 else stable  # brokers before 0.11

    async def commit(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        """Commit with metadata, which Faust's own commit leaves out. The consumer does it by `ReportingCoordinator`.

        Raises what aiokafka raises.
        """
        thread, consumer = self._thread()
        await thread.call_thread(consumer.commit, dict(offsets))

    async def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set positions. Only before the flow of events is resumed: later, Faust drops a rewound range silently."""
        thread, consumer = self._thread()

        async def seek() -> None:
            for tp, offset in offsets.items():
                consumer.seek(tp, offset)

        await thread.call_thread(seek)

    def _thread(self) -> tuple[Any, AIOKafkaConsumer]:
        consumer: Any = self._app.consumer
        thread = consumer._thread  # noqa: SLF001
        return thread, thread._ensure_consumer()  # noqa: SLF001
