"""Time, injected: pure logic asks a `Clock`, tests drive one.

Two clocks because they answer different questions: `monotonic` measures waits and ages inside the process and never
jumps; `wall` is compared only with times that came from outside (`expires_at`, `max_age`, `hours`).
"""

from __future__ import annotations

import time
from typing import Protocol


def cpu_seconds() -> float:
    """CPU this thread has used: what work costs, whoever else runs on the host. Not for waiting."""
    return time.thread_time()


class Clock(Protocol):
    """What pure logic may know about time.

    Implemented by `SystemClock` (connector/clock.py), put in place in `connector/stream/process.py`.
    """

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch, UTC; may jump when the host's clock is set."""
        ...


class SystemClock:
    """The real clocks of this host."""

    monotonic = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


class ManualClock:
    """A clock that moves only when told to: for tests and simulations."""

    def __init__(self, *, monotonic: float = 1000.0, wall: float = 1_700_000_000.0) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self._monotonic += seconds
        self._wall += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or an operator does; the monotonic clock does not notice."""
        self._wall += seconds
