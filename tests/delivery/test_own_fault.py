"""Whose fault a message's last failure is: its own, as it is while others get through, or that of an outage."""

import asyncio
from collections import Counter
from random import Random

import pytest

from connector.definition.tree import Limits, Retry
from connector.errors import Phase, RequestError
from connector.model import Outcome

from .test_outage import LOADS, SEEDS, under_load
from .virtual import simulate
from .world import ACCEPT, Call, FakeRenderer, World, names

FAILURES = {
    "503": Outcome("uncertain", reason="HTTP 503", code="busy", rule="built-in 5xx"),
    "not taken": Outcome("retry", code="5", rule="response.rules[0]"),
    "closed": RequestError(Phase.READ, "closed before its reply", uncertain=True),
    "forbidden": Outcome("pause", code="403", rule="built-in 403"),
}


def unbatched(**changes: object) -> World:
    return World(
        **{"renderers": [FakeRenderer(max_records=1)], "limits": Limits(concurrency=8), **changes}  # type: ignore[arg-type]
    )


def failing(ids: set[str], failure: object) -> object:
    return lambda call: failure if ids & set(call.ids) else ACCEPT


@pytest.mark.parametrize("kind", FAILURES)
@pytest.mark.parametrize("campaigns", [1, 3])
@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_messages_that_always_fail_end_soon_after_the_campaign(kind: str, campaigns: int, attempts: int) -> None:
    """Others got through after they had failed: that nothing else is left to send shows no outage."""

    async def scenario() -> None:
        random = Random(5)
        world = unbatched(uniform=random.random, retry=Retry(attempts=attempts))
        bad = {f"m{number}" for number in range(40, 1400, 80)}
        world.provider.answer = failing(bad, FAILURES[kind])  # type: ignore[assignment]
        world.provider.latency_of = lambda call: 0.05 + 0.1 * random.random()
        world.more_comes = True
        for number, message in enumerate(names(1440)):
            world.offer(message, campaign=f"c{number % campaigns}")
        await world.run(90)
        assert len(world.results) == 1440
        ended = {name for name, status in world.statuses.items() if status != "accepted"}
        assert ended == bad
        wanted = {"rejected"} if kind == "forbidden" else {"failed"}
        assert {world.statuses[name] for name in bad} == wanted
        if kind != "forbidden":
            assert {world.results[name].attempts for name in bad} == {attempts}

    simulate(scenario())


@pytest.mark.parametrize("kind", ["503", "not taken", "time-out"])
@pytest.mark.parametrize(("rate", "records"), [(0.7, 1), *LOADS])
def test_one_attempt_is_enough_for_an_outage_that_begins_under_load(kind: str, rate: float, records: int) -> None:
    async def scenario() -> None:
        random = Random(9)
        world = World(
            renderers=[FakeRenderer(max_records=records)],
            limits=Limits(concurrency=16),
            retry=Retry(attempts=1),
            uniform=random.random,
        )
        before, outage = (45.0, 60.0) if rate < 1000 else (3.0, 8.0)
        await under_load(world, kind, rate=rate, before=before, outage=outage, after=5.0, campaigns=3, seed=9)
        assert Counter(world.statuses.values()) == {"accepted": len(world.results)}
        assert max(result.attempts for result in world.results.values()) <= 2

    simulate(scenario())


def test_of_one_attempt_no_second_request_is_made_while_others_get_through() -> None:
    async def scenario() -> None:
        world = unbatched(retry=Retry(attempts=1))
        world.provider.answer = failing({"m7", "m30"}, FAILURES["503"])  # type: ignore[assignment]
        world.offer(*names(100))
        await world.run(30)
        assert Counter(world.statuses.values()) == {"accepted": 98, "failed": 2}
        assert Counter(name for ids in world.sent for name in ids).most_common(1)[0][1] == 1
        assert world.results["m7"].code == "busy"
        assert world.results["m7"].attempts == 1

    simulate(scenario())


def test_a_message_of_one_attempt_that_fails_alone_gets_one_more_after_the_outage() -> None:
    async def scenario() -> None:
        world = unbatched(retry=Retry(attempts=1))
        world.provider.answer = lambda call: FAILURES["503"] if call.at < 1100 else ACCEPT
        world.offer("m0")
        await world.run(200)
        assert world.statuses == {"m0": "accepted"}
        assert len(world.sent) == 2

    simulate(scenario())


@pytest.mark.parametrize("attempts", [2, 3, 5])
def test_a_message_that_failed_before_by_its_own_fault_is_not_lost_to_an_outage_under_load(attempts: int) -> None:
    """A provider that fails one request in ten: whatever failed while it worked is a suspect when the outage begins."""

    async def scenario(seed: int) -> None:
        random = Random(seed)
        world = unbatched(uniform=random.random, retry=Retry(attempts=attempts))
        running = asyncio.create_task(world.lane.run())
        seen: Counter[str] = Counter()

        def answer(call: Call) -> object:
            seen[call.ids[0]] += 1
            if 1020 <= call.at < 1060:
                return FAILURES["503"]
            return FAILURES["503"] if seen[call.ids[0]] == 1 and random.random() < 0.1 else ACCEPT

        world.provider.answer = answer
        for message in names(1200):
            world.offer(message)
            await asyncio.sleep(0.05)
        await asyncio.sleep(300)
        assert Counter(world.statuses.values()) == {"accepted": 1200}
        world.lane.close()
        await running

    for seed in range(SEEDS):
        simulate(scenario(seed))


def test_an_outage_is_seen_where_every_message_that_is_left_has_failed_before() -> None:
    """A provider that failed one message in ten, and now fails them all again: most wait for the end of that."""

    async def scenario() -> None:
        random = Random(2)
        world = unbatched(uniform=random.random, retry=Retry(base=20.0))
        seen: set[str] = set()

        def answer(call: Call) -> object:
            if call.ids[0] not in seen:
                seen.add(call.ids[0])
                return FAILURES["503"] if call.ids[0].endswith("7") else ACCEPT
            return FAILURES["503"] if call.at < 1400 else ACCEPT

        world.provider.answer = answer
        world.provider.latency = 0.01
        world.offer(*names(2000))
        await world.run(2000)
        assert len(world.results) == 2000
        assert Counter(world.statuses.values())["failed"] <= 25

    simulate(scenario())


def test_what_is_undecided_when_the_lane_stops_is_handed_back_with_its_count() -> None:
    async def scenario() -> None:
        world = unbatched(retry=Retry(attempts=1))
        world.provider.answer = lambda call: FAILURES["503"]
        world.offer("m0")
        await world.run(5)
        assert world.results == {}
        (left,) = await world.lane.drain(world.clock.monotonic() + 1)
        assert left is world.items["m0"]
        assert (left.attempts, left.uncertain) == (1, True)

    simulate(scenario())


@pytest.mark.parametrize("kind", ["503", "not taken"])
def test_a_batch_that_fails_as_a_whole_in_its_last_request_ends_or_waits_as_a_whole(kind: str) -> None:
    """Its own fault: others got through that began later. An outage's: it is sent once more when that is over."""

    async def scenario(*, outage: bool) -> World:
        world = World(renderers=[FakeRenderer(max_records=10)], retry=Retry(attempts=1), limits=Limits(concurrency=2))

        def answer(call: Call) -> object:
            return FAILURES[kind] if (call.at < 1030 if outage else "m0" in call.ids) else ACCEPT

        world.provider.answer = answer
        world.offer(*names(10))
        running = asyncio.create_task(world.run(300))
        for number in range(1, 60):
            await asyncio.sleep(0.5)
            world.offer(*names(10, f"later{number}-"))
        await running
        return world

    own = simulate(scenario(outage=False))
    assert Counter(own.statuses.values()) == {"failed": 10, "accepted": 590}
    assert sum("m0" in ids for ids in own.sent) == 1
    away = simulate(scenario(outage=True))
    assert Counter(away.statuses.values()) == {"accepted": 600}


def test_an_undecided_message_still_expires_and_is_cancelled_with_its_campaign() -> None:
    async def scenario() -> None:
        world = unbatched(retry=Retry(attempts=1))
        world.provider.answer = lambda call: FAILURES["not taken"]
        world.offer("old", expires=3.0)
        world.offer("gone", campaign="stopped")
        running = asyncio.create_task(world.run(60))
        await asyncio.sleep(1)
        world.lane.cancel("stopped")
        await running
        assert world.statuses == {"old": "expired", "gone": "cancelled"}

    simulate(scenario())
