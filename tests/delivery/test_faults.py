"""A fault at any station of a lane: it is that provider's outage, no message is lost, and nothing else is touched."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from connector.definition.tree import Limits
from connector.delivery.lane import Lane
from connector.model import Outcome

from .virtual import simulate
from .world import ACCEPT, FakeRenderer, World, names, operation

Undo = Callable[[], None]
SECRET = "hunter2-in-the-error"


def faulty(owner: Any, name: str, *, times: int | None = None) -> Undo:
    """Let a method fail, so many times or until it is undone."""
    original, left = getattr(owner, name), [times]

    def broken(*args: Any, **kwargs: Any) -> Any:
        if left[0] is not None:
            if left[0] == 0:
                return original(*args, **kwargs)
            left[0] -= 1
        raise KeyError(f"+919800000001 {SECRET}")

    setattr(owner, name, broken)
    return lambda: setattr(owner, name, original)


STATIONS: dict[str, Callable[[Lane], tuple[Any, str]]] = {
    "decode": lambda lane: (lane._request_builder._host, "decode"),
    "prepare": lambda lane: (lane._request_builder, "prepare"),
    "render": lambda lane: (lane._routes[0].renderer, "render"),
    "transport": lambda lane: (lane._transport, "send"),
    "read": lambda lane: (lane._routes[0].reader, "read"),
    "gate": lambda lane: (lane._flow_control, "replied"),
    "counts": lambda lane: (lane._in_flight._counts, "replied"),
    "decision": lambda lane: (lane._outcome_handler, "replied"),
    "everything of deciding": lambda lane: (lane._outcome_handler, "_wait"),
    "choice": lambda lane: (lane._backlog, "choose"),
    "limiter": lambda lane: (lane._flow_control.account.limiter, "delay"),
}


@pytest.mark.parametrize("station", STATIONS)
def test_a_fault_at_any_station_is_an_outage_that_costs_no_message(station: str) -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=4))
        world.offer(*names(50))
        undo = faulty(*STATIONS[station](world.lane))
        running = asyncio.create_task(world.run(2000))
        await asyncio.sleep(5)
        if station not in {"counts", "gate", "everything of deciding", "choice"}:  # what the provider said counts
            assert world.results == {}
            assert "internal error: KeyError" in world.lane.status.reason
        calls = len(world.sent)
        await asyncio.sleep(200)
        assert len(world.sent) - calls < (80 if station == "choice" else 20)  # a probe is chosen otherwise
        undo()
        await running
        assert world.statuses == dict.fromkeys(names(50), "accepted")
        assert max(result.attempts for result in world.results.values()) <= 6
        assert world.lane.open_count == world.lane.open_bytes == 0

    with capture_logs() as lines:
        simulate(scenario())
    if station != "everything of deciding":
        told = [line for line in lines if line["event"].startswith("error in a provider's lane")]
        assert 1 <= len(told) <= 3
        assert "KeyError" in told[0]["traceback"]
        assert any("test_faults.py" in frame for frame in told[0]["traceback"])
    assert SECRET not in str(lines)
    assert "9198" not in str(lines)


@pytest.mark.parametrize("station", ["transport", "read", "decision"])
def test_under_report_a_fault_after_sending_leaves_the_outcome_unknown_and_sends_nothing_again(station: str) -> None:
    async def scenario() -> None:
        world = World(operations=[operation(on_uncertain="report")], limits=Limits(concurrency=1))
        world.offer(*names(3))
        faulty(*STATIONS[station](world.lane), times=1)
        await world.run(60)
        assert world.statuses == dict.fromkeys(names(3), "unknown")
        assert len(world.sent) <= 1

    simulate(scenario())


@pytest.mark.parametrize("where", ["render", "read"])
def test_one_message_that_makes_us_fail_ends_by_itself_and_the_others_get_through(where: str) -> None:
    async def scenario() -> None:
        world = World(limits=Limits(concurrency=1), renderers=[FakeRenderer(max_records=64)])
        if where == "read":
            world.provider.answer = lambda call: RuntimeError("boom") if "bad" in call.ids else ACCEPT
        world.offer("bad", body="bug" if where == "render" else "fine")
        world.offer(*names(100))
        world.offer(*names(10, "other"), campaign="c2")
        await world.run(1200)
        bad = {name: status for name, status in world.statuses.items() if status != "accepted"}
        assert bad == {"bad": "failed"}
        assert len(world.results) == 111
        assert sum("bad" in ids for ids in world.sent) <= 6

    simulate(scenario())


@pytest.mark.parametrize("where", ["finish", "park", "await_permission"])
def test_what_fails_outside_of_the_lane_ends_it(where: str) -> None:
    async def scenario() -> None:
        def refuse(*_: Any) -> Any:
            raise OSError("Kafka's side")

        async def refuse_later(*_: Any) -> bool:
            raise OSError("Kafka's side")

        world = World(
            **{"park": {"park": refuse}, "await_permission": {"await_permission": refuse_later}}.get(where, {})  # type: ignore[arg-type]
        )
        if where == "finish":
            world.host.finish = refuse
        if where == "park":
            world.provider.answer = lambda call: Outcome("defer", after=3600.0)
        world.offer("m0")
        with pytest.raises(OSError, match="Kafka's side"):
            await world.run(5)

    simulate(scenario())


def test_messages_that_end_unsent_end_whatever_goes_wrong() -> None:
    async def scenario() -> None:
        world = World()
        world.lane.pause(paused=True)
        world.offer(*names(3), expires=5.0)
        faulty(world.lane._request_builder, "dismiss")
        await world.run(20)
        assert [len(ids) for ids in world.finished] == [3]
        assert set(world.statuses.values()) == {"expired"}
        assert world.lane.open_count == 0

    simulate(scenario())


def test_another_lane_notices_nothing() -> None:
    async def scenario() -> None:
        broken, sound = World(), World()
        faulty(broken.lane._routes[0].renderer, "render")
        faulty(broken.lane._flow_control, "broken")
        broken.offer(*names(20))
        running = [asyncio.create_task(world.run(30)) for world in (broken, sound)]
        for message in names(100):
            sound.offer(message)
            await asyncio.sleep(0.1)
        await asyncio.gather(*running)
        assert sound.statuses == dict.fromkeys(names(100), "accepted")
        assert broken.lane.open_count == 20
        assert broken.lane.counts.errors < 100

    simulate(scenario())
