"""What a lane sends again, when, and how often, in virtual time."""

import asyncio

import pytest

from connector.definition.tree import Limits, Retry
from connector.errors import Phase, RequestError
from connector.model import Outcome

from .virtual import simulate
from .world import FakeRenderer, World, names, operation


def test_only_refused_messages_are_sent_again_after_a_delay() -> None:
    async def scenario() -> None:
        world = World(retry=Retry(attempts=3, base=2.0))
        world.provider.answer = lambda call: {"m1": Outcome("retry")} if len(world.sent) == 1 else Outcome("accept")
        world.offer(*names(3))
        await world.run(10)
        assert world.sent == [["m0", "m1", "m2"], ["m1"]]
        # 0.2 s for the reply, then half (uniform is 0.5) of 2 s
        assert world.provider.calls[1].at == pytest.approx(1001.2)
        assert world.results["m1"].attempts == 2
        assert world.results["m0"].attempts == 1

    simulate(scenario())


def test_attempts_are_capped() -> None:
    async def scenario() -> None:
        world = World(retry=Retry(attempts=3))
        full = Outcome("retry", reason="queue full")
        world.provider.answer = lambda call: full if "m0" in call.ids else Outcome("accept")
        world.offer("m0")
        running = asyncio.create_task(world.run(300))
        for message in names(40, "other"):
            world.offer(message, campaign="c2")
            await asyncio.sleep(0.3)
        await running
        assert world.sent.count(["m0"]) == 3
        assert world.statuses == {**dict.fromkeys(names(40, "other"), "accepted"), "m0": "failed"}
        assert world.results["m0"].attempts == 3
        assert "queue full" in (world.results["m0"].reason or "")

    simulate(scenario())


@pytest.mark.parametrize("then", ["throttle", "pause"])
def test_throttle_and_pause_are_not_counted(then: str) -> None:
    async def scenario() -> None:
        world = World(retry=Retry(attempts=2))
        world.provider.answer = lambda call: Outcome(then) if len(world.sent) < 6 else Outcome("accept")
        world.offer("m0")
        await world.run(900)
        assert world.statuses == {"m0": "accepted"}
        assert world.results["m0"].attempts == 1

    simulate(scenario())


def test_retry_after_holds_the_lane() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: (
            Outcome("throttle", after=7.0) if len(world.sent) == 1 else Outcome("accept")
        )
        world.offer("m0")
        running = asyncio.create_task(world.run(20))
        await asyncio.sleep(1)
        world.offer("m1", campaign="c2")
        await running
        assert [call.at >= 1007.2 for call in world.provider.calls] == [False, True, True]

    simulate(scenario())


def test_a_deferred_message_is_sent_at_its_time() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: (
            Outcome("defer", until=world.clock.wall() + 20) if len(world.sent) == 1 else Outcome("accept")
        )
        world.offer("m0")
        await world.run(60)
        assert world.provider.calls[1].at == pytest.approx(1020.2, abs=0.01)
        assert world.results["m0"].attempts == 1

    simulate(scenario())


def test_what_waits_long_is_parked_when_someone_takes_it() -> None:
    async def scenario() -> None:
        parked: list[tuple[list[str], float]] = []
        world = World(park=lambda items, due: parked.append(([str(i.offset) for i in items], due)))
        world.provider.answer = lambda call: Outcome("defer", until=world.clock.wall() + 3600)
        world.offer("m0")
        await world.run(5)
        assert parked == [(["1"], pytest.approx(1_700_003_600.2))]
        assert world.lane.open_count == 0

    simulate(scenario())


@pytest.mark.parametrize(("period", "kept"), [(3600.0, True), (60.0, False)])
def test_a_request_to_be_repeated_as_it_was_is_not_parked_while_that_is_of_use(period: float, kept: bool) -> None:
    async def scenario() -> None:
        parked: list[object] = []
        world = World(operations=[operation(idempotent=period)], park=lambda items, due: parked.extend(items))
        world.provider.answer = lambda call: (
            Outcome("uncertain", after=100.0) if len(world.sent) == 1 else Outcome("accept")
        )
        world.offer("m0")
        await world.run(200)
        assert (len(parked), len(world.sent)) == ((0, 2) if kept else (1, 1))
        assert len({call.batch for call in world.provider.calls}) == 1

    simulate(scenario())


def uncertain() -> RequestError:
    return RequestError(Phase.READ, "no complete reply within 30s", uncertain=True, timed_out=True)


def test_an_uncertain_request_is_sent_again_under_resend() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: uncertain() if len(world.sent) == 1 else Outcome("accept")
        world.offer(*names(3))
        await world.run(30)
        assert world.statuses == dict.fromkeys(names(3), "accepted")
        assert world.provider.calls[0].batch != world.provider.calls[1].batch
        assert world.results["m0"].attempts == 2

    simulate(scenario())


def test_an_uncertain_request_is_unknown_under_report_and_never_sent_again() -> None:
    async def scenario() -> None:
        world = World(operations=[operation(on_uncertain="report")])
        world.provider.answer = lambda call: uncertain()
        world.offer(*names(3))
        await world.run(30)
        assert world.sent == [names(3)]
        assert world.statuses == dict.fromkeys(names(3), "unknown")

    simulate(scenario())


def test_an_idempotent_request_is_repeated_as_it_was() -> None:
    async def scenario() -> None:
        world = World(operations=[operation(idempotent=3600.0)])
        world.provider.answer = lambda call: (
            uncertain() if "m0" in call.ids and sum("m0" in ids for ids in world.sent) < 3 else Outcome("accept")
        )
        world.offer(*names(3))
        running = asyncio.create_task(world.run(60))
        await asyncio.sleep(0.3)
        world.offer("later")
        await running
        repeated = [call.request for call in world.provider.calls if "m0" in call.ids]
        assert len(repeated) == 3
        assert repeated[0] is repeated[1] is repeated[2]
        assert world.results["m0"].batch_id == world.provider.calls[0].batch

    simulate(scenario())


def test_beyond_the_idempotent_period_a_request_is_made_anew() -> None:
    async def scenario() -> None:
        world = World(operations=[operation(idempotent=0.5)])
        world.provider.answer = lambda call: uncertain() if len(world.sent) == 1 else Outcome("accept")
        world.offer(*names(3))
        await world.run(30)
        assert world.provider.calls[0].batch != world.provider.calls[1].batch

    simulate(scenario())


def test_what_never_left_is_not_counted_and_waits_for_the_provider() -> None:
    async def scenario() -> None:
        world = World(retry=Retry(attempts=2))
        down = RequestError(Phase.CONNECT, "cannot connect", uncertain=False)
        world.provider.answer = lambda call: down if world.clock.monotonic() < 1600 else Outcome("accept")
        world.offer(*names(30))
        await world.run(900)
        assert world.statuses == dict.fromkeys(names(30), "accepted")
        assert {result.attempts for result in world.results.values()} == {1}
        assert len(world.sent) < 40  # the breaker probes, it does not hammer

    simulate(scenario())


def test_a_refused_batch_is_bisected_to_the_message_at_fault() -> None:
    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=64)], limits=Limits(concurrency=1))
        refuse = Outcome("split", code="400", reason="bad number")
        world.provider.answer = lambda call: refuse if "m37" in call.ids else Outcome("accept")
        world.offer(*names(64))
        await world.run(60)
        assert {i for i, status in world.statuses.items() if status == "rejected"} == {"m37"}
        assert world.results["m37"].code == "400"
        assert len(world.sent) == 1 + 2 * 6

    simulate(scenario())


def test_bisecting_ends_with_its_budget() -> None:
    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=64)])
        world.provider.answer = lambda call: Outcome("split", code="E1", reason="malformed")
        world.offer(*names(64))
        await world.run(60)
        assert set(world.statuses.values()) == {"rejected"}
        assert {result.code for result in world.results.values()} == {"E1"}
        assert len(world.sent) == 1 + 4 * 6

    simulate(scenario())


def test_a_message_that_expires_after_an_uncertain_request_is_not_called_unsent() -> None:
    async def scenario() -> None:
        world = World(retry=Retry(base=10.0))
        world.provider.answer = lambda call: uncertain()
        world.offer("m0", expires=1.0)
        await world.run(30)
        assert world.statuses == {"m0": "unknown"}

    simulate(scenario())


def test_requests_throttled_together_hold_the_lane_once() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=8), renderers=[FakeRenderer(max_records=1)])
        world.provider.answer = lambda call: Outcome("throttle") if call.at < 1000.1 else Outcome("accept")
        world.offer(*names(4))
        await world.run(30)
        assert world.provider.calls[4].at == pytest.approx(1000.7)  # 0.2 s, then half of 1 s: not of 8 s

    simulate(scenario())


def test_the_parts_of_a_refused_batch_wait_too_when_their_campaign_is_on_hold() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=1))
        world.provider.answer = lambda call: Outcome("split") if len(call.ids) == 10 else Outcome("accept")
        world.offer(*names(10))
        running = asyncio.create_task(world.run(20))
        await asyncio.sleep(0.1)
        world.lane.hold("c1")
        world.offer("other", campaign="c2")
        await asyncio.sleep(10)
        assert world.sent[1:] == [["other"]]
        world.lane.release("c1")
        await running
        assert len(world.results) == 11

    simulate(scenario())
