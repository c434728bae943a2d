"""Retry topics: where messages wait that have to wait longer than memory should hold them.

One topic per delay (`sms.retry.30s`), so that offset order is due order. A record is the raw event, with the header
`retry` saying where it came from, and `settles` naming the record it replaces: it inherits that record's duty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from connector.delivery.item import Item
from connector.model import Source

HEADER = "retry"


class Retry(msgspec.Struct, frozen=True):
    """The header `retry`, as JSON.

    Attributes:
        source: the event's place; the identity of its result.
        attempts: requests it was in so far.
        due: wall seconds before which it is not to be sent; 0 as soon as its tier has passed.
        deadline: wall seconds after which it is not sent any more.
        received_at: when the connector first read the event.
        uncertain: an earlier request with it may have been taken.
    """

    source: Source
    received_at: datetime
    attempts: int = 0
    due: float = 0.0
    deadline: float | None = None
    uncertain: bool = False


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Retry).decode


def header(item: Item, due: float) -> tuple[str, bytes]:
    """The header of an item that waits until `due` (wall seconds; 0: no longer than its tier)."""
    retry = Retry(item.event(), item.received_at, item.attempts, due, item.deadline, item.uncertain)
    return HEADER, _encode(retry)


def read(headers: Iterable[tuple[str, bytes]]) -> Retry | None:
    """What a retry record says of its event; None where the header is missing or not ours."""
    for name, value in headers:
        if name == HEADER and value is not None:
            try:
                return _decode(value)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return None
    return None


def restore(item: Item, retry: Retry) -> None:
    """Make an item read from a retry topic the one it was."""
    item.source = retry.source
    item.attempts = retry.attempts
    item.deadline = retry.deadline
    item.uncertain = retry.uncertain
    item.due = retry.due
    item.received_at = retry.received_at.astimezone(UTC)


class Tier(NamedTuple):
    """Records of `topic` are due `delay` seconds after they were written."""

    delay: float
    topic: str


class Tiers:
    """Which topic a message waits in.

    Args:
        topics: delay in seconds → topic.
    """

    def __init__(self, topics: Mapping[float, str]) -> None:
        self._tiers = [Tier(delay, topic) for delay, topic in sorted(topics.items())]
        self.delays = {tier.topic: tier.delay for tier in self._tiers}

    def within(self, seconds: float, *, expires_in: float | None = None) -> Tier:
        """The longest tier that ends no later than the message is due or expires, else the shortest."""
        limit = seconds if expires_in is None else min(seconds, expires_in)
        return max((tier for tier in self._tiers if tier.delay <= limit), default=self._tiers[0])

    def reaching(self, seconds: float) -> Tier:
        """The shortest tier that takes as long, else the longest."""
        return min((tier for tier in self._tiers if tier.delay >= seconds), default=self._tiers[-1])

    def above(self, topic: str, *, longest: float, expires_in: float | None = None) -> Tier:
        """One tier up from `topic`, for a record whose lane cannot take it; never longer than `longest` seconds."""
        delays = [tier.delay for tier in self._tiers]
        position = delays.index(self.delays[topic])
        up = delays[min(position + 1, len(delays) - 1)]
        return self.within(min(up, longest), expires_in=expires_in)
