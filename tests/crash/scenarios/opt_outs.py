"""Opt-outs: `receipts run` is killed between a reply and the list, stands still, is rebalanced; replies come again."""

from __future__ import annotations

from functools import partial

from tests.crash.opt_outs_scene import OptOutsScene
from tests.crash.points import POINTS
from tests.crash.scenarios.receipts import RECEIPTS
from tests.crash.scenarios.table import Scenario, add, scenario
from tests.crash.scene import Scene

# Changes of the list of 4,000 people, whatever comes twice.
ALL = 7_000


@scenario("opt-outs", size=RECEIPTS, quick=True)
def opt_outs_killed(scene: Scene) -> None:
    """One of two `receipts run` is killed at a random moment, twice; then everything is said once more, the other way
    round.
    """
    way = OptOutsScene(scene)
    way.say()
    way.start("w0")
    way.start("w1")
    for turn in range(2):
        way.until_listed(int(ALL * (turn + scene.dice.random()) / 4))
        scene.kill(f"w{turn}")
        way.start(f"w{turn + 2}")
        way.say(1_500)
    way.say_again()


def _killed_at(point: str, scene: Scene) -> None:
    way = OptOutsScene(scene)
    way.say()
    way.start("w0", "--die-at", f"{point}:{scene.dice.randint(2, 8)}")
    scene.await_death("w0")
    way.start("w1")
    way.until_listed(ALL // 2)
    way.say_again()


for _point in ("before-listing", "after-listing"):
    _about = f"`receipts run` is killed at a point: {(POINTS[_point].__doc__ or '').rstrip('.')}"
    add(Scenario(f"opt-outs-{_point}", _about, partial(_killed_at, _point), RECEIPTS, "opt-outs"))


@scenario("opt-outs", size=RECEIPTS)
def opt_outs_frozen(scene: Scene) -> None:
    """One of two stands still for two sessions, and goes on after the other one has taken over."""
    way = OptOutsScene(scene)
    way.say()
    way.start("w0")
    way.start("w1")
    way.until_listed(ALL // 4)
    scene.freeze("w0")
    way.say(3_000)
    scene.hold(2 * scene.size.session)
    scene.thaw("w0")
    way.say_again()


@scenario("opt-outs", size=RECEIPTS)
def opt_outs_rebalanced(scene: Scene) -> None:
    """Three `receipts run` come and go under load, in order."""
    way = OptOutsScene(scene)
    way.say()
    way.start("w0")
    way.until_listed(ALL // 4)
    way.start("w1")
    way.say(2_000)
    way.start("w2")
    scene.stop("w0")
    way.say(2_000)
    scene.stop("w1")
    way.say_again()
