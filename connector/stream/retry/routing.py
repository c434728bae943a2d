"""Which waiting message goes to which retry topic, and when one is diverted there instead of being held in memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from connector.clock import Clock
from connector.delivery.queue.item import Item
from connector.model import Result
from connector.stream.retry.retry_records import RetryRecord, header
from connector.stream.retry.tiers import Tiers


class RetrySink(Protocol):
    """Takes items that go on waiting in retry topics.

    Implemented by `ResultWriter` (connector/stream/output/writer.py), put in place in
    `connector/stream/wiring/parts.py`.
    """

    def move(self, items: Sequence[Item], records: Sequence[RetryRecord]) -> None:
        """Take these items, with the retry record of each. They are settled when it is durable. Never waits."""


class RetryRefusals(Protocol):
    """Builds the results of items that cannot wait in a retry topic.

    Implemented by `Refusals` (connector/stream/intake/refusals.py), put in place in
    `connector/stream/wiring/output.py`.
    Implemented by `DedupedRefusals` (connector/stream/intake/dedupe.py), put in place in
    `connector/stream/wiring/output.py`.
    """

    def too_large(self, item: Item, topic: str, now: float) -> Result:
        """No retry topic takes its record; at `now` (wall seconds)."""
        ...


class RetryRouting:
    """Sends items to retry topics.

    Args:
        tiers: the retry topics.
        retries: takes their retry records.
        longest: seconds a message waits at most before its lane is looked at again (`park_max`).
    """

    def __init__(self, tiers: Tiers, *, retries: RetrySink, clock: Clock, longest: float) -> None:
        self._tiers = tiers
        self._retries = retries
        self._clock = clock
        self._longest = longest

    def park(self, items: Sequence[Item], due: float) -> None:
        """Take over items that are not to be sent before `due` (wall seconds)."""
        self._retries.move(items, [self.until(item, due) for item in items])

    def until(self, item: Item, due: float, *, told: float | None = None) -> RetryRecord:
        """The retry record of an item that waits until `due`, which may be many rounds of the longest tier away.

        `told` is what the record says of it: less than `due` where that is asked anew whenever a tier has passed.
        """
        now = self._clock.wall()
        tier = self._tiers.within(due - now, expires_in=self._expires_in(item, now))
        return RetryRecord(tier.topic, header(item, due if told is None else told))

    def divert(self, item: Item, wait: float) -> RetryRecord | None:
        """The retry record of an item that has to wait for `wait` seconds; None when waiting in memory is shorter.

        A lane that works is left the messages it gets through until they are back. For one that is held up nobody knows
        how long: its messages climb.
        """
        if math.isinf(wait):
            return self.next_tier(item)
        tier = self._tiers.within(min(wait, self._longest), expires_in=self._expires_in(item, self._clock.wall()))
        return None if tier.delay > wait else RetryRecord(tier.topic, header(item, 0.0))

    def next_tier(self, item: Item, *, ends_in: float = math.inf, ordinal: int = 0) -> RetryRecord:
        """The retry record of an item that nobody can say how long has to wait: one tier above the one it came from.

        It waits for `ends_in` seconds at most: the last of its tiers is the shortest one that reaches beyond that.
        `ordinal`: see `header`.
        """
        came_from = item.origin.topic
        if came_from in self._tiers.delays:
            expires_in = self._expires_in(item, self._clock.wall())
            longest = min(self._longest, self._tiers.reaching(ends_in).delay)
            tier = self._tiers.above(came_from, longest=longest, expires_in=expires_in)
        else:
            tier = self._tiers.within(0.0)
        return RetryRecord(tier.topic, header(item, 0.0, ordinal))

    @property
    def shortest(self) -> float:
        """Seconds of the shortest tier."""
        return self._tiers.within(0.0).delay

    def spread(self, items: Sequence[Item], waits: Sequence[float]) -> None:
        """Take over items, each of which would have to wait for so long."""
        self._retries.move(
            items, [self.divert(*pair) or self.next_tier(pair[0]) for pair in zip(items, waits, strict=True)]
        )

    def _expires_in(self, item: Item, now: float) -> float | None:
        return None if item.deadline is None else item.deadline - now
