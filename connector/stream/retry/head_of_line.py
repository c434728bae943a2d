"""Keeping partitions moving: messages that a lane cannot get to soon must not hold back the others of their partition.

A worker admits one span past the oldest open offset. Where that offset waits for a provider that is down, limited or
paused, it goes to a retry topic, and with it everything in the older half of the span that would wait as well. Then
only a request under way can stop others, and only where it takes longer than the span lasts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from connector.clock import Clock
from connector.delivery.lane import Lane
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.stream.partitions.partition import Partition
from connector.stream.retry.routing import RetryRouting

# Between two looks at a partition that is held back: each looks at every waiting message.
HELD_BACK_LOOK_SECONDS = 1.0


class HeadOfLine:
    """Moves what holds a partition back into retry topics.

    Args:
        span: offsets a partition may have between its oldest open one and its newest.
    """

    def __init__(self, lanes: Mapping[str, Lane], *, retry_routing: RetryRouting, span: int, clock: Clock) -> None:
        self._lanes = lanes
        self._retry_routing = retry_routing
        self._span = span
        self._clock = clock
        self._looks: dict[Partition, tuple[float, int]] = {}  # when, and where it stood

    def unblock(self, partition: Partition) -> None:
        """The span of this partition is used up."""
        position, now = partition.ledger.position, self._clock.monotonic()
        looked_at, before = self._looks.get(partition, (-math.inf, -1))
        if now < looked_at + HELD_BACK_LOOK_SECONDS:
            return
        self._looks = {it: look for it, look in self._looks.items() if it.live} | {partition: (now, position)}
        for lane in self._lanes.values():
            self._unblock(lane, partition, position + self._span // 2, keep=position != before)

    def _unblock(self, lane: Lane, partition: Partition, until: int, *, keep: bool) -> None:
        """Take out of a lane what stands before `until` and would not leave soon; `keep`: unless its turn is near."""
        slow, held = lane.expected_wait() > self._retry_routing.shortest, lane.held
        ahead = 0
        waits: list[float] = []
        items: list[Item] = []

        def wanted(key: WindowKey, item: Item) -> bool:
            nonlocal ahead
            if item.origin is not partition or item.offset >= until:
                return False
            if key.campaign in held:
                waits.append(math.inf)
                return True
            if not slow:
                return False
            ahead += 1
            wait = lane.expected_wait(ahead)
            if keep and wait <= self._retry_routing.shortest:
                return False  # a lane that works must not run dry
            waits.append(wait)
            return True

        if slow or held:
            items = lane.evict(wanted, sealed=True)
        if not slow:  # but these wait by themselves
            delayed = lane.evict(lambda _key, it: it.origin is partition and it.offset < until, only_delayed=True)
            waits += [self._retry_routing.shortest] * len(delayed)
            items += delayed
        if items:
            self._retry_routing.spread(items, waits)
