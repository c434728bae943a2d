"""Waiting for a condition that another process makes true: polled, with a deadline, and a text for when it passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], T], what: str, *, within: float = 30.0, every: float = POLL_SECONDS) -> T:
    """Return the first true value of `condition`; fail naming `what` when `within` seconds have passed.

    A condition that is dear to ask for is asked for less often, `every` so many seconds.
    """
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within:g} s for {what}; last value: {value!r}")
        time.sleep(every)
    return value


async def eventually(condition: Callable[[], T], what: str, *, within: float = 30.0) -> T:
    """Like `wait_until`, while the event loop goes on."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within:g} s for {what}; last value: {value!r}")
        await asyncio.sleep(POLL_SECONDS)
    return value
