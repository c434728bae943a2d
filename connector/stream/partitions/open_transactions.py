"""Transactions that are left open in a source: what follows them waits, and must not look like an idle topic."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from connector.clock import Clock

log = structlog.get_logger(__name__)

TOLD_SECONDS = 30.0
"""A transaction that is open for so long is told: half of what Kafka gives a producer that says nothing else."""


@dataclass(slots=True)
class _Open:
    """A transaction that is not decided.

    Attributes:
        at: its first offset: the last stable one.
        since: monotonic seconds when it was first seen.
        told: it stands in the log.
    """

    at: int
    since: float
    told: bool = False


class OpenTransactions:
    """For how long the first transaction that is not decided has stood in the way, partition by partition.

    Kafka hands out events up to there (the last stable offset). A producer that writes transactions all the time has
    one open at nearly every moment; only one that stays where it is holds something back.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[tuple[str, int], _Open] = {}

    def seconds(self, topic: str, partition: int, stable: int | None, end: int | None) -> float:
        """Seconds since `stable` was first seen below `end`; 0 where it is not. To be asked now and then: what is open
        for too long is logged once, and its end too.
        """
        now, before = self._clock.monotonic(), self._open.get((topic, partition))
        waits = stable is not None and end is not None and stable < end
        if before is not None and (not waits or before.at != stable):
            del self._open[topic, partition]
            if before.told:
                log.info("a transaction that was left open is decided", **_place(topic, partition, before, now))
            before = None
        if stable is None or end is None or not waits:
            return 0.0
        found = self._open.setdefault((topic, partition), before or _Open(stable, now))
        if not found.told and now - found.since >= TOLD_SECONDS:
            found.told = True
            log.warning(
                "a producer has left a transaction open: what follows it is not sent until it is decided",
                **_place(topic, partition, found, now),
                records_waiting=end - stable,
            )
        return now - found.since

    def keep(self, places: set[tuple[str, int]]) -> None:
        """Forget all but these partitions: others look after those."""
        self._open = {place: found for place, found in self._open.items() if place in places}


def _place(topic: str, partition: int, found: _Open, now: float) -> dict[str, object]:
    return {"topic": topic, "partition": partition, "offset": found.at, "seconds": round(now - found.since)}
