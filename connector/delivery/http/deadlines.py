"""Time limits of all requests under way, with one timer: one for each of them costs more than writing it."""

from __future__ import annotations

import asyncio

from connector.delivery.http.connections import ReplyProtocol


class Deadlines:
    """Ends exchanges that take too long. There are as many at a time as there are connections.

    Args:
        loop: its event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._until: dict[ReplyProtocol, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: ReplyProtocol, when: float) -> None:
        """From `when` on, by the loop's clock, whoever waits for this connection gets a TimeoutError."""
        self._until[connection] = when
        if self._timer is None:
            self._timer = self._loop.call_at(when, self._look)
        elif when < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(when, self._look)

    def remove(self, connection: ReplyProtocol) -> None:
        """It is no longer waited for."""
        del self._until[connection]

    def close(self) -> None:
        """Look at nothing any more. What is under way ends with its connection."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for connection in [connection for connection, when in self._until.items() if when <= now]:
            connection.set_exception(TimeoutError())
        left = [when for when in self._until.values() if when > now]
        if left:
            self._timer = self._loop.call_at(min(left), self._look)
