"""Messages that leave a lane before they were sent: filed anew, or waiting elsewhere."""

from __future__ import annotations

import math

from connector.delivery.limits.lane_settings import LaneSettings
from connector.errors import Phase, RequestError
from connector.model import Outcome

from .virtual import simulate
from .world import World, names, operation


def ids(world: World, items) -> list[str]:
    by_item = {id(item): name for name, item in world.items.items()}
    return sorted(by_item[id(item)] for item in items)


def test_what_is_evicted_is_forgotten_and_the_rest_is_sent() -> None:
    async def scenario() -> None:
        world = World()
        world.offer(*names(5, "a"), campaign="a")
        world.offer(*names(3, "b"), campaign="b")
        gone = world.lane.evict(lambda key, _item: key.campaign == "a")
        assert ids(world, gone) == names(5, "a")
        assert world.lane.open_count == 3
        assert world.lane.open_bytes == sum(len(world.items[name].raw) for name in names(3, "b"))
        await world.run(10)
        assert set(world.statuses) == set(names(3, "b"))
        for item in gone:
            world.offer_again(item)
        await world.run(10)
        assert set(world.statuses.values()) == {"accepted"}
        assert len(world.statuses) == 8

    simulate(scenario())


def test_only_those_that_wait_for_their_time() -> None:
    async def scenario() -> None:
        world = World(settings=LaneSettings(park_after=1000))
        world.provider.answer = lambda call: Outcome("retry", after=50.0)
        world.offer(*names(2))
        await world.run(5)
        world.offer("later", campaign="other")
        delayed = world.lane.evict(lambda _key, _item: True, only_delayed=True)
        assert ids(world, delayed) == names(2)
        assert world.lane.open_count == 1

    simulate(scenario())


def test_a_request_that_is_to_be_repeated_as_it_was_stays_whole_unless_asked_for() -> None:
    async def scenario() -> None:
        world = World(operations=[operation(idempotent=3600.0)], settings=LaneSettings(park_after=1000))
        world.provider.answer = lambda call: RequestError(Phase.READ, "closed", uncertain=True)
        world.offer("m0")
        await world.run(0.5)
        assert world.lane.evict(lambda _key, _item: True) == []
        assert ids(world, world.lane.evict(lambda _key, _item: True, sealed=True)) == ["m0"]
        assert world.items["m0"].uncertain

    simulate(scenario())


def test_a_lane_at_rest_ends_its_requests_and_begins_no_other() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.latency = 1.0
        world.offer(*names(10))
        await world.run(0.5)
        world.lane.rest()
        world.offer("later", campaign="c2")
        await world.run(30)
        assert set(world.statuses) == set(names(10))
        world.lane.reopen()
        await world.run(5)
        assert "later" in world.statuses

    simulate(scenario())


def test_the_expected_wait_is_that_of_so_many_messages_and_infinite_while_paused() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.latency = 1.0
        world.offer(*names(200))
        await world.run(3)
        few, many = world.lane.expected_wait(10), world.lane.expected_wait(100)
        assert 0 < few < many < math.inf
        assert world.lane.expected_wait() == world.lane.expected_wait(world.lane.open_count)
        world.lane.pause(paused=True)
        assert world.lane.expected_wait(1) == math.inf

    simulate(scenario())
