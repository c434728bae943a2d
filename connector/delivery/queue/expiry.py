"""Messages that end without a request although nothing is wrong with them: expired, or of a cancelled campaign."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from connector.clock import Clock
from connector.delivery.queue.backlog import Backlog
from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.model import Status

EXPIRE_SECONDS = 5.0
"""Between searches for expired messages: each looks at every waiting message, 0.1 s for a million."""

TURN_MESSAGES = 1000
"""Ended before other tasks get their turn: a cancelled campaign may have hundreds of thousands."""

REASONS = {
    Status.EXPIRED: "not sent before it expired",
    Status.CANCELLED: "its campaign was cancelled",
    Status.SUPPRESSED: "the number must not be texted (topics.suppressions)",
}


class Expiry:
    """Finds such messages in a backlog, also while none of it can leave, and hands them out a turn at a time.

    Attributes:
        earliest: no waiting message expires before this, in wall seconds.
    """

    def __init__(self, backlog: Backlog, clock: Clock) -> None:
        self._backlog = backlog
        self._clock = clock
        self.earliest = float("inf")
        self._searched_at = float("-inf")
        self._cancelled: set[str | None] = set()
        self._found: deque[tuple[Item, Status]] = deque()

    def expect(self, items: Iterable[Item]) -> None:
        """These messages wait, perhaps beyond their deadline."""
        for item in items:
            if item.deadline is not None and item.deadline < self.earliest:
                self.earliest = item.deadline

    def cancel(self, campaign: str | None) -> None:
        """Dismiss what waits of a campaign, and what comes of it until `uncancel`."""
        self._cancelled.add(campaign)
        self._dismiss(Status.CANCELLED, lambda key, _item: key.campaign == campaign)

    def uncancel(self, campaign: str | None) -> None:
        """Its messages are sent again."""
        self._cancelled.discard(campaign)

    def is_cancelled(self, campaign: str | None) -> bool:
        """Whether messages of this campaign are dismissed."""
        return campaign in self._cancelled

    def turn(self) -> list[tuple[Item, Status]]:
        """The next messages to end."""
        self._expire()
        return [self._found.popleft() for _ in range(min(TURN_MESSAGES, len(self._found)))]

    def clear(self) -> list[Item]:
        """Forget everything but which campaigns are cancelled; the messages that were not handed out."""
        items = [item for item, _ in self._found]
        self._found.clear()
        return items

    def _expire(self) -> None:
        wall, now = self._clock.wall(), self._clock.monotonic()
        if wall < self.earliest or now < self._searched_at + EXPIRE_SECONDS:
            return
        self._searched_at = now
        self.earliest = float("inf")

        def expired(_key: WindowKey, item: Item) -> bool:
            if item.deadline is None:
                return False
            if item.deadline > wall:
                self.earliest = min(self.earliest, item.deadline)
                return False
            return True

        self._dismiss(Status.EXPIRED, expired)

    def _dismiss(self, status: Status, wanted: Callable[[WindowKey, Item], bool]) -> None:
        self._found.extend((item, status) for item in self._backlog.remove(wanted))
