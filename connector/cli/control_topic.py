"""What `provider` and `campaign` share: the control topic read to its end, and a record written to it."""

from __future__ import annotations

import asyncio
import getpass
import secrets
from collections.abc import Collection

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from connector.cli.output import note
from connector.clock import SystemClock
from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.definition.tree import Definition
from connector.kafka import clients
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.log_offsets import LATEST, log_offsets
from connector.kafka.skipped import Skipped
from connector.operating.kafka_writer import open_writer
from connector.operating.steering import ControlDeed, steer
from connector.settings import Settings
from connector.stream.control.table import ControlTable
from connector.stream.control.topic_reader import ControlTopicReader, LogEnds, missing

ControlRecord = tuple[bytes, bytes | None]


def read(settings: Settings, *, timeout: float | None = None) -> ControlTable:
    """What the control topic says now. Raises TimeoutError where that takes longer than `timeout` seconds."""
    return asyncio.run(asyncio.wait_for(_read(settings), timeout))


def write(settings: Settings, record: ControlRecord, *, what: str, target: str, reason: str) -> None:
    """Write a record, and who did it and why; returns when every replica that has to has it."""
    asyncio.run(_write(settings, record, what, target, reason))


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


async def _write(settings: Settings, record: ControlRecord, what: str, target: str, reason: str) -> None:
    topics = settings.topics
    key, value = record
    deed = ControlDeed(
        what=what,
        target=target,
        key=key,
        value=value,
        unrecorded=True,  # whoever may write to the topic may do it without us
        who=_person(settings),
        role="",
        via="cli",
        reason=reason,
        request=secrets.token_hex(8),
    )
    async with open_writer(settings, (topics.control, topics.audit)) as writer:
        if not writer.has(topics.control):
            raise missing(topics.control)
        audit = topics.audit if writer.has(topics.audit) else None
        done = await steer(deed, writer, control=topics.control, audit=audit, clock=SystemClock())
    for warning in done.warnings:
        note(warning)


def _person(settings: Settings) -> str:
    """Who types: the user that Kafka knows, else the one of this machine."""
    if settings.kafka.sasl and settings.kafka.sasl_username:
        return settings.kafka.sasl_username
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user has no name
        return "unknown"


async def _partitions(admin: AIOKafkaAdminClient, topic: str) -> range:
    found = (await describe_topics(admin, [topic])).get(topic)
    return range(found.partitions if found is not None else 0)
