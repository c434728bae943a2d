"""How often a lane looks around: seldom while it has nothing, as often as before while messages wait."""

from __future__ import annotations

import asyncio

import pytest

from connector.delivery.sending.departures import IDLE_SECONDS

from .virtual import simulate
from .world import World


def counted(world: World) -> list[float]:
    """When the lane looks, from now on."""
    looks: list[float] = []
    turn = world.lane._departures.turn

    def counting() -> float:
        looks.append(world.clock.monotonic())
        return turn()

    world.lane._departures.turn = counting  # type: ignore[method-assign]
    return looks


def test_a_lane_without_messages_sleeps() -> None:
    """A hundred providers are a hundred lanes."""

    async def scenario() -> None:
        world = World()
        looks = counted(world)
        await world.run(20 * IDLE_SECONDS)
        assert len(looks) <= 21

    simulate(scenario())


@pytest.mark.parametrize("at", [0.5, IDLE_SECONDS - 1])
def test_what_comes_to_a_lane_that_sleeps_leaves_at_once(at: float) -> None:
    async def scenario() -> None:
        world = World()
        begin = world.clock.monotonic()
        running = asyncio.create_task(world.run(2 * IDLE_SECONDS))
        await asyncio.sleep(at)
        world.offer("first")
        await running
        assert [call.at for call in world.provider.calls] == pytest.approx([begin + at])

    simulate(scenario())


def test_a_lane_whose_messages_wait_looks_each_second() -> None:
    """For what does not wake it: that partitions are caught up, hours, a breaker that others share."""

    async def scenario() -> None:
        world = World(caught_up=False)
        world.offer("first", "second")
        world.lane.pause(paused=True)
        looks = counted(world)
        await world.run(20)
        assert 19 <= len(looks) <= 22

    simulate(scenario())
