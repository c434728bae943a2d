"""What keeps windows apart is named: a value that every recipient has of its own makes batches of one."""

import pytest

from connector.delivery.queue.fragmentation import LOOK_WINDOWS, Fragmentation, fragmentation

from .virtual import simulate
from .world import World

PARTS = [["$$hid", "$$Body"], []]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], None),
        ([(0, "c1", ("h", "Hi"), False)], None),
        ([(0, "c1", ("h", f"Hi {n}"), False) for n in range(7)], Fragmentation("$$Body", 7)),
        ([(0, f"c{n}", ("h", "Hi"), False) for n in range(5)], Fragmentation("campaign", 5)),
        ([(0, f"c{n % 2}", (f"h{n % 3}", "Hi"), False) for n in range(6)], Fragmentation("$$hid", 3)),
        ([(1, f"c{n}", None, False) for n in range(5)], None),  # no batching: nothing to keep apart
    ],
)
def test_the_part_with_the_most_values(keys: list, expected: Fragmentation | None) -> None:
    assert fragmentation(keys, PARTS) == expected


def test_a_look_is_bounded() -> None:
    """However many windows are open."""
    assert fragmentation(((0, "c", (str(n), ""), False) for n in range(10 * LOOK_WINDOWS)), PARTS) == (
        "$$hid",
        LOOK_WINDOWS,
    )


def test_a_lane_looks_at_its_windows() -> None:
    """Those that wait, with the campaign where that is what differs."""

    async def scenario() -> None:
        world = World()
        for name in "abc":
            world.offer(name, campaign=name)
        assert world.lane.apart == ("campaign", 3)

    simulate(scenario())
