"""Results that Kafka neither takes nor refuses."""

from __future__ import annotations

from tests.crash.scenarios.table import LONG_SESSION, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

NOTED_SECONDS = 15.0
"""Requests have stopped by then, as enough results wait, and what waits is written down as owed."""


@scenario("offsets", size=Size(session=LONG_SESSION, messages=6_000))
def results_unanswered(scene: Scene) -> None:
    """The broker neither takes nor refuses results, for 15 s; then the worker is killed."""
    scene.produce()
    with scene.unwritable():
        scene.start("w0", "--hold-results", "20")
        scene.until_sent(0.1)
        scene.hold(NOTED_SECONDS)
        scene.kill("w0")
    scene.start("w1")
