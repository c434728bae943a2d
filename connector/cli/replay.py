"""`sms-connector replay`: dead letters, or the events of results, back into the messages topic."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import click
import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from connector.cli.moments import MOMENT
from connector.cli.options import settings_options
from connector.cli.output import counted, note, print_json, print_table, progress
from connector.cli.selection import selection_options
from connector.delivery.http.tracing import HEADER as TRACE
from connector.errors import UsageError
from connector.kafka.produce import Outgoing, RecordPlace, open_producer, produce
from connector.kafka.reader import TopicReader, ends_of, open_reader
from connector.model import Status
from connector.operating.chosen_records import ERRORS, Selection, decode, text_headers
from connector.settings import Loaded, Settings
from connector.stream.intake.dedupe import REPLAY_OF
from connector.stream.partitions import formats

MAY_HAVE_ARRIVED = {Status.ACCEPTED, Status.UNKNOWN, Status.DUPLICATE}
HOURS = 24
ADDED = frozenset({REPLAY_OF, formats.SETTLES, formats.RETRY, TRACE})
"""Headers that the connector adds, and the trace of the first attempt."""

ReplayOrigin = Literal["dead-letters", "results"]


@dataclass(slots=True)
class Found:
    """What there is to replay.

    Attributes:
        events: to be produced.
        groups: how many, by status, provider and reason.
        replayed: left out, because an event with their `replay_of` is in the topic already.
        gone: results whose event is no longer in its topic.
    """

    events: list[Outgoing] = field(default_factory=list)
    groups: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    replayed: int = 0
    gone: int = 0

    def add(self, event: Outgoing, result: Mapping[str, Any]) -> None:
        self.events.append(event)
        reason = str(result.get("reason") or "")[:80]
        self.groups[str(result.get("status")), str(result.get("provider") or "-"), reason] += 1


@click.command()
@click.option(
    "--from",
    "origin",
    type=click.Choice(["dead-letters", "results"]),
    default="dead-letters",
    show_default=True,
    help="Dead letters hold the raw events; for results their events must still be in the topic.",
)
@selection_options
@click.option("--since", type=MOMENT, help=f"Written since then (2h, or a time); default: {HOURS}h.")
@click.option("--may-repeat", is_flag=True, help="Also accepted, unknown and duplicate: people may be texted twice.")
@click.option("--yes", is_flag=True, help="Do it; without it, only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@settings_options
def replay(
    loaded: Loaded,
    *,
    origin: ReplayOrigin,
    selection: Selection,
    since: datetime | None,
    may_repeat: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Put events back into the messages topic. Without --yes it only says which.

    A replayed event is the raw event as it was, with its own headers and `replay_of`; it gets a result of its own under
    the same message_id, and is no duplicate of it. What was replayed before is left out. `expires_at` still holds;
    `max_age` counts anew.

    Exit codes: 0 done, or said; 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector replay --provider plivo --since 2h
      sms-connector replay --provider plivo --since 2h --yes
      sms-connector replay --from results --status expired --campaign diwali --yes
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    risky = MAY_HAVE_ARRIVED & {Status(it) for it in selection.statuses}
    if origin == "results" and not selection.statuses:
        raise UsageError("--from results needs --status: which of them should be sent again?")
    if risky and not may_repeat:
        raise UsageError(f"--status {min(risky)}: people would be texted twice; add --may-repeat if that is meant")
    begin = since or datetime.now(UTC) - timedelta(hours=HOURS)
    found = asyncio.run(_replay(loaded.settings, origin, selection, begin, really=yes))
    _tell(found, origin, done=yes, as_json=as_json)


async def _replay(
    settings: Settings, origin: ReplayOrigin, selection: Selection, since: datetime, *, really: bool
) -> Found:
    async with open_reader(settings, note) as reader:
        replayed = await _replayed(reader, settings, since)
        if origin == "dead-letters":
            found = await _letters(reader, settings, selection, since, replayed)
        else:
            found = await _events(reader, settings, selection, since, replayed)
        note(f"searched {counted(reader.scanned, 'record')} since {since.isoformat(timespec='seconds')}")
    if really and found.events:
        done = 0
        with progress("replayed", len(found.events)) as bar:

            def acknowledged(places: Sequence[RecordPlace]) -> None:
                nonlocal done
                done += len(places)
                bar(done)

            async with open_producer(settings) as client:
                await produce(client, found.events, acknowledged)
    return found


async def _replayed(reader: TopicReader, settings: Settings, since: datetime) -> set[bytes]:
    """What was replayed since then: every replay is younger than what it replays."""
    partitions = await reader.partitions(settings.topics.source_names)
    starts = await reader.offsets_at(partitions, since)
    found: set[bytes] = set()
    async for record in reader.scan(starts, ends_of(await reader.bounds(partitions))):
        found.update(value for name, value in record.headers if name == REPLAY_OF)
    return found


async def _letters(
    reader: TopicReader, settings: Settings, selection: Selection, since: datetime, replayed: set[bytes]
) -> Found:
    """The dead letters that are wanted."""
    found = Found()
    sources = settings.topics.source_names
    partitions = await reader.partitions([settings.topics.dead_letters])
    starts = await reader.offsets_at(partitions, since)
    async for record in reader.scan(starts, ends_of(await reader.bounds(partitions))):
        result = about_letter(record)
        if not selection.wants(result):
            continue
        topic = result["topic"] if result["topic"] in sources else sources[0]  # it may have come from a retry topic
        _add(found, record, topic, result, replayed)
    return found


async def _events(
    reader: TopicReader, settings: Settings, selection: Selection, since: datetime, replayed: set[bytes]
) -> Found:
    """The events of the results that are wanted."""
    partitions = await reader.partitions([settings.topics.results])
    starts = await reader.offsets_at(partitions, since)
    wanted: dict[TopicPartition, dict[int, dict[str, Any]]] = {}
    async for record in reader.scan(starts, ends_of(await reader.bounds(partitions))):
        if (result := selection.read(record.value)) is not None and (source := _source(result)) is not None:
            wanted.setdefault(TopicPartition(source.topic, source.partition), {})[source.offset] = result
    found = Found()
    there = set(await reader.partitions({tp.topic for tp in wanted}, optional=True))
    bounds = await reader.bounds(there & set(wanted))
    begins = {tp: max(min(wanted[tp]), it.begin) for tp, it in bounds.items()}
    async for record in reader.scan(begins, {tp: min(max(wanted[tp]) + 1, it.end) for tp, it in bounds.items()}):
        result = wanted[TopicPartition(record.topic, record.partition)].pop(record.offset, None)
        if result is not None:
            _add(found, record, record.topic, result, replayed)
    found.gone = sum(map(len, wanted.values()))
    return found


def _add(found: Found, record: ConsumerRecord, topic: str, result: Mapping[str, Any], replayed: set[bytes]) -> None:
    origin = f"{record.topic}/{record.partition}/{record.offset}".encode()
    if origin in replayed:
        found.replayed += 1
    else:
        found.add(Outgoing(topic, record.key, record.value, [*_own_headers(record), (REPLAY_OF, origin)]), result)


def _own_headers(record: ConsumerRecord) -> list[tuple[str, bytes]]:
    """Those of the event itself: what a CloudEvent says there, what its result is to have, and how it is written."""
    return [
        (name, value)
        for name, value in record.headers
        if value is not None and name not in ADDED and not name.startswith(ERRORS)
    ]


def _source(result: Mapping[str, Any]) -> formats.EventPlace | None:
    try:
        return msgspec.convert(result.get("source"), formats.EventPlace)
    except msgspec.ValidationError:
        return None


def about_letter(record: ConsumerRecord) -> dict[str, Any]:
    """What a dead letter says of itself, in the words of a result, and the topic it came from."""
    headers = text_headers(record)
    event = decode(record.value) or {}
    return {
        "status": headers[f"{ERRORS}exception.class.name"].rpartition(".")[2],
        "reason": headers[f"{ERRORS}exception.message"] or None,
        "topic": headers[f"{ERRORS}topic"] or None,
        **{name: event.get(name) for name in ("message_id", "provider", "campaign_id")},
    }


def _tell(found: Found, origin: ReplayOrigin, *, done: bool, as_json: bool) -> None:
    if as_json:
        groups = [
            {"status": status, "provider": provider, "reason": reason, "events": number}
            for (status, provider, reason), number in found.groups.most_common()
        ]
        print_json(
            {"replayed": len(found.events) if done else 0, "found": len(found.events), "groups": groups}
            | {"replayed_before": found.replayed, "gone": found.gone}
        )
    elif found.groups:
        rows = [(number, *group) for group, number in found.groups.most_common()]
        print_table(("events", "status", "provider", "reason"), rows, right=("events",))
    if found.replayed:
        note(f"{found.replayed} left out: replayed before")
    if found.gone:
        note(f"{found.gone} left out: their events are no longer in the topic")
    what = f"{counted(len(found.events), 'event')} from {origin}"
    note(f"{what} replayed" if done else f"{what} would be replayed; nothing was sent: add --yes to do it")
