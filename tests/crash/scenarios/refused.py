"""Results that Kafka refuses, from the start or while messages are at the provider."""

from __future__ import annotations

from confluent_kafka.admin import AclOperation

from tests.crash.scenarios.brokers import RESULTS_WAITING
from tests.crash.scenarios.table import CLEAN, LONG_SESSION, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size
from tests.kafka.records import alter

TOO_SMALL, DEFAULT = "80", "1048588"
"""`max.message.bytes`: no record fits; what a topic has by default."""

WRITE = AclOperation.WRITE
SMALL = Size(session=LONG_SESSION, messages=6_000)
END_SECONDS = 60.0
"""A worker that is refused ends by then: rules are waited for for 4 s here."""


@scenario("offsets", size=CLEAN)
def results_refused(scene: Scene) -> None:
    """The results topic refuses every record under load: exit 78, over three starts; then it is mended."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    with scene.unwritable():
        alter(scene.kafka.bootstrap, scene.topics.results, {"max.message.bytes": TOO_SMALL})
        _refused(scene, "w0")
        _start_in_vain(scene, "w1", "w2")
        alter(scene.kafka.bootstrap, scene.topics.results, {"max.message.bytes": DEFAULT})
    scene.start("w3")


@scenario("offsets", size=SMALL, brokers=1, secured=True)
def access_missing(scene: Scene) -> None:
    """Write on the results is not allowed from the start: nothing is sent (exit 78, twice) until it is."""
    acls = scene.guard(without=[("results", WRITE)])
    scene.produce()
    with scene.unwritable():
        _start_in_vain(scene, "w0", "w1")
        scene.check(scene.sent() == 0, f"{scene.sent()} messages were sent")
        acls.allow("results", WRITE)
    scene.start("w2")


@scenario("offsets", size=SMALL, brokers=1, secured=True)
def access_revoked(scene: Scene) -> None:
    """Write on the results is taken from two workers under load: exit 78, two starts more; then it is given back."""
    acls = scene.guard()
    _two_at_work(scene)
    with scene.unwritable():
        acls.revoke("results", WRITE)
        _refused(scene, "w0", "w1")
        _start_in_vain(scene, "w2", "w3")
        acls.allow("results", WRITE)
    scene.start("w4")


@scenario("offsets", size=SMALL, brokers=1, secured=True)
def access_revoked_and_sigkill(scene: Scene) -> None:
    """The same, and Write on the journal too; the workers are killed once what they owe is committed: sent once."""
    acls = scene.guard()
    scene.configure(refused="60s")
    _two_at_work(scene)
    with scene.unwritable():
        for topic in ("journal", "results"):
            acls.revoke(topic, WRITE)
        for worker in ("w0", "w1"):
            scene.workers[worker].wait_for("results are owed and written down")
        scene.hold(LAST_REPLY_SECONDS)
        scene.doubtful = RESULTS_WAITING + scene.size.at_once  # commits say only that they are owed
        for worker in ("w0", "w1"):
            scene.kill(worker)
        scene.configure(refused="4s")
        _start_in_vain(scene, "w2")
        for topic in ("journal", "results"):
            acls.allow(topic, WRITE)
    scene.start("w3")


@scenario("clean", size=SMALL, brokers=1, secured=True)
def access_revoked_briefly(scene: Scene) -> None:
    """Write on the results is taken from two workers under load and given back at once: they wait, and go on."""
    acls = scene.guard()
    scene.configure(refused="60s")
    _two_at_work(scene)
    with scene.unwritable():
        acls.revoke("results", WRITE)
        for worker in ("w0", "w1"):
            scene.workers[worker].wait_for("sending stops")
        acls.allow("results", WRITE)


LAST_REPLY_SECONDS = 4.0
"""After sending has stopped the last replies come, and what they say is written down within half a second."""


def _two_at_work(scene: Scene) -> None:
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.3)


def _refused(scene: Scene, *workers: str) -> None:
    for worker in workers:
        scene.ended(worker, 78, min(END_SECONDS, scene.patience))


def _start_in_vain(scene: Scene, *workers: str) -> None:
    """Each of them ends without having sent anything."""
    sent = scene.sent()
    for worker in workers:
        scene.start(worker)
        _refused(scene, worker)
    scene.check(scene.sent() == sent, f"{scene.sent() - sent} messages were sent although no result could be written")
