"""Results that Kafka refuses while messages are at the provider."""

from __future__ import annotations

from tests.crash.scenarios.table import CLEAN, scenario
from tests.crash.scene import Scene
from tests.kafka.records import alter

TOO_SMALL, DEFAULT = "80", "1048588"
"""`max.message.bytes`: no record fits; what a topic has by default."""


@scenario("offsets", size=CLEAN)
def results_refused(scene: Scene) -> None:
    """The results topic refuses every record under load: exit 78, over three starts; then it is mended."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    alter(scene.kafka.bootstrap, scene.topics.results, {"max.message.bytes": TOO_SMALL})
    scene.ended("w0", 78)
    sent = scene.sent()
    for name in ("w1", "w2"):
        scene.start(name)
        scene.ended(name, 78)
    scene.check(scene.sent() == sent, f"{scene.sent() - sent} messages were sent although no result could be written")
    alter(scene.kafka.bootstrap, scene.topics.results, {"max.message.bytes": DEFAULT})
    scene.start("w3")
