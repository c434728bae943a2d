"""Questions that do not depend on each other, asked at once: opening takes as long as the slowest, not their sum."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Return when all are done. Where one fails the others are given up, and nothing of them goes on.

    Raises:
        Exception: what the first of them raised, as it is.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
