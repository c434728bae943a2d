"""Where a partition starts: decided from what Kafka and the results say, never by a client's default.

`auto.offset.reset` is how other consumers text a whole topic's history by accident. Here nothing is sent from a
partition without a committed offset unless its results say how far it was, or `start_from` was chosen.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice

import structlog
from aiokafka import TopicPartition

from connector.errors import Problem

log = structlog.get_logger(__name__)

TOLD_PARTITIONS = 12


@dataclass(frozen=True, slots=True)
class PartitionSituation:
    """What is known of one source partition before it is opened.

    Attributes:
        committed: the group's offset, None where there is none.
        begin, end: the log's bounds.
        resume_at: where the results say to go on, None where no result settles an event of this partition.
        chosen: the offset `start_from` means for this partition, None where `start_from` is not set.
        established: the group has offsets in other partitions of the topic: this one was added later.
    """

    topic: str
    partition: int
    committed: int | None
    begin: int
    end: int
    resume_at: int | None = None
    chosen: int | None = None
    established: bool = False


@dataclass(frozen=True, slots=True)
class Start:
    """Where to start.

    Attributes:
        note: what an operator should know about it; empty in the ordinary case.
        chosen: it is as somebody wanted it.
    """

    offset: int
    note: str = ""
    chosen: bool = False


def decide(at: PartitionSituation, *, group: str) -> Start | Problem:
    """The offset to start at, or why not."""
    where = f"{at.topic}[{at.partition}]"
    if at.committed is not None:
        return _committed(at, where, group)
    if at.resume_at is not None:
        if at.resume_at > at.end:
            return _behind(at, where, f"the results say events up to {at.resume_at} are settled", group)
        offset = max(at.resume_at, at.begin)
        return Start(offset, f"no offset is committed for group {group}; the results say how far it was")
    return _first(at, where, group)


def _first(at: PartitionSituation, where: str, group: str) -> Start | Problem:
    """Neither an offset nor a result: nothing of this partition was ever sent."""
    if at.established:
        return Start(at.begin, f"a partition new to group {group}: from its beginning", chosen=True)
    if at.chosen is not None:
        return Start(at.chosen, f"no offset is committed for group {group}: as start_from says", chosen=True)
    if at.begin == at.end:  # nothing there that could be sent by accident
        return Start(at.end)
    return Problem(
        f"{where} holds {at.end - at.begin} events, group {group!r} has no committed offset and there are no results",
        "set start_from: latest (only new events), earliest (every event in the topic is sent) or a timestamp",
        file="settings",
        path="start_from",
    )


def _committed(at: PartitionSituation, where: str, group: str) -> Start | Problem:
    assert at.committed is not None
    if at.committed > at.end:
        return _behind(at, where, f"group {group!r} has committed {at.committed}", group)
    if at.committed < at.begin:
        return Start(
            at.begin,
            f"retention deleted events of {where} before they were read, {at.committed} to {at.begin - 1}: "
            "raise the topic's retention or add workers",
        )
    return Start(at.committed)


def _behind(at: PartitionSituation, where: str, claim: str, group: str) -> Problem:
    return Problem(
        f"{where} ends at {at.end}, but {claim}: the topic was truncated or created anew",
        f"delete the offsets of group {group!r} and use new results topics, or set another group, once you know which "
        "events were sent",
        file="kafka",
        path=where,
    )


class StartNotes:
    """What is to be said of the starts of an opening: a line for all partitions of a topic with one reason."""

    def __init__(self) -> None:
        self._offsets: defaultdict[tuple[str, str, bool], dict[int, int]] = defaultdict(dict)

    def add(self, tp: TopicPartition, start: Start) -> None:
        """A partition whose start has a note."""
        self._offsets[tp.topic, start.note, start.chosen][tp.partition] = start.offset

    def tell(self) -> None:
        """Log them."""
        for (topic, why, chosen), offsets in self._offsets.items():
            first = [f"{partition} at {offset}" for partition, offset in islice(offsets.items(), TOLD_PARTITIONS)]
            more = len(offsets) - len(first)
            log.log(
                logging.INFO if chosen else logging.WARNING,
                "reading begins",
                topic=topic,
                partitions=", ".join(first) + (f" and {more} more" if more else ""),
                why=why,
            )
