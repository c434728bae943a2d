"""Time series of promtool's tests: a value per minute, written in its notation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

Values = list[float | None]
"""One per minute from minute 0; None: not scraped."""


def gauge(minutes: int, value: float, at: Mapping[int, float] | None = None) -> Values:
    """`value`, and from each minute of `at` on another one."""
    changes = at or {}
    made: Values = []
    for minute in range(minutes + 1):
        value = changes.get(minute, value)
        made.append(value)
    return made


def counter(
    minutes: int,
    per_minute: float = 0.0,
    at: Mapping[int, float] | None = None,
    *,
    begins: float = 0.0,
    bursts: Mapping[int, float] | None = None,
) -> Values:
    """Grows by `per_minute`, from each minute of `at` on by so much, and at each of `bursts` by so much at once.

    Args:
        begins: its first value: what was counted before the first scrape.
    """
    rates, jumps = at or {}, bursts or {}
    made: Values = []
    total = begins
    for minute in range(minutes + 1):
        per_minute = rates.get(minute, per_minute)
        total += (per_minute if minute else 0) + jumps.get(minute, 0)
        made.append(total)
    return made


def during(values: Values, begin: int, end: int | None) -> Values:
    """Scraped from minute `begin` until before `end` alone."""
    return [value if begin <= minute and (end is None or minute < end) else None for minute, value in enumerate(values)]


def notation(values: Values) -> str:
    """As promtool reads it. What is scraped no more is marked stale, as Prometheus marks it."""
    words: list[str] = []
    before: float | None = None
    for value, run in groupby(values):
        number = len(list(run))
        if value is None:
            if before is not None:
                words.append("stale")
                number -= 1
            if number:
                words.append(f"_x{number}")
        else:
            words.append(f"{value:.12g}x{number - 1}" if number > 1 else f"{value:.12g}")
        before = value
    return " ".join(words)


def selector(name: str, labels: Mapping[str, str]) -> str:
    """The series as a query writes it."""
    return name + "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"
