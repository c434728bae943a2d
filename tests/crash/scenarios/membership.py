"""Cut off from the brokers and not from the provider, strangers in the group, ids that are used twice, wrong clocks."""

from __future__ import annotations

import time

from tests.crash.scenarios.table import LONG_SESSION, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

SLOW = Size(messages=3_000, session=6.0, records=10, slots=6, latency=0.5)
"""A worker of two sends about 60 messages a second: it would go on for long before too many results wait."""

WAITS_FOR_BEARER = "waiting until an earlier bearer"

LEEWAY_SECONDS = 1.0
"""From leaving a worker to the provider's log, on a busy machine."""


def _proxied(scene: Scene) -> dict[str, str]:
    return {"kafka.bootstrap.servers": scene.broker.proxied_bootstrap}


def sent_between(scene: Scene, worker: str, since: float, until: float) -> int:
    return sum(len(send.seen) for send in scene.sends() if send.worker == worker and since <= send.time <= until)


@scenario("cut", size=SLOW, brokers=1, proxied=True)
def cut_off(scene: Scene) -> None:
    """One of two workers is cut off from the brokers for two sessions, and not from the provider."""
    scene.produce()
    scene.start("w0", settings=_proxied(scene))
    scene.start("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.2)
    session = scene.size.session
    cut = time.time()
    scene.broker.cut()
    scene.hold(2 * session)
    healed = time.time()
    scene.broker.heal()
    # What it sent while its lease held has no durable result, nor what was about to be written.
    scene.uncertain += sent_between(scene, "w0", cut - 2 * scene.size.latency, cut + session / 2 + LEEWAY_SECONDS)
    late = sent_between(scene, "w0", cut + session / 2 + LEEWAY_SECONDS, healed)
    scene.check(late == 0, f"{late} messages sent by a worker that had heard nothing for more than half a session")
    scene.produce(1_500)
    before = scene.sent("w0")
    scene.until_sent(before + 1, worker="w0")  # it goes on


@scenario("broker", size=Size(messages=6_000, session=12.0, records=10, slots=6, latency=0.5), brokers=1, proxied=True)
def cut_off_briefly(scene: Scene) -> None:
    """One of two workers is cut off from the brokers for longer than half a session, and not for a whole one."""
    scene.produce()
    scene.start("w0", settings=_proxied(scene))
    scene.start("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.2)
    scene.broker.cut()
    scene.hold(scene.size.session / 2 + 1)
    scene.broker.heal()


@scenario("clean", size=Size(session=LONG_SESSION, messages=8_000))
def wrong_clock(scene: Scene) -> None:
    """One worker's clock is an hour ahead, another one's is set forth and back every second; one of them is stopped."""
    scene.produce()
    scene.start("w0", "--clock", "ahead")
    scene.start("w1", "--clock", "jumps")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.5)
    scene.stop("w0")
    scene.produce(2_000)


@scenario("static", size=Size(messages=3_000, records=10, slots=6, latency=0.5, session=12.0))
def one_id_twice(scene: Scene) -> None:
    """Two workers are started with one `static_membership`: the older one is fenced and ends (exit 78)."""
    scene.produce()
    name = {"static_membership": "pod-0", "timeouts.heartbeat": "4s"}
    scene.start("w0", settings=name)
    scene.until_sent(0.2)
    scene.moment("w0", "fenced")
    scene.start("w1", settings=name)
    scene.ended("w0", 78)
    fenced = time.time()
    # Until its next heartbeat it does not know.
    known = fenced - scene.moments[-1].time
    scene.uncertain += sent_between(scene, "w0", fenced - known, fenced)
    scene.until_sent(1, worker="w1")
    first = min(send.time for send in scene.sends() if send.worker == "w1")
    last = max(send.time for send in scene.sends() if send.worker == "w0")
    scene.check(last < first, "both bearers of one id were sending")


UNHURRIED = Size(messages=1_000, records=10, slots=2, latency=0.5, session=40.0)
"""A worker sends 40 messages a second."""


@scenario("static", size=UNHURRIED)
def one_id_unheard(scene: Scene) -> None:
    """The older of two workers with one `static_membership` hears of the other one seconds later, by a heartbeat."""
    # The younger one joins some 25 s after the older one, which has waited for half a session: just between two of its
    # heartbeats. A commit would tell it sooner.
    scene.configure(heartbeat=f"{UNHURRIED.session / 4:.0f}s", commit_interval="20s")
    scene.produce()
    name = {"static_membership": "pod-0"}
    go = scene.folder / "go"
    scene.start("w1", "--begin-with", str(go), settings=name)  # it is ready to join while the next heartbeat is far
    scene.start("w0", settings=name)
    scene.until_sent(0.1)
    go.touch()
    scene.wait(lambda: WAITS_FOR_BEARER in scene.workers["w1"].output or scene.sent("w1"), "the younger one to join")
    joined = time.time()
    scene.ended("w0", 78)
    last = max(send.time for send in scene.sends() if send.worker == "w0")
    scene.check(last > joined, "the older one was told at once: nothing of this was played")
    # What is at the provider when it hears of it has no durable result.
    scene.uncertain += sent_between(scene, "w0", last - scene.size.latency - LEEWAY_SECONDS, last)
    scene.until_sent(1, worker="w1")
    first = min(send.time for send in scene.sends() if send.worker == "w1")
    scene.check(last < first, "both bearers of one id were sending")


@scenario("clean", size=Size(messages=6_000, session=LONG_SESSION))
def static_restart(scene: Scene) -> None:
    """One of two workers with `static_membership` is stopped and started again: no rebalance, and no wait."""
    scene.produce()
    scene.start("w0", settings={"static_membership": "pod-0"})
    scene.start("w1", settings={"static_membership": "pod-1"})
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.3)
    opened = scene.workers["w1"].output.count("partitions opened")
    scene.stop("w0")
    scene.start("w0-again", settings={"static_membership": "pod-0"})
    scene.until_sent(1, worker="w0-again")
    scene.check(
        scene.workers["w1"].output.count("partitions opened") == opened, "a restart of w0 was a rebalance for w1"
    )
    scene.check(WAITS_FOR_BEARER not in scene.workers["w0-again"].output, "it waited for nobody")


@scenario("kill", size=Size(messages=6_000))
def static_killed(scene: Scene) -> None:
    """One of two workers with `static_membership` is killed and started again under its id at once."""
    scene.produce()
    scene.start("w0", settings={"static_membership": "pod-0"})
    scene.start("w1", settings={"static_membership": "pod-1"})
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.3)
    scene.kill("w0")
    scene.start("w0-again", settings={"static_membership": "pod-0"})
    scene.until_sent(1, worker="w0-again")
