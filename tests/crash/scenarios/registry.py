"""Events in Avro while their schema registry comes and goes."""

from __future__ import annotations

from tests.crash.scenarios.table import scenario, under_load
from tests.crash.scene import Scene
from tests.crash.size import Size

AWAY_SECONDS = 3.0


@scenario("input", size=Size(avro=True))
def registry_away(scene: Scene) -> None:
    """Events in Avro; the schema registry is away three times, and a worker is killed meanwhile."""
    under_load(scene)
    for round_ in range(3):
        scene.until_sent((round_ + scene.dice.random()) / 5)
        scene.registry.away = True
        scene.hold(AWAY_SECONDS)
        scene.kill(f"w{round_}")
        scene.start(f"w{round_ + 2}")
        scene.hold(AWAY_SECONDS)
        scene.registry.away = False
