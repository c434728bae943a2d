"""Brokers that are restarted, killed, frozen, lost, away."""

from __future__ import annotations

from tests.crash.scenarios.table import CLEAN, LONG_SESSION, scenario, under_load
from tests.crash.scene import Scene
from tests.crash.size import Size


@scenario("broker", size=CLEAN, brokers=1, quick=True)
def broker_restart(scene: Scene) -> None:
    """The only broker is shut down and started again under load."""
    under_load(scene)
    with scene.unwritable():
        scene.broker.shut_down()
        scene.broker.restart()


@scenario("broker", size=CLEAN, brokers=1)
def broker_killed(scene: Scene) -> None:
    """The only broker is killed and started again under load."""
    under_load(scene)
    with scene.unwritable():
        scene.broker.kill()
        scene.broker.restart()


@scenario("cut", size=CLEAN, brokers=1)
def broker_paused(scene: Scene) -> None:
    """The only broker is frozen for longer than the session: it takes both workers for dead when it goes on."""
    under_load(scene)
    scene.broker.pause()
    scene.hold(LONG_SESSION * 1.5)
    scene.uncertain += 2 * _waiting(scene)  # no results of either worker
    scene.broker.resume()


@scenario("broker", size=CLEAN, brokers=1)
def broker_away(scene: Scene) -> None:
    """The only broker is away for a minute."""
    under_load(scene)
    with scene.unwritable():
        scene.broker.kill()
        scene.hold(60)
        scene.broker.restart()


@scenario("broker", size=Size(session=LONG_SESSION, replication=3), brokers=3)
def broker_lost(scene: Scene) -> None:
    """One of three brokers is killed under load and stays away until all is done."""
    under_load(scene)
    scene.broker.kill(scene.dice.randrange(3))


@scenario("broker", size=Size(session=LONG_SESSION, replication=3), brokers=3)
def brokers_rolling(scene: Scene) -> None:
    """Three brokers are restarted one after the other under load."""
    under_load(scene)
    for number in range(3):
        scene.broker.shut_down(number)
        scene.broker.restart(number)
        scene.produce(1_000)


RESULTS_WAITING = 500
"""Results that may wait for their acknowledgement before requests are held back."""


def _waiting(scene: Scene) -> int:
    """Messages whose results may have waited: those within the bound, and what was at the provider when it was hit."""
    return RESULTS_WAITING + scene.size.slots * scene.size.records


@scenario("kill")
def sigkill_while_results_wait(scene: Scene) -> None:
    """A worker is killed five seconds after the broker has ceased to acknowledge results, but not offsets."""
    scene.produce()
    scene.start("w0", "--hold-results", str(scene.dice.randint(20, 60)))
    scene.until_sent(0.1)
    scene.hold(5)
    scene.kill("w0")
    scene.uncertain += _waiting(scene)
    scene.start("w1")


@scenario("kill", size=CLEAN, brokers=1)
def sigkill_while_broker_paused(scene: Scene) -> None:
    """A worker is killed five seconds after the only broker was frozen."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    scene.broker.pause()
    scene.hold(5)
    scene.kill("w0")
    scene.uncertain += _waiting(scene)
    scene.broker.resume()
    scene.start("w1")


@scenario("broker", size=CLEAN, brokers=1)
def sigterm_while_broker_away(scene: Scene) -> None:
    """A worker is told to stop while the broker is away: it gives up at its deadline (exit 70), another one goes on."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    scene.broker.pause()
    scene.hold(scene.size.latency)
    scene.workers["w0"].terminate()
    scene.ended("w0", 70)
    scene.moment("w0", "gave up")
    scene.uncertain += _waiting(scene)
    scene.broker.resume()
    scene.start("w1")
