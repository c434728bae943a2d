"""A lane that is emptied: at a rebalance, at a stop."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from connector.definition.tree import Limits
from connector.model import Outcome

from .virtual import simulate
from .world import World, names, operation


def test_drain_waits_for_requests_under_way_and_returns_the_rest_untouched() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=1))
        world.offer(*names(25))
        running = asyncio.create_task(world.lane.run())
        await asyncio.sleep(0.1)
        returned = await world.lane.drain(world.clock.monotonic() + 10)
        assert len(world.sent) == 1
        assert len(returned) == 15
        assert all(item.attempts == 0 and not item.uncertain for item in returned)
        assert len(world.results) == 10
        assert world.lane.open_count == world.lane.open_bytes == 0
        world.lane.close()
        await running

    simulate(scenario())


def test_drain_abandons_requests_at_its_deadline() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.latency = 60
        world.offer(*names(3))
        running = asyncio.create_task(world.lane.run())
        await asyncio.sleep(0.1)
        returned = await world.lane.drain(world.clock.monotonic() + 10)
        assert world.clock.monotonic() == pytest.approx(1010.1)
        assert [(item.attempts, item.uncertain) for item in returned] == [(1, True)] * 3
        assert world.results == {}
        world.lane.reopen()
        world.offer("next")
        world.provider.latency = 0.1
        await asyncio.sleep(1)
        assert world.statuses == {"next": "accepted"}
        world.lane.close()
        await running

    simulate(scenario())


def test_an_abandoned_request_under_report_is_unknown() -> None:
    async def scenario() -> None:
        world = World(operations=[operation(on_uncertain="report")])
        world.provider.latency = 60
        world.offer(*names(3))
        running = asyncio.create_task(world.lane.run())
        await asyncio.sleep(0.1)
        assert await world.lane.drain(world.clock.monotonic() + 1) == []
        assert world.statuses == dict.fromkeys(names(3), "unknown")
        world.lane.close()
        await running

    simulate(scenario())


def test_a_reply_that_comes_after_drain_gave_up_changes_nothing() -> None:
    """A transport that does not let itself be cancelled cannot finish what the next owner has already got."""

    async def scenario() -> None:
        world = World()

        class Stubborn:
            async def send(self, request: object, auth: object, _: object) -> object:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(1000)
                await asyncio.sleep(60)
                return SimpleNamespace(status=200, answer=Outcome("accept"))

        world.lane._transport = Stubborn()  # type: ignore[assignment]
        world.offer("m0")
        running = asyncio.create_task(world.lane.run())
        await asyncio.sleep(0.1)
        assert len(await world.lane.drain(world.clock.monotonic())) == 1
        await asyncio.sleep(100)
        assert (world.results, world.lane.open_count) == ({}, 0)
        world.lane.close()
        await running

    simulate(scenario())


def test_a_probe_given_up_at_a_drain_does_not_close_the_lane_for_ever() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: Outcome("pause") if len(world.sent) == 1 else Outcome("accept")
        world.offer(*names(3))
        running = asyncio.create_task(world.lane.run())
        await asyncio.sleep(1)
        world.provider.latency = 60
        await asyncio.sleep(10)
        assert world.lane.status.breaker == "probing"
        await world.lane.drain(world.clock.monotonic())
        world.lane.reopen()
        world.provider.latency = 0.1
        world.offer("next")
        await asyncio.sleep(10)
        assert world.statuses == {"next": "accepted"}
        world.lane.close()
        await running

    simulate(scenario())
