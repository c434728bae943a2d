"""Results and receipts of the last quarter of an hour, a sample of them, so that campaigns can be told apart.

Workers say nothing of campaigns. Every few seconds the newest of what has come is read, at most so many records,
whatever the rate; they are counted and forgotten.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from connector.clock import Clock
from connector.errors import ConnectorError
from connector.kafka.reader import TopicReader, open_reader
from connector.settings import Settings
from connector.untrusted import BoundedReader, UnreadableError
from connector.web.recent_counts import WINDOW_SECONDS, RecentCounts, Seen

log = structlog.get_logger(__name__)

LOOK_SECONDS = 15.0
LOOKED_RECORDS = 2_000
"""Of each topic and look: 15 ms of CPU."""
LEAST_OF_PARTITION = 10
ANSWER_SECONDS = 60.0
"""Brokers that take longer for one look are away."""
AGAIN_SECONDS = 5.0
MOST_BYTES = 1024**2


class _Record(msgspec.Struct):
    """What is counted of a result, and of a state: of others' making, so nothing is taken for granted."""

    status: str
    provider: str | None = None
    campaign_id: str | None = None
    code: str | None = None


_read = BoundedReader(_Record, most=MOST_BYTES)


class _Place:
    """How far a topic has been looked at."""

    def __init__(self, topic: str, counts: RecentCounts) -> None:
        self.topic = topic
        self.counts = counts
        self.positions: dict[TopicPartition, int] = {}


class RecentWatch:
    """Looks at both topics for ever.

    Attributes:
        results, receipts: what was counted.
        looked_at: when they were looked at last, wall seconds; None: not yet.
        receipts_there: there is a topic of receipts that may be read.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.results, self.receipts = RecentCounts(), RecentCounts()
        self.looked_at: float | None = None
        self.receipts_there = False
        self._places = [
            _Place(settings.topics.results, self.results),
            _Place(settings.topics.receipts, self.receipts),
        ]

    async def run(self) -> None:
        """Look; brokers that are away are asked again."""
        told = False
        while True:
            try:
                async with open_reader(self._settings, lambda _: None) as reader:
                    while True:
                        async with asyncio.timeout(ANSWER_SECONDS):
                            await self._look(reader)
                        told = False
                        await asyncio.sleep(LOOK_SECONDS)
            except (ConnectorError, KafkaError, OSError, TimeoutError) as error:
                if not told:  # once for each time that it ends: a console without access would say so for ever
                    log.info("results are not sampled: nothing is known of campaigns", why=type(error).__name__)
                told = True
            await asyncio.sleep(AGAIN_SECONDS)

    async def _look(self, reader: TopicReader) -> None:
        for place in self._places:
            partitions = await reader.partitions([place.topic], optional=True)
            if place.counts is self.receipts:
                self.receipts_there = bool(partitions)
            await self._sample(reader, place, partitions)
        self.looked_at = self._clock.wall()

    async def _sample(self, reader: TopicReader, place: _Place, partitions: list[TopicPartition]) -> None:
        bounds = await reader.bounds(partitions)
        new = [tp for tp in partitions if tp not in place.positions or place.positions[tp] > bounds[tp].end]
        begun = datetime.fromtimestamp(self._clock.wall() - WINDOW_SECONDS, UTC)
        place.positions |= await reader.offsets_at(new, begun)
        froms = {tp: max(place.positions[tp], bounds[tp].begin) for tp in partitions}
        ends = {tp: bounds[tp].end for tp in partitions}
        most = max(LEAST_OF_PARTITION, LOOKED_RECORDS // max(1, len(partitions)))
        starts = {tp: max(froms[tp], ends[tp] - most) for tp in partitions}
        seen: dict[int, list[Seen]] = {tp.partition: [] for tp in partitions}
        async for record in reader.scan(starts, ends):
            if (it := read_seen(record)) is not None:
                seen[record.partition].append(it)
        for tp in partitions:  # each by itself: where more came, one that was looked at stands for more
            place.counts.note(seen[tp.partition], ends[tp] - froms[tp], self._clock.wall())
        place.positions.update(ends)


def read_seen(record: ConsumerRecord) -> Seen | None:
    """What is counted of a record; None where it is none of ours."""
    try:
        it = _read(record.value)
    except UnreadableError:
        return None
    return Seen(
        record.timestamp / 1000, _short(it.provider), _short(it.status), _short(it.campaign_id), _short(it.code)
    )


def _short(text: str | None) -> str:
    return (text or "")[:128]
