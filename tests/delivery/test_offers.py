"""What an offer does by itself while more is to come: with a hundred lanes, waking each for nothing is what costs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from .virtual import simulate
from .world import USUAL, World, names


async def napping(seconds: float, **changes: Any) -> tuple[World, asyncio.Task[None]]:
    """A lane that has had nothing to do for 0.3 s, while its partitions hold more."""
    world = World(caught_up=False, **changes)
    world.more_comes = True
    running = asyncio.create_task(world.run(seconds))
    await asyncio.sleep(0.3)
    return world, running


def test_what_may_leave_whatever_else_comes_leaves_at_once() -> None:
    """A full window and an urgent message. What is in neither waits until nothing more comes."""

    async def scenario() -> None:
        world, running = await napping(3)
        world.offer(*names(4, "a"))
        await asyncio.sleep(0.1)
        assert world.sent == []
        world.offer(*names(6, "b"))
        await asyncio.sleep(0.01)
        assert world.sent == [[*names(4, "a"), *names(6, "b")]]
        world.offer(*names(2, "c"))
        world.offer("urgent", priority=True)
        await asyncio.sleep(0.01)
        assert world.sent[1:] == [["urgent"]]
        world.host.caught_up = True
        world.lane.wake()
        await running
        assert world.sent[2:] == [names(2, "c")]

    simulate(scenario())


def test_a_lone_message_of_an_idle_lane_leaves_at_once() -> None:
    async def scenario() -> None:
        world, running = await napping(1)
        world.offer("lone")
        await running
        assert [call.at for call in world.provider.calls] == [pytest.approx(1000.3)]

    simulate(scenario())


def test_the_first_window_of_an_empty_lane_leaves_in_time() -> None:
    """`wait_max` may be shorter than a lane's nap."""

    async def scenario() -> None:
        world, running = await napping(1, settings=replace(USUAL, wait_max=0.2))
        world.offer(*names(2))
        await running
        assert [call.at for call in world.provider.calls] == [pytest.approx(1000.5)]

    simulate(scenario())
