"""Wall clocks that are wrong, of one process."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.crash.seams import replace

HOUR = 3600.0

CLOCKS: dict[str, Callable[[], float]] = {
    "ahead": lambda: time.time() + HOUR,
    "jumps": lambda: time.time() + (HOUR if int(time.monotonic()) % 2 else -HOUR),
}


def set_clock(name: str) -> None:
    """Let whatever asks for the time of day hear another one."""
    from connector.clock import SystemClock

    replace(SystemClock, "wall", staticmethod(CLOCKS[name]))
