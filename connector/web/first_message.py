"""One real message to a number of ours: an event for the definition that workers use, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol

import msgspec

from connector.errors import ConnectorError
from connector.kafka.reader import TopicReader, ends_of, open_reader
from connector.model import Result
from connector.operating.kafka_writer import KafkaWriter, open_writer
from connector.settings import Settings

RESULT_SECONDS: Final = 60.0
"""How long its result is waited for: a paused provider, or one outside its hours, keeps it longer."""

MARK: Final = (("test", b"true"),)
"""The header of an event that is a test."""

_decode = msgspec.json.Decoder(Result).decode


class WrittenEvent(msgspec.Struct, frozen=True):
    """Where an event stands in Kafka."""

    topic: str
    partition: int
    offset: int


class EventTransport(Protocol):
    """Writes an event, and reads results as they come.

    Implemented by `KafkaEvents` (connector/web/first_message.py), put in place in
    `connector/web/console_process.py`.
    """

    def opened(self) -> AbstractAsyncContextManager[AsyncIterator[Sequence[bytes | None]]]:
        """From now on, the values of the results topic, poll by poll."""
        ...

    async def write(self, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> WrittenEvent:
        """Into the messages topic; returns when it is acknowledged. Raises ConnectorError."""
        ...


class KafkaEvents(EventTransport):
    """On the cluster of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topics.sources[0].topic

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AsyncIterator[Sequence[bytes | None]]]:
        async with open_reader(self._settings, lambda _: None) as reader:
            partitions = await reader.partitions([self._settings.topics.results])
            ends = ends_of(await reader.bounds(partitions))
            yield _values(reader, ends)

    async def write(self, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> WrittenEvent:
        writer: KafkaWriter
        async with open_writer(self._settings, (self._topic,)) as writer:
            partition, offset = await writer.write(self._topic, key, value, headers)
        return WrittenEvent(self._topic, partition, offset)


async def _values(reader: TopicReader, starts: Mapping[Any, int]) -> AsyncIterator[Sequence[bytes | None]]:
    async for records in reader.follow(starts):
        yield [record.value for record in records]


async def send_and_follow(
    events: EventTransport, key: bytes, value: bytes, written: Callable[[WrittenEvent], object]
) -> AsyncGenerator[WrittenEvent | Result | None]:
    """Where it stands, then its result; None where there is none within a minute. Raises ConnectorError.

    `written` is told at once where it stands: from then on it may be sent, whoever listens.
    """
    async with events.opened() as results:  # before it is written: its result may be there at once
        place = await events.write(key, value, MARK)
        written(place)
        yield place
        try:
            async with asyncio.timeout(RESULT_SECONDS):
                async for values in results:
                    for raw in values:
                        if (result := _of(raw, place)) is not None:
                            yield result
                            return
        except TimeoutError:
            yield None


def _of(raw: bytes | None, place: WrittenEvent) -> Result | None:
    """The result of the event at `place`, if that is what a record says."""
    try:
        result = _decode(raw or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    source = result.source
    return result if WrittenEvent(source.topic, source.partition, source.offset) == place else None


def trial_event(event: Mapping[str, Any], number: str, provider: str, message_id: str) -> bytes:
    """The event as it is written: to one of our numbers, whatever it said itself. Raises ConnectorError."""
    document = {**event, "to": number, "provider": provider, "message_id": message_id}
    document.pop("expires_at", None)  # a sample's time has often passed
    try:
        return msgspec.json.encode(document)
    except (TypeError, ValueError) as error:
        raise ConnectorError(f"the event cannot be written as JSON: {error}") from None
