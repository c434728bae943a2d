"""A long random schedule: workers come, go, freeze and die, the provider fails in turns, events keep coming."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.crash.scenarios import Scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

WORKERS = 4
PHASE_EVENTS = 4_000
"""Written before each action; half of them are sent before the next one, so that there is always work in flight."""

SIZE = Size(messages=PHASE_EVENTS, partitions=12)

Action = Callable[["Soak"], None]


@dataclass
class Soak:
    """A scene under a schedule.

    Attributes:
        names: of workers, each used once: the provider's log tells them apart by it.
    """

    scene: Scene
    names: Iterator[str] = field(default_factory=lambda: (f"w{number}" for number in itertools.count()))

    def busy(self) -> str:
        """A running worker that has sent something, and is therefore past its start."""
        return self.scene.dice.choice([name for name in self.scene.running() if self.scene.sent(name)])

    def join(self) -> None:
        if len(self.scene.running()) < WORKERS:
            self.scene.start(next(self.names))

    def leave(self) -> None:
        self.scene.stop(self.busy())

    def kill(self) -> None:
        self.scene.kill(self.busy())

    def freeze(self) -> None:
        name = self.busy()
        self.scene.freeze(name)
        self.scene.hold(self.scene.size.session * (0.5 + 2 * self.scene.dice.random()))
        self.scene.thaw(name)

    def cut(self) -> None:
        self.scene.provider(times=3, drop=self.scene.dice.choice(["before", "after"]))

    def throttle(self) -> None:
        self.scene.provider(times=20, throttle=True, retry_after=1)

    def shuffle(self) -> None:
        self.scene.provider(times=50, shuffle=True)

    def fail(self) -> None:
        self.scene.provider(times=3, error=502, error_taken=True)


# Joining stands there three times: workers go in two ways.
ACTIONS: tuple[Action, ...] = (
    *(Soak.join, Soak.join, Soak.join),
    *(Soak.leave, Soak.kill, Soak.freeze),
    *(Soak.cut, Soak.throttle, Soak.shuffle, Soak.fail),
)


def soak(seconds: float) -> Scenario:
    """A scenario that goes on for about so long."""

    def run(scene: Scene) -> None:
        state = Soak(scene)
        state.join()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            scene.produce()
            scene.until_sent(scene.produced - PHASE_EVENTS / 2)
            if not scene.running():
                state.join()
            scene.dice.choice(ACTIONS)(state)
            if not scene.running():
                state.join()

    return Scenario("soak", f"A random schedule of {seconds:g} s", run, SIZE, "kill")
