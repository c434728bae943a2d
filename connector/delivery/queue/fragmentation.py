"""What keeps open windows apart: where batches stay small, the first thing to look at in a definition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from connector.delivery.queue.window_key import WindowKey

CAMPAIGN = "campaign"

LOOK_WINDOWS = 5_000
"""Looked at in one go: two milliseconds."""


class Fragmentation(NamedTuple):
    """The part of their keys in which open windows differ most.

    Attributes:
        part: `campaign`, or a replacement outside the records, as written.
        values: how many different ones there are.
    """

    part: str
    values: int


def fragmentation(keys: Iterable[WindowKey], parts: Sequence[Sequence[str]]) -> Fragmentation | None:
    """The part with the most different values; None where no windows that could hold several messages differ.

    Args:
        keys: of open windows.
        parts: per operation, what the elements of its batch keys are.
    """
    values: defaultdict[str, set[Hashable]] = defaultdict(set)
    for operation, campaign, batch, _ in islice(keys, LOOK_WINDOWS):
        if isinstance(batch, tuple):  # not of an operation without batching
            values[CAMPAIGN].add(campaign)
            for part, value in zip(parts[operation], batch, strict=False):
                values[part].add(value)
    most = max(values, key=lambda part: len(values[part]), default=CAMPAIGN)
    return Fragmentation(most, len(values[most])) if len(values[most]) > 1 else None
