"""Where faults are put in: around the members that parts of the product call each other by."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

Reached = Callable[[], None]

_FIRST: dict[tuple[Any, str], Any] = {}
"""Members as they were before anything was put in their place."""


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
    """Put `value` in place of a member that must be there: a seam that has moved is an error, not a fault less.

    It must be called as the member is. Else the error of a call would be noticed, and not what is broken on purpose.
    """
    place = f"{owner.__name__}.{name}"
    assert hasattr(owner, name), f"{owner.__name__} has no {name} any more: correct tests/crash"
    original = _FIRST.setdefault((owner, name), inspect.getattr_static(owner, name))
    if isinstance(original, staticmethod):
        original, given = original.__func__, value.__func__
    else:
        given = value
    assert _kind(given) == _kind(original), f"{place} is {_kind(original)}, not {_kind(given)}: correct tests/crash"
    if inspect.isroutine(original):
        for positional, named in _calls(original):
            try:
                inspect.signature(given).bind(*positional, **named)
            except TypeError as error:
                raise AssertionError(f"{place} is called in another way ({error}): correct tests/crash") from error
    setattr(owner, name, value)


def _kind(member: Any) -> str:
    if inspect.isroutine(member):
        if inspect.isasyncgenfunction(member):
            return "an asynchronous generator"
        if inspect.isgeneratorfunction(member):
            return "a generator"
        return "an async function" if inspect.iscoroutinefunction(member) else "a function"
    return f"a {type(member).__name__}"


def _calls(function: Callable[..., Any]) -> Iterator[tuple[list[str], dict[str, str]]]:
    """How it may be called: with all its parameters, with those it needs, with those that may be named by name."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # `time.time` does not tell how it is called
        return
    named = {it.name: it for it in parameters if it.kind is it.KEYWORD_ONLY}
    placed = [it for it in parameters if it.kind in {it.POSITIONAL_ONLY, it.POSITIONAL_OR_KEYWORD}]
    yield [it.name for it in placed], dict.fromkeys(named, "")
    yield (
        [it.name for it in placed if it.default is it.empty],
        {name: "" for name, it in named.items() if it.default is it.empty},
    )
    optional = [it for it in placed if it.default is not it.empty and it.kind is it.POSITIONAL_OR_KEYWORD]
    yield [it.name for it in placed if it not in optional], {it.name: "" for it in optional} | dict.fromkeys(named, "")


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
