"""Events with the id of an earlier one, while their partitions change hands.

They keep coming: what is admitted before a fault is known to repeat something before it, too.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.crash.scenarios.table import LONG_SESSION, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

ROUNDS = 3
EVENTS = 3_000
"""Produced at the start and after each fault; more than lie between an event and the one it repeats."""


@scenario("repeat", size=Size(repeats=5))
def repeats_killed(scene: Scene) -> None:
    """One message in five repeats an earlier one; one of two workers is killed, three times."""
    _rounds(scene, scene.kill)


@scenario("repeat", size=Size(repeats=5, on_uncertain="report"))
def repeats_killed_report(scene: Scene) -> None:
    """As `repeats-killed`, under `on_uncertain: report`."""
    _rounds(scene, scene.kill)


@scenario("repeat", size=Size(repeats=5, temporary=200, session=LONG_SESSION))
def repeats_handed_over(scene: Scene) -> None:
    """One message in five repeats an earlier one, some are refused for now; a worker is stopped, three times."""
    _rounds(scene, scene.stop)


def _rounds(scene: Scene, end: Callable[[str], None]) -> None:
    scene.produce(EVENTS)
    scene.start("w0")
    scene.start("w1")
    for round_ in range(ROUNDS):
        scene.until_sent(0.3 + scene.dice.random() * 0.2)
        scene.until_sent(1, worker=f"w{round_}")
        end(f"w{round_}")
        scene.produce(EVENTS)
        scene.start(f"w{round_ + 2}")
    scene.conclude()
    assert scene.concluded is not None
    repeated = scene.concluded.statuses.get("duplicate", 0)
    scene.check(repeated > scene.produced / 10, f"only {repeated} were recognised as duplicates")
