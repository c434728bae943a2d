"""Receipts that are looked up: `receipts run` is killed, its disk is lost or another's, the index is behind or gone."""

from __future__ import annotations

from functools import partial

from tests.crash.lookups_scene import NEXT, NOW, LookupsScene
from tests.crash.points import POINTS
from tests.crash.scenarios.table import Scenario, add, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

SHORT = {"receipts.wait": "2s"}
LOOKUPS = Size(messages=0, session=6.0, receipts=True, lookups=True)


@scenario("lookups", size=LOOKUPS, quick=True)
def index_killed(scene: Scene) -> None:
    """One of two `receipts run` is killed at a random moment, twice; half of the receipts come before their results."""
    way = LookupsScene(scene)
    way.start("w0")
    way.start("w1")
    way.know_alike()
    way.ask_alike()
    way.both()
    for turn in range(2):
        way.until_asked((turn + scene.dice.random()) / 3)
        scene.kill(f"w{turn}")
        way.start(f"w{turn + 2}")
        way.both(1_500)
    way.until_found()


def _killed_at(point: str, low: int, high: int, scene: Scene) -> None:
    way = LookupsScene(scene)
    way.both()
    way.start("w0", "--die-at", f"{point}:{scene.dice.randint(low, high)}")
    scene.await_death("w0")
    way.both(1_500)
    way.start("w1")
    way.until_found()


def _add(point: str, low: int, high: int) -> None:
    about = f"`receipts run` is killed at a point: {(POINTS[point].__doc__ or '').rstrip('.')}"
    add(Scenario(f"index-{point}", about, partial(_killed_at, point, low, high), LOOKUPS, "lookups"))


_add("before-index", 1, 2)
_add("after-index", 1, 3)
_add("before-lookup", 1, 4)
_add("after-lookup", 1, 4)
_add("after-lookup-disk", 2, 12)
_add("before-lookup-commit", 1, 2)
_add("in-index-read", 200, 2_000)


def _killed_giving_up(scene: Scene) -> None:
    way = LookupsScene(scene)
    way.know(1_500)
    way.ask()
    way.start("w0", "--die-at", "after-unmatched:1", settings=SHORT)
    scene.await_death("w0")
    way.start("w1", settings=SHORT)
    way.until_found()
    way.know(1_500)
    way.until_healed()


add(
    Scenario(
        "index-after-unmatched",
        f"`receipts run` is killed at a point: {(POINTS['after-unmatched'].__doc__ or '').rstrip('.')}; "
        "their results come later",
        _killed_giving_up,
        LOOKUPS,
        "lookups",
    )
)


@scenario("lookups", size=LOOKUPS)
def index_disk_lost(scene: Scene) -> None:
    """Killed while receipts wait; its disk is lost, then it is one of before, then each partition has another's."""
    way = LookupsScene(scene)
    way.ask()
    way.start("w0")
    scene.until_committed()
    way.copy_disk("yesterday")
    way.know(1_000)
    way.until_asked(0.2)
    scene.kill("w0")
    way.lose_disk()
    way.ask(1_500)
    way.start("w1")
    scene.until_committed()
    scene.kill("w1")
    way.put_back("yesterday")
    way.know(1_000)
    way.start("w2")
    way.until_asked(0.3)
    scene.stop("w2")
    way.mix_up_disk()
    way.start("w3")
    way.know(2_500)
    way.until_found()


@scenario("lookups", size=LOOKUPS)
def index_behind(scene: Scene) -> None:
    """Who has half of the results to index is frozen; receipts wait for 2 s at most, by what the index has taken in."""
    way = LookupsScene(scene)
    way.start("w0", settings=SHORT)
    way.start("w1", settings=SHORT)
    way.both(300)
    way.until_found()
    scene.freeze("w0")
    way.know()
    way.ask()
    scene.hold(2 * scene.size.session)
    scene.thaw("w0")
    way.until_found()


@scenario("lookups", size=LOOKUPS)
def index_rebalanced(scene: Scene) -> None:
    """Three `receipts run` come and go under load, in order."""
    way = LookupsScene(scene)
    way.both()
    way.start("w0")
    way.until_asked(0.3)
    way.start("w1")
    way.both(1_500)
    way.start("w2")
    scene.stop("w0")
    way.both(1_500)
    scene.stop("w1")
    way.until_found()


@scenario("lookups", size=LOOKUPS)
def index_keys_changed(scene: Scene) -> None:
    """The key is changed under load: receipts are looked up by the new one, 2 s later by the old one; one is killed."""
    way = LookupsScene(scene)
    way.know(1_500)
    way.start("w0", settings=SHORT)
    way.start("w1", settings=SHORT)
    way.secrets = [NEXT, NOW]
    way.ask(1_500)
    way.know(1_500)
    way.ask(1_500)
    way.until_asked(0.3)
    scene.kill("w0")
    way.start("w2", settings=SHORT)
    way.until_found()


@scenario("lookups", size=LOOKUPS, brokers=1)
def index_broker_killed(scene: Scene) -> None:
    """The only broker is killed under load, and started again after ten seconds."""
    way = LookupsScene(scene)
    way.both(6_000)
    way.start("w0")
    way.start("w1")
    way.until_asked(0.3)
    scene.broker.kill()
    scene.hold(10)
    scene.broker.restart()
    way.until_found()


@scenario("lookups", size=LOOKUPS)
def index_clock_ahead(scene: Scene) -> None:
    """The clock of one is an hour ahead, that of another one is set forth and back every second; one is killed."""
    way = LookupsScene(scene)
    way.both()
    way.start("w0", "--clock", "ahead")
    way.until_asked(0.3)
    way.start("w1", "--clock", "jumps")
    way.both(1_500)
    scene.kill("w0")
    way.until_found()


@scenario("lookups", size=LOOKUPS, brokers=1)
def index_topic_deleted(scene: Scene) -> None:
    """The index topic gets a partition more, and is deleted: exit 78 each time; it is made anew, and all is indexed."""
    way = LookupsScene(scene)
    way.both()
    way.start("w0")
    way.until_asked(0.3)
    scene.topics.add_partitions(scene.topics.index, scene.size.partitions + 1)
    scene.ended("w0", 78)
    way.start("w1")
    scene.ended("w1", 78)
    scene.topics.delete(scene.topics.index)
    way.start("w2")
    scene.ended("w2", 78)
    scene.create_topics()
    scene.topics.delete_group(f"{scene.group}-receipts-indexer")
    way.lose_disk()
    way.both(1_500)
    way.start("w3")
    way.until_found()
