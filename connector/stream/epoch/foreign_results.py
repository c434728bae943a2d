"""Whether the results are of this cluster's events.

A mirror that gives records other offsets and keeps the name of the results topic brings results that name other events
than their own. Taken at their word, events that were never sent would be passed over as settled: so where nothing
committed here bears them out, the newest are compared with the events that they name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Final, Protocol

import msgspec
from aiokafka import TopicPartition
from msgspec import Meta

from connector.errors import Problem
from connector.kafka.fetched import Fetched
from connector.untrusted import BoundedReader, UnreadableError

LOOKED_AT: Final = 8
"""Results per partition; of those that can be compared most decide, since anybody may have written one."""

NamedResult = tuple[int, bytes | None]
"""The offset of the event that a result names, and the result's value."""


class EventReader(Protocol):
    """Reads events by their place.

    Implemented by `Cluster` (connector/stream/partitions/cluster.py), put in place in
    `connector/stream/epoch/opening.py`.
    """

    async def read_between(self, tp: TopicPartition, start: int, end: int, *, wanted: Callable[[], bool]) -> Fetched:
        """The events from `start` to before `end`."""


class _HasMessageId(msgspec.Struct):
    message_id: Annotated[str, Meta(max_length=256)]


_read = BoundedReader(_HasMessageId)


def _id(value: bytes | None) -> str | None:
    try:
        return _read(value).message_id
    except UnreadableError:
        return None


async def foreign_results(
    events: EventReader,
    newest: Mapping[TopicPartition, Collection[NamedResult]],
    results: str,
    *,
    wanted: Callable[[], bool],
) -> list[Problem]:
    """What must not be started, since most of the newest results of a partition name events with other ids."""
    problems = []
    for tp, sample in newest.items():
        wrong = compared = 0
        for offset, value in sample:
            said = _id(value)
            records = await events.read_between(tp, offset, offset + 1, wanted=wanted) if said is not None else ()
            found = [it for record in records if record.offset == offset and (it := _id(record.value)) is not None]
            if found:
                compared += 1
                wrong += found[0] != said
        if wrong * 2 > compared:
            problems.append(_problem(tp, results, wrong, compared))
    return problems


def _problem(tp: TopicPartition, results: str, wrong: int, compared: int) -> Problem:
    return Problem(
        f"of the newest results of {tp.topic}[{tp.partition}], {wrong} of {compared} name an event with another "
        f"message_id: {results} was mirrored from a cluster where events have other offsets, or is another group's",
        "name a new topic in `topics.results`, create it, and run `sms-connector adopt`: see docs/second-cluster.md",
        file="kafka",
        path=results,
    )
