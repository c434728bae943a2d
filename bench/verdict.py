"""Is it flat? Pure: points in time in, a verdict with its reason out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

Point = tuple[float, float]
"""Seconds since the start, value."""

FEWEST = 10
"""Points in the second half: of less no slope is worth a verdict."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One quantity.

    Attributes:
        name: with its unit.
        middle: the median of the second half.
        growth: from the middle of the run to its end, by the slope of the second half.
        allowed: the largest growth that counts as flat.
    """

    name: str
    middle: float
    growth: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Falling is flat as well."""
        return self.growth <= self.allowed


def judge(name: str, points: Sequence[Point], *, share: float = 0.0, least: float = 0.0) -> Verdict:
    """Judge the second half; the first is warming up.

    Args:
        name: of the quantity.
        points: in the order of time.
        share: growth allowed as a part of the median.
        least: growth allowed in any case, in the quantity's own unit.
    """
    half = second_half(points)
    if len(half) < FEWEST:
        raise ValueError(f"{name}: {len(half)} points in the second half, {FEWEST} are needed: run for longer")
    middle = median(value for _, value in half)
    growth = slope(half) * (half[-1][0] - half[0][0])
    return Verdict(name, middle, growth, max(share * middle, least))


def second_half(points: Sequence[Point]) -> list[Point]:
    """Those after the middle of the time."""
    if not points:
        return []
    middle = (points[0][0] + points[-1][0]) / 2
    return [point for point in points if point[0] >= middle]


def slope(points: Sequence[Point]) -> float:
    """Change per second: the median of the slopes between any two points (Theil and Sen). A peak, such as a pause of
    the machine, does not tilt it as it would a line of least squares.
    """
    return median((later[1] - sooner[1]) / (later[0] - sooner[0]) for sooner, later in combinations(points, 2))
