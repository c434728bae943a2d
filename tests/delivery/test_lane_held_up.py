"""A lane that is held up: by its provider, its limits, its hours, or an operator."""

import asyncio

import pytest

from connector.definition.tree import Batching, Hours, Limits, Rate
from connector.errors import Phase, RequestError
from connector.model import Outcome

from .virtual import simulate
from .world import FakeRenderer, World, names, operation


def test_a_token_endpoint_that_is_down_pauses_the_lane_at_once() -> None:
    async def scenario() -> None:
        world = World()
        down = RequestError(Phase.AUTH, "token endpoint answered 503 without a token", uncertain=False)
        world.provider.answer = lambda call: down if world.clock.monotonic() < 1020 else Outcome("accept")
        world.offer(*names(30))
        await world.run(1)
        assert len(world.sent) <= 4  # those that were under way together
        assert world.lane.status.breaker == "open"
        assert "token endpoint" in world.lane.status.reason
        await world.run(200)
        assert world.statuses == dict.fromkeys(names(30), "accepted")
        assert {result.attempts for result in world.results.values()} == {1}

    simulate(scenario())


def test_a_probe_is_as_small_as_the_operation_allows() -> None:
    async def scenario() -> None:
        bulk = operation("bulk", batching=Batching((("msgs",),), 2, 10))
        world = World(operations=[bulk], renderers=[FakeRenderer(10, 2)], limits=Limits(concurrency=1))
        world.provider.answer = lambda call: Outcome("pause") if len(world.sent) == 1 else Outcome("accept")
        world.offer(*names(30))
        await world.run(30)
        assert [len(ids) for ids in world.sent][:3] == [10, 2, 10]

    simulate(scenario())


def test_messages_that_are_refused_one_by_one_do_not_stop_the_others() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: {
            i: Outcome("retry" if i.startswith("poor") else "accept", code="busy", rule="entry") for i in call.ids
        }
        world.offer(*[f"poor{n}" for n in range(60)])
        await world.run(20)
        assert world.lane.status.breaker == "closed"
        world.offer("good")
        await world.run(2)
        assert world.statuses["good"] == "accepted"

    simulate(scenario())


def test_replies_nobody_understands_open_the_breaker() -> None:
    """A maintenance page with status 200 must not turn a whole campaign `unknown`."""

    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=1)])
        world.provider.answer = lambda call: Outcome("unknown", rule="built-in")
        world.offer(*names(100))
        await world.run(5)
        assert 5 <= len(world.results) <= 10
        assert world.lane.status.breaker == "open"

    simulate(scenario())


def test_one_success_among_the_entries_shows_that_the_provider_works() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: {i: Outcome("unknown") for i in call.ids[6:]}
        world.offer(*names(100))
        await world.run(10)
        assert len(world.results) == 100
        assert world.lane.status.breaker == "closed"

    simulate(scenario())


def test_throttling_halves_the_slots_and_the_rate_recovers() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=8), renderers=[FakeRenderer(max_records=1)])
        world.provider.answer = lambda call: (
            Outcome("throttle", after=1.0) if world.provider.under_way > 2 else Outcome("accept")
        )
        world.offer(*names(60))
        await world.run(1)
        assert world.lane.status.slots < 4
        await world.run(60)
        assert len(world.results) == 60

    simulate(scenario())


def test_limits_hold_over_requests_and_records() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(requests=(Rate(5, 1.0),), records=(Rate(30, 1.0),), concurrency=8))
        world.provider.latency = 0.01
        world.offer(*names(200))
        await world.run(20)
        assert len(world.results) == 200
        for call in world.provider.calls:
            window = [other for other in world.provider.calls if call.at <= other.at < call.at + 1.0]
            assert len(window) <= 5
            assert sum(len(other.ids) for other in window) <= 30

    simulate(scenario())


def test_a_worker_takes_its_share_of_slots_and_limits() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=8), renderers=[FakeRenderer(max_records=1)])
        world.lane.share(0.25)
        world.offer(*names(40))
        await world.run(10)
        assert world.provider.most_under_way == 2

    simulate(scenario())


def test_messages_that_expire_while_nothing_can_leave_end_in_time() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: Outcome("pause", after=600.0)
        world.offer(*names(3), expires=20.0)
        world.offer("stays", expires=3600.0)
        await world.run(40)
        assert world.statuses == dict.fromkeys(names(3), "expired")
        assert world.lane.open_count == 1

    simulate(scenario())


def test_a_paused_provider_sends_nothing() -> None:
    async def scenario() -> None:
        world = World()
        world.lane.pause(paused=True)
        world.offer("m0")
        await world.run(30)
        assert world.sent == []
        world.lane.pause(paused=False)
        await world.run(1)
        assert world.statuses == {"m0": "accepted"}

    simulate(scenario())


def test_a_campaign_on_hold_waits_and_others_do_not() -> None:
    async def scenario() -> None:
        world = World()
        world.offer(*names(25), campaign="held")
        world.lane.hold("held")
        world.offer("urgent", campaign="held", priority=True)
        world.offer("other", campaign="free")
        await world.run(30)
        assert world.statuses == {"other": "accepted"}
        world.lane.release("held")
        await world.run(5)
        assert set(world.statuses) == {*names(25), "urgent", "other"}

    simulate(scenario())


def test_a_cancelled_campaign_ends_but_for_what_is_under_way() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=1))
        world.provider.answer = lambda call: {"m1": Outcome("retry")}
        world.offer(*names(25), campaign="c1")
        running = asyncio.create_task(world.run(30))
        await asyncio.sleep(0.1)
        world.lane.cancel("c1")
        await asyncio.sleep(1)
        world.offer("late", campaign="c1")
        world.offer("other", campaign="c2")
        await running
        assert [call for call in world.sent if "other" not in call] == [names(10)]
        assert sorted(i for i, status in world.statuses.items() if status == "cancelled") == sorted(
            ["late", "m1", *names(25)[10:]]
        )
        assert world.statuses["m0"] == world.statuses["other"] == "accepted"
        world.lane.release("c1")
        world.offer("again", campaign="c1")
        await world.run(5)
        assert world.statuses["again"] == "accepted"

    simulate(scenario())


def test_outside_its_hours_a_provider_is_left_alone() -> None:
    async def scenario() -> None:
        # the virtual clock starts on 2023-11-14 at 22:13:20 UTC
        world = World(hours=Hours(start=22 * 60 + 30, end=23 * 60, zone="UTC"))
        world.offer("m0")
        await world.run(900)
        assert world.sent == []
        assert world.lane.status.opens_in == pytest.approx(100, abs=1)
        await world.run(101)
        assert world.statuses == {"m0": "accepted"}

    simulate(scenario())


def test_definitions_of_one_account_share_limits_and_breaker() -> None:
    async def scenario() -> None:
        first = World(renderers=[FakeRenderer(max_records=1)])
        second = World(renderers=[FakeRenderer(max_records=1)], account=first.lane._flow_control.account)
        first.provider.answer = lambda call: Outcome("pause", after=10.0)
        first.offer("m0")
        await first.run(1)
        second.offer("m1")
        await second.run(1)
        assert second.sent == []
        await second.run(20)
        assert second.statuses == {"m1": "accepted"}

    simulate(scenario())


def test_messages_expire_one_after_the_other() -> None:
    async def scenario() -> None:
        world = World()
        world.lane.pause(paused=True)
        for number, message in enumerate(names(10)):
            world.offer(message, expires=10.0 + 10 * number)
        running = asyncio.create_task(world.lane.run())
        for number in range(10):
            await asyncio.sleep(10)
            assert len(world.results) in {number, number + 1}
        await asyncio.sleep(6)
        assert set(world.statuses.values()) == {"expired"}
        assert len(world.results) == 10
        world.lane.close()
        await running

    simulate(scenario())
