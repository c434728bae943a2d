"""While it is not known whether results can be written, one message leaves at a time."""

import pytest

from connector.definition.tree import Batching, Limits, Retry
from connector.delivery.limits.lane_settings import LaneSettings
from connector.model import Outcome

from .virtual import simulate
from .world import FakeRenderer, World, names, operation


class Passage:
    """Narrow until it is told otherwise; `free` as the test says."""

    def __init__(self) -> None:
        self.narrow = True
        self.world: World | None = None
        self.durable = True

    @property
    def free(self) -> bool:
        assert self.world is not None
        return not self.world.lane.requests and self.durable


def narrow_world(**options: object) -> tuple[World, Passage]:
    passage = Passage()
    world = World(passage=passage, **options)  # type: ignore[arg-type]
    passage.world = world
    return world, passage


def test_one_message_leaves_and_nothing_more_before_its_result_is_durable() -> None:
    async def scenario() -> None:
        world, passage = narrow_world(limits=Limits(concurrency=8))
        world.provider.latency = 5.0
        world.offer(*names(500))
        await world.run(4)
        assert [len(it) for it in world.sent] == [1]
        passage.durable = False
        await world.run(60)
        assert [len(it) for it in world.sent] == [1], "its reply is there, and its result is not"
        passage.narrow = False
        world.lane.wake()
        await world.run(120)
        assert max(len(it) for it in world.sent) == 10
        assert set(world.statuses.values()) == {"accepted"}
        assert len(world.statuses) == 500

    simulate(scenario())


@pytest.mark.parametrize("then", ["retry", "throttle", "pause", "uncertain"])
def test_a_message_that_ends_without_a_result_is_followed_by_one_more(then: str) -> None:
    """It proves nothing, and it must not stand in the way for ever."""

    async def scenario() -> None:
        world, _ = narrow_world(settings=LaneSettings(), retry=Retry(attempts=50))
        world.provider.answer = lambda call: Outcome(then) if len(world.sent) < 6 else Outcome("accept")  # type: ignore[arg-type]
        world.offer(*names(30))
        await world.run(900)
        assert {len(ids) for ids in world.sent} == {1}
        assert world.provider.most_under_way == 1
        assert len(world.results) == 30

    simulate(scenario())


def test_as_few_leave_as_the_operation_allows() -> None:
    async def scenario() -> None:
        bulk = operation("bulk", batching=Batching((("msgs",),), 3, 10))
        world, passage = narrow_world(operations=[bulk], renderers=[FakeRenderer(10, 3)])
        world.offer(*names(30))
        await world.run(0.1)
        assert [len(ids) for ids in world.sent] == [3]
        passage.narrow = False
        await world.run(30)
        assert len(world.results) == 30

    simulate(scenario())
