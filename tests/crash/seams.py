"""Where faults are put in: around the members that parts of the product call each other by."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

Reached = Callable[[], None]


def mark(file: Path | None, **fields: Any) -> None:
    """Append a line; written at once, because the process may end in the next instruction."""
    if file is not None:
        line = orjson.dumps({**fields, "pid": os.getpid(), "time": time.time()}, option=orjson.OPT_APPEND_NEWLINE)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, line)
        os.close(descriptor)


class Fuse:
    """Ends the process when it is reached for the `count`-th time."""

    def __init__(self, point: str, count: int, marks: Path | None) -> None:
        self._point = point
        self._left = count
        self._marks = marks

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            mark(self._marks, point=self._point)
            os.kill(os.getpid(), signal.SIGKILL)


def replace(owner: Any, name: str, value: Any) -> None:
    """Put `value` in place of a member that must be there: a seam that has moved is an error, not a fault less."""
    assert hasattr(owner, name), f"{owner.__name__} has no {name} any more: correct tests/crash"
    setattr(owner, name, value)


def around(
    owner: type,
    name: str,
    *,
    before: Callable[..., None] = lambda *_, **__: None,
    after: Callable[..., None] = lambda *_, **__: None,
) -> None:
    """Call `before` and `after` around an async method, with its arguments."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(original)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        before(*args, **kwargs)
        result = await original(*args, **kwargs)
        after(*args, **kwargs)
        return result

    replace(owner, name, wrapped)
