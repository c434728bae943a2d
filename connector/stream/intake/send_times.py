"""From when until when a message may be sent: `send_at` of an event or of its campaign, `max_age`.

What is not to be sent yet waits in the retry topics: a record stands in one for as long as all others there, the delay
of its tier, and is then looked at anew, so that none that is due stands behind one that is not. What is asked of a
message before it is sent is asked each time.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import ConsumerRecord

from connector.config_text.units import format_duration
from connector.delivery.queue.item import Item

LONGEST_SECONDS = 30 * 86_400.0
"""However long sources keep events: a retry record that is due later than a month is not believed."""


class SendTimes:
    """When messages are too early, and when too late.

    Args:
        max_age: seconds after which an event is stale, None for never: counted from `send_at`, where that is later.
        ahead: seconds that `send_at` may lie ahead of an event that is read: for so long its topic keeps it.
    """

    def __init__(self, *, max_age: float | None, ahead: float) -> None:
        self._max_age = max_age
        self._ahead = min(ahead, LONGEST_SECONDS)

    def deadlines(self, records: Sequence[ConsumerRecord], now: float) -> tuple[Sequence[float | None], bool]:
        """When each is stale by its age, and whether one of them is, or may be."""
        age = self._max_age
        if age is None or not records:
            return [None] * len(records), False
        timestamps = [record.timestamp for record in records]
        if None in timestamps:  # the message format before 0.10 has none
            timestamps = [-1 if it is None else it for it in timestamps]
        if (oldest := min(timestamps)) < 0:  # -1: the producer set none
            return [None if it < 0 else it / 1000 + age for it in timestamps], True
        stale = {it: it / 1000 + age for it in set(timestamps)}  # many have one: fewer objects that wait
        return [stale[it] for it in timestamps], stale[oldest] <= now

    def stale_at(self, item: Item, send_at: float) -> float | None:
        """When a message that is sent at `send_at` (wall seconds) is stale; None for never."""
        if self._max_age is None or item.deadline is None:
            return item.deadline
        return max(item.deadline, send_at + self._max_age)

    def fault(self, item: Item, send_at: float, now: float) -> str | None:
        """Why an event that was just read cannot wait for its time; `item` has its deadline. None: it can."""
        if send_at <= now:
            return None
        if send_at - now > self._ahead:
            longest = format_duration(self._ahead)
            return f"send_at: more than {longest} ahead, for which its topic keeps events; produce it later"
        if item.deadline is not None and item.deadline <= send_at:
            return "send_at: not before expires_at, so that it could never be sent"
        return None
