"""One source's events made into messages: what its settings say, put together. No I/O: schemas are loaded by others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from connector.clock import Clock
from connector.errors import MessageError, Problem, SettingsError
from connector.formats import cloudevents, wire
from connector.formats.event_map import EventMap
from connector.formats.recipient_numbers import RecipientNumbers
from connector.formats.schemas import SchemaNeededError, SchemaRegistry, Schemas
from connector.settings.model import Settings
from connector.settings.sources import SourceTopic
from connector.untrusted import DEPTH, decoder, too_deep

TRANSLATED = ("event_format", b"message")
"""Header of an event whose value is a message, whatever its source's format: what was translated, in retry topics and
dead letters, and what commands write."""
HEADERS = 100
"""Headers that are looked at, of a CloudEvent."""
EXTRA = "needs what the extra `formats` installs"
REMEDY = "pip install 'kafka-sms-connector[formats]'"

EventHeaders = Iterable[tuple[str, bytes | None]]
Decode = Callable[[bytes], Any]

_decode_json = decoder(Any).decode
_encode = msgspec.json.Encoder().encode


class SourceFormat:
    """Makes the events of one source into messages, as JSON.

    Args:
        source: its settings.
        decode: a value to what it holds. Raises MessageError, SchemaNeededError.
        numbers: makes recipients' numbers E.164; None where nobody asks.

    Attributes:
        binary: events may have headers of their own (`ce_…`), without which they cannot be read again.
    """

    def __init__(self, source: SourceTopic, decode: Decode, numbers: RecipientNumbers | None = None) -> None:
        self._decode = decode
        self._plain = source.plain
        self._numbers = numbers
        self._map = EventMap(source.message) if source.message else None
        self._framed = source.format == "json-schema" and not source.message and not source.cloudevents
        self.binary = source.cloudevents

    def message(self, value: bytes | None, headers: EventHeaders) -> bytes:
        """The message that an event stands for, as JSON.

        Raises:
            MessageError: it is none, and why.
            SchemaNeededError: that cannot be said before a schema is known.
        """
        return self.numbered(self.translated(value, headers))

    def numbered(self, message: bytes) -> bytes:
        """A message with its number in E.164, where that is asked for. Raises MessageError."""
        return message if self._numbers is None else self._numbers.message(message)

    def translated(self, value: bytes | None, headers: EventHeaders) -> bytes:
        """The message with its number as it was written. Raises what `message` raises."""
        if not value:
            raise MessageError("it has no value")
        if self._plain:
            return value
        if self._framed:
            return wire.unframe(value)[1]
        event = self._cloud_event(value, headers) if self.binary else self._decode(value)
        try:
            return _encode(event if self._map is None else self._map(event))
        except (TypeError, ValueError, OverflowError, RecursionError, UnicodeEncodeError) as error:
            raise MessageError(f"it holds what JSON cannot say ({type(error).__name__})") from None

    def _cloud_event(self, value: bytes, headers: EventHeaders) -> Any:
        found = cloudevents.attributes(_texts(headers))
        if found is not None:
            data = self._decode(value)
        else:
            found, data = cloudevents.structured(read_json(value))
            if isinstance(data, bytes):
                data = self._decode(data)
        return {**found, "data": data} if self._map is not None else cloudevents.message(found, data)


class SourceFormats:
    """Those of all sources that need one.

    Args:
        settings: with the sources and the registry.
        numbers: makes recipients' numbers E.164, of plain sources as well; None where nobody asks.

    Raises:
        SettingsError: a file or a package is missing.
    """

    def __init__(self, settings: Settings, clock: Clock, numbers: RecipientNumbers | None = None) -> None:
        self._registry = SchemaRegistry(settings.registry) if settings.registry.url is not None else None
        self._clock = clock
        self._shared: dict[str, Decode] = {}
        self.by_topic = {
            source.topic: SourceFormat(source, self._decoder(source, f"topics.sources.{index}"), numbers)
            for index, source in enumerate(settings.topics.sources)
            if not source.plain or numbers is not None
        }

    async def read(self, topic: str, value: bytes | None, headers: EventHeaders) -> bytes:
        """The message of one event of any source, for those who read few: schemas are loaded where they are needed.

        Raises:
            MessageError: it is none.
            ServiceError: the registry cannot be asked.
        """
        format_ = self.by_topic.get(topic)
        if format_ is None or TRANSLATED in headers:
            return value or b""
        while True:
            try:
                return format_.message(value, headers)
            except SchemaNeededError as needed:
                await needed.schemas.load(needed.schema_id)

    def _decoder(self, source: SourceTopic, path: str) -> Decode:
        if source.format == "json":
            return read_json
        if source.format == "json-schema":
            return lambda value: read_json(wire.unframe(value)[1])
        try:
            if source.descriptors is not None and source.type is not None:
                return self._by_file(source.descriptors, source.type, f"{path}.descriptors")
            if source.format not in self._shared:
                self._shared[source.format] = self._by_registry(source.format)
            return self._shared[source.format]
        except ImportError as error:
            raise SettingsError([Problem(f"format: {source.format} {EXTRA}", REMEDY, path=f"{path}.format")]) from error

    def _by_file(self, file: str, name: str, path: str) -> Decode:
        from connector.formats.protobuf import from_file

        decode = from_file(Path(file), name, path)
        return lambda value: decode(wire.unframe(value)[1])

    def _by_registry(self, format_: str) -> Decode:
        assert self._registry is not None  # cross-checked
        if format_ == "avro":
            from connector.formats.avro import AvroReader

            schemas = Schemas(self._registry, AvroReader(), self._clock)
        else:
            from connector.formats.protobuf import ProtobufReader

            schemas = Schemas(self._registry, ProtobufReader(), self._clock)

        def decode(value: bytes) -> Any:
            schema_id, payload = wire.unframe(value)
            return schemas.get(schema_id)(payload)

        return decode


def read_json(value: bytes) -> Any:
    """What JSON that others wrote says. Raises MessageError."""
    if too_deep(value):
        raise MessageError(f"it is nested deeper than {DEPTH} levels")
    try:
        return _decode_json(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError):
        raise MessageError("it is not JSON in UTF-8") from None


def _texts(headers: EventHeaders) -> dict[str, str]:
    """Headers of a CloudEvent: names are compared as they are but for `content-type`, of one name the last counts."""
    found: dict[str, str] = {}
    for number, (name, content) in enumerate(headers):
        if number >= HEADERS:
            break
        plain = name if name.startswith(cloudevents.PREFIX) else name.lower()
        if plain == cloudevents.CONTENT_TYPE or plain.startswith(cloudevents.PREFIX):
            found[plain] = (content or b"").decode("utf-8", "replace")
    return found
