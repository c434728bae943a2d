"""Nothing at all, and clean ends."""

from __future__ import annotations

from tests.crash.scenarios.table import CLEAN, LONG_SESSION, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size


@scenario("clean", size=CLEAN)
def calm(scene: Scene) -> None:
    """No fault: two workers, events before and while they run."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(0.5)
    scene.produce(2_000)


@scenario("clean", size=CLEAN, quick=True)
def sigterm(scene: Scene) -> None:
    """One of two workers is stopped with SIGTERM under load, twice; each time another one joins."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    for round_ in range(2):
        scene.until_sent(0.2 + 0.3 * round_ + scene.dice.random() * 0.2)
        scene.stop(f"w{round_}")
        scene.start(f"w{round_ + 2}")


@scenario("clean", size=CLEAN)
def sigterm_all(scene: Scene) -> None:
    """Three workers are stopped with SIGTERM at the same moment under load; one takes over."""
    scene.produce()
    names = ["w0", "w1", "w2"]
    for name in names:
        scene.start(name)
    for name in names:
        scene.until_sent(1, worker=name)
    scene.until_sent(0.5)
    scene.stop(*names)
    scene.start("w3")


@scenario("clean", size=Size(session=LONG_SESSION, latency=1.0))
def sigterm_twice(scene: Scene) -> None:
    """A second SIGTERM, and a third, while the worker still waits for its requests in flight."""
    scene.produce()
    worker = scene.start("w0")
    scene.until_sent(0.3)
    for _ in range(3):
        worker.terminate()
    scene.ended("w0", 0)
    scene.start("w1")


@scenario("clean", size=Size(session=LONG_SESSION, messages=16_000), quick=True)
def join_and_leave(scene: Scene) -> None:
    """One to four workers join and leave in quick succession, ten changes at random moments."""
    scene.produce()
    scene.start("w0")
    started = 1
    for change in range(10):
        scene.until_sent((change + scene.dice.random()) / 12)
        running = scene.running()
        if len(running) == 1 or (len(running) < 4 and scene.dice.random() < 0.5):
            scene.start(f"w{started}")
            started += 1
            continue
        scene.stop(scene.dice.choice(running))  # also one that has sent nothing yet, or finds nothing left to send


@scenario("clean", size=Size(session=LONG_SESSION, latency=1.0, partitions=12, slots=24))
def start_together(scene: Scene) -> None:
    """Four workers start at the same moment on a backlog nobody has read before."""
    scene.produce()
    for number in range(4):
        scene.start(f"w{number}")


@scenario("clean", size=CLEAN)
def refused_commits(scene: Scene) -> None:
    """The broker refuses every commit the first time. The last events come after the rebalance, which commits anew."""
    scene.produce()
    scene.start("w0", "--refuse-commits")
    scene.until_sent(0.5)
    scene.start("w1").wait_for("partitions opened")
    scene.produce(1000)


@scenario("clean", size=CLEAN)
def refused_reads(scene: Scene) -> None:
    """The brokers do not answer what a worker asks before it begins, the first time each."""
    scene.produce()
    scene.start("w0", "--refuse-reads")
    scene.until_sent(0.5)
    scene.start("w1", "--refuse-reads")
