"""Numbers that must not be texted, while workers are killed, stopped and cut off, and their list is lost or old."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from tests.crash.scenarios.membership import LEEWAY_SECONDS, sent_between
from tests.crash.scenarios.table import Scenario, add, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size
from tests.crash.suppressed import EFFECT_SECONDS
from tests.crash.suppression_scene import EVERY, LATER, SuppressionScene, readiness
from tests.kafka.ports import free_ports

LIST = Size(messages=16_000, suppresses=True)


@scenario("suppressions", size=LIST, quick=True)
def suppressions_killed(scene: Scene) -> None:
    """Numbers join the list and leave it; one of two workers is killed, three times, and another one starts."""
    way = _under_load(scene)
    for turn in range(3):
        scene.until_sent(0.1 * (turn + 1 + scene.dice.random()))
        way.stop_ahead(1_000)
        scene.kill(f"w{turn}")
        way.stop_ahead(500)
        way.start(f"w{turn + 2}")
    way.end()


@scenario("suppressions", size=LIST)
def suppressions_stopped(scene: Scene) -> None:
    """Numbers join the list while workers are stopped in order and others take over."""
    way = _under_load(scene)
    for turn in range(2):
        scene.until_sent(0.1 * (turn + 1 + scene.dice.random()))
        way.stop_ahead(1_000)
        scene.stop(f"w{turn}")
        way.stop_ahead(500)
        way.start(f"w{turn + 2}")
    way.end()


@scenario("suppressions", size=LIST)
def suppressions_frozen(scene: Scene) -> None:
    """Numbers join the list while one of two workers stands still for two sessions; then it goes on."""
    way = _under_load(scene)
    scene.until_sent(0.2)
    scene.freeze("w0")
    way.stop_ahead(2_000)
    scene.hold(2 * scene.size.session)
    scene.thaw("w0")
    way.end()


@scenario("suppressions", size=LIST, brokers=1, proxied=True)
def suppressions_cut_off(scene: Scene) -> None:
    """Numbers join the list while one of two workers is cut off from the brokers, and not from the provider."""
    way = SuppressionScene(scene)
    way.begin()
    way.start("w0", settings={"kafka.bootstrap.servers": scene.broker.proxied_bootstrap})
    way.start("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(0.2)
    cut, session = time.time(), scene.size.session
    scene.broker.cut()
    way.stop_ahead(2_000)
    scene.hold(2 * session)
    scene.broker.heal()
    # What it sent while its lease held has no durable result, nor what was about to be written.
    scene.uncertain += sent_between(scene, "w0", cut - 2 * scene.size.latency, cut + session / 2 + LEEWAY_SECONDS)
    way.end()


@scenario("suppressions", size=LIST, brokers=1)
def suppressions_broker_away(scene: Scene) -> None:
    """The only broker is away when a worker starts, and when one is about to read the list."""
    way = SuppressionScene(scene)
    way.begin()
    scene.broker.kill()
    way.start("early")
    scene.ended("early", 1)
    scene.broker.restart()
    (port,) = free_ports(1)
    way.start("w0", settings={"health.port": str(port)})
    scene.workers["w0"].wait_for("worker started", within=60)
    scene.workers["w0"].pause()
    scene.broker.kill()
    scene.workers["w0"].resume()
    if "partitions opened" not in scene.workers["w0"].output:  # it has been fast
        scene.wait(lambda: readiness(port)[0], "the worker to say whether it is ready")
        for _ in range(10):
            status, said = readiness(port)
            scene.check(
                status == 503 and "not ready" in said, f"/health/ready says {status} while the list is not read"
            )
            scene.hold(0.5)
        scene.check(scene.sent() == 0, "something was sent before the list was known")
    scene.broker.restart()
    scene.until_sent(0.2)
    scene.check(readiness(port)[0] == 200, "a worker that sends is not ready")
    way.stop_ahead(1_000)
    way.end()


@scenario("suppressions", size=LIST)
def suppressions_snapshot(scene: Scene) -> None:
    """A worker's snapshot of the list is gone, of before, damaged, and of another cluster when the next one starts."""
    way = SuppressionScene(scene)
    way.begin()
    before = scene.folder / "before"

    def put_back() -> None:
        shutil.copy(before, way.snapshot)

    faults: list[Callable[[], object]] = [way.wipe, put_back, way.damage, way.replace_by_another_clusters]
    for turn, fault in enumerate(faults):
        way.start(f"w{turn}")
        scene.until_sent(0.1 * (turn + scene.dice.random()))
        scene.stop(f"w{turn}")  # it is written now
        scene.check(way.snapshot.exists(), "a worker that was stopped has left no snapshot")
        if turn == 0:
            shutil.copy(way.snapshot, before)
        way.stop_ahead(800)
        way.lift(range(scene.produced + turn * 300, scene.produced + turn * 300 + 150))
        fault()
    way.start("last")
    way.end()


@scenario("suppressions", size=LIST)
def suppressions_topic_lost(scene: Scene) -> None:
    """The list's topic is deleted and made anew under load: who runs goes on knowing it, who starts refuses to."""
    way = SuppressionScene(scene)
    way.begin()
    way.start("w0")
    scene.until_sent(0.1)
    scene.stop("w0")  # there is a snapshot
    way.start("w1")
    way.start("w2")
    scene.until_sent(1, worker="w1")
    scene.until_sent(1, worker="w2")
    way.make_topic_anew()
    way.stop_ahead(500)
    scene.kill("w1")
    way.start("w3")
    scene.ended("w3", 78)
    scene.check(scene.run("suppress", "import", "--snapshot", str(way.snapshot)).wait() == 0, "import failed")
    way.start("w4")
    scene.kill("w2")
    way.end()


def _waits(begin: Callable[[Scene, SuppressionScene], Callable[[], object]], scene: Scene) -> None:
    """Everything waits, its worker is killed, half of all join the list meanwhile, some leave it again."""
    way = SuppressionScene(scene)
    way.stop(range(0, LATER, EVERY))
    scene.configure(memory={"messages": 1_000})
    go_on = begin(scene, way)
    scene.produce()
    way.start("w0")
    scene.workers["w0"].wait_for("partitions opened", within=60)
    scene.hold(3)  # some wait in memory, some in retry topics
    scene.check(scene.topics.moved() > 0 or not scene.sent(), "nothing waits")
    way.stop(range(1, scene.size.messages, 2))
    scene.kill("w0")
    way.lift(range(1, scene.size.messages, 10))
    way.start("w1")
    scene.hold(EFFECT_SECONDS)
    go_on()
    way.end()


def _retried(scene: Scene, _: SuppressionScene) -> Callable[[], object]:
    scene.provider(throttle=True, retry_after=2)
    return scene.provider


def _outside_hours(_: Scene, way: SuppressionScene) -> Callable[[], object]:
    way.send_from_next_minute()
    return lambda: None


def _paused(scene: Scene, _: SuppressionScene) -> Callable[[], object]:
    def steer(word: str) -> None:
        for number in range(scene.size.campaigns):
            new = ("--new",) if word == "pause" else ()  # no event names it yet
            scene.check(scene.run("campaign", word, f"c{number}", *new).wait() == 0, f"campaign {word} failed")

    steer("pause")
    return partial(steer, "resume")


for _name, _about, _begin in (
    ("retried", "their provider refuses them for now", _retried),
    ("outside-hours", "it is not their hour", _outside_hours),
    ("paused", "their campaigns are paused", _paused),
):
    _size = replace(LIST, messages=4_000, campaigns=2)
    _text = f"Messages wait because {_about}; meanwhile numbers join the list and leave it, and the worker is killed"
    add(Scenario(f"suppressions-{_name}", _text, partial(_waits, _begin), _size, "suppressions"))


def _under_load(scene: Scene) -> SuppressionScene:
    way = SuppressionScene(scene)
    way.begin()
    way.start("w0")
    way.start("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    return way
