"""Events of other formats made into messages before they are admitted, slice by slice.

An event that stands for no message stays as it was, with the reason: it becomes a result, and its bytes a dead letter.
One whose schema is not known waits, and with it its topic, until the registry has answered: however long that is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec
import structlog
from aiokafka import ConsumerRecord

from connector.delivery.outcomes.unsent import PartialIdentity
from connector.errors import MessageError
from connector.formats.schemas import SchemaNeededError
from connector.formats.source_format import TRANSLATED, SourceFormat, SourceFormats
from connector.json_service import ServiceError
from connector.kafka.record_batch import HeaderFields, Unreadable
from connector.stream.control.table import decode_message
from connector.stream.intake.held_sources import HeldSources
from connector.stream.intake.unreadable import fault, identity

log = structlog.get_logger(__name__)

TURN_RECORDS = 100
"""Between two turns of the event loop: a few milliseconds of work."""
FIRST_SECONDS, MOST_SECONDS = 0.25, 15.0
"""Between two questions to a registry that does not answer."""
LOOK_SECONDS = 0.5
"""How long a partition that is given back meanwhile may go unnoticed."""

_READ_ERRORS = (MessageError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class TranslatedRecord(NamedTuple):
    """A record whose value is a message now."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: HeaderFields


class UntranslatedRecord(Unreadable):
    """A record that stands for no message; its value is what was written.

    Attributes:
        identity: what can be said of the message all the same.
    """

    __slots__ = ("identity",)

    def __init__(self, record: ConsumerRecord, why: str, known: PartialIdentity) -> None:
        super().__init__(record.offset, why, timestamp=record.timestamp, key=record.key, headers=record.headers)
        self.value = record.value
        self.identity = known


class Translation:
    """Translates the records of sources that need it.

    Args:
        most: bytes of a message, as JSON; a small event may hold a large one.
        held: where it is said which sources wait.
    """

    def __init__(self, formats: SourceFormats, *, most: int, held: HeldSources) -> None:
        self._formats = formats.by_topic
        self._most = most
        self._held = held

    def needed(self, topic: str) -> bool:
        """Whether records of this topic go through `translate`."""
        return topic in self._formats

    async def translate(
        self, topic: str, records: Sequence[ConsumerRecord], *, wanted: Callable[[], bool]
    ) -> Sequence[ConsumerRecord]:
        """The records as messages, in their order; none where they are not `wanted` any more."""
        format_ = self._formats[topic]
        done: list[ConsumerRecord] = []
        for number, record in enumerate(records, 1):
            while True:
                try:
                    done.append(self._translated(format_, record))
                except SchemaNeededError as needed:
                    if not await self._load(topic, needed, wanted):
                        return []
                else:
                    break
            if number % TURN_RECORDS == 0:
                await asyncio.sleep(0)
                if not wanted():
                    return []
        return done

    def _translated(self, format_: SourceFormat, record: ConsumerRecord) -> ConsumerRecord:
        if isinstance(record, Unreadable) or TRANSLATED in record.headers:
            return record
        value = b""
        try:
            value = format_.translated(record.value, record.headers)
            value = format_.numbered(value)  # if that fails it is known whose message it is
            if len(value) > self._most:
                raise MessageError(f"as JSON it has {len(value):,} bytes, and events.bytes allows {self._most:,}")
            decode_message(value)
        except SchemaNeededError:
            raise
        except _READ_ERRORS as error:
            why = error.reason if isinstance(error, MessageError) else fault(value, error)
            return UntranslatedRecord(record, why, identity(value) if value else PartialIdentity())
        except Exception as error:
            log.exception("an event brings out a fault of ours", offset=record.offset)
            return UntranslatedRecord(record, f"internal error ({type(error).__name__})", PartialIdentity())
        return TranslatedRecord(record.offset, record.timestamp, record.key, value, (*record.headers, TRANSLATED))

    async def _load(self, topic: str, needed: SchemaNeededError, wanted: Callable[[], bool]) -> bool:
        """Load a schema, however long that takes. False where nobody waits for it any more."""
        delay = FIRST_SECONDS
        try:
            while wanted():
                try:
                    await needed.schemas.load(needed.schema_id)
                except ServiceError as error:
                    if self._held.hold(topic, f"the schema registry cannot be asked: {error.why}"):
                        log.warning(
                            "the schema registry cannot be asked; events wait until it can",
                            topic=topic,
                            schema=needed.schema_id,
                            why=error.why,
                        )
                    await _pause(delay * random.uniform(0.5, 1.0), wanted)  # noqa: S311  so that workers do not ask at once
                    delay = min(2 * delay, MOST_SECONDS)
                else:
                    return True
            return False
        finally:
            if (seconds := self._held.release(topic)) is not None:
                log.info("events wait for the schema registry no longer", topic=topic, seconds=round(seconds, 1))


async def _pause(seconds: float, wanted: Callable[[], bool]) -> None:
    while seconds > 0 and wanted():
        await asyncio.sleep(min(seconds, LOOK_SECONDS))
        seconds -= LOOK_SECONDS
