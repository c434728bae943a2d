"""Producing events from outside the stream: for commands. Acknowledged by all replicas, in the order given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connector.errors import ConnectorError
from connector.kafka.admin import open_admin
from connector.kafka.clients import producer
from connector.settings.model import Settings

AT_ONCE = 2_000
"""Records handed over before the first is waited for: more would only fill memory."""


class Outgoing(NamedTuple):
    """A record to produce. Without a partition the key decides."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int | None = None


class RecordPlace(NamedTuple):
    """Where a record stands now."""

    topic: str
    partition: int
    offset: int


@asynccontextmanager
async def open_producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer. Raises ConnectorError when no broker lets us in, or one refuses what is sent."""
    async with open_admin(settings):  # it says what each broker answered
        pass
    client = producer(settings)
    try:
        await client.start()
        yield client
    except KafkaError as error:
        raise ConnectorError(f"Kafka refused: {type(error).__name__}: {error}") from error
    finally:
        await client.stop()


async def produce(
    client: AIOKafkaProducer, records: Iterable[Outgoing], acknowledged: Callable[[Sequence[RecordPlace]], None]
) -> None:
    """Send all of them; tells chunk by chunk where they stand, in the order given."""
    chunk: list[asyncio.Future[object]] = []

    async def settle() -> None:
        found = [await future for future in chunk]
        acknowledged([RecordPlace(it.topic, it.partition, it.offset) for it in found])  # type: ignore[attr-defined]
        chunk.clear()

    for record in records:
        chunk.append(
            await client.send(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
            )
        )
        if len(chunk) >= AT_ONCE:
            await settle()
    if chunk:
        await settle()
