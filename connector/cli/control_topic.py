"""What `provider` and `campaign` share: the control topic read to its end, and a record written to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient

from connector.clock import SystemClock
from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.definition.tree import Definition
from connector.kafka import clients
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.produce import open_producer
from connector.kafka.skipped import Skipped
from connector.settings import Settings
from connector.stream.control.table import ControlTable
from connector.stream.control.topic_reader import ControlTopicReader, missing

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


async def _read(settings: Settings) -> ControlTable:
    topic = settings.topics.control
    control = ControlTable(SystemClock(), most=settings.memory.control, topic=topic)
    reader = ControlTopicReader(
        clients.connect(settings.kafka).options(), topic=topic, records=control, skipped=Skipped(tell=False)
    )
    async with open_admin(settings) as admin:
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
