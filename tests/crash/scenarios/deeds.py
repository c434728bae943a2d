"""What people do through the console: it is killed between a record and its deed, and the audit topic takes nothing."""

from __future__ import annotations

from tests.crash.deeds_scene import DIED, DeedsScene
from tests.crash.scenarios.refused import DEFAULT, TOO_SMALL
from tests.crash.scenarios.table import scenario
from tests.crash.scene import Scene
from tests.crash.size import Size
from tests.kafka.records import alter

DEEDS = Size(messages=6_000, records=10, latency=0.5, providers=("fake", "other"))
STILL_SECONDS = 3.0
"""For which nothing must leave to a provider that is paused."""


@scenario("deeds", size=DEEDS, quick=True)
def console_killed(scene: Scene) -> None:
    """The console is killed behind the record of a pause, behind the pause, and behind the record of a resumption."""
    way = _begun(scene)
    way.console("c0", "--die-at", "after-asking")
    way.expect("a pause, killed behind its record", way.steer("fake", paused=True), DIED)
    scene.await_death("c0")
    scene.check(way.control_records() == 0, "it was killed before the pause, and the control topic has it")
    way.console("c1", "--die-at", "after-steering")
    way.expect("a pause, killed behind it", way.steer("fake", paused=True), DIED)
    scene.await_death("c1")
    scene.check(way.control_records() == 1, "it was killed behind the pause, and the control topic has it not")
    way.console("c2", "--die-at", "after-asking")
    way.until_obeyed("fake")
    known = way.known()
    scene.check(
        [it.startswith("It was done") for it in known] == [True, False],
        f"of a pause that was done, and one that was not, the console says: {'; '.join(known)}",
    )
    way.expect("a resumption, killed behind its record", way.steer("fake", paused=False), DIED)
    scene.await_death("c2")
    _still(scene, "a resumption that was recorded and not done")
    way.console("c3")
    way.expect("a resumption", way.steer("fake", paused=False), 200)
    way.expect("a test message", way.send_test("other"), 200)
    way.close()


@scenario("deeds", size=DEEDS)
def deeds_refused(scene: Scene) -> None:
    """The audit topic refuses every record: who lets messages go, or sends one, is refused; who stops them is not."""
    way = _begun(scene)
    way.console("c0")
    way.expect("a pause", way.steer("fake", paused=True), 200)
    alter(scene.kafka.bootstrap, scene.topics.audit, {"max.message.bytes": TOO_SMALL})
    way.expect("a pause that cannot be recorded", way.steer("other", paused=True), 200)
    way.until_obeyed("fake")
    way.until_obeyed("other")
    for provider in ("fake", "other"):
        way.expect("a resumption that cannot be recorded", way.steer(provider, paused=False), 409)
        way.expect("a test message that cannot be recorded", way.send_test(provider), 503)
    _still(scene, "deeds that cannot be recorded")
    alter(scene.kafka.bootstrap, scene.topics.audit, {"max.message.bytes": DEFAULT})
    for provider in ("fake", "other"):
        way.expect("a resumption", way.steer(provider, paused=False), 200)
    way.close()


def _begun(scene: Scene) -> DeedsScene:
    way, scene.deeds = DeedsScene(scene), True
    scene.produce()
    way.worker("w0")
    way.worker("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    return way


def _still(scene: Scene, why: str) -> None:
    before, messages = len(scene.sends("fake")), sum(len(send.seen) for send in scene.sends("fake"))
    scene.check(messages < scene.produced // 2, "nothing waits for the provider that is paused")
    scene.hold(STILL_SECONDS)
    scene.check(len(scene.sends("fake")) == before, f"something was sent to a provider that is paused, by {why}")
