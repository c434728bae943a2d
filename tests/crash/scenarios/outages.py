"""Providers that are away for a while, from one moment to the next, while messages come."""

from __future__ import annotations

from typing import Any

from tests.crash.scenarios.table import scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

OUTAGE_SECONDS = 20.0
"""Longer than two attempts of a message take, by far."""

UNBATCHED = Size(messages=3_000, records=1, slots=16, latency=0.05, retry="{attempts: 3, base: 1s, cap: 2s}")
BATCHED = Size(retry="{attempts: 3, base: 1s, cap: 2s}")


@scenario("provider", size=BATCHED, quick=True)
def outage(scene: Scene) -> None:
    """The provider answers 503 from one moment to the next, for 20 s: nobody is given up."""
    _away(scene, error=503)


@scenario("provider", size=UNBATCHED)
def outage_unbatched(scene: Scene) -> None:
    """As `outage`, a message per request: nobody is given up."""
    _away(scene, error=503)


@scenario("provider", size=UNBATCHED)
def outage_closed(scene: Scene) -> None:
    """The provider closes every connection without reading, for 20 s: nobody is given up."""
    scene.uncertain += UNBATCHED.messages  # what had been written into a connection may have been read
    _away(scene, down=True)


def _away(scene: Scene, **knobs: Any) -> None:
    scene.outage = True
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(0.5)
    scene.provider(**knobs)
    scene.hold(OUTAGE_SECONDS)
    scene.provider()
