"""The phone of a message whose event stands in Kafka: what a reply is about that names its message and no phone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from connector.errors import ConnectorError, MessageError
from connector.formats.source_format import SourceFormats
from connector.json_service import ServiceError
from connector.kafka.outage import AGAIN_SECONDS, Outlast
from connector.receipts.receipt_records import ReceiptPlace
from connector.stream.partitions.cluster import Cluster
from connector.untrusted import BoundedReader, UnreadableError

log = structlog.get_logger(__name__)


class Addressed(msgspec.Struct, frozen=True):
    """What of an event is needed."""

    to: str


class EventPhones:
    """Reads events.

    Args:
        cluster: knows the sources as topics of events.
        outlast: waits for brokers that do not answer.
        formats: what events of sources look like.
        sources: topics that events come from: a place anywhere else is none of ours.
        most: bytes of the largest event.
    """

    def __init__(
        self, cluster: Cluster, outlast: Outlast, *, formats: SourceFormats, sources: frozenset[str], most: int
    ) -> None:
        self._formats = formats
        self._cluster = cluster
        self._outlast = outlast
        self._sources: Final = sources
        self._read: BoundedReader[Addressed] = BoundedReader(Addressed, most=most)

    async def of(self, place: ReceiptPlace, *, wanted: Callable[[], bool]) -> str | None:
        """The phone; None where the event is gone or cannot be read, or nobody wants to know any more."""
        if place.topic not in self._sources:
            return None
        tp = TopicPartition(place.topic, place.partition)

        async def read() -> str | None:
            bounds = (await self._cluster.bounds([tp]))[tp]
            if not bounds.begin <= place.offset < bounds.end:
                return None
            found = await self._cluster.read_between(tp, place.offset, place.offset + 1, wanted=wanted)
            return await self._phone(place.topic, found[0], wanted) if found else None

        try:
            return await self._outlast(read, doing="reading the event that a reply is about", wanted=wanted)
        except (KafkaError, ConnectorError):  # no right to read events: whoever looks after it is told
            log.exception("the event that a reply is about cannot be read", topic=place.topic)
            return None

    async def _phone(self, topic: str, event: ConsumerRecord, wanted: Callable[[], bool]) -> str | None:
        told = False
        while wanted():
            try:
                return self._read(await self._formats.read(topic, event.value, event.headers)).to
            except (MessageError, UnreadableError):
                return None
            except ServiceError as error:  # an opt-out must not be lost because a registry is away
                if not told:
                    log.warning("the schema registry cannot be asked; a reply waits until it can", why=error.why)
                told = True
                await asyncio.sleep(AGAIN_SECONDS)
        return None
