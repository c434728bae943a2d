"""After a slow reading the loop belongs to others for as long: replies of one provider are not read back to back."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from connector.clock import ManualClock
from connector.delivery.turns import SLOW_SECONDS, Turns


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_quick_reading_makes_nobody_wait() -> None:
    clock = ManualClock()
    turns = Turns(clock)
    with turns.reading():
        clock.advance(SLOW_SECONDS)
    await turns.come()


async def test_after_a_slow_reading_as_much_time_passes_before_the_next_one() -> None:
    clock = ManualClock()
    turns = Turns(clock)
    with turns.reading():
        clock.advance(0.02)
    waiting = asyncio.create_task(turns.come())
    await settled()
    assert not waiting.done()
    clock.advance(0.02)
    await waiting


async def test_those_who_wait_come_one_by_one() -> None:
    clock = ManualClock()
    turns = Turns(clock)
    read: list[float] = []

    async def reader() -> None:
        await turns.come()
        with turns.reading():
            read.append(clock.monotonic())
            clock.advance(0.02)

    async def others() -> None:
        """What the rest of the process does in between: time passes."""
        while len(read) < 3:
            clock.advance(0.005)
            await asyncio.sleep(0.001)

    begun = clock.monotonic()
    await asyncio.gather(reader(), reader(), reader(), others())
    assert [later - earlier >= 0.04 for earlier, later in pairwise(read)] == [True, True]
    assert read[0] == begun


async def test_a_lane_that_closes_waits_no_more() -> None:
    clock = ManualClock()
    turns = Turns(clock)
    with turns.reading():
        clock.advance(60)
    waiting = asyncio.create_task(turns.come())
    await settled()
    turns.hurry()
    await waiting
    await turns.come()


async def test_a_reading_that_failed_counts_as_well() -> None:
    clock = ManualClock()
    turns = Turns(clock)
    try:
        with turns.reading():
            clock.advance(0.02)
            raise ValueError
    except ValueError:
        pass
    waiting = asyncio.create_task(turns.come())
    await settled()
    assert not waiting.done()
    turns.hurry()
    await waiting
