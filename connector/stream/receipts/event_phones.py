"""The phone of a message whose event stands in Kafka: what a reply is about that names its message and no phone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from connector.clock import Clock
from connector.errors import ConnectorError, MessageError
from connector.formats.source_format import SourceFormats
from connector.json_service import ServiceError
from connector.kafka.outage import AGAIN_SECONDS, Outlast
from connector.receipts.receipt_records import ReceiptPlace
from connector.stream.partitions.cluster import Cluster
from connector.untrusted import BoundedReader, UnreadableError

log = structlog.get_logger(__name__)

REGISTRY_SECONDS: Final = 60.0
"""For so long a schema registry that is away is waited for: replies of other people stand behind this one."""
REFUSED_SECONDS: Final = 60.0
"""For so long it is not asked again of a topic what could not be had of it."""


class EventPhone(NamedTuple):
    """What an event says of its recipient.

    Attributes:
        phone: None where it is not known.
        why: it is not; in words, without content.
    """

    phone: str | None
    why: str = ""


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
        self,
        cluster: Cluster,
        outlast: Outlast,
        *,
        formats: SourceFormats,
        sources: frozenset[str],
        most: int,
        clock: Clock,
    ) -> None:
        self._formats = formats
        self._cluster = cluster
        self._outlast = outlast
        self._sources: Final = sources
        self._clock = clock
        self._read: BoundedReader[Addressed] = BoundedReader(Addressed, most=most)
        self._closed: dict[str, tuple[float, str]] = {}  # topic → until when it is not asked, and why

    async def of(self, place: ReceiptPlace, *, wanted: Callable[[], bool]) -> EventPhone:
        """The phone, or why it is not known; nothing of that counts where it is not `wanted` any more."""
        if place.topic not in self._sources:
            return EventPhone(None, "the message it answers is of no topic of topics.sources")
        until, why = self._closed.get(place.topic, (0.0, ""))
        if self._clock.monotonic() < until:
            return EventPhone(None, why)
        tp = TopicPartition(place.topic, place.partition)

        async def read() -> EventPhone:
            bounds = (await self._cluster.bounds([tp]))[tp]
            if not bounds.begin <= place.offset < bounds.end:
                return EventPhone(None, "the event of the message it answers is not in its topic any more")
            found = await self._cluster.read_between(tp, place.offset, place.offset + 1, wanted=wanted)
            if not found:
                return EventPhone(None, "the event of the message it answers was never committed, or is gone")
            return await self._phone(place.topic, found[0], wanted)

        try:
            found = await self._outlast(read, doing="reading the event that a reply is about", wanted=wanted)
        except (KafkaError, ConnectorError):  # no right to read events: whoever looks after it is told
            log.exception("the event that a reply is about cannot be read", topic=place.topic)
            return self._close(place.topic, "events of its topic may not be read")
        return found or EventPhone(None)

    async def _phone(self, topic: str, event: ConsumerRecord, wanted: Callable[[], bool]) -> EventPhone:
        deadline = self._clock.monotonic() + REGISTRY_SECONDS
        told = False
        while wanted():
            try:
                return EventPhone(self._read(await self._formats.read(topic, event.value, event.headers)).to)
            except (MessageError, UnreadableError):
                return EventPhone(None, "the event of the message it answers cannot be read, or names no phone")
            except ServiceError as error:
                if not told:
                    log.warning("the schema registry cannot be asked; a reply waits for it", why=error.why)
                told = True
                if self._clock.monotonic() >= deadline:
                    return self._close(topic, "the schema registry that its event is read by does not answer")
                await asyncio.sleep(AGAIN_SECONDS)
        return EventPhone(None)

    def _close(self, topic: str, why: str) -> EventPhone:
        self._closed[topic] = self._clock.monotonic() + REFUSED_SECONDS, why
        return EventPhone(None, why)
