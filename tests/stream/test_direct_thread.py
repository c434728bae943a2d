"""The consumer's thread: calls to it, and what wakes it while nothing is called."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connector.stream.faust.direct_thread import DirectThread


class Thread(DirectThread):
    """Does nothing by itself."""


@asynccontextmanager
async def started() -> AsyncIterator[Thread]:
    thread = Thread()
    await thread.start()
    try:
        yield thread
    finally:
        await thread.stop()


async def test_a_call_is_answered_from_the_thread() -> None:
    async def where() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    async with started() as thread:
        assert await thread.call_thread(where) != threading.current_thread().name
        assert await thread.call_thread(lambda: "not a coroutine") == "not a coroutine"


async def test_what_a_call_raises_is_raised_to_the_caller() -> None:
    async def fails(what: str) -> None:
        raise OSError(what)

    async with started() as thread:
        with pytest.raises(OSError, match="no broker"):
            await thread.call_thread(fails, "no broker")


async def test_calls_wait_for_none_of_the_others() -> None:
    """mode has two workers: a third call waited while two fetched or committed."""
    async with started() as thread:
        held: asyncio.Event = await thread.call_thread(asyncio.Event)
        waiting = [asyncio.ensure_future(thread.call_thread(held.wait)) for _ in range(5)]

        async def release() -> str:
            held.set()
            return "released"

        assert await asyncio.wait_for(thread.call_thread(release), 10) == "released"
        assert await asyncio.gather(*waiting) == [True] * 5


async def test_who_no_longer_waits_does_not_stop_what_was_called() -> None:
    """A commit that is under way is under way."""
    async with started() as thread:
        begun, done = threading.Event(), threading.Event()
        held: asyncio.Event = await thread.call_thread(asyncio.Event)

        async def commit() -> None:
            begun.set()
            await held.wait()
            done.set()

        calling = asyncio.create_task(thread.call_thread(commit))
        assert await asyncio.to_thread(begun.wait, 10)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await thread.call_thread(held.set)
        assert await asyncio.to_thread(done.wait, 10)


async def test_whoever_waits_when_the_thread_ends_is_let_go() -> None:
    async with started() as thread:
        waiting = asyncio.ensure_future(thread.call_thread(asyncio.Event().wait))
        await thread.call_thread(lambda: None)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(waiting, 10)


async def test_no_timer_ticks_while_nothing_is_called() -> None:
    """mode wakes both loops four times a second."""
    loop = asyncio.get_running_loop()
    before = {handle for handle in loop._scheduled if not handle.cancelled()}
    async with started() as thread:
        await thread.call_thread(lambda: None)

        async def timers() -> int:
            return sum(not handle.cancelled() for handle in asyncio.get_running_loop()._scheduled)

        assert await thread.call_thread(timers) == 0
        assert {handle for handle in loop._scheduled if not handle.cancelled()} <= before
