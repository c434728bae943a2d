"""Minutes of random traffic in virtual time: nothing is lost, doubled, starved or kept waiting too long."""

import asyncio
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.definition.tree import Batching, Limits, Rate, Retry
from connector.errors import Phase, RequestError
from connector.model import Outcome

from .virtual import simulate
from .world import ACCEPT, Call, FakeRenderer, World, operation

WAIT_MAX = 5.0

quick = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])


async def traffic(world: World, random: Random, seconds: float, rates: dict[str, float]) -> dict[str, float]:
    """Offer messages of each campaign at its rate; when each was offered."""
    offered: dict[str, float] = {}
    end = world.clock.monotonic() + seconds
    count = 0
    while world.clock.monotonic() < end:
        await asyncio.sleep(0.05)
        for campaign, rate in rates.items():
            for _ in range(int(rate * 0.05) + (random.random() < rate * 0.05 % 1)):
                count += 1
                name = f"{campaign}-{count}"
                offered[name] = world.clock.monotonic()
                world.offer(name, campaign=campaign)
    return offered


def waits(world: World, offered: dict[str, float]) -> dict[str, float]:
    """How long each message waited for its request."""
    return {name: call.at - offered[name] for call in world.provider.calls for name in call.ids}


@given(seed=st.integers(0, 2**32), caught_up=st.booleans(), campaigns=st.integers(1, 12))
@quick
def test_no_window_waits_longer_than_wait_max_and_one_request(seed: int, caught_up: bool, campaigns: int) -> None:
    async def scenario() -> None:
        random = Random(seed)
        world = World(caught_up=caught_up, limits=Limits(concurrency=8))
        world.provider.latency = 0.2
        running = asyncio.create_task(world.lane.run())
        rates = {f"c{number}": random.choice([0.1, 1.0, 20.0]) for number in range(campaigns)}
        offered = await traffic(world, random, 12.0, rates)
        await asyncio.sleep(WAIT_MAX + 5)
        longest = max(waits(world, offered).values(), default=0.0)
        assert longest <= WAIT_MAX + 0.2 + 1e-6
        assert set(world.results) == set(offered)
        world.lane.close()
        await running

    simulate(scenario())


@given(seed=st.integers(0, 2**32))
@quick
def test_a_small_campaign_does_not_starve_beside_a_backlog(seed: int) -> None:
    """One campaign fills windows faster than the provider takes them; the trickle of another still gets out."""

    async def scenario() -> None:
        random = Random(seed)
        world = World(caught_up=False, limits=Limits(concurrency=1))
        running = asyncio.create_task(world.lane.run())
        offered = await traffic(world, random, 20.0, {"large": 100.0, "small": 1.0})
        now, waited = world.clock.monotonic(), waits(world, offered)
        longest = {"large": 0.0, "small": 0.0}
        for name, at in offered.items():
            campaign = name.split("-")[0]
            longest[campaign] = max(longest[campaign], waited.get(name, now - at))
        # the backlog is overdue itself after a while, and then the oldest goes first: both wait for the provider alike
        assert longest["small"] <= max(WAIT_MAX, longest["large"]) + 0.5
        world.lane.close()
        await running
        await world.lane.drain(0)

    simulate(scenario())


def test_batches_are_full_while_the_provider_is_the_bottleneck() -> None:
    """Interleaved campaigns: windows closed by a free slot alone would hold a message or two."""

    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=50)], caught_up=False, limits=Limits(concurrency=4))
        running = asyncio.create_task(world.lane.run())
        offered = await traffic(world, Random(1), 12.0, {f"c{n}": 2.0 for n in range(100)})
        sizes = [len(call.ids) for call in world.provider.calls if call.at > 1006]
        assert sum(sizes) / len(sizes) > 9  # 5 s at 2/s
        assert len(offered) > 2000
        world.lane.close()
        await running
        await world.lane.drain(0)

    simulate(scenario())


def random_answer(random: Random, call: Call, *, single: bool) -> object:
    """Anything a provider may do."""
    roll = random.random()
    if roll < 0.4:
        return ACCEPT
    if roll < 0.5:
        phase = random.choice([Phase.CONNECT, Phase.READ])
        return RequestError(phase, "gone", uncertain=phase is Phase.READ, timed_out=random.random() < 0.5)
    if roll < 0.7:
        then = random.choice(["reject", "retry", "throttle", "pause", "uncertain", "unknown", "split"])
        return Outcome(then, after=random.choice([None, None, 1.0, 8.0]))
    thens = ["accept", "accept", "reject", "retry", "throttle", "uncertain", "unknown", "defer"]
    return {name: Outcome(random.choice(thens), after=random.choice([None, 2.0])) for name in call.ids}


@pytest.mark.parametrize("on_uncertain", ["resend", "report"])
@pytest.mark.parametrize("idempotent", [None, 30.0])
@given(seed=st.integers(0, 2**32))
@quick
def test_every_message_ends_once_and_nothing_taken_is_sent_again(
    on_uncertain: str, idempotent: float | None, seed: int
):
    """Random replies, rate limits, drains and new epochs; then the provider recovers and everything ends."""

    async def scenario() -> None:
        random = Random(seed)
        bulk = operation("bulk", batching=Batching((("m",),), 2, 10), on_uncertain=on_uncertain, idempotent=idempotent)
        single = operation("single", on_uncertain=on_uncertain, idempotent=idempotent)
        world = World(
            operations=[bulk, single],
            renderers=[FakeRenderer(10, 2), FakeRenderer(1)],
            limits=Limits(requests=(Rate(30, 1.0),), records=(Rate(200, 1.0),), concurrency=4),
            retry=Retry(attempts=4, base=0.5, cap=5.0),
        )
        final_as: dict[str, str] = {}
        well = False

        def answer(call: Call) -> object:
            for name in call.ids:
                assert name not in world.results, "a finished message is never sent again"
                assert name not in final_as, "what was taken, or may have been under `report`, is never sent again"
            got = ACCEPT if well else random_answer(random, call, single=len(call.ids) == 1)
            for name in call.ids:
                then = got.get(name, ACCEPT).then if isinstance(got, dict) else getattr(got, "then", "error")
                if isinstance(got, RequestError):
                    then = "uncertain" if got.uncertain else "error"
                if then == "accept" or (on_uncertain == "report" and then == "uncertain"):
                    final_as[name] = then
            return got

        world.provider.answer = answer
        running = asyncio.create_task(world.lane.run())
        offered: dict[str, float] = {}
        for epoch in range(3):
            offered |= await traffic(world, random, 6.0, {f"e{epoch}c{number}": 4.0 for number in range(4)})
            assert world.lane.open_count == len(offered) - len(world.results)
            returned = await world.lane.drain(world.clock.monotonic() + random.choice([0.0, 0.1, 5.0]))
            assert len(returned) == len(set(map(id, returned))) == len(offered) - len(world.results)
            assert world.lane.open_count == world.lane.open_bytes == 0
            world.lane.reopen()
            for item in returned:  # as the next owner reads them again
                world.offer_again(item)
        well = True
        await asyncio.sleep(900)
        assert set(world.results) == set(offered)
        assert world.lane.open_count == world.lane.open_bytes == 0
        for name, then in final_as.items():
            assert world.statuses[name] == ("accepted" if then == "accept" else "unknown")
        world.lane.close()
        await running

    simulate(scenario())
