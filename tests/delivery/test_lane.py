"""The lane as a whole, in virtual time, against a provider that does as it is told."""

import asyncio

import pytest

from connector.definition.tree import Batching, Limits
from connector.delivery.limits.lane_settings import LaneSettings
from connector.errors import WithheldError
from connector.model import Outcome

from .virtual import simulate
from .world import ACCEPT, FakeRenderer, World, names, operation


def test_every_message_ends_accepted_with_everything_known_about_it() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: {
            i: Outcome("accept", provider_message_id=f"p-{i}", provider_batch_id="b-1") for i in call.ids
        }
        world.offer(*names(3), body="x" * 161)
        await world.run(1)
        assert set(world.statuses.values()) == {"accepted"}
        result = world.results["m1"]
        assert (result.provider, result.campaign_id, result.to) == ("acme", "c1", "+919800000002")
        assert (result.provider_message_id, result.provider_batch_id) == ("p-m1", "b-1")
        assert (result.http_status, result.batch_size, result.attempts, result.segments) == (200, 3, 1, 2)
        assert result.batch_id == world.provider.calls[0].batch
        assert (result.source.topic, result.source.partition, result.source.offset) == ("sms.messages", 0, 2)
        assert world.lane.open_count == world.lane.open_bytes == 0

    simulate(scenario())


def test_one_call_with_results_per_reply() -> None:
    async def scenario() -> None:
        world = World()
        world.offer(*names(25))
        await world.run(2)
        assert sorted(map(len, world.finished)) == [5, 10, 10]

    simulate(scenario())


def test_an_idle_lane_does_not_wait_and_a_busy_one_collects() -> None:
    async def scenario() -> None:
        world = World()
        world.offer("first")
        running = asyncio.create_task(world.run(2))
        for message in names(5):
            await asyncio.sleep(0.01)
            world.offer(message)
        await running
        assert world.sent == [["first"], names(5)]
        assert world.provider.calls[0].at == 1000.0
        # while the first was under way the others waited for more; when it was back the lane was idle again
        assert world.provider.calls[1].at == pytest.approx(1000.2)

    simulate(scenario())


def test_an_expired_message_is_not_sent() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=1))
        world.offer("slow", campaign="c0")
        running = asyncio.create_task(world.run(5))
        await asyncio.sleep(0.05)
        world.offer("late", expires=0.1)
        world.offer("in time", expires=60.0)
        await running
        assert world.statuses == {"slow": "accepted", "late": "expired", "in time": "accepted"}
        assert ["late"] not in world.sent
        assert world.results["late"].attempts == 0

    simulate(scenario())


def test_a_message_that_cannot_be_rendered_is_invalid_and_alone() -> None:
    async def scenario() -> None:
        world = World()
        world.offer("good")
        world.offer("bad", body="bad")
        world.offer("also good")
        await world.run(5)
        assert world.statuses == {"good": "accepted", "bad": "invalid", "also good": "accepted"}
        assert world.results["bad"].reason == "body is bad"

    simulate(scenario())


def test_equal_recipients_go_into_different_requests() -> None:
    async def scenario() -> None:
        world = World()
        world.offer("m0", to="+919800000001")
        world.offer("m1", to="+919800000001")
        world.offer("m2", to="+919800000002")
        await world.run(5)
        assert world.sent == [["m0", "m2"], ["m1"]]

    simulate(scenario())


def test_a_window_below_the_minimum_goes_to_the_next_operation() -> None:
    async def scenario() -> None:
        bulk = operation("bulk", batching=Batching((("msgs",),), 2, 10))
        world = World(
            operations=[bulk, operation("single")],
            renderers=[FakeRenderer(max_records=10, min_records=2), FakeRenderer(max_records=1)],
        )
        world.offer("alone", campaign="c1")
        world.offer("m0", "m1", campaign="c2")
        await world.run(5)
        assert sorted(world.sent) == [["alone"], ["m0", "m1"]]
        assert set(world.statuses.values()) == {"accepted"}

    simulate(scenario())


def test_high_priority_goes_first() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=1))
        world.offer(*names(40))
        world.offer("otp", priority=True)
        await world.run(5)
        assert world.sent[0] == ["otp"]

    simulate(scenario())


def test_a_request_that_may_not_leave_keeps_its_messages() -> None:
    async def scenario() -> None:
        asked: list[int] = []

        async def await_permission(_operation: object, _batch: str, items: object) -> bool:
            asked.append(len(items))  # type: ignore[arg-type]
            return len(asked) > 1

        world = World(await_permission=await_permission)
        world.offer(*names(3))
        await world.run(5)
        assert asked == [3]  # not asked again and again: this worker no longer owns its partitions
        world.lane.reopen()
        await world.run(5)
        assert asked == [3, 3]
        assert world.results["m0"].attempts == 1

    simulate(scenario())


def test_a_request_that_was_withheld_at_the_last_moment_is_sent_later_and_counts_for_nothing() -> None:
    """Its connection stood, but to make it took longer than the worker could be sure of its partitions."""

    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda _: WithheldError() if len(world.provider.calls) == 1 else ACCEPT
        world.offer(*names(3))
        await world.run(5)
        assert world.provider.calls[0].ids == world.provider.calls[1].ids
        assert world.results["m0"].attempts == 1
        assert world.lane.status.breaker == "closed"

    simulate(scenario())


def test_dry_run_sends_nothing_and_says_so() -> None:
    async def scenario() -> None:
        from connector.delivery.http.dry_run import DryRunTransport

        world = World(settings=LaneSettings(dry_run=True))
        world.lane._transport = DryRunTransport()
        world.offer(*names(3))
        await world.run(5)
        assert world.statuses == dict.fromkeys(names(3), "accepted")
        assert all(result.dry_run and result.http_status is None for result in world.results.values())

    simulate(scenario())


def test_an_accepted_message_is_not_sent_again_when_its_result_could_not_be_taken() -> None:
    async def scenario() -> None:
        world = World()

        def refuse(items: object, results: object) -> None:
            raise RuntimeError("the writer is broken")

        world.host.finish = refuse
        world.offer("m0")
        with pytest.raises(RuntimeError, match="writer is broken"):
            await world.run(5)
        assert await world.lane.drain(world.clock.monotonic()) == []

    simulate(scenario())
