"""After a slow reading the loop belongs to others for as long: replies of one provider are not read back to back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from connector.clock import ManualClock
from connector.delivery.sending.reading_turns import SLOW_SECONDS, ReadingTurns, SlowReadings


@contextmanager
def reading(clock: ManualClock, turns: ReadingTurns) -> Iterator[None]:
    begun = clock.monotonic()
    try:
        yield
    finally:
        turns.read(begun)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_quick_reading_makes_nobody_wait() -> None:
    clock = ManualClock()
    turns = ReadingTurns(clock)
    with reading(clock, turns):
        clock.advance(SLOW_SECONDS)
    assert turns.free(clock.monotonic())
    await turns.come()


async def test_after_a_slow_reading_as_much_time_passes_before_the_next_one() -> None:
    clock = ManualClock()
    turns = ReadingTurns(clock)
    with reading(clock, turns):
        clock.advance(0.02)
    assert not turns.free(clock.monotonic())
    waiting = asyncio.create_task(turns.come())
    await settled()
    assert not waiting.done()
    clock.advance(0.02)
    assert turns.free(clock.monotonic())
    await waiting


async def test_those_who_wait_come_one_by_one() -> None:
    clock = ManualClock()
    turns = ReadingTurns(clock)
    read: list[float] = []

    async def reader() -> None:
        await turns.come()
        with reading(clock, turns):
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
    turns = ReadingTurns(clock)
    with reading(clock, turns):
        clock.advance(60)
    waiting = asyncio.create_task(turns.come())
    await settled()
    turns.hurry()
    await waiting
    await turns.come()


async def test_a_reading_that_failed_counts_as_well() -> None:
    clock = ManualClock()
    turns = ReadingTurns(clock)
    try:
        with reading(clock, turns):
            clock.advance(0.02)
            raise ValueError
    except ValueError:
        pass
    waiting = asyncio.create_task(turns.come())
    await settled()
    assert not waiting.done()
    turns.hurry()
    await waiting


async def test_however_many_providers_are_slow_to_read_half_of_the_time_is_left_to_the_others() -> None:
    """Twenty of them, each with a reply that takes a quarter of a second, again and again."""
    clock, shared = ManualClock(), SlowReadings()
    lanes = [ReadingTurns(clock, shared) for _ in range(20)]
    begun, read, busy = clock.monotonic(), [0] * 20, 0.0

    async def hostile(number: int) -> None:
        nonlocal busy
        while clock.monotonic() < begun + 60:
            await lanes[number].come()
            with reading(clock, lanes[number]):
                read[number] += 1
                busy += 0.25
                clock.advance(0.25)

    async def others() -> None:
        while clock.monotonic() < begun + 60:
            clock.advance(0.01)
            await asyncio.sleep(0)

    async with asyncio.timeout(30):
        running = [asyncio.create_task(hostile(number)) for number in range(20)]
        await others()
        for lane in lanes:
            lane.hurry()
        await asyncio.gather(*running)
    first = 20 * 0.25  # until each is known as slow
    assert busy <= first + 60 / 2 + 20 * 0.25


async def test_a_provider_that_is_quick_to_read_waits_for_no_slow_one() -> None:
    clock, shared = ManualClock(), SlowReadings()
    slow, quick = ReadingTurns(clock, shared), ReadingTurns(clock, shared)
    with reading(clock, slow):
        clock.advance(10)
    await quick.come()
    with reading(clock, quick):
        clock.advance(0.001)
    await quick.come()


async def test_a_provider_that_was_slow_once_waits_no_longer_than_until_it_is_quick_again() -> None:
    clock, shared = ManualClock(), SlowReadings()
    once, slow = ReadingTurns(clock, shared), ReadingTurns(clock, shared)
    with reading(clock, once):
        clock.advance(0.02)
    clock.advance(0.02)
    await once.come()
    with reading(clock, once):
        clock.advance(0.001)
    with reading(clock, slow):
        clock.advance(10)
    await once.come()
