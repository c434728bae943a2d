"""Transactions that are left open in a source: what follows them waits, and must not look like an idle topic."""

from __future__ import annotations

from connector.clock import Clock


class Undecided:
    """For how long the first transaction that is not decided has stood in the way, partition by partition.

    Kafka hands out events up to there (the last stable offset). A producer that writes transactions all the time has
    one open at nearly every moment; only one that stays where it is holds something back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[tuple[str, int], tuple[int, float]] = {}

    def seconds(self, topic: str, partition: int, stable: int | None, end: int | None) -> float:
        """Seconds since `stable` was first seen below `end`; 0 where it is not. To be asked now and then."""
        if stable is None or end is None or stable >= end:
            self._since.pop((topic, partition), None)
            return 0.0
        now = self._clock.monotonic()
        at, since = self._since.get((topic, partition), (stable, now))
        self._since[topic, partition] = (stable, since if at == stable else now)
        return now - self._since[topic, partition][1]
