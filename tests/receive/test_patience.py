"""Many waits, equally long, with one timer."""

from __future__ import annotations

import asyncio

import pytest

from connector.receive.patience import Patience


async def test_each_ends_when_its_future_does_or_its_time_is_over() -> None:
    loop, patience = asyncio.get_running_loop(), Patience(0.05)
    futures = [loop.create_future() for _ in range(4)]
    waiting = [asyncio.ensure_future(patience.wait(future)) for future in futures]
    await asyncio.sleep(0)
    futures[1].set_result(None)
    futures[2].cancel()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(it) for it in ended] == [TimeoutError, type(None), asyncio.CancelledError, TimeoutError]
    late = loop.create_future()
    with pytest.raises(TimeoutError):
        await patience.wait(late)
    assert not patience._waiting
    assert patience._timer is None


async def test_a_future_that_is_done_is_not_waited_for() -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    await Patience(60).wait(future)
