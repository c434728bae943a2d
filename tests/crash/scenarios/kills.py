"""Hard kills: at random moments and at chosen points."""

from __future__ import annotations

from functools import partial

from tests.crash.scenarios.table import add_point, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size


@scenario("kill", size=Size(messages=12_000), quick=True)
def sigkill(scene: Scene) -> None:
    """One of two workers is killed at a random moment, three times; another one starts each time."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    for round_ in range(3):
        scene.until_sent((round_ + scene.dice.random()) / 4)
        scene.until_sent(1, worker=f"w{round_}")
        scene.kill(f"w{round_}")
        scene.start(f"w{round_ + 2}")


@scenario("kill")
def sigkill_all(scene: Scene) -> None:
    """Both workers are killed at the same moment before anything may have been committed; one starts."""
    scene.configure(commit_interval="60s")
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(0.6)
    scene.kill("w0")
    scene.kill("w1")
    scene.configure()
    scene.start("w2")


def die_at(point: str, low: int, high: int, scene: Scene) -> None:
    scene.produce()
    scene.start("w0", "--die-at", f"{point}:{scene.dice.randint(low, high)}")
    scene.await_death("w0")
    scene.start("w1")


def die_in_revoke(point: str, scene: Scene) -> None:
    scene.produce()
    scene.start("w0", "--die-at", point)
    scene.until_sent(0.1)
    scene.start("w1")
    scene.await_death("w0")


def die_opening(point: str, low: int, high: int, scene: Scene) -> None:
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    scene.kill("w0")
    scene.start("w1", "--die-at", f"{point}:{scene.dice.randint(low, high)}")
    scene.await_death("w1")
    scene.start("w2")


add_point("before-send", partial(die_at, "before-send", 5, 40))
add_point("after-send", partial(die_at, "after-send", 5, 40), quick=True)
add_point("before-result", partial(die_at, "before-result", 10, 60))
add_point("after-result", partial(die_at, "after-result", 10, 60))
add_point("before-commit", partial(die_at, "before-commit", 2, 5))
add_point("after-commit", partial(die_at, "after-commit", 2, 5))
add_point("in-revoke", partial(die_in_revoke, "in-revoke"), quick=True)
add_point("in-revoke-drained", partial(die_in_revoke, "in-revoke-drained"))
add_point("in-tail-read", partial(die_opening, "in-tail-read", 20, 400))
add_point("after-open", partial(die_opening, "after-open", 1, 1))
add_point("after-journal", partial(die_at, "after-journal", 3, 20), size=Size(on_uncertain="report"))


@scenario("kill", size=Size(messages=12_000, on_uncertain="report"))
def sigkill_report(scene: Scene) -> None:
    """As `sigkill`, under `on_uncertain: report`."""
    sigkill(scene)


# Requests of a frozen worker must still be alive when it wakes up, or it has no reply to write.
@scenario("zombie", size=Size(http_total=30.0), quick=True)
def sigstop(scene: Scene) -> None:
    """One of two workers is frozen (SIGSTOP) under load for twice its session, then goes on."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(1, worker="w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(0.3)
    scene.freeze("w0")
    scene.hold(2 * scene.size.session)
    scene.wait(lambda: _sent_by(scene, "w0") & _sent_by(scene, "w1"), "the other worker to send what was under way")
    scene.thaw("w0")
    scene.produce(4_000)


def _sent_by(scene: Scene, worker: str) -> set[str | None]:
    return {message.ref for send in scene.sends() if send.worker == worker for message in send.seen}
