"""Retry topics: where messages wait that have to wait longer than memory should hold them.

One topic per delay (`sms.retry.30s`), so that offset order is due order. A record is the raw event, with the header
`retry` saying where it came from, and `settles` naming the record it replaces: it inherits that record's duty.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import UNSET

from connector.delivery.queue.item import Item
from connector.kafka.skipped import Reason, Skipped
from connector.model import Source
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.formats import RETRY, RetryHeader, encode, read_retry, settled_place
from connector.untrusted import UnreadableError

FOREVER = 253_402_300_799.0
"""The last second of the year 9999: later ones are no instants of ours."""
LATEST_SECONDS = 31 * 86_400.0
"""What is due later than this was not meant: a provider may defer for a week, and campaigns open within a day."""


class RetryRecord(NamedTuple):
    """An event that goes on waiting in a retry topic: the record there inherits the duty to give it a result."""

    topic: str
    header: tuple[str, bytes]


def header(item: Item, due: float, ordinal: int = 0) -> tuple[str, bytes]:
    """The header of an item that waits until `due` (wall seconds; 0: no longer than its tier). `ordinal`: which event
    of its campaign it is, where it waits for the campaign's cap.
    """
    deadline = None if item.deadline is None else min(max(item.deadline, -FOREVER), FOREVER)  # stamps are others'
    retry = RetryHeader(
        item.event(),
        item.received_at,
        item.attempts,
        min(due, FOREVER),
        deadline,
        item.uncertain,
        ordinal=ordinal or UNSET,
    )
    return RETRY, encode(retry)


def read(headers: Iterable[tuple[str, bytes | None]]) -> RetryHeader:
    """What a retry record says of its event. Raises UnreadableError, or VersionError where another version has to read
    it.
    """
    found = [value for name, value in headers if name == RETRY]
    if len(found) != 1:
        raise UnreadableError("no header `retry`" if not found else "more than one header `retry`")
    return read_retry(found[0])


class Restorer:
    """Makes an item read from a retry topic the one it was: its event's place, its count, its time.

    The headers say so, and anybody may have written them. What they say is believed where it is possible; what is not
    must never be sent, for nobody knows whether it was already.

    Args:
        sources, retries: the topics.
        prefix: of the retry topics, those of tiers that are no longer set included.
        owned: partitions, and how far their logs reach.

    Attributes:
        retries: the retry topics.
    """

    def __init__(
        self,
        sources: Collection[str],
        retries: Collection[str],
        *,
        prefix: str,
        owned: Assignment,
        skipped: Skipped,
    ) -> None:
        self._prefix = f"{prefix}."
        self._sources = frozenset(sources)
        self.retries = frozenset(retries)
        self._owned = owned
        self._skipped = skipped

    def restore(self, item: Item, headers: Iterable[tuple[str, bytes | None]], now: float) -> int:
        """Restore it. Returns which event of its campaign it is, where it waited for the campaign's cap; else 0.

        Raises:
            UnreadableError: it cannot be understood. Where `settles` says so, the item is that event's all the same:
                nothing else will give it a result.
            VersionError: another version has to read it.
        """
        headers = list(headers)
        retry = _read_or_why(headers)
        replaced = self._replaced(item, headers)
        item.source = replaced if replaced.topic in self._sources else None
        if isinstance(retry, UnreadableError):
            raise retry
        if item.source is not None and retry.source != item.source:
            raise UnreadableError("`settles` and `retry` name two events")
        if (wrong := self._impossible(retry.source, item.origin.partition, self._sources)) is not None:
            raise UnreadableError(f"`retry` {wrong}")
        item.source = retry.source
        item.attempts = retry.attempts
        item.deadline = retry.deadline
        item.uncertain = retry.uncertain
        item.due, item.received_at = retry.due, _utc(retry.received_at)
        if retry.due > now + LATEST_SECONDS:  # another clock's: a campaign's hours or its provider say it anew
            item.due = 0.0
            self._note(item, "due in more than a month: taken as due")
        if item.received_at.timestamp() > now + LATEST_SECONDS:
            item.received_at = datetime.fromtimestamp(now, UTC)
            self._note(item, "received in the future")
        return retry.ordinal or 0

    def _replaced(self, item: Item, headers: Iterable[tuple[str, bytes | None]]) -> Source:
        """The record that it replaces. Without one its event is read from its source as well, and sent from there."""
        found = settled_place(headers)
        if found is None:
            raise UnreadableError("no header `settles`, or none of ours")
        topic, _, number = found[0].rpartition("/")
        partition = item.origin.partition
        place = Source(topic, partition, found[1])
        if number != str(partition):
            raise UnreadableError("`settles` names another partition")
        topics = self._sources if not topic.startswith(self._prefix) else [topic]
        if (wrong := self._impossible(place, partition, topics)) is not None:
            raise UnreadableError(f"`settles` {wrong}")
        return place

    def _impossible(self, place: Source, partition: int, topics: Collection[str]) -> str | None:
        """Why nothing of ours can have named this place."""
        if place.topic not in topics:
            return "names a topic that is none of ours"
        if place.partition != partition:
            return "names another partition"
        end = self._owned.end(place.topic, partition)
        return "names an offset beyond the log's end" if end is not None and place.offset >= end else None

    def _note(self, item: Item, what: str) -> None:
        self._skipped.note(item.origin.topic, item.origin.partition, item.offset, Reason.CLOCK, what=what)


def _read_or_why(headers: Iterable[tuple[str, bytes | None]]) -> RetryHeader | UnreadableError:
    try:
        return read(headers)
    except UnreadableError as error:
        return error


def _utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise UnreadableError("`received_at` is no instant in UTC") from None
