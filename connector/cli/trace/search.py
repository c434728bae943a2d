"""Looking for a message in Kafka: first its event, then what was written about it afterwards."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from connector.cli.held import ask_workers
from connector.cli.known_receipts import find_receipts, receipt_partitions
from connector.cli.moments import moment
from connector.cli.output import counted, note
from connector.cli.results import source_of
from connector.cli.trace.found import FoundRecord, Trace
from connector.clock import SystemClock
from connector.errors import MessageError
from connector.formats.source_format import SourceFormats
from connector.kafka.reader import TopicReader, ends_of, open_reader
from connector.model import Source
from connector.operating.chosen_records import ERRORS, decode, is_number, may_hold, text_headers
from connector.settings import Settings
from connector.stream.output import journal
from connector.stream.partitions.formats import RetryHeader, VersionError
from connector.stream.retry import retry_records
from connector.untrusted import UnreadableError

EVENT_FIELDS = ("provider", "campaign_id", "to", "template_id", "expires_at", "send_at", "priority")
RESULT_FIELDS = (
    "status",
    "provider",
    "code",
    "reason",
    "http_status",
    "attempts",
    "provider_message_id",
    "provider_batch_id",
    "batch_id",
    "batch_size",
    "dry_run",
    "completed_at",
)

RECEIPT_FIELDS = ("status", "final", "provider", "code", "reason", "provider_message_id")


async def search(
    settings: Settings, message_id: str, since: datetime, key: str | None, url: str | None = None
) -> tuple[list[Trace], list[str]]:
    """One trace per event of that id, oldest first; and sentences about what was searched."""
    searched: list[str] = []
    async with open_reader(settings, note) as reader:
        finder = _Finder(reader, settings, message_id, searched)
        partitions = await reader.partitions(settings.topics.source_names)
        if key is not None:
            partitions = _of_key(partitions, key)
        events = await finder.events(partitions, since)
        if events:
            traces = [await finder.follow(event) for event in events]
            await _explain([it for it in traces if it.unfinished], settings, url)
            return traces, searched
        orphan = await finder.orphan(since)
        return ([orphan] if orphan is not None else []), searched


async def _explain(traces: Sequence[Trace], settings: Settings, url: str | None) -> None:
    """Say what holds messages that have no result."""
    if not traces:
        return
    providers = await ask_workers(settings, url)
    for trace in traces:
        about = trace.event.about if trace.event is not None else {}
        trace.held_by = providers.say(about.get("provider"), about.get("campaign_id"))


def _of_key(partitions: Sequence[TopicPartition], key: str) -> list[TopicPartition]:
    """The partition of each topic that a producer with Kafka's default partitioner chooses."""
    chosen = []
    for topic in dict.fromkeys(tp.topic for tp in partitions):
        numbers = [tp.partition for tp in partitions if tp.topic == topic]
        chosen.append(TopicPartition(topic, DefaultPartitioner()(key.encode(), numbers, numbers)))
    return chosen


class _Finder:
    """One search.

    Args:
        searched: gets a sentence for each part of it.
    """

    def __init__(self, reader: TopicReader, settings: Settings, message_id: str, searched: list[str]) -> None:
        self._reader = reader
        self._formats = SourceFormats(settings, SystemClock())
        self._settings = settings
        self._id = message_id
        self._searched = searched

    async def events(self, partitions: Sequence[TopicPartition], since: datetime) -> list[FoundRecord]:
        """Every event of the id."""
        found = []
        async for record in self._scan(partitions, since, "events"):
            event = await self._event(record)
            if event is not None and event.get("message_id") == self._id:
                found.append(_seen(record, {name: event.get(name) for name in EVENT_FIELDS}))
        return sorted(found, key=lambda it: it.at)

    async def follow(self, event: FoundRecord) -> Trace:
        """What was written about this event since."""
        topics, place, since = self._settings.topics, event.place, event.at
        trace = Trace(event)
        source = TopicPartition(place.topic, place.partition)
        trace.committed = (await self._reader.committed(self._settings.group, [source])).get(source)
        waits = await self._same_number(tuple(topics.retry.values()), place.partition, optional=True)
        async for record in self._scan(waits, since, "retry records"):
            found = _waits(record) if self._may_hold(record) else None
            if found is not None and found.source == place:
                due = max(found.due, record.timestamp / 1000 + _delay(self._settings, record.topic))
                about = {
                    "attempts": found.attempts,
                    "due": moment(due * 1000).isoformat(),
                    "uncertain": found.uncertain,
                }
                trace.retries.append(_seen(record, about))
        places = {place, *(it.place for it in trace.retries)}
        journals = await self._same_number((topics.journal,), place.partition, optional=True)
        async for record in self._scan(journals, since, "journal"):
            entry = _sends(record)
            if entry is not None and any(
                it.topic == entry.topic and it.partition == record.partition and it.offset in entry.offsets
                for it in places
            ):
                about = {"batch_id": entry.batch_id or None, "released": entry.word == "released" or None}
                trace.sends.append(_seen(record, about))
        await self._ends(trace, since, places, place.partition)
        await self._receipts(trace, since, place)
        return trace

    async def orphan(self, since: datetime) -> Trace | None:
        """A message whose event is no longer there, or was not searched for: what says its id."""
        trace = Trace(None)
        for source in await self._ends(trace, since, None, None):
            await self._receipts(trace, since, source)
        return trace if trace.results or trace.dead_letters else None

    async def _ends(self, trace: Trace, since: datetime, places: set[Source] | None, number: int | None) -> set[Source]:
        """Results and dead letters: of these places, or of the id where no event is known. Returns whose results."""
        topics = self._settings.topics
        letters = await self._reader.partitions([topics.dead_letters])
        async for record in self._scan(letters, since, "dead letters"):
            event = self._read(record)
            of_id = event is not None and event.get("message_id") == self._id
            if _letter_place(record) in places if places is not None else of_id:
                trace.dead_letters.append(_seen(record, {"reason": text_headers(record)[f"{ERRORS}exception.message"]}))
        sources: set[Source] = set()
        results = await self._same_number((topics.results,), number)
        async for record in self._scan(results, since, "results"):
            result = self._read(record)
            if result is None:
                continue
            about = {name: result.get(name) for name in RESULT_FIELDS}
            of_event = trace.event is not None and source_of(result) == trace.event.place
            if of_event or (places is None and result.get("message_id") == self._id):
                trace.results.append(_seen(record, about))
                if (source := source_of(result)) is not None:
                    sources.add(source)
        return sources

    async def _receipts(self, trace: Trace, since: datetime, source: Source) -> None:
        """What its provider has reported."""
        if not await receipt_partitions(self._reader, self._settings, (source,)):
            return
        before = self._reader.scanned
        found = await find_receipts(self._reader, self._settings, (source,), since)
        for record, receipt in found.get(source, ()):
            about = {name: getattr(receipt, name) for name in RECEIPT_FIELDS}
            about |= {"contradicts": receipt.contradicts or None, "reported_at": receipt.at and receipt.at.isoformat()}
            trace.receipts.append(_seen(record, about))
        number, topic = self._reader.scanned - before, self._settings.topics.receipts
        self._searched.append(
            f"searched {number} receipts in 1 partition of {topic} since {since.isoformat(timespec='seconds')}"
        )

    async def _same_number(
        self, topics: Sequence[str], number: int | None, *, optional: bool = False
    ) -> list[TopicPartition]:
        partitions = await self._reader.partitions(topics, optional=optional)
        return [tp for tp in partitions if number is None or tp.partition == number]

    async def _scan(
        self, partitions: Sequence[TopicPartition], since: datetime, what: str
    ) -> AsyncIterator[ConsumerRecord]:
        starts = await self._reader.offsets_at(partitions, since)
        ends = ends_of(await self._reader.bounds(partitions))
        before = self._reader.scanned
        async for record in self._reader.scan(starts, ends):
            yield record
        topics = ", ".join(dict.fromkeys(tp.topic for tp in partitions)) or "no topic"
        self._searched.append(
            f"searched {self._reader.scanned - before:,} {what} in {counted(len(partitions), 'partition')} of {topics} "
            f"since {since.isoformat(timespec='seconds')}"
        )

    def _may_hold(self, record: ConsumerRecord) -> bool:
        return record.value is not None and may_hold(record.value, self._id)

    def _read(self, record: ConsumerRecord) -> dict[str, Any] | None:
        return decode(record.value) if self._may_hold(record) else None

    async def _event(self, record: ConsumerRecord) -> dict[str, Any] | None:
        """An event as the message that it stands for."""
        if record.topic not in self._formats.by_topic:
            return self._read(record)
        if not any(may_hold(part or b"", self._id) for part in (record.value, *(it for _, it in record.headers))):
            return None
        try:
            return decode(await self._formats.read(record.topic, record.value, record.headers))
        except MessageError:
            return None


def _seen(record: ConsumerRecord, about: dict[str, Any]) -> FoundRecord:
    place = Source(record.topic, record.partition, record.offset)
    return FoundRecord(place, moment(record.timestamp), about)


def _waits(record: ConsumerRecord) -> RetryHeader | None:
    try:
        return retry_records.read(record.headers)
    except (UnreadableError, VersionError):
        return None


def _sends(record: ConsumerRecord) -> journal.Entry | None:
    try:
        return journal.decode(record.value)
    except (UnreadableError, VersionError):
        return None


def _letter_place(record: ConsumerRecord) -> Source | None:
    headers = text_headers(record)
    partition, offset = headers[f"{ERRORS}partition"], headers[f"{ERRORS}offset"]
    if not (is_number(partition) and is_number(offset)):
        return None
    return Source(headers[f"{ERRORS}topic"], int(partition), int(offset))


def _delay(settings: Settings, topic: str) -> float:
    return next(delay for delay, name in settings.topics.retry.items() if name == topic)
