"""Before each request it is asked who must not be texted."""

from __future__ import annotations

import asyncio
from typing import Any

from connector.delivery.limits.lane_settings import LaneSettings
from connector.model import Outcome

from .virtual import simulate
from .world import World, names

SAME = {f"+9198{number:08d}": f"m{number - 1}" for number in (1, 2, 3)}


def test_who_is_suppressed_before_the_request_is_left_out_of_it() -> None:
    async def scenario() -> None:
        world = World()
        world.host.suppresses = lambda to: SAME.get(to) == "m1"
        world.offer(*names(3))
        await world.run(5)
        assert world.sent == [["m0", "m2"]]
        assert world.statuses == {"m0": "accepted", "m1": "suppressed", "m2": "accepted"}
        result = world.results["m1"]
        assert (result.attempts, result.batch_id, result.http_status) == (0, None, None)
        assert "must not be texted" in (result.reason or "")
        assert world.lane.open_count == world.lane.open_bytes == 0

    simulate(scenario())


def test_a_request_of_nobody_but_the_suppressed_does_not_leave() -> None:
    async def scenario() -> None:
        world = World()
        world.host.suppresses = lambda _to: True
        world.offer(*names(3))
        await world.run(5)
        assert world.sent == []
        assert set(world.statuses.values()) == {"suppressed"}

    simulate(scenario())


def test_who_opts_out_while_a_message_waits_to_be_sent_again_gets_none() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.answer = lambda call: {i: Outcome("retry", code="busy") for i in call.ids}
        world.offer("m0")
        await world.run(0.3)
        assert world.sent == [["m0"]]
        world.host.suppresses = lambda _to: True
        await world.run(60)
        assert world.sent == [["m0"]]
        assert world.statuses == {"m0": "suppressed"}
        assert world.results["m0"].attempts == 1

    simulate(scenario())


def test_what_may_have_been_taken_before_is_unknown_and_not_called_unsent() -> None:
    async def scenario() -> None:
        world = World(settings=LaneSettings())
        world.offer("m0")
        world.items["m0"].uncertain = True
        world.host.suppresses = lambda _to: True
        await world.run(5)
        assert world.sent == []
        assert world.statuses == {"m0": "unknown"}

    simulate(scenario())


def test_who_opts_out_while_a_request_waits_for_permission_is_not_texted() -> None:
    """Permission may take as long as an outage: by then the request has been made."""

    async def scenario() -> None:
        outage_ends = asyncio.Event()

        async def await_permission(*_: Any) -> bool:
            await outage_ends.wait()
            return True

        world = World(await_permission=await_permission)
        world.offer(*names(3))
        running = asyncio.create_task(world.run(60))
        await asyncio.sleep(30)
        world.host.suppresses = lambda to: SAME.get(to) == "m1"
        outage_ends.set()
        await running
        assert world.sent == [["m0", "m2"]]
        assert world.statuses == {"m0": "accepted", "m1": "suppressed", "m2": "accepted"}
        assert world.host.withdrawn == [[1, 2, 3]]
        assert world.results["m1"].attempts == 0
        assert world.lane.open_count == world.lane.open_bytes == 0

    simulate(scenario())


def test_who_opts_out_while_a_request_waits_for_its_token_or_connection_is_not_texted() -> None:
    async def scenario() -> None:
        world = World()
        world.provider.connecting = 20
        world.offer(*names(3))
        running = asyncio.create_task(world.run(100))
        await asyncio.sleep(10)
        world.host.suppresses = lambda to: SAME.get(to) == "m1"
        await running
        assert world.sent == [["m0", "m2"]]
        assert world.statuses == {"m0": "accepted", "m1": "suppressed", "m2": "accepted"}
        assert world.host.withdrawn == [[1, 2, 3]]
        assert world.results["m1"].attempts == 0
        assert world.lane.open_count == world.lane.open_bytes == 0

    simulate(scenario())
