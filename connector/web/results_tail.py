"""Results as they come, for those who watch: read once for all of them, sampled here, never more than a person reads.

Nothing is read while nobody watches. Of a topic that is faster than can be looked at, every so many results are
looked at, and the counts say that they are estimated.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated

import msgspec
import structlog
from aiokafka import ConsumerRecord
from aiokafka.errors import KafkaError
from msgspec import Meta

from connector.errors import ConnectorError
from connector.kafka.reader import ends_of, open_reader
from connector.settings import Settings
from connector.untrusted import BoundedReader, UnreadableError
from connector.web.plain_words import plain_id, plain_number, plain_words

log = structlog.get_logger(__name__)

MOST_WATCHERS = 20
ROWS_A_SECOND = 20
LOOKED_A_SECOND = 5_000
"""Results that are decoded: 5 % of a core."""
POLLS_A_SECOND = 5
WAITING_ROWS = 200
"""Rows that a watcher has not taken; further ones are counted, not shown."""
AGAIN_SECONDS = 2.0


class PlaceDocument(msgspec.Struct):
    """Where a record stands."""

    topic: str
    partition: int
    offset: int


class TailRow(msgspec.Struct):
    """One result. `place` is its event's."""

    place: PlaceDocument
    at: datetime | None
    status: str
    provider: str | None
    campaign_id: str | None
    message_id: str | None
    to: Annotated[str | None, Meta(description="Masked.")]
    code: str | None
    reason: str | None
    http_status: int | None
    attempts: int
    batch_size: int


class TailCount(msgspec.Struct):
    """Of the last second: results that came, those that pass the filter, those shown; `estimated`: by a sample.

    `begun`: results are read, and from now on none is missed. `away`: Kafka does not let them be read.
    """

    came: int
    passed: int
    shown: int
    estimated: bool
    away: bool
    begun: bool


class _SourceSeen(msgspec.Struct):
    topic: str
    partition: int
    offset: int


class _ResultSeen(msgspec.Struct):
    """What of a result is looked at; of others' making, so nothing is taken for granted."""

    status: str
    source: _SourceSeen
    completed_at: datetime | None = None
    message_id: str | None = None
    provider: str | None = None
    campaign_id: str | None = None
    to: str | None = None
    code: str | None = None
    reason: str | None = None
    http_status: int | None = None
    attempts: int = 0
    batch_size: int = 0


_read = BoundedReader(_ResultSeen, most=1024**2)


class Watcher:
    """Somebody who watches.

    Args:
        statuses: any of these; none: all.
        provider: this one; None: all.
        campaign: this one; None: all.
    """

    def __init__(self, statuses: Sequence[str], provider: str | None, campaign: str | None) -> None:
        self._statuses = frozenset(statuses)
        self._provider = provider
        self._campaign = campaign
        self._rows: deque[TailRow] = deque()
        self._arrived = asyncio.Event()
        self.came = self.passed = self.shown = 0
        self.estimated = False

    def offer(self, results: Sequence[_ResultSeen], came: int) -> None:
        """Results of one poll; `came`: of how many these were looked at."""
        passing = [it for it in results if self._wants(it)]
        weight = came / len(results) if results else 1.0
        self.came += came
        self.passed += round(len(passing) * weight)
        self.estimated = self.estimated or came > len(results)
        # Evenly out of what came, so that the first of a burst are not all one sees of it.
        most = max(1, ROWS_A_SECOND // POLLS_A_SECOND)
        step = max(1, -(-len(passing) // most))
        for it in passing[::step]:
            if len(self._rows) < WAITING_ROWS:
                self._rows.append(_row(it))
                self.shown += 1
        if self._rows:
            self._arrived.set()

    def _wants(self, it: _ResultSeen) -> bool:
        return (
            (not self._statuses or it.status in self._statuses)
            and self._provider in (None, it.provider)
            and self._campaign in (None, it.campaign_id)
        )

    async def rows(self, seconds: float) -> list[TailRow]:
        """What has come, waiting up to so many seconds for something."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._arrived.wait()
        self._arrived.clear()
        found = list(self._rows)
        self._rows.clear()
        return found

    def count(self, *, away: bool, begun: bool) -> TailCount:
        """Since the last call."""
        told = TailCount(self.came, self.passed, self.shown, self.estimated, away, begun)
        self.came = self.passed = self.shown = 0
        self.estimated = False
        return told


class ResultsTail:
    """Reads the results topic while somebody watches.

    Attributes:
        away: Kafka does not let it read.
        begun: it reads.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._watchers: set[Watcher] = set()
        self._reading: asyncio.Task[None] | None = None
        self.away = self.begun = False

    @property
    def full(self) -> bool:
        """No more may watch."""
        return len(self._watchers) >= MOST_WATCHERS

    def join(self, watcher: Watcher) -> None:
        """Begin to watch."""
        self._watchers.add(watcher)
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._run())

    async def leave(self, watcher: Watcher) -> None:
        """Watch no more; with the last one reading ends."""
        self._watchers.discard(watcher)
        if not self._watchers:
            await self.stop()

    async def stop(self) -> None:
        """Read no more."""
        reading, self._reading, self.begun = self._reading, None, False
        if reading is not None:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _run(self) -> None:
        topic = self._settings.topics.results
        while True:
            try:
                async with open_reader(self._settings, lambda _: None) as reader:
                    partitions = await reader.partitions([topic])
                    ends = ends_of(await reader.bounds(partitions))
                    self.away, self.begun = False, True
                    async for records in reader.follow(ends):
                        self.note(records)
            except (ConnectorError, KafkaError, OSError) as error:
                self.away, self.begun = True, False
                log.info("results are not followed", why=type(error).__name__)
            await asyncio.sleep(AGAIN_SECONDS)

    def note(self, records: Sequence[ConsumerRecord]) -> None:
        """Records of one poll."""
        if not records:
            return
        step = max(1, -(-len(records) // (LOOKED_A_SECOND // POLLS_A_SECOND)))
        looked = [it for record in records[::step] if (it := read_result(record)) is not None]
        for watcher in self._watchers:
            watcher.offer(looked, len(records))


def read_result(record: ConsumerRecord) -> _ResultSeen | None:
    """The result in a record; None where it is none."""
    try:
        return _read(record.value)
    except UnreadableError:
        return None


def _row(it: _ResultSeen) -> TailRow:
    return TailRow(
        place=PlaceDocument(plain_id(it.source.topic) or "", it.source.partition, it.source.offset),
        at=it.completed_at,
        status=plain_id(it.status, most=32) or "",
        provider=plain_id(it.provider, most=64),
        campaign_id=plain_id(it.campaign_id),
        message_id=plain_id(it.message_id, most=128),
        to=plain_number(it.to),
        code=plain_words(it.code, most=64),
        reason=plain_words(it.reason),
        http_status=it.http_status,
        attempts=it.attempts,
        batch_size=it.batch_size,
    )
