"""The lane as a whole, in virtual time, against a provider that does as it is told."""

import asyncio
import contextlib
from types import SimpleNamespace

import pytest

from connector.definition.tree import Batching, Hours, Limits, Rate, Retry
from connector.delivery.lane_settings import LaneSettings
from connector.errors import Phase, RequestError
from connector.model import Outcome

from .virtual import simulate
from .world import FakeRenderer, World, names, operation


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


def test_one_settle_call_per_reply() -> None:
    async def scenario() -> None:
        world = World()
        world.offer(*names(25))
        await world.run(2)
        assert sorted(map(len, world.settled)) == [5, 10, 10]

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
        world.provider.answer = lambda call: Outcome("retry", reason="queue full")
        world.offer("m0")
        await world.run(300)
        assert len(world.sent) == 3
        assert world.statuses == {"m0": "failed"}
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


def test_a_message_that_expires_after_an_uncertain_request_is_not_called_unsent() -> None:
    async def scenario() -> None:
        world = World(retry=Retry(base=10.0))
        world.provider.answer = lambda call: uncertain()
        world.offer("m0", expires=1.0)
        await world.run(30)
        assert world.statuses == {"m0": "unknown"}

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


@pytest.mark.parametrize("where", ["renderer", "transport", "reader"])
def test_what_goes_wrong_unexpectedly_surfaces_and_loses_no_message(where: str) -> None:
    async def scenario() -> None:
        world = World()
        if where == "transport":
            world.provider.answer = lambda call: RuntimeError("boom")
        if where == "reader":
            world.provider.answer = lambda call: AssertionError("boom")
        world.offer("m0", body="bug" if where == "renderer" else "fine")
        world.offer("m1")
        with pytest.raises((RuntimeError, AssertionError)):
            await world.run(5)
        returned = await world.lane.drain(world.clock.monotonic())
        assert len(returned) == 2
        assert all(item.uncertain == (where != "renderer") for item in returned)
        assert world.lane.open_count == 0

    simulate(scenario())


def test_a_request_that_may_not_leave_keeps_its_messages() -> None:
    async def scenario() -> None:
        asked: list[int] = []

        async def before_send(_operation: object, _batch: str, items: object) -> bool:
            asked.append(len(items))  # type: ignore[arg-type]
            return len(asked) > 1

        world = World(before_send=before_send)
        world.offer(*names(3))
        await world.run(5)
        assert asked == [3]  # not asked again and again: this worker no longer owns its partitions
        world.lane.reopen()
        await world.run(5)
        assert asked == [3, 3]
        assert world.results["m0"].attempts == 1

    simulate(scenario())


def test_dry_run_sends_nothing_and_says_so() -> None:
    async def scenario() -> None:
        from connector.delivery.dry_run import DryRunTransport

        world = World(settings=LaneSettings(dry_run=True))
        world.lane._transport = DryRunTransport()
        world.offer(*names(3))
        await world.run(5)
        assert world.statuses == dict.fromkeys(names(3), "accepted")
        assert all(result.dry_run and result.http_status is None for result in world.results.values())

    simulate(scenario())


# ---- account and control --------------------------------------------------------------------------------------------


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
        world.provider.answer = lambda call: {i: Outcome("unknown") for i in call.ids[1:]}
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
        world.lane.paused = True
        world.offer("m0")
        await world.run(30)
        assert world.sent == []
        world.lane.paused = False
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


def test_an_accepted_message_is_not_sent_again_when_its_result_could_not_be_taken() -> None:
    async def scenario() -> None:
        world = World()

        def refuse(items: object, results: object) -> None:
            raise RuntimeError("the writer is broken")

        world.lane._custody._settle = refuse
        world.offer("m0")
        with pytest.raises(RuntimeError, match="writer is broken"):
            await world.run(5)
        assert await world.lane.drain(world.clock.monotonic()) == []

    simulate(scenario())


def test_definitions_of_one_account_share_limits_and_breaker() -> None:
    async def scenario() -> None:
        first = World(renderers=[FakeRenderer(max_records=1)])
        second = World(renderers=[FakeRenderer(max_records=1)], account=first.lane._gate.account)
        first.provider.answer = lambda call: Outcome("pause", after=10.0)
        first.offer("m0")
        await first.run(1)
        second.offer("m1")
        await second.run(1)
        assert second.sent == []
        await second.run(20)
        assert second.statuses == {"m1": "accepted"}

    simulate(scenario())


def test_a_reply_that_comes_after_drain_gave_up_changes_nothing() -> None:
    """A transport that does not let itself be cancelled cannot settle what the next owner has already got."""

    async def scenario() -> None:
        world = World()

        class Stubborn:
            async def send(self, request: object, auth: object) -> object:
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


def test_messages_expire_one_after_the_other() -> None:
    async def scenario() -> None:
        world = World()
        world.lane.paused = True
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
