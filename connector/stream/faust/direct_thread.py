"""mode's thread of a service, which calls functions there at once and does not tick.

mode keeps calls in a queue, for two workers, of which each waits by four tasks: a call took some twenty turns of two
loops, and the third one at a time waited for the others. Where nothing is called, two timers of mode wake both loops
four times a second, "to make sure our loop is being scheduled": `call_soon_threadsafe` sees to that by itself.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

from mode import Service
from mode.threads import QueueServiceThread
from mode.utils.futures import maybe_async

from connector.stream.faust.quiet_thread import QuietThread


class DirectThread(QuietThread, QueueServiceThread):
    """Runs each call as a task of its loop. Who is cancelled while it waits for the answer does not stop the call."""

    abstract = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._calls: set[asyncio.Task[None]] = set()

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What `fun` answers, or raises, on the thread's loop."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.thread_loop.call_soon_threadsafe(self._begin, answer, functools.partial(fun, *args, **kwargs))
        return await answer

    def _begin(self, answer: asyncio.Future[Any], call: Callable[[], Any]) -> None:
        task = self.thread_loop.create_task(_run(answer, call))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    @Service.task
    async def _thread_keepalive(self) -> None:
        """mode's, without a tick."""

    async def _keepalive2(self) -> None:
        """mode's, without a tick."""


async def _run(answer: asyncio.Future[Any], call: Callable[[], Any]) -> None:
    result, error = None, None
    try:
        result = await maybe_async(call())
    except BaseException as raised:  # a call that is cancelled as the thread ends has to be answered, too
        error = raised
    loop = answer.get_loop()
    if not loop.is_closed():  # else the worker has ended, and nobody waits
        loop.call_soon_threadsafe(_settle, answer, result, error)


def _settle(answer: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if answer.done():
        return
    if isinstance(error, asyncio.CancelledError):
        answer.cancel()
    elif error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)
