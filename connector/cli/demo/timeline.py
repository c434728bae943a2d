"""What happened when, from the results alone: pure, so that it holds for fake and real providers alike."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import fmean

from connector.model import Result

SLICES = 60
"""About so many points on the time axis."""
STEPS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds a slice may have: such as a reader can name."""
SHARES = (0.5, 0.99)


@dataclass(frozen=True, slots=True)
class Slice:
    """One piece of the time axis.

    Attributes:
        at: its middle, seconds from the first event that was read.
        rates: messages per second, per provider that had some.
        fills: messages per request, per provider that ended one.
        latencies: seconds from an event read to its outcome, half of them and most of them (`SHARES`), likewise.
    """

    at: float
    rates: dict[str, float]
    fills: dict[str, float]
    latencies: dict[str, tuple[float, ...]]


@dataclass(slots=True)
class Timeline:
    """Collects results; `slices` says what is to be drawn."""

    _ended: list[tuple[float, float, str]] = field(default_factory=list)
    _batches: dict[str, tuple[float, str, int]] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        if result.received_at is None:
            return
        completed, provider = result.completed_at.timestamp(), result.provider or "none"
        self._ended.append((completed, result.received_at.timestamp(), provider))
        if result.batch_id is not None:
            self._batches.setdefault(result.batch_id, (completed, provider, result.batch_size))

    @property
    def count(self) -> int:
        """Results so far."""
        return len(self._ended)

    @property
    def start(self) -> float:
        """When the first event was read, seconds since the epoch."""
        return min((read for _, read, _ in self._ended), default=0.0)

    def slices(self) -> list[Slice]:
        """The time axis in equal pieces, without a gap."""
        start = self.start
        end = max((completed for completed, _, _ in self._ended), default=start)
        width = STEPS[min(bisect_right(STEPS, (end - start) / SLICES), len(STEPS) - 1)]
        ages: defaultdict[int, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        sizes: defaultdict[int, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for completed, read, provider in self._ended:
            ages[int((completed - start) / width)][provider].append(completed - read)
        for completed, provider, size in self._batches.values():
            sizes[int((completed - start) / width)][provider].append(size)
        return [
            Slice(
                at=(number + 0.5) * width,
                rates={provider: len(found) / width for provider, found in ages[number].items()},
                fills={provider: fmean(found) for provider, found in sizes[number].items()},
                latencies={provider: _percentiles(found) for provider, found in ages[number].items()},
            )
            for number in range(int((end - start) / width) + 1 if self._ended else 0)
        ]


def _percentiles(values: list[float]) -> tuple[float, ...]:
    ordered = sorted(values)
    return tuple(ordered[round(share * (len(ordered) - 1))] for share in SHARES)
