"""An event loop whose time passes only while everything waits: minutes of retries run in milliseconds, always alike."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Given = TypeVar("Given")


class NothingLeftError(RuntimeError):
    """Everything waits, and nothing is left to happen."""


class _Selector(selectors.DefaultSelector):
    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0)
        if not events and timeout is None:
            raise NothingLeftError
        if not events and timeout:
            self.loop.now += max(timeout, 1e-6)  # beyond the clock's resolution, or rounding could stop time
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nothing outside of the process is waited for.

    Attributes:
        now: seconds since its start.
    """

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """As asyncio asks for it."""
        return self.now


class LoopClock:
    """The running loop's time as a Clock.

    Args:
        wall: seconds since the epoch at its start.
    """

    def __init__(self, wall: float) -> None:
        self._wall = wall

    def monotonic(self) -> float:
        """Never goes back."""
        return 1000.0 + asyncio.get_running_loop().time()

    def wall(self) -> float:
        """Goes along with it."""
        return self._wall + asyncio.get_running_loop().time()


def run_virtually(coroutine: Coroutine[Any, Any, Given]) -> Given:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(coroutine)
