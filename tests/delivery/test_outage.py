"""A provider's outage costs no message: however it fails, at whatever rate, and however suddenly."""

import asyncio
from collections import Counter
from random import Random

import pytest

from connector.definition.tree import Batching, Limits, Retry
from connector.errors import Phase, RequestError
from connector.model import Outcome
from tests.thorough import THOROUGH

from .virtual import simulate
from .world import ACCEPT, Call, FakeRenderer, World, names, operation

ATTEMPTS = Retry().attempts
SEEDS = 3 if THOROUGH else 1
"""Each cell is simulated so often, every time with other moments and campaigns."""
LOADS = [(4, 1), (40, 1), (4000, 500)] if THOROUGH else [(4, 1), (20, 1), (1000, 125)]
"""Messages a second, and how many fit a request. The last needs batches: eight full requests a second either way."""

KINDS = {
    "503": lambda: Outcome("uncertain", reason="HTTP 503", rule="built-in 5xx"),
    "not taken": lambda: Outcome("retry", code="down", rule="response.rules[0]"),
    "refused": lambda: RequestError(Phase.CONNECT, "cannot connect", uncertain=False),
    "time-out": lambda: RequestError(Phase.READ, "no complete reply within 30s", uncertain=True, timed_out=True),
    "429": lambda: Outcome("throttle", after=1.0, rule="built-in 429"),
    "401": lambda: Outcome("pause", reason="HTTP 401", rule="built-in 401"),
    "token endpoint": lambda: RequestError(Phase.AUTH, "token endpoint answered 500", uncertain=False),
}


async def under_load(
    world: World, kind: str, *, rate: float, before: float, outage: float, after: float, campaigns: int, seed: int
) -> None:
    """Good traffic, then an outage that begins from one reply to the next, then good traffic again."""
    random = Random(seed)
    begin = world.clock.monotonic() + before
    end = begin + outage
    seconds = 30.0 if kind == "time-out" else 0.005

    def answer(call: Call) -> object:
        return KINDS[kind]() if begin <= call.at < end else ACCEPT

    world.provider.answer = answer
    world.provider.latency_of = lambda call: seconds if begin <= call.at < end else 0.05 + 0.3 * random.random()
    world.more_comes = True
    running = asyncio.create_task(world.lane.run())
    count, step = 0, max(1.0 / rate, 0.05)
    while world.clock.monotonic() < end + after:
        number = round(rate * step)
        for campaign in range(campaigns):
            chosen = range(count + campaign, count + number, campaigns)
            if chosen:
                world.offer(*[f"m{it}" for it in chosen], campaign=f"c{campaign}")
        count += number
        world.lane.wake()
        await asyncio.sleep(step)
    await asyncio.sleep(1200)
    assert len(world.results) == count
    world.lane.close()
    await running


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rate", "records"), LOADS)
def test_an_outage_that_begins_under_load_costs_no_message(kind: str, rate: float, records: int) -> None:
    for seed in range(SEEDS):

        async def scenario(seed: int = seed) -> None:
            random = Random(seed)
            world = World(
                renderers=[FakeRenderer(max_records=records)], limits=Limits(concurrency=16), uniform=random.random
            )
            before, outage = (45.0, 60.0) if rate < 1000 else (3.0, 8.0)
            await under_load(
                world, kind, rate=rate, before=before, outage=outage, after=5.0, campaigns=1 + 3 * seed, seed=seed
            )
            assert Counter(world.statuses.values()) == {"accepted": len(world.results)}
            assert max(result.attempts for result in world.results.values()) <= ATTEMPTS + 1
            failures = [call for call in world.provider.calls if 1000.0 + before <= call.at < 1000.0 + before + outage]
            assert len(failures) < (100 if kind == "429" else 60 + rate * 2 / records)  # it is not hammered either

        simulate(scenario())


@pytest.mark.parametrize("attempts", [2, 3, 10])
def test_the_number_of_attempts_does_not_matter_to_an_outage(attempts: int) -> None:
    async def scenario() -> None:
        random = Random(7)
        world = World(
            renderers=[FakeRenderer(max_records=1)],
            retry=Retry(attempts=attempts, base=0.1),
            limits=Limits(concurrency=8),
            uniform=random.random,
        )
        await under_load(world, "503", rate=40, before=30.0, outage=60.0, after=2.0, campaigns=2, seed=7)
        assert set(world.statuses.values()) == {"accepted"}
        assert max(result.attempts for result in world.results.values()) <= attempts + 1

    simulate(scenario())


def test_an_outage_costs_no_request_that_was_slow_to_fail() -> None:
    """Time-outs of requests from before come in when the provider works again: they are the old outage's."""

    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=1)], retry=Retry(attempts=2), limits=Limits(concurrency=16))
        hung = RequestError(Phase.READ, "no complete reply within 30s", uncertain=True, timed_out=True)
        world.provider.answer = lambda call: hung if call.at < 1010 else ACCEPT
        world.provider.latency_of = lambda call: 20.0 + call.at - 1000 if call.at < 1010 else 0.1
        running = asyncio.create_task(world.lane.run())
        for message in names(100):
            world.offer(message)
            await asyncio.sleep(0.1)
        await asyncio.sleep(600)
        assert set(world.statuses.values()) == {"accepted"}
        world.lane.close()
        await running

    simulate(scenario())


def test_a_message_that_has_had_all_its_requests_waits_for_the_end_of_an_outage_and_gets_one_more() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=1))
        world.provider.answer = lambda call: KINDS["503"]() if call.at < 1100 else ACCEPT
        world.offer("m0")
        await world.run(60)
        assert len(world.sent) == ATTEMPTS
        assert world.results == {}
        await world.run(200)
        assert world.statuses == {"m0": "accepted"}
        assert world.results["m0"].attempts == ATTEMPTS + 1

    simulate(scenario())


def test_one_more_is_all_a_message_gets() -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=1))
        world.provider.answer = lambda call: KINDS["503"]()
        world.offer("m0")
        await world.run(3600)
        assert len(world.sent) == ATTEMPTS + 1
        assert world.statuses == {"m0": "failed"}

    simulate(scenario())


def test_a_long_outage_uses_up_nobody_while_others_can_ask() -> None:
    """Fresh messages are the probes: none is asked with twice while another has been asked with less."""

    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=1)], limits=Limits(concurrency=2))
        world.provider.answer = lambda call: KINDS["503"]() if call.at < 4600 else ACCEPT
        running = asyncio.create_task(world.lane.run())
        for message in names(60):
            world.offer(message)
            await asyncio.sleep(60)
        await asyncio.sleep(600)
        assert set(world.statuses.values()) == {"accepted"}
        world.lane.close()
        await running

    simulate(scenario())


def test_what_waits_for_the_end_of_an_outage_still_expires() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: KINDS["refused"]()
        world.offer(*names(3), expires=30.0)
        await world.run(100)
        assert world.statuses == dict.fromkeys(names(3), "expired")

    simulate(scenario())


@pytest.mark.parametrize("then", ["throttle", "pause", "retry"])
def test_an_outage_costs_nothing_of_what_finds_the_message_at_fault(then: str) -> None:
    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=64)], limits=Limits(concurrency=1))

        def answer(call: Call) -> Outcome:
            if len(world.sent) > 1 and call.at < 1030:
                return Outcome(then, rule="busy")
            return Outcome("split", code="400") if "m37" in call.ids else ACCEPT

        world.provider.answer = answer
        world.offer(*names(64))
        await world.run(900)
        assert {i for i, status in world.statuses.items() if status != "accepted"} == {"m37"}

    simulate(scenario())


def test_after_an_outage_what_has_waited_does_not_leave_all_at_once() -> None:
    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=1)], limits=Limits(concurrency=16))
        world.provider.answer = lambda call: KINDS["refused"]() if call.at < 1010 else ACCEPT
        world.offer(*names(200))
        running = asyncio.create_task(world.run(120))
        await asyncio.sleep(10)
        assert len(world.results) == 0
        for _ in range(60):
            await asyncio.sleep(0.1)
            if 2 <= len(world.results) < 6:
                assert world.provider.under_way <= 3
        await running
        assert len(world.results) == 200
        assert world.provider.most_under_way > 8

    simulate(scenario())


def test_a_success_from_before_does_not_hide_that_an_outage_has_begun() -> None:
    """Slow replies to requests that left in time come in while everything that leaves now fails at once."""

    async def scenario() -> None:
        random = Random(3)
        world = World(
            renderers=[FakeRenderer(max_records=1)],
            retry=Retry(base=0.05),
            limits=Limits(concurrency=64),
            uniform=random.random,
        )
        world.lane._flow_control.concurrency._limit = 64.0
        world.provider.answer = lambda call: KINDS["503"]() if 1010 <= call.at < 1040 else ACCEPT
        world.provider.latency_of = lambda call: 0.001 if 1010 <= call.at < 1040 else 0.5 + 7.5 * random.random()
        running = asyncio.create_task(world.lane.run())
        for message in names(400):
            world.offer(message)
            await asyncio.sleep(0.05)
        await asyncio.sleep(900)
        assert set(world.statuses.values()) == {"accepted"}
        world.lane.close()
        await running

    simulate(scenario())


@pytest.mark.parametrize("batched", [False, True])
def test_under_report_an_outage_costs_few(batched: bool) -> None:
    async def scenario() -> None:
        records = 50 if batched else 1
        bulk = operation(batching=Batching((("m",),), 1, records), on_uncertain="report")
        world = World(operations=[bulk], renderers=[FakeRenderer(max_records=records)], limits=Limits(concurrency=8))
        await under_load(world, "503", rate=40, before=30.0, outage=60.0, after=2.0, campaigns=2, seed=1)
        counted = Counter(world.statuses.values())
        assert set(counted) == {"accepted", "unknown"}
        assert counted["unknown"] < 120

    simulate(scenario())
