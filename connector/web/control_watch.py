"""The control topic and the audit topic, read to their ends and followed: who paused what, and what people did."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from connector.clock import Clock
from connector.errors import ConnectorError
from connector.kafka.reader import open_reader
from connector.kafka.skipped import Skipped
from connector.operating.audit_trail import AuditRecord, read_audit
from connector.operating.chosen_records import text_headers
from connector.operating.steering import BY, REASON, REQUEST
from connector.settings import Settings
from connector.stream.control.table import CAMPAIGN, PROVIDER, ControlTable
from connector.web.curve_marks import control_mark, kept_marks
from connector.web.plain_words import plain_words

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 5.0
TOPICS_SECONDS = 60.0
"""How often it is looked whether the topics are still the same ones, and whether the audit topic has come."""
KEPT_DEEDS = 2000
"""Records of the audit topic in memory: the newest."""
KEPT_CHANGES = 20_000
"""Keys of the control topic of which it is known who changed them last."""
WORD_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class ControlChange:
    """The newest control record of a key.

    Attributes:
        by, reason: who wrote it and why, as a page may show it.
        before: offset of the one before it, as far as it was seen here.
    """

    partition: int
    offset: int
    at: datetime
    by: str
    reason: str
    before: int | None = None


class ControlWatch:
    """Follows both topics.

    Attributes:
        table: what the control topic says.
        changes: by key, who changed it last.
        requests: of the newest control records that say which request they are of.
        marks: at which records came, the oldest first.
        deeds: records of the audit topic, the oldest first.
        caught_up: everything that was there at the start is read.
        audit_there: there is an audit topic that may be read.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._moved = asyncio.Event()
        self._reset()
        self.audit_there = False
        self.caught_up = False

    def _reset(self) -> None:
        settings = self._settings
        quiet = Skipped(tell=False)  # workers tell of records that cannot be read
        topic, most = settings.topics.control, settings.memory.control
        self.table = ControlTable(self._clock, most=most, topic=topic, skipped=quiet)
        self.changes: OrderedDict[str, ControlChange] = OrderedDict()
        self.requests: OrderedDict[str, None] = OrderedDict()
        self.marks = kept_marks()
        self.deeds: deque[tuple[int, int, AuditRecord]] = deque(maxlen=KEPT_DEEDS)

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            try:
                await self._follow()
            except (ConnectorError, KafkaError, OSError, TimeoutError) as error:
                log.info("the control topic is not followed", why=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self) -> None:
        topics = self._settings.topics
        async with open_reader(self._settings, lambda _: None) as reader:
            control = await reader.partitions([topics.control])
            audit = await reader.partitions([topics.audit], optional=True)
            bounds = await reader.bounds([*control, *audit])
            self._reset()
            self.audit_there = bool(audit)
            starts = {tp: max(it.begin, it.end - KEPT_DEEDS) if tp in audit else it.begin for tp, it in bounds.items()}
            left = {tp: it.end for tp, it in bounds.items() if it.end > starts[tp]}
            self.caught_up = not left
            until = self._clock.monotonic() + TOPICS_SECONDS
            async for records in reader.follow(starts):
                self.note(records)
                for record in records:
                    tp = TopicPartition(record.topic, record.partition)
                    if tp in left and record.offset >= left[tp] - 1:
                        del left[tp]
                # A log may end with records that are no more: an empty poll says that nothing else comes.
                if not left or not records:
                    left, self.caught_up = {}, True
                if not self.audit_there and self._clock.monotonic() > until:
                    return  # perhaps it is there by now

    def note(self, records: Iterable[ConsumerRecord]) -> None:
        """Take in what has come of both topics."""
        for record in records:
            if record.topic == self._settings.topics.control:
                self._control(record)
            elif (found := read_audit(record.value)) is not None:
                self.deeds.append((record.partition, record.offset, found))
        self._moved.set()

    def _control(self, record: ConsumerRecord) -> None:
        self.table.apply(record.key, record.value, (record.partition, record.offset))
        headers = text_headers(record)
        key = (record.key or b"").decode("utf-8", "replace")[: 2 * WORD_CHARACTERS]
        before, at = self.changes.get(key), _instant(record.timestamp)
        by, reason = (plain_words(headers[name], most=WORD_CHARACTERS) or "" for name in (BY, REASON))
        offset = None if before is None else before.offset
        self.changes[key] = ControlChange(record.partition, record.offset, at, by, reason, offset)
        _keep(self.changes, key, KEPT_CHANGES)
        if request := headers[REQUEST]:
            self.requests[request[:WORD_CHARACTERS]] = None
            _keep(self.requests, request[:WORD_CHARACTERS], KEPT_DEEDS)
        if (mark := control_mark(at, key, self.table, by)) is not None:
            self.marks.append(mark)

    def of_provider(self, name: str) -> ControlChange | None:
        """Who paused or resumed it last; None where nobody did."""
        return self.changes.get(f"{PROVIDER}{name}")

    def of_campaign(self, name: str) -> ControlChange | None:
        """Who changed it last."""
        return self.changes.get(f"{CAMPAIGN}{name}")

    async def reached(self, partition: int, offset: int, seconds: float) -> bool:
        """Wait until a record of the control topic has come in; False where it has not within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while self.table.applied.get(partition, -1) < offset:
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True


def _instant(milliseconds: int) -> datetime:
    """Of a record: its producer may have written any time, or none (-1)."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _keep(kept: OrderedDict[str, Any], newest: str, most: int) -> None:
    """The oldest give way."""
    kept.move_to_end(newest)
    if len(kept) > most:
        kept.popitem(last=False)
