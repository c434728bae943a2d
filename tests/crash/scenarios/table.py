"""The table of scenarios, and what their definitions share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.crash.points import POINTS
from tests.crash.scene import Scene
from tests.crash.size import Size

Play = Callable[[Scene], None]

LONG_SESSION = 10.0
"""For faults that nobody may notice: far longer than a drain, as in production."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault and its stage.

    Attributes:
        promise: under which heading of docs/guarantees.md it stands.
        brokers: of its own, which it may break; 0 shares the run's.
        proxied: its workers may reach the brokers by a way that can be cut.
        secured: its broker has access rules, which a worker may be put under.
        quick: one of those in `make test`.
    """

    name: str
    about: str
    play: Play
    size: Size
    promise: str
    brokers: int = 0
    quick: bool = False
    proxied: bool = False
    secured: bool = False


SCENARIOS: dict[str, Scenario] = {}


def add(scenario: Scenario) -> None:
    assert scenario.name not in SCENARIOS, scenario.name
    SCENARIOS[scenario.name] = scenario


def scenario(
    promise: str,
    *,
    size: Size | None = None,
    brokers: int = 0,
    quick: bool = False,
    proxied: bool = False,
    secured: bool = False,
) -> Callable[[Play], Play]:
    """Put a function into the table: its name, and the first line of its docstring as the fault."""

    def enter(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        name = play.__name__.replace("_", "-")
        about = (play.__doc__ or "").splitlines()[0].rstrip(".")
        add(Scenario(name, about, play, size or Size(), promise, brokers, quick, proxied, secured))
        return play

    return enter


CLEAN = Size(session=LONG_SESSION)


def add_point(point: str, play: Play, *, quick: bool = False, size: Size | None = None) -> None:
    about = f"Killed at a point: {(POINTS[point].__doc__ or '').rstrip('.')}"
    add(Scenario(f"kill-{point}", about, play, size or Size(), "kill", quick=quick))


def under_load(scene: Scene) -> None:
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.3 + scene.dice.random() * 0.2)
