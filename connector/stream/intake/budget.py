"""How much one worker holds: open messages and bytes, whatever the backlog or the outage."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from connector.stream.lanes import LaneSet

# What a waiting message takes beside its event's bytes: its Item, and the objects its event and key are (measured with
# tracemalloc, CPython 3.11).
MESSAGE_BYTES = 280
# What an open window takes beside its messages: most where every message has one of its own.
WINDOW_BYTES = 725


def weight(messages: int, bytes_: int, windows: int = 0) -> int:
    """Bytes of memory that messages take whose events have so many bytes, in so many windows."""
    return bytes_ + messages * MESSAGE_BYTES + windows * WINDOW_BYTES


class Budget:
    """Counts what is admitted and not settled, per source topic; intake of a source waits while it has no room.

    Bytes are those of the process: of the events, of what holds each, and of the windows they wait in.

    A source with a share has so much kept free for it; the rest is for whoever comes first.

    Args:
        shares: source topic → fraction kept free for it. Topics that are not in it (retry topics) have none.
        lanes: whose windows take memory as well; without them none are counted.
        carried: bytes that each message may hold beside its event: headers that go with it.

    Attributes:
        messages, bytes: open now.
        blocked: somebody waits for room: some records cannot be admitted until something leaves.
    """

    def __init__(
        self,
        *,
        messages: int,
        bytes_: int,
        shares: Mapping[str, float] | None = None,
        lanes: LaneSet | None = None,
        carried: int = 0,
    ) -> None:
        self._carried = carried
        self._shares = {topic: share for topic, share in (shares or {}).items() if share > 0}
        self._max_messages = messages
        self._max_bytes = bytes_
        self._lanes = lanes
        self._messages: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._room = asyncio.Event()
        self._room.set()
        self._waiting = 0

    @property
    def blocked(self) -> bool:
        return self._waiting > 0

    @property
    def _windows(self) -> int:
        return 0 if self._lanes is None else self._lanes.windows

    @property
    def messages(self) -> int:
        return self._messages.total()

    @property
    def bytes(self) -> int:
        return weight(0, self._bytes.total(), self._windows)

    def full(self, topic: str) -> bool:
        """Whether nothing further of this topic may be admitted."""
        messages, bytes_ = self.free()
        return (messages <= 0 and not self._kept(topic, self._messages, self._max_messages)) or (
            bytes_ <= 0 and not self._kept(topic, self._bytes, self._max_bytes)
        )

    def _kept(self, topic: str, used: Counter[str], most: int) -> bool:
        """Whether something of what is kept free for this topic is left."""
        return used[topic] < self._shares.get(topic, 0.0) * most

    def free(self) -> tuple[int, int]:
        """Messages and bytes that are left for whoever comes first; below 0 where slices went beyond the bound."""
        bytes_ = self._free(self._bytes, self._max_bytes) - weight(0, 0, self._windows)
        return self._free(self._messages, self._max_messages), bytes_

    def _free(self, used: Counter[str], most: int) -> int:
        if not self._shares:
            return most - used.total()
        # What is kept free counts as used, whether it is or not.
        return int(most - sum(max(used[it], self._shares.get(it, 0.0) * most) for it in {*used, *self._shares}))

    def reserved(self, topic: str) -> bool:
        """Whether half of what is kept free for this topic is still free: one provider may use up the other half."""
        share = self._shares.get(topic, 0.0)
        return (
            self._messages[topic] < share * self._max_messages / 2 and self._bytes[topic] < share * self._max_bytes / 2
        )

    def charge(self, topic: str, messages: int, bytes_: int) -> None:
        """So many messages, whose events have so many bytes, are open from now on."""
        self._messages[topic] += messages
        self._bytes[topic] += weight(messages, bytes_ + messages * self._carried)

    def release(self, topic: str, messages: int, bytes_: int) -> None:
        """These are no longer."""
        self._messages[topic] -= messages
        self._bytes[topic] -= weight(messages, bytes_ + messages * self._carried)
        self.changed()

    def clear(self) -> None:
        """The epoch has ended: nothing of it is held any more."""
        self._messages.clear()
        self._bytes.clear()
        self.changed()

    def changed(self) -> None:
        """Something that `wait` may have waited for has moved (also the ledgers, or the epoch)."""
        self._room.set()

    async def wait(self, seconds: float) -> None:
        """Wait until something is released, at most so long; the caller looks again."""
        self._room.clear()
        timer = asyncio.get_running_loop().call_later(seconds, self._room.set)
        self._waiting += 1
        try:
            await self._room.wait()
        finally:
            self._waiting -= 1
            timer.cancel()
