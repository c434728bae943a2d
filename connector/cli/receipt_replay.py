"""`sms-connector receipts replay`: what belonged to no message, read once more by the definitions as they are now."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click
from aiokafka import ConsumerRecord

from connector.cli import completing
from connector.cli.moments import MOMENT
from connector.cli.options import settings_options
from connector.cli.output import note, print_json, print_table, progress
from connector.errors import UsageError
from connector.kafka.produce import Outgoing, RecordPlace, open_producer, produce
from connector.kafka.reader import TopicReader, ends_of, open_reader
from connector.receipts.callback import MessageToken, Reading, Unmatched, Why
from connector.receipts.index_records import lookup_record
from connector.receipts.receipt_records import (
    Fields,
    entry_record,
    inbound_again,
    inbound_record,
    partition,
    place,
    read_unmatched,
)
from connector.settings import Loaded, Settings
from connector.untrusted import UnreadableError

if TYPE_CHECKING:
    from connector.receipts.receipt_reader import ReceiptReader

HOURS = 24
REPLAY_OF = "replay_of"


@dataclass(slots=True)
class ReceiptReplay:
    """What there is to do.

    Attributes:
        records: to be produced.
        found: what was read again, by provider and what it is now: `receipt`, `reply`, or why it still belongs to none.
        replayed: left out, because it was replayed before.
        unreadable: records of the topic that are none of ours.
    """

    records: list[Outgoing] = field(default_factory=list)
    found: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    replayed: int = 0
    unreadable: int = 0


@click.command()
@click.option(
    "--provider",
    "providers",
    multiple=True,
    metavar="NAME",
    shell_complete=completing.providers,
    help="Repeatable.",
)
@click.option(
    "--why",
    "reasons",
    multiple=True,
    metavar="REASON",
    type=click.Choice([it.value for it in Why]),
    help=f"Why it belonged to none: {', '.join(Why)}. Repeatable; default: all but {Why.UNVERIFIED}.",
)
@click.option("--since", type=MOMENT, help=f"Written since then (2h, or a time); default: {HOURS}h.")
@click.option("--trust", is_flag=True, help=f"With --why {Why.UNVERIFIED}: take what nothing has proved.")
@click.option("--yes", is_flag=True, help="Do it; without it, only say what would be done.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@settings_options
def replay(
    loaded: Loaded,
    *,
    providers: tuple[str, ...],
    reasons: tuple[str, ...],
    since: datetime | None,
    trust: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Read what belonged to no message once more, by the definitions as they are now. Without --yes it only says what.

    `receipts run` reads it again, so it must have the mended definition by then: it looks every few seconds, and says
    `definitions reloaded` in its log. What is a receipt now goes where receipts go: a state that is known of its
    message is not written again, so that doing it twice changes nothing. Replies go to their topic, once. What still
    belongs to none stays where it is.

    Exit codes: 0 done, or said; 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector receipts replay --provider plivo --since 2h
      sms-connector receipts replay --provider plivo --why unreadable --since 2d --yes
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    wanted = frozenset(reasons) or frozenset(it.value for it in Why if it is not Why.UNVERIFIED)
    if Why.UNVERIFIED in wanted and not trust:
        raise UsageError(f"--why {Why.UNVERIFIED}: anybody may have sent it; add --trust if that is meant")
    readers = _readers(loaded.settings)
    begin = since or datetime.now(UTC) - timedelta(hours=HOURS)
    found = asyncio.run(_replay(loaded.settings, readers, (frozenset(providers), wanted), begin, really=yes))
    _tell(found, done=yes, as_json=as_json)


def _readers(settings: Settings) -> Mapping[str, ReceiptReader]:
    from connector.cli.definitions import ConfiguredDefinitions
    from connector.config_text.environment import Environment
    from connector.receipts.readers import receipt_keys, receipt_readers

    definitions = ConfiguredDefinitions(settings, Environment(os.environ)).load()
    return receipt_readers(definitions, settings, receipt_keys(settings))


async def _replay(
    settings: Settings,
    readers: Mapping[str, ReceiptReader],
    wanted: tuple[frozenset[str], frozenset[str]],
    since: datetime,
    *,
    really: bool,
) -> ReceiptReplay:
    topics = settings.topics
    found = ReceiptReplay()
    async with open_reader(settings, note) as reader:
        written = (topics.receipts_matched, topics.receipts_in, topics.inbound)
        counts = Counter(tp.topic for tp in await reader.partitions(written))
        before = await _replayed(reader, written, since)
        async for record in _since(reader, (topics.receipts_unmatched,), since):
            kept = _wanted(record, wanted, found)
            if kept is None:
                continue
            origin = f"{record.topic}/{record.partition}/{record.offset}"
            for piece, (topic, key, fields) in _pieces(readers, kept, origin, settings, found).items():
                # Each by itself: a replay may have been ended in the middle, or a definition mended in two steps.
                replayed = f"{origin}/{piece}".encode()
                if replayed in before:
                    found.replayed += 1
                    continue
                raw_key, value, headers = fields
                number = partition(key, counts[topic])
                found.records.append(Outgoing(topic, raw_key, value, [*headers, (REPLAY_OF, replayed)], number))
        note(f"searched {reader.scanned} records since {since.isoformat(timespec='seconds')}")
    if really and found.records:
        await _produce(settings, found.records)
    return found


def _wanted(
    record: ConsumerRecord, wanted: tuple[frozenset[str], frozenset[str]], found: ReceiptReplay
) -> Unmatched | None:
    providers, reasons = wanted
    try:
        kept = read_unmatched(record.value, record.headers)
    except UnreadableError:
        found.unreadable += 1
        return None
    return kept if kept.why in reasons and (not providers or kept.provider in providers) else None


def _pieces(
    readers: Mapping[str, ReceiptReader], kept: Unmatched, origin: str, settings: Settings, found: ReceiptReplay
) -> dict[str, tuple[str, bytes, Fields]]:
    """See `_sorted`."""
    if kept.inbound:  # `receipts run` could not find out whose it is
        try:
            record = inbound_again(kept, origin)
        except UnreadableError:
            found.unreadable += 1
            return {}
        found.found[kept.provider, Why.NO_PHONE, "is looked at once more"] += 1
        return {"inbound": (settings.topics.inbound, record[0] or b"", record)}
    definition = readers.get(kept.provider)
    if definition is None:
        found.found[kept.provider, "no such definition", ""] += 1
        return {}
    return _sorted(definition.read_again(kept), kept, settings, found)


def _sorted(
    reading: Reading, kept: Unmatched, settings: Settings, found: ReceiptReplay
) -> dict[str, tuple[str, bytes, Fields]]:
    """Topic, what decides the partition, and the record, of all that is in it now; by what each is called."""
    topics, name = settings.topics, kept.provider
    records: dict[str, tuple[str, bytes, Fields]] = {}
    for entry in reading.entries:
        if isinstance(entry.token, MessageToken):
            fields = entry_record(entry, entry.token)
            records[f"{entry.index}"] = topics.receipts_matched, place(entry.token.source), fields
            found.found[name, "receipt", ""] += 1
        else:  # by the rule of today, whatever decided its key before
            records[f"{entry.index}"] = topics.receipts_in, entry.keys[0], lookup_record(entry)
            found.found[name, "receipt", "to be looked up"] += 1
    for number, inbound in enumerate(reading.inbound):
        record = inbound_record(inbound)
        records[f"inbound-{number}"] = topics.inbound, record[0] or record[1] or b"", record
        found.found[name, inbound.kind, ""] += 1
    for still in reading.unmatched:
        found.found[name, still.why, still.reason] += 1
    if reading.ignored:
        found.found[name, "ignored", "by the definition"] += reading.ignored
    return records


async def _replayed(reader: TopicReader, topics: Sequence[str], since: datetime) -> set[bytes]:
    """What was replayed since then: every replay is younger than what it replays."""
    found: set[bytes] = set()
    async for record in _since(reader, topics, since):
        found.update(value for name, value in record.headers if name == REPLAY_OF)
    return found


async def _since(reader: TopicReader, topics: Sequence[str], since: datetime) -> AsyncIterator[ConsumerRecord]:
    """Every record of these topics that was written since."""
    partitions = await reader.partitions(topics)
    starts = await reader.offsets_at(partitions, since)
    async for record in reader.scan(starts, ends_of(await reader.bounds(partitions))):
        yield record


async def _produce(settings: Settings, records: Sequence[Outgoing]) -> None:
    done = 0
    with progress("replayed", len(records)) as bar:

        def acknowledged(places: Sequence[RecordPlace]) -> None:
            nonlocal done
            done += len(places)
            bar(done)

        async with open_producer(settings) as client:
            await produce(client, records, acknowledged)


def _tell(found: ReceiptReplay, *, done: bool, as_json: bool) -> None:
    if as_json:
        groups = [
            {"provider": provider, "is": kind, "reason": reason or None, "number": number}
            for (provider, kind, reason), number in found.found.most_common()
        ]
        number = len(found.records)
        told = {"replayed": number if done else 0, "found": number, "groups": groups}
        print_json(told | {"replayed_before": found.replayed, "passed_over": found.unreadable})
    elif found.found:
        rows = [(number, *group) for group, number in found.found.most_common()]
        print_table(("number", "provider", "is", "reason"), rows, right=("number",))
    if found.replayed:
        note(f"{found.replayed} left out: replayed before")
    if found.unreadable:
        note(f"{found.unreadable} records passed over: another program has written them")
    what = f"{len(found.records)} receipts and replies"
    note(f"{what} replayed" if done else f"{what} would be replayed; nothing was written: add --yes to do it")
