"""Writing single records to Kafka: a connection for each deed, as there are few, and days may pass between two."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from connector.errors import ConnectorError
from connector.kafka.admin import describe_topics, open_admin
from connector.kafka.produce import open_producer
from connector.operating.steering import RecordWriter
from connector.settings import Settings


class KafkaWriter(RecordWriter):
    """Writes to the cluster, to topics that are there: a producer would wait for others, or make them."""

    def __init__(self, producer: AIOKafkaProducer, there: frozenset[str]) -> None:
        self._producer = producer
        self._there = there

    async def write(
        self, topic: str, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> tuple[int, int]:
        if topic not in self._there:
            raise ConnectorError(f"{topic} is not on the cluster, or may not be seen: `sms-connector topics create`")
        try:
            place = await self._producer.send_and_wait(topic, key=key, value=value, headers=list(headers))
        except KafkaError as error:
            raise ConnectorError(f"Kafka refused to take it: {type(error).__name__}") from error
        return place.partition, place.offset

    def has(self, topic: str) -> bool:
        """Whether the topic is there."""
        return topic in self._there


@asynccontextmanager
async def open_writer(settings: Settings, topics: Sequence[str]) -> AsyncIterator[KafkaWriter]:
    """A writer for these topics, of those that are there. Raises ConnectorError when no broker lets us in."""
    async with open_admin(settings) as admin:
        there = frozenset(await describe_topics(admin, topics))
    async with open_producer(settings) as producer:
        yield KafkaWriter(producer, there)
