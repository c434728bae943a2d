"""What `provider` and `campaign` share: the control topic read to its end, and a record written to it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from connector.clock import SystemClock
from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.definition.tree import Definition
from connector.kafka import clients
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.log_offsets import LATEST, log_offsets
from connector.kafka.produce import open_producer
from connector.kafka.skipped import Skipped
from connector.settings import Settings
from connector.stream.control.table import ControlTable
from connector.stream.control.topic_reader import ControlTopicReader, LogEnds, missing

ControlRecord = tuple[bytes, bytes | None]


def read(settings: Settings) -> ControlTable:
    """What the control topic says now."""
    return asyncio.run(_read(settings))


def write(settings: Settings, records: Iterable[ControlRecord]) -> None:
    """Write records; returns when every replica that has to has them."""
    asyncio.run(_write(settings, records))


def definitions(settings: Settings) -> dict[str, Definition]:
    """The configured definitions, by name; loaded without their secrets, which an operator's machine need not have."""
    return load_all(settings.providers, Environment.placeholders())


class _Ends(LogEnds):
    """Asked through an admin client."""

    def __init__(self, admin: AIOKafkaAdminClient) -> None:
        self._admin = admin

    async def stable_ends(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        return await log_offsets(self._admin, dict.fromkeys(partitions, LATEST), committed=True)


async def _read(settings: Settings) -> ControlTable:
    topic = settings.topics.control
    control = ControlTable(SystemClock(), most=settings.memory.control, topic=topic)
    options, skipped = clients.connect(settings.kafka).options(), Skipped(tell=False)
    async with open_admin(settings) as admin:
        reader = ControlTopicReader(options, ends=_Ends(admin), topic=topic, records=control, skipped=skipped)
        try:
            await reader.start(await _partitions(admin, topic))
            await reader.catch_up()
        finally:
            await reader.stop()
    return control


async def _write(settings: Settings, records: Iterable[ControlRecord]) -> None:
    topic = settings.topics.control
    async with open_admin(settings) as admin:
        if not await _partitions(admin, topic):  # a producer would wait for it, or make it
            raise missing(topic)
        async with open_producer(settings) as producer:
            for key, value in records:
                await producer.send_and_wait(topic, key=key, value=value)


async def _partitions(admin: AIOKafkaAdminClient, topic: str) -> range:
    found = (await describe_topics(admin, [topic])).get(topic)
    return range(found.partitions if found is not None else 0)
