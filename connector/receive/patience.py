"""Waiting for many things equally long: one timer for all of them, as a timer each is a twentieth of a callback."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar

T = TypeVar("T")


class Patience:
    """Waits for futures, each `seconds` at most."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()  # who began first ends first
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, future: asyncio.Future[None]) -> None:
        """Until the future is done. It is this caller's alone.

        Raises:
            TimeoutError: it took too long; nobody else has to be told by the future any more.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._seconds
        self._waiting.append((until, future))
        if self._timer is None:
            self._timer = loop.call_at(until, self._look)
        await future

    def _look(self) -> None:
        """End the waits whose time is over; come again for the next one."""
        loop, self._timer = asyncio.get_running_loop(), None
        now = loop.time()
        while self._waiting:
            until, future = self._waiting[0]
            if not future.done():
                if until > now:
                    self._timer = loop.call_at(until, self._look)
                    return
                future.set_exception(TimeoutError())
            self._waiting.popleft()
