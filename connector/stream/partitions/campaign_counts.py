"""How many events each campaign with a `cap` has had in one partition: what decides which of them may be sent.

Which event of its campaign one is, is a fact of the log: it is the same whoever counts, and however often. So a count
is kept with the offset it belongs to: a commit carries those of the events before it, and the next owner counts on from
there, also what needs no result any more.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

COMMITTED_CAMPAIGNS = 100
"""Whose counts a commit carries: those counted last. They take 20 to 30 bytes each of the 4,096 that brokers keep."""


@lru_cache(maxsize=4096)
def name_of(campaign: str) -> str:
    """A campaign in eight characters."""
    return urlsafe_b64encode(blake2b(campaign.encode("utf-8", "surrogatepass"), digest_size=6).digest()).decode()


class CampaignOrdinals:
    """Of one partition, from an offset on.

    Args:
        counts: by `name_of` a campaign, its events before that offset.
    """

    __slots__ = ("_counts", "_newest", "_offsets")

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self._counts = dict(counts or {})  # those counted last stand last
        self._offsets: dict[str, list[int]] = {}  # counted since the last commit
        self._newest = -1

    def __bool__(self) -> bool:
        return bool(self._counts)

    def count(self, campaign: str, offset: int) -> int:
        """Which event of its campaign the one at `offset` is, from 1; they come in the order of the log, each once."""
        assert offset > self._newest
        self._newest = offset
        name = name_of(campaign)
        count = self._counts[name] = self._counts.pop(name, 0) + 1
        self._offsets.setdefault(name, []).append(offset)
        return count

    def counted(self, offset: int) -> bool:
        """Whether this event was counted, or passed, before."""
        return offset <= self._newest

    def at(self, position: int) -> dict[str, int]:
        """What goes with a commit of `position`: the events before it, of the campaigns counted last."""
        found = {}
        for name in list(self._counts)[-COMMITTED_CAMPAIGNS:]:
            offsets = self._offsets.get(name, ())
            if count := self._counts[name] - (len(offsets) - bisect_left(offsets, position)):
                found[name] = count
        return found

    def trim(self, committed: int) -> None:
        """Forget what no commit can need any more: `committed` is durable, later commits lie after it."""
        for name, offsets in list(self._offsets.items()):
            del offsets[: bisect_left(offsets, committed)]
            if not offsets:
                del self._offsets[name]


def share_of(cap: int, index: int, partitions: int) -> int:
    """How many of a campaign's `cap` messages the partition with this index has: together exactly so many."""
    return cap // partitions + (index < cap % partitions)
