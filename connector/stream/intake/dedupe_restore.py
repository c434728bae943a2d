"""Reading the ids that count back from Kafka, when partitions are opened: nobody else knows which were sent before.

The results say which messages were sent in the horizon before now. The retry topics hold those that are open although
their offsets may be committed; whatever else is open is read again from its source.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from connector.clock import Clock
from connector.kafka.reader import Bounds
from connector.model import Source, Status
from connector.settings.model import Settings
from connector.stream.intake.dedupe import SENT, DedupeIndex
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.copartitions import retry_group
from connector.stream.partitions.formats import EventPlace, VersionError, ends_of, settled_place
from connector.stream.partitions.partition import Partition
from connector.stream.retry import retry_records
from connector.untrusted import BoundedReader, UnreadableError

log = structlog.get_logger(__name__)


class _Told(msgspec.Struct):
    """What a result says of its message."""

    source: EventPlace
    status: Status
    message_id: str | None = None
    dry_run: bool = False


class _Named(msgspec.Struct):
    message_id: str


_read_result = BoundedReader(_Told)
_read_event = BoundedReader(_Named)

RecordId = tuple[str, int]
"""`topic/partition` and offset."""


class DedupeRestore:
    """Tells `duplicates` what Kafka knows.

    Args:
        settings: names of topics and group, and whether this is a dry run: otherwise results of one do not count.

    Attributes:
        seen: records read at the current opening; see `Opening`.
    """

    def __init__(self, cluster: Cluster, settings: Settings, *, duplicates: DedupeIndex, clock: Clock) -> None:
        self._cluster = cluster
        self._results = settings.topics.results
        self._retry = frozenset(settings.topics.retry.values())
        self._group = retry_group(settings.group)
        self._dry_run = settings.delivery == "dry-run"
        # Source topics share the results and the retry topics.
        self._most = settings.duplicates.messages * len(settings.topics.source_names)
        self._duplicates = duplicates
        self._clock = clock
        self.seen = 0

    async def read(self, opened: Collection[Partition], *, wanted: Callable[[], bool]) -> None:
        """Start anew with these partitions, and read what counts of them. Ends early when it is no longer `wanted`."""
        self.seen = 0
        places = {(it.topic, it.partition) for it in opened if it.topic not in self._retry}
        self._duplicates.own(places)
        numbers = {number for _, number in places}
        copartitions = [TopicPartition(topic, number) for topic in (self._results, *self._retry) for number in numbers]
        if not copartitions:
            return
        bounds = await self._cluster.bounds(copartitions)
        committed = await self._cluster.committed(self._group, self._retry)
        starts = await self._starts(bounds, committed)
        waiting: dict[RecordId, tuple[Source, str]] = {}
        finished: set[RecordId] = set()

        def seen(tp: TopicPartition, record: ConsumerRecord) -> None:
            self.seen += 1
            place = settled_place(record.headers)
            if place is not None and place[0].rpartition("/")[0] in self._retry:
                finished.add(place)
            if tp.topic == self._results:
                self._take_result(record)
            elif (event := _event(record)) is not None:
                waiting[f"{tp.topic}/{tp.partition}", record.offset] = event

        read = await self._cluster.read_tail(starts, {tp: it.end for tp, it in bounds.items()}, seen, wanted=wanted)
        for place in waiting.keys() - finished:
            source, message_id = waiting[place]
            if (recent := self._duplicates.of(source.topic, source.partition)) is not None:
                recent.note(message_id, source.offset)
        log.info("ids read back, to recognise duplicates", read=read, ids=len(self._duplicates))

    async def _starts(
        self, bounds: Mapping[TopicPartition, Bounds], committed: Mapping[TopicPartition, Committed]
    ) -> dict[TopicPartition, int]:
        """Where to begin: what waits in a retry topic lies behind its commit, and what has settled it since then behind
        the commit's ends; results count for the horizon, and no more of them than ids are kept.
        """
        results = [tp for tp in bounds if tp.topic == self._results]
        since = datetime.fromtimestamp(self._clock.wall(), UTC) - timedelta(seconds=self._duplicates.horizon)
        starts: defaultdict[TopicPartition, int] = defaultdict(int, await self._cluster.offsets_at(results, since))
        for tp in bounds.keys() - starts.keys():
            at = committed.get(tp, Committed(bounds[tp].begin, ""))
            starts[tp] = at.offset
            if at.offset < bounds[tp].end:
                copartition = TopicPartition(self._results, tp.partition)
                starts[copartition] = min(starts[copartition], ends_of(at.metadata).get(self._results, 0))
        return {tp: max(starts[tp], it.begin, it.end - self._most) for tp, it in bounds.items()}

    def _take_result(self, record: ConsumerRecord) -> None:
        try:
            told = _read_result(record.value)
        except UnreadableError:
            return  # not ours; counted where the results are read to open
        recent = self._duplicates.of(told.source.topic, told.source.partition)
        if recent is None or told.message_id is None or told.status not in SENT:
            return
        if told.dry_run and not self._dry_run:
            return  # nothing was sent then
        age = max(0.0, self._clock.wall() - record.timestamp / 1000)
        recent.remember(told.message_id, told.source.offset, self._clock.monotonic() - age)


def _event(record: ConsumerRecord) -> tuple[Source, str] | None:
    """The event of a retry record, and its id; None where it has none."""
    try:
        return retry_records.read(record.headers).source, _read_event(record.value).message_id
    except (UnreadableError, VersionError):
        return None
