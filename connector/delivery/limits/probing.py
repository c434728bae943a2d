"""Which messages a probe carries: others than before, so that nobody waits for long behind what always fails.

At best it is another campaign's, else another window's, else another message of the window; and among them those with
the fewest requests behind them, so that a long outage uses up nobody's attempts.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from connector.delivery.queue.attempt import Part
from connector.delivery.queue.backlog import Backlog
from connector.delivery.queue.window_key import WindowKey
from connector.delivery.queue.windows import Window

REMEMBERED = 1000
"""Campaigns, and windows, whose last failure is remembered: beyond that the earliest come round again."""

LOOKED_AT = 200
"""Messages of a window among which those with the fewest attempts are looked for."""


@dataclass(slots=True)
class Probe:
    """What the next probe carries.

    Attributes:
        source: where it is taken from.
        indexes: of its messages there.
        attempts: most requests one of them was in.
    """

    source: Window | Part
    indexes: list[int]
    attempts: int


class Probing:
    """Chooses probes of one lane.

    Args:
        attempts: requests a message may be in.
        sizes: per operation, messages its smallest request holds.
    """

    def __init__(self, attempts: int, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._attempts = attempts
        self._failures = 0
        self._campaigns: OrderedDict[Hashable, int] = OrderedDict()
        self._keys: OrderedDict[Hashable, int] = OrderedDict()

    def failed(self, key: WindowKey) -> None:
        """A request of this window failed: others come first."""
        self._failures += 1
        for seen, name in ((self._campaigns, key.stream), (self._keys, key)):
            seen[name] = self._failures
            seen.move_to_end(name)
            if len(seen) > REMEMBERED:
                seen.popitem(last=False)

    def choose(self, backlog: Backlog) -> Probe | None:
        """The next probe, as small as its operation allows, still in its place; None where nothing may leave.

        Costs a look at each window: asked once per probe.
        """
        best: Window | Part | None = None
        best_rank: tuple[float, ...] = (math.inf,)
        for window in self._windows(backlog):
            head = min(window.items[0].attempts, self._attempts)
            rank = (*self._turn(window.key), head, window.items[0].since)
            if rank < best_rank:
                best, best_rank = window, rank
        if best is None:
            best = min(backlog.free_parts(), key=lambda part: self._turn(part.key), default=None)
        return None if best is None else self._of(best)

    def fresh(self, backlog: Backlog) -> Probe | None:
        """As `choose`, but of messages that have a request left to lose, wherever they stand; None where none has."""
        best: Probe | None = None
        for window in sorted(self._windows(backlog), key=lambda it: self._turn(it.key)):
            best = self._of(window)
            if best.attempts < self._attempts:
                return best
        for part in backlog.free_parts():
            best = self._of(part)
            if best.attempts < self._attempts:
                return best
        return None

    def spent(self, probe: Probe) -> bool:
        """Whether one of its messages has had all its requests."""
        return probe.attempts >= self._attempts

    def _turn(self, key: WindowKey) -> tuple[int, int]:
        """Lowest first: when its campaign, and its window, last failed."""
        return self._campaigns.get(key.stream, 0), self._keys.get(key, 0)

    def _windows(self, backlog: Backlog) -> Iterator[Window]:
        """Those that hold a request's worth: a smaller one may still grow."""
        return (window for window in backlog.free_windows() if len(window.items) >= self._sizes[window.key.operation])

    def _of(self, source: Window | Part) -> Probe:
        items, size = source.items, self._sizes[source.key.operation]
        if isinstance(source, Part) and source.sealed is not None:  # repeated whole, or not as it was
            return Probe(source, list(range(len(items))), max(item.attempts for item in items))
        looked_at = [items[index].attempts for index in range(min(len(items), LOOKED_AT))]
        fewest = sorted(range(len(looked_at)), key=looked_at.__getitem__)[:size]
        return Probe(source, sorted(fewest), max(looked_at[index] for index in fewest))
