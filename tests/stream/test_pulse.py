"""Standing still and the watchdog, with a driven clock."""

from __future__ import annotations

import asyncio

from connector.clock import ManualClock
from connector.stream.deadline import Watchdog
from connector.stream.pulse import Pulse


def test_a_process_that_stood_still_is_in_doubt_until_the_group_confirms():
    """The check itself sees the gap: nothing has to run between waking up and the first send."""
    clock = ManualClock()
    pulse = Pulse(clock, limit=5)
    clock.advance(4.9)
    assert pulse.tick()
    clock.advance(5.1)
    assert not pulse.certain
    assert not pulse.tick()
    clock.advance(0.1)
    assert not pulse.certain  # ticking again is no confirmation
    pulse.confirm()
    assert pulse.certain


def test_a_jump_of_the_wall_clock_is_no_gap():
    """NTP sets clocks back and forth; membership does not depend on them."""
    clock = ManualClock()
    pulse = Pulse(clock, limit=5)
    clock.jump(3600)
    assert pulse.certain
    clock.jump(-7200)
    assert pulse.tick()


async def test_waiters_go_on_after_the_confirmation():
    """A send held back in doubt is released, not lost."""
    clock = ManualClock()
    pulse = Pulse(clock, limit=5)
    clock.advance(6)
    assert not pulse.certain
    waiter = asyncio.create_task(pulse.wait())
    await asyncio.sleep(0)
    assert not waiter.done()
    pulse.confirm()
    await waiter


def test_the_watchdog_knows_waiting_from_being_stuck():
    """No progress for too long is stuck, unless there is deliberately nothing to do."""
    clock, state = ManualClock(), {"progress": 0, "idle": False}
    watchdog = Watchdog(clock, seconds=60, progress=lambda: state["progress"], idle=lambda: state["idle"])
    assert watchdog.look()
    clock.advance(59)
    assert watchdog.look()
    state["progress"] = 1
    assert watchdog.look()
    clock.advance(59)
    assert watchdog.look()
    clock.advance(2)
    assert not watchdog.look()
    state["idle"] = True
    assert watchdog.look()
    clock.advance(1000)
    assert watchdog.look()
