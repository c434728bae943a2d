"""The lease and the watchdog, with a driven clock."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from connector.clock import ManualClock
from connector.stream.membership.lease import Lease
from connector.stream.shutdown.deadline import Watchdog


def test_nothing_is_certain_before_the_group_has_said_so():
    assert not Lease(ManualClock(), seconds=5).certain


def test_what_a_broker_accepted_counts_from_the_moment_it_was_sent():
    """The answer may have lain in a buffer for as long as this process stood still."""
    clock = ManualClock()
    lease = Lease(clock, seconds=5)
    sent = clock.monotonic()
    clock.advance(4)
    lease.prove(sent)
    assert lease.certain
    clock.advance(1)
    assert lease.certain
    clock.advance(0.1)
    assert not lease.certain


def test_an_older_proof_does_not_shorten_a_newer_one():
    clock = ManualClock()
    lease = Lease(clock, seconds=5)
    lease.prove(clock.monotonic())
    lease.prove(clock.monotonic() - 60)
    assert lease.certain


def test_who_stood_still_is_in_doubt_before_anything_of_his_has_run():
    """The check itself sees the gap: nothing has to run between waking up and the first send."""
    clock = ManualClock()
    lease = Lease(clock, seconds=5)
    lease.prove(clock.monotonic())
    assert lease.tick()
    clock.advance(5.1)
    assert not lease.certain
    assert not lease.tick()  # ticking is no proof
    lease.prove(clock.monotonic())
    assert lease.tick()


def test_a_member_the_group_does_not_know_any_more_may_do_nothing_at_once():
    clock = ManualClock()
    lease = Lease(clock, seconds=5)
    lease.prove(clock.monotonic())
    lease.lose()
    assert not lease.certain


def test_a_jump_of_the_wall_clock_is_no_gap_and_no_proof():
    """NTP sets clocks back and forth; membership does not depend on them."""
    clock = ManualClock()
    lease = Lease(clock, seconds=5)
    lease.prove(clock.monotonic())
    clock.jump(3600)
    assert lease.certain
    clock.advance(5.1)
    clock.jump(-7200)
    assert not lease.certain


async def test_who_waits_goes_on_after_the_next_proof_or_when_there_is_nothing_left_to_wait_for():
    """A send held back in doubt is released, not lost."""
    clock = ManualClock()
    lease = Lease(clock, seconds=5)
    for end in (lambda: (lease.prove(clock.monotonic()), lease.tick()), lease.wake):
        clock.advance(6)
        waiter = asyncio.create_task(lease.changed())
        await asyncio.sleep(0)
        lease.tick()
        await asyncio.sleep(0)
        assert not waiter.done()
        end()
        await waiter


def test_the_watchdog_knows_waiting_from_being_stuck():
    """No progress for too long is stuck, unless there is deliberately nothing to do."""
    clock, worker = ManualClock(), SimpleNamespace(progress=0, idle=False)
    watchdog = Watchdog(clock, worker, seconds=60)
    assert watchdog.look()
    clock.advance(59)
    assert watchdog.look()
    worker.progress = 1
    assert watchdog.look()
    clock.advance(59)
    assert watchdog.look()
    clock.advance(2)
    assert not watchdog.look()
    worker.idle = True
    assert watchdog.look()
    clock.advance(1000)
    assert watchdog.look()
