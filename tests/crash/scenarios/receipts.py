"""`receipts run`: killed at random moments and at chosen points, frozen, its disk lost or old, rebalanced."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

from tests.crash.points import POINTS
from tests.crash.receipts_scene import ReceiptsScene
from tests.crash.scenarios.table import LONG_SESSION, Scenario, add, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

RECEIPTS = Size(messages=0, session=6.0, receipts=True)
# States of 4,000 messages.
ALL = 9_000


@scenario("receipts", size=RECEIPTS, quick=True)
def receipts_killed(scene: Scene) -> None:
    """One of two `receipts run` is killed at a random moment, three times; another one starts each time."""
    way = ReceiptsScene(scene)
    way.produce()
    way.start("w0")
    way.start("w1")
    for turn in range(3):
        way.until_written(int(ALL * (turn + scene.dice.random()) / 4))
        scene.kill(f"w{turn}")
        way.start(f"w{turn + 2}")
        way.produce(1_500)
    way.repeat()


def _killed_at(point: str, low: int, high: int, scene: Scene) -> None:
    way = ReceiptsScene(scene)
    way.produce()
    way.start("w0", "--die-at", f"{point}:{scene.dice.randint(low, high)}")
    scene.await_death("w0")
    way.start("w1")
    way.until_written(ALL // 2)
    way.repeat()


def _killed_restoring(scene: Scene) -> None:
    way = ReceiptsScene(scene)
    way.produce()
    way.start("w0")
    way.until_written(ALL // 2)
    scene.kill("w0")
    way.lose_disk()
    way.start("w1", "--die-at", f"in-tail-read:{scene.dice.randint(20, 2_000)}")
    scene.await_death("w1")
    way.start("w2")
    way.repeat()


def _add(point: str, play: object) -> None:
    about = f"`receipts run` is killed at a point: {(POINTS[point].__doc__ or '').rstrip('.')}"
    assert callable(play)
    add(Scenario(f"receipts-{point}", about, play, RECEIPTS, "receipts"))


_add("before-state", partial(_killed_at, "before-state", 2, 12))
_add("after-state", partial(_killed_at, "after-state", 2, 12))
_add("after-disk", partial(_killed_at, "after-disk", 2, 12))
_add("before-commit", partial(_killed_at, "before-commit", 2, 2))
_add("in-tail-read", _killed_restoring)


@scenario("receipts", size=RECEIPTS)
def receipts_disk_lost(scene: Scene) -> None:
    """Killed, and its disk is gone; then a disk of before that time is put back; everything is reported once more."""
    way = ReceiptsScene(scene)
    way.produce()
    way.start("w0")
    way.until_written(ALL // 3)
    scene.kill("w0")
    yesterday = scene.folder / "yesterday"
    shutil.copytree(way.folder, yesterday)
    way.lose_disk()
    way.start("w1")
    way.until_written(2 * ALL // 3)
    scene.kill("w1")
    way.lose_disk()
    shutil.copytree(yesterday, way.folder)
    way.repeat()
    way.start("w2")


@scenario("receipts", size=RECEIPTS)
def receipts_rebalanced(scene: Scene) -> None:
    """Three `receipts run` come and go under load, in order."""
    way = ReceiptsScene(scene)
    way.produce()
    way.start("w0")
    way.until_written(ALL // 6)
    way.start("w1")
    way.until_written(ALL // 3)
    way.start("w2")
    way.produce()
    scene.stop("w0")
    way.produce(2_000)
    scene.stop("w1")
    way.repeat()


@scenario("receipts", size=RECEIPTS)
def receipts_frozen(scene: Scene) -> None:
    """One of two stands still for two sessions, and goes on after the other one has taken over."""
    way = ReceiptsScene(scene)
    way.produce()
    way.start("w0")
    way.start("w1")
    way.until_written(ALL // 4)
    scene.freeze("w0")
    way.produce(3_000)
    scene.hold(2 * scene.size.session)
    scene.thaw("w0")
    way.repeat()


@scenario("receipts", size=RECEIPTS, brokers=1, proxied=True)
def receipts_cut_off(scene: Scene) -> None:
    """One of two is cut off from the brokers for two sessions, with states on their way."""
    way = ReceiptsScene(scene)
    way.produce(12_000)
    way.start("w0", settings={"kafka.bootstrap.servers": scene.broker.proxied_bootstrap})
    way.until_written(ALL // 9)
    way.start("w1")
    way.until_written(ALL // 3)
    scene.broker.cut()
    scene.hold(2 * scene.size.session)
    scene.broker.heal()
    way.repeat()


@scenario("receipts", size=RECEIPTS, brokers=1)
def receipts_broker_killed(scene: Scene) -> None:
    """The only broker is killed under load, and started again after ten seconds."""
    way = ReceiptsScene(scene)
    way.produce(12_000)
    way.start("w0")
    way.start("w1")
    way.until_written(ALL // 3)
    scene.broker.kill()
    scene.hold(10)
    scene.broker.restart()
    way.repeat()


@scenario("receipts", size=replace(RECEIPTS, replication=3, session=LONG_SESSION), brokers=3)
def receipts_leader_lost(scene: Scene) -> None:
    """One of three brokers is killed under load, and with it leaders of partitions; it stays away."""
    way = ReceiptsScene(scene)
    way.produce(12_000)
    way.start("w0")
    way.start("w1")
    way.until_written(ALL // 3)
    scene.broker.kill(scene.dice.randrange(3))
    way.repeat()


@scenario("receipts", size=RECEIPTS)
def receipts_clock_ahead(scene: Scene) -> None:
    """The clock of one is an hour ahead, that of another one is set forth and back every second; one is killed."""
    way = ReceiptsScene(scene)
    way.produce()
    way.start("w0", "--clock", "ahead")
    way.until_written(ALL // 3)
    way.start("w1", "--clock", "jumps")
    way.until_written(ALL // 2)
    scene.kill("w0")
    way.repeat()
