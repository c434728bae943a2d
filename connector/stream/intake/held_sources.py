"""Source topics whose events cannot be read for now: the schema registry does not answer. They wait, and it is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from connector.clock import Clock


class HeldSource(NamedTuple):
    """Why, and for how many seconds already."""

    why: str
    seconds: float


class HeldSources:
    """Which they are. Others than those of the topic go on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, tuple[str, float]] = {}

    def __contains__(self, topic: object) -> bool:
        return topic in self._held

    def hold(self, topic: str, why: str) -> bool:
        """Its events wait. Returns whether they did not before."""
        since = self._held.get(topic)
        self._held[topic] = why, self._clock.monotonic() if since is None else since[1]
        return since is None

    def release(self, topic: str) -> float | None:
        """They wait no longer. Returns for how long they did; None where they did not."""
        found = self._held.pop(topic, None)
        return None if found is None else self._clock.monotonic() - found[1]

    def look(self) -> Mapping[str, HeldSource]:
        """By topic."""
        now = self._clock.monotonic()
        return {topic: HeldSource(why, now - since) for topic, (why, since) in self._held.items()}
