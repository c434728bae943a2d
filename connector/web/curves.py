"""Curves in memory: two hours at five seconds, two days at a minute. They begin when the console does, and say so."""

from __future__ import annotations

import math
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

FINE_SECONDS, FINE_POINTS = 5, 1440
COARSE_SECONDS, COARSE_POINTS = 60, 2880
MOST_CURVES = 600
"""At 52 kB each 30 MB. Further ones take the place of those not written to for an hour, or are left out."""
UNUSED_SECONDS = 3600.0
MOST_POINTS = 400
"""Of an answer: more than a screen is wide."""

Labels = tuple[tuple[str, str], ...]


class _Ring:
    """Values by number of their step; those that have been overwritten, and those never written, are NaN."""

    def __init__(self, step: int, points: int, kind: str = "f") -> None:
        self.step = step
        self._values = array(kind, [math.nan]) * points
        self._newest = self._oldest = -1

    def set(self, number: int, value: float) -> None:
        size = len(self._values)
        if self._newest >= 0:
            for skipped in range(max(self._newest + 1, number - size + 1), number):
                self._values[skipped % size] = math.nan
        if self._oldest < 0:
            self._oldest = number
        if number >= self._newest:
            self._values[number % size] = value
            self._newest = number

    def first(self, number: int) -> float:
        """The first value there is from this step on; NaN where there is none."""
        begin = max(number, self._oldest, self._newest - len(self._values) + 1)
        for at in range(begin, self._newest + 1):
            if not math.isnan(value := self._values[at % len(self._values)]):
                return value
        return math.nan

    def range(self, first: int, count: int) -> list[float]:
        """So many values from this step on."""
        size = len(self._values)
        begin = min(max(first, self._newest - size + 1), first + count)
        end = max(begin, min(first + count, self._newest + 1))
        at, number = begin % size, end - begin
        there = [*self._values[at : at + number], *self._values[: max(0, at + number - size)]]
        return [math.nan] * (begin - first) + there + [math.nan] * (first + count - end)


class Curve:
    """One value over time, and of a rate the amount it comes to: what was before a step, since the curve began.

    Attributes:
        written: when it was last, wall seconds.
    """

    def __init__(self) -> None:
        self._fine = _Ring(FINE_SECONDS, FINE_POINTS)
        self._coarse = _Ring(COARSE_SECONDS, COARSE_POINTS)
        self._fine_before = _Ring(FINE_SECONDS, FINE_POINTS, "d")
        self._coarse_before = _Ring(COARSE_SECONDS, COARSE_POINTS, "d")
        self._amount = 0.0
        self.written = 0.0
        self._minute, self._sum, self._count = -1, 0.0, 0

    def add(self, wall: float, value: float) -> None:
        """The value now."""
        step, minute = int(wall // FINE_SECONDS), int(wall // COARSE_SECONDS)
        self.written = wall
        self._fine.set(step, value)
        self._fine_before.set(step, self._amount)
        if minute != self._minute:
            self._coarse_before.set(minute, self._amount)
            self._minute, self._sum, self._count = minute, 0.0, 0
        self._sum, self._count = self._sum + value, self._count + 1
        self._coarse.set(minute, self._sum / self._count)
        self._amount += value * FINE_SECONDS

    def amount(self, begin: float, end: float) -> float:
        """Of a rate: what it comes to from `begin` until now, as far as is known; `end` is now."""
        ring = self._fine_before if end - begin <= FINE_SECONDS * FINE_POINTS else self._coarse_before
        before = ring.first(int(begin // ring.step))
        return 0.0 if math.isnan(before) else self._amount - before

    def values(self, begin: float, end: float, step: int) -> list[float]:
        """Means of `step` seconds each; NaN where nothing is known."""
        ring = self._fine if step < COARSE_SECONDS else self._coarse
        each = step // ring.step
        values = ring.range(int(begin) // ring.step, each * -(-int(end - begin) // step))
        if each == 1:
            return values
        return [_mean(values[at : at + each]) for at in range(0, len(values), each)]


def _mean(values: list[float]) -> float:
    known = [value for value in values if value == value]  # noqa: PLR0124  NaN is not
    return sum(known) / len(known) if known else math.nan


@dataclass(frozen=True, slots=True)
class CurveData:
    """One line of a chart; None where nothing is known."""

    name: str
    labels: Mapping[str, str]
    values: list[float | None]


class Curves:
    """All of them, by name and labels.

    Attributes:
        began: when the first value came, wall seconds.
    """

    def __init__(self) -> None:
        self.began: float | None = None
        self._curves: OrderedDict[tuple[str, Labels], Curve] = OrderedDict()

    def add(self, wall: float, name: str, value: float, **labels: str) -> None:
        """A value now."""
        self.began = wall if self.began is None else self.began
        key = (name, tuple(sorted(labels.items())))
        curve = self._curves.get(key)
        if curve is None:
            if len(self._curves) >= MOST_CURVES:
                oldest = next(iter(self._curves))
                if wall - self._curves[oldest].written < UNUSED_SECONDS:
                    return  # those that are there go on: each would otherwise push another out, every time
                del self._curves[oldest]
            curve = self._curves[key] = Curve()
        curve.add(wall, value)
        self._curves.move_to_end(key)

    def select(self, names: Iterable[str], by: str, begin: float, end: float, step: int) -> list[CurveData]:
        """Curves of these names, added up over all labels but `by`."""
        wanted = set(names)
        sums: dict[tuple[str, str], list[float]] = {}
        for (name, labels), curve in self._curves.items():
            if name not in wanted or (by == "worker") is not ("worker" in dict(labels)):
                continue
            values = curve.values(begin, end, step)
            key = (name, dict(labels).get(by, ""))
            there = sums.get(key)
            sums[key] = values if there is None else [_plus(a, b) for a, b in zip(there, values, strict=True)]
        return [
            CurveData(
                name, {by: label} if by else {}, [None if math.isnan(value) else round(value, 3) for value in values]
            )
            for (name, label), values in sorted(sums.items())
        ]

    def amounts(self, name: str, begin: float, end: float) -> dict[tuple[str, str], float]:
        """Of rates by provider and status: what each comes to from `begin` until now (`end`), as far as is known."""
        found = {}
        for (its, labels), curve in self._curves.items():
            told = dict(labels)
            if its == name and "status" in told:
                found[told.get("provider", ""), told["status"]] = curve.amount(begin, end)
        return found


def _plus(a: float, b: float) -> float:
    if math.isnan(a):
        return b
    return a if math.isnan(b) else a + b


def step_of(seconds: float) -> int:
    """Seconds between the points of a chart of this range."""
    rough = max(FINE_SECONDS, math.ceil(seconds / MOST_POINTS))
    if rough >= COARSE_SECONDS or seconds > FINE_SECONDS * FINE_POINTS:
        return -(-rough // COARSE_SECONDS) * COARSE_SECONDS
    return -(-rough // FINE_SECONDS) * FINE_SECONDS
