"""How far the group is, per partition, and what holds each: read without being a member."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition

from connector.config_text.units import format_duration
from connector.kafka.reader import Bounds, Members, TopicReader
from connector.operating.chosen_records import decode
from connector.operating.holding import Providers
from connector.settings import Settings
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


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """How far a group is.

    Attributes:
        rows: of the sources, then of the retry topics.
    """

    members: Members
    rows: list[Row]


async def group_progress(
    reader: TopicReader, settings: Settings, providers: Providers, *, holds: bool = True
) -> GroupProgress:
    """One look at all partitions.

    Args:
        reader: of topics and the group.
        settings: which topics, which group.
        providers: what workers say of theirs.
        holds: with the oldest open event of each and what holds it, which reads a record per partition.

    Raises:
        ConnectorError: a source is not there.
    """
    retries = list(settings.topics.retry.values())
    members = await reader.members(settings.group)
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
        oldest = await _oldest(reader, tp, committed.get(tp), bounds[tp]) if holds else None
        found = row(tp, committed.get(tp), bounds[tp], oldest, situation)
        if holds and tp in stable and stable[tp] < bounds[tp].end:
            found = await _undecided(reader, tp, stable[tp], found)
        rows.append(found)
    return GroupProgress(members, rows)


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
    if not members.known:
        return situation.providers.say(event.get("provider"), event.get("campaign_id"))
    if members.number == 0:
        return "no worker runs" + (", and nothing is committed yet" if is_new else "")
    if members.state != "Stable":
        return f"the group is rebalancing ({members.state})"
    if delay is not None and age < delay:
        return f"its time: due in {format_duration(round(delay - age))}"
    return situation.providers.say(event.get("provider"), event.get("campaign_id"))
