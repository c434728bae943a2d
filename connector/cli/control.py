"""What `provider` and `campaign` share: the control topic read to its end, and a record written to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from connector.clock import SystemClock
from connector.definition.environment import Environment
from connector.definition.load import load_all
from connector.definition.tree import Definition
from connector.kafka import clients
from connector.settings import Settings
from connector.stream.cluster import Cluster
from connector.stream.control import Control
from connector.stream.control_reader import ControlReader

Record = tuple[bytes, bytes | None]


def read(settings: Settings) -> Control:
    """What the control topic says now."""
    return asyncio.run(_read(settings))


def write(settings: Settings, records: Iterable[Record]) -> None:
    """Write records; returns when every replica that has to has them."""
    asyncio.run(_write(settings, records))


def definitions(settings: Settings) -> dict[str, Definition]:
    """The configured definitions, by name; loaded without their secrets, which an operator's machine need not have."""
    return load_all(settings.providers, Environment.placeholders())


async def _read(settings: Settings) -> Control:
    topic = settings.topics.control
    control = Control(SystemClock(), most=settings.memory.control, topic=topic)
    options = clients.connect(settings.kafka).options()
    cluster = Cluster(options, clock=SystemClock())
    reader = ControlReader(options, topic=topic, apply=control.apply)
    try:
        await reader.start((await cluster.partitions([topic]))[topic])
        await reader.catch_up()
    finally:
        await reader.stop()
        await cluster.stop()
    return control


async def _write(settings: Settings, records: Iterable[Record]) -> None:
    producer = clients.producer(settings)
    await producer.start()
    try:
        for key, value in records:
            await producer.send_and_wait(settings.topics.control, key=key, value=value)
    finally:
        await producer.stop()
