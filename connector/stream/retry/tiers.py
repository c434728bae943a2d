"""The tiers of the retry topics, one per delay, and which one a message waits in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


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
