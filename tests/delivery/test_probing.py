"""Who is asked with while a provider is paused, and what becomes of messages that alone meet a refusal."""

import asyncio

import pytest
from structlog.testing import capture_logs

from connector.definition.tree import Limits, Retry
from connector.errors import Phase, RequestError
from connector.model import Outcome

from .virtual import simulate
from .world import ACCEPT, Call, FakeRenderer, World, names

FORBIDDEN = Outcome("pause", code="403", reason="HTTP 403 Forbidden", rule="built-in 403")
UNBATCHED = FakeRenderer(max_records=1)


def single(**changes: object) -> World:
    return World(**{"renderers": [UNBATCHED], "limits": Limits(concurrency=1), **changes})  # type: ignore[arg-type]


def test_a_message_that_alone_meets_pause_is_rejected_with_its_code_and_holds_nobody_up() -> None:
    async def scenario() -> None:
        world = single()
        world.provider.answer = lambda call: FORBIDDEN if "bad" in call.ids else ACCEPT
        world.offer("bad", *names(562))
        await world.run(300)
        assert world.statuses == {**dict.fromkeys(names(562), "accepted"), "bad": "rejected"}
        assert world.results["bad"].code == "403"
        assert world.results["bad"].attempts in {5, 6}
        assert sum("bad" in ids for ids in world.sent) <= 7  # the first was not counted: it might have been the account
        waits = [call.at - 1000.0 for call in world.provider.calls if "m0" in call.ids]
        assert waits[0] < 3.0

    simulate(scenario())


@pytest.mark.parametrize("campaigns", [1, 3, 10])
def test_healthy_messages_wait_for_one_probe_more_than_there_are_campaigns_that_fail(campaigns: int) -> None:
    async def scenario() -> None:
        world = single()
        world.provider.answer = lambda call: FORBIDDEN if call.ids[0].startswith("bad") else ACCEPT
        for number in range(campaigns):
            world.offer(*names(20, f"bad{number}-"), campaign=f"bad{number}")
        world.offer("good", campaign="good")
        await world.run(2000)
        first = next(index for index, ids in enumerate(world.sent) if ids == ["good"])
        assert first <= campaigns
        assert world.statuses["good"] == "accepted"

    simulate(scenario())


def test_a_campaign_whose_address_is_wrong_does_not_slow_the_others_down() -> None:
    """Thousands of messages that meet 404 would otherwise pause the provider again and again."""

    async def scenario() -> None:
        world = single(limits=Limits(concurrency=4))
        missing = Outcome("pause", code="404", rule="built-in 404")
        world.provider.answer = lambda call: missing if call.ids[0].startswith("bad") else ACCEPT
        world.provider.latency = 0.05
        world.offer(*names(5000, "bad"), campaign="bad")
        running = asyncio.create_task(world.run(300))
        for message in names(400, "good"):
            world.offer(message, campaign=f"good{len(message) % 2}")
            await asyncio.sleep(0.25)
        await asyncio.sleep(10)
        sent = {name: call.at for call in world.provider.calls for name in call.ids}
        assert all(world.statuses[name] == "accepted" for name in names(400, "good"))
        late = [name for number, name in enumerate(names(400, "good")) if sent[name] - 1000 - number * 0.25 > 12]
        assert late == []
        bad = [call.at for call in world.provider.calls if call.ids[0].startswith("bad")]
        assert len(bad) < 60
        await running

    simulate(scenario())


def test_an_account_that_is_refused_pauses_and_counts_nothing() -> None:
    async def scenario() -> None:
        world = single()
        world.provider.answer = lambda call: FORBIDDEN if call.at < 1600 else ACCEPT
        world.offer(*names(100))
        await world.run(900)
        assert set(world.statuses.values()) == {"accepted"}
        assert {result.attempts for result in world.results.values()} == {1}
        before = [call for call in world.provider.calls if call.at < 1600]
        assert len(before) < 15
        assert len({call.ids[0] for call in before}) == len(before)  # each time another message

    simulate(scenario())


def test_an_account_that_is_refused_again_soon_costs_no_message_either() -> None:
    """What one message's refusal has taught is not true of the account's; that a few in a row say."""

    async def scenario() -> None:
        world = single(retry=Retry(attempts=3))

        def answer(call: Call) -> Outcome:
            return FORBIDDEN if "bad" in call.ids or 1020 <= call.at < 1200 else ACCEPT

        world.provider.answer = answer
        running = asyncio.create_task(world.run(900))
        for message in ["bad", *names(400)]:
            world.offer(message)
            await asyncio.sleep(0.1)
        await running
        assert {name for name, status in world.statuses.items() if status != "accepted"} == {"bad"}

    simulate(scenario())


def test_one_bad_message_in_a_batch_that_is_refused_as_a_whole_is_found() -> None:
    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=64)], limits=Limits(concurrency=1))
        world.provider.answer = lambda call: FORBIDDEN if "m37" in call.ids else ACCEPT
        world.offer(*names(64))
        await world.run(300)
        assert {name for name, status in world.statuses.items() if status != "accepted"} == {"m37"}
        assert world.statuses["m37"] == "rejected"
        assert world.results["m37"].code == "403"

    simulate(scenario())


@pytest.mark.parametrize(
    "failure",
    [
        FORBIDDEN,
        Outcome("uncertain", rule="built-in 5xx"),
        Outcome("unknown", rule="built-in 2xx"),
        RequestError(Phase.CONNECT, "cannot connect", uncertain=False),
    ],
)
def test_the_next_probe_is_another_campaigns(failure: object) -> None:
    async def scenario() -> None:
        world = single()
        world.provider.answer = lambda call: failure
        for number in range(4):
            world.offer(*names(30, f"c{number}-"), campaign=f"c{number}")
        await world.run(100)
        probes = [call.ids[0].split("-")[0] for call in world.provider.calls][-4:]
        assert len(set(probes)) == 4

    simulate(scenario())


def test_the_log_says_which_campaign_a_probe_carries_and_no_number() -> None:
    async def scenario() -> None:
        world = single()
        world.provider.answer = lambda call: FORBIDDEN
        world.offer("m0", campaign="diwali")
        world.offer("m1", campaign="holi")
        await world.run(8)

    with capture_logs() as lines:
        simulate(scenario())
    told = [(line["event"], line["campaign"]) for line in lines]
    assert told == [
        ("provider paused", "diwali"),
        ("probe failed: provider stays paused", "holi"),
        ("probe failed: provider stays paused", "diwali"),
    ]
    assert "9198" not in str(lines)


def test_a_provider_that_fails_and_works_by_turns_does_not_fill_the_log() -> None:
    async def scenario() -> None:
        world = single()
        world.provider.latency = 0.001
        world.provider.answer = lambda call: FORBIDDEN if len(world.sent) % 2 else ACCEPT
        for campaign in range(300):
            world.offer(*names(10, f"c{campaign}-"), campaign=f"c{campaign}")
        await world.run(600)

    with capture_logs() as lines:
        simulate(scenario())
    assert len(lines) < 2 * 600 / 10 + 20


def test_an_operator_who_resumes_it_has_it_asked_at_once() -> None:
    async def scenario() -> None:
        world = single()
        world.provider.answer = lambda call: FORBIDDEN if call.at < 1300 else ACCEPT
        world.offer(*names(3))
        await world.run(305)
        assert world.results == {}
        world.lane.probe()
        await world.run(3)
        assert set(world.statuses.values()) == {"accepted"}

    simulate(scenario())


# ---- replies that do not say what became of messages ----------------------------------------------------------------


@pytest.mark.parametrize("records", [1, 10, 1000])
def test_a_changed_reply_does_not_make_a_campaign_unknown(records: int) -> None:
    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=records)], limits=Limits(concurrency=4))
        world.provider.answer = lambda call: Outcome("unknown", rule="built-in 2xx")
        world.offer(*names(20_000))
        await world.run(600)
        unknown = list(world.statuses.values()).count("unknown")
        assert unknown <= 20 + 2 * 4 * records + 15  # two rounds of requests, then a message per probe
        assert world.lane.status.breaker == "open"

    simulate(scenario())


@pytest.mark.parametrize("share", [0.6, 0.95])
def test_a_reply_that_leaves_half_of_its_messages_unknown_pauses_as_well(share: float) -> None:
    """Each has one success in it, and so has each probe: the pauses grow all the same."""

    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=100)], limits=Limits(concurrency=2))
        world.provider.answer = lambda call: {i: Outcome("unknown") for i in call.ids[: int(len(call.ids) * share)]}
        world.offer(*names(20_000))
        await world.run(600)
        assert 20 <= len(world.results) < 3_000
        assert "unknown" in world.lane.status.reason
        assert world.lane.counts.unknown_runs >= 3

    simulate(scenario())


def test_single_unknown_messages_pause_nobody() -> None:
    async def scenario() -> None:
        world = World(renderers=[FakeRenderer(max_records=100)], limits=Limits(concurrency=2))
        world.provider.answer = lambda call: {i: Outcome("unknown") for i in call.ids[::4]}
        world.offer(*names(5_000))
        await world.run(60)
        assert len(world.results) == 5_000
        assert world.lane.counts.unknown_runs == 0

    simulate(scenario())


@pytest.mark.parametrize(("most", "paused"), [(20, True), (150, True), (None, False)])
def test_how_many_unknown_in_a_row_pause_is_the_definitions(most: int | None, paused: bool) -> None:
    async def scenario() -> None:
        world = World(renderers=[UNBATCHED], limits=Limits(concurrency=1), unknown_run=most)
        world.provider.answer = lambda call: Outcome("unknown" if call.at > 1020 else "accept")
        world.offer(*names(2_000))
        await world.run(400)
        assert (len(world.results) < 300) is paused
        if paused:
            assert world.lane.counts.unknown_runs >= 1
            assert "unknown" in world.lane.status.reason

    simulate(scenario())
