"""`sms-connector lag`: how far the group is, and what holds each partition back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import click
from aiokafka import ConsumerRecord, TopicPartition

from connector.cli.held import Providers, ask_workers
from connector.cli.options import settings_options
from connector.cli.output import note, print_json, print_table
from connector.cli.selection import decode
from connector.config_text.units import format_duration
from connector.kafka.reader import Bounds, Members, TopicReader, open_reader
from connector.settings import Loaded, Settings
from connector.stream.partitions.formats import VersionError
from connector.stream.retry import retry_records
from connector.untrusted import UnreadableError


@dataclass(frozen=True, slots=True)
class Oldest:
    """The oldest event without a durable result: the offset that is committed.

    Attributes:
        age: seconds since it was produced.
        holds: why it has none yet, as far as can be seen from here.
    """

    message_id: str | None
    provider: str | None
    campaign_id: str | None
    age: float
    holds: str


@dataclass(frozen=True, slots=True)
class Row:
    """One partition. `lag` counts from the committed offset to the end.

    Attributes:
        undecided: how much of it stands at or behind a transaction that its producer has not ended.
    """

    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int
    undecided: int = 0
    oldest: Oldest | None = field(default=None)


@dataclass(frozen=True, slots=True)
class GroupSituation:
    """What is the same for all partitions.

    Attributes:
        providers: what workers say of them.
        delays: of the retry topics, in seconds.
    """

    members: Members
    providers: Providers
    delays: Mapping[str, float]


@click.command()
@click.option("--all", "everything", is_flag=True, help="Also partitions without lag.")
@click.option(
    "--health",
    "--console",
    "url",
    metavar="URL",
    help="A worker's port, to ask what its providers do; default: from health.*",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per partition.")
@settings_options
def lag(loaded: Loaded, *, everything: bool, url: str | None, as_json: bool) -> None:
    """Show per partition the committed offset, the end, the oldest open event and what holds it.

    Retry topics are shown with the sources: what waits there is not lost, it waits for its time.

    Exit codes: 0 shown, 1 Kafka cannot be used, 2 usage, 78 configuration.

    \b
    Examples:
      sms-connector lag
      sms-connector lag --all --json
      sms-connector lag --health http://worker-1:8080
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    members, rows = asyncio.run(_lag(loaded.settings, url))
    shown = [row for row in rows if everything or row.lag]
    total = sum(row.lag for row in rows)
    if as_json:
        for row in shown:
            print_json(asdict(row))
    elif shown:
        columns = ("topic", "partition", "committed", "end", "lag", "oldest open", "age", "held by")
        print_table(columns, map(_cells, shown), right=("partition", "committed", "end", "lag", "age"))
    note(f"group {loaded.settings.group}: {members.state}, {members.number} members; {total} events behind")


def _cells(row: Row) -> tuple[Any, ...]:
    oldest = row.oldest
    committed = "-" if row.committed is None else row.committed
    cells = (row.topic, row.partition, committed, row.end, row.lag)
    if oldest is None:
        return (*cells, "", "", "")
    return (*cells, oldest.message_id or "-", format_duration(round(oldest.age)), oldest.holds)


async def _lag(settings: Settings, url: str | None) -> tuple[Members, list[Row]]:
    retries = list(settings.topics.retry.values())
    async with open_reader(settings, note) as reader:
        members = await reader.members(settings.group)
        providers = await ask_workers(settings, url)
        sources = await reader.partitions(settings.topics.source_names)
        waiting = await reader.partitions(retries, optional=True)
        committed = await reader.committed(settings.group, sources)
        committed |= await reader.committed(f"{settings.group}-retry", waiting)
        bounds = await reader.bounds([*sources, *waiting])
        delays = {topic: delay for delay, topic in settings.topics.retry.items()}
        situation = GroupSituation(members, providers, delays)
        rows = []
        stable = await reader.stable_ends(sources)
        for tp in [*sources, *waiting]:
            oldest = await _oldest(reader, tp, committed.get(tp), bounds[tp])
            found = row(tp, committed.get(tp), bounds[tp], oldest, situation)
            if tp in stable and stable[tp] < bounds[tp].end:
                found = await _undecided(reader, tp, stable[tp], found)
            rows.append(found)
    return members, rows


async def _oldest(
    reader: TopicReader, tp: TopicPartition, committed: int | None, bounds: Bounds
) -> ConsumerRecord | None:
    start = max(bounds.begin, committed or 0)
    return await reader.first(tp, start, bounds.end) if start < bounds.end else None


async def _undecided(reader: TopicReader, tp: TopicPartition, stable: int, found: Row) -> Row:
    """A transaction is open: what is behind it waits for its producer, and with nothing before it that is all."""
    undecided = found.end - stable
    first = await reader.undecided(tp, stable, found.end)
    age = 0.0 if first is None else max(0.0, time.time() - first.timestamp / 1000)
    told = f"a transaction that its producer has left open for {format_duration(round(age))}; {undecided} events wait"
    if found.oldest is None:
        oldest = Oldest(None, None, None, round(age, 1), told)
    else:
        oldest = replace(found.oldest, holds=f"{found.oldest.holds}; behind it {told}")
    return replace(found, undecided=undecided, oldest=oldest)


def row(
    tp: TopicPartition,
    committed: int | None,
    bounds: Bounds,
    record: ConsumerRecord | None,
    situation: GroupSituation,
) -> Row:
    """What is to be said of one partition; `record` is the oldest one that is not committed."""
    behind = bounds.end - max(bounds.begin, committed or 0)
    if record is None:
        return Row(tp.topic, tp.partition, committed, bounds.end, behind)
    event = decode(record.value) or {}
    age = max(0.0, time.time() - record.timestamp / 1000)
    provider = event.get("provider")
    delay = situation.delays.get(tp.topic)
    holds = None if delay is None else _other_version(record)
    holds = holds or _holds(event, age, situation, delay, is_new=committed is None)
    oldest = Oldest(event.get("message_id"), provider, event.get("campaign_id"), round(age, 1), holds)
    return Row(tp.topic, tp.partition, committed, bounds.end, behind, oldest=oldest)


def _other_version(record: ConsumerRecord) -> str | None:
    try:
        retry_records.read(record.headers)
    except VersionError as error:
        return f"format version {error.needed}: only a worker of that version can read it"
    except UnreadableError:
        pass
    return None


def _holds(
    event: Mapping[str, Any], age: float, situation: GroupSituation, delay: float | None, *, is_new: bool
) -> str:
    """The first reason that is enough by itself."""
    members = situation.members
    if members.number == 0:
        return "no worker runs" + (", and nothing is committed yet" if is_new else "")
    if members.state != "Stable":
        return f"the group is rebalancing ({members.state})"
    if delay is not None and age < delay:
        return f"its time: due in {format_duration(round(delay - age))}"
    return situation.providers.say(event.get("provider"), event.get("campaign_id"))
