"""Providers that cut, stall, throttle, and answer nonsense."""

from __future__ import annotations

from tests.crash.scenarios.table import scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

TIMES = 6
"""Requests that are struck, the first ones."""


@scenario("provider")
def cut_before(scene: Scene) -> None:
    """The provider reads six requests and closes their connections without taking them (resend)."""
    _struck(scene, drop="before")


@scenario("provider", quick=True)
def cut_after(scene: Scene) -> None:
    """The provider takes six requests and closes their connections without an answer (resend)."""
    _struck(scene, drop="after")


@scenario("provider", size=Size(on_uncertain="report"))
def cut_before_report(scene: Scene) -> None:
    """As `cut-before`, under `on_uncertain: report`."""
    scene.uncertain += TIMES * scene.size.records
    _struck(scene, drop="before")


@scenario("provider", size=Size(on_uncertain="report"))
def cut_after_report(scene: Scene) -> None:
    """As `cut-after`, under `on_uncertain: report`."""
    _struck(scene, drop="after")


@scenario("provider", size=Size(http_total=2.0))
def stall(scene: Scene) -> None:
    """The provider takes six requests and answers after the time-out (resend)."""
    scene.uncertain += TIMES * scene.size.records
    _struck(scene, latency=3 * scene.size.http_total)


@scenario("provider", size=Size(http_total=2.0, on_uncertain="report"))
def stall_report(scene: Scene) -> None:
    """As `stall`, under `on_uncertain: report`."""
    scene.uncertain += TIMES * scene.size.records
    _struck(scene, latency=3 * scene.size.http_total)


@scenario("provider")
def gateway_errors(scene: Scene) -> None:
    """Six requests are answered 503 by a gateway although the provider took them (resend)."""
    _struck(scene, error=503, error_taken=True)


@scenario("provider")
def throttled(scene: Scene) -> None:
    """Forty requests are answered 429, every third of them."""
    _struck(scene, times=40, throttle=True, retry_after=1, share=0.3)


@scenario("provider")
def malformed(scene: Scene) -> None:
    """Six replies break off in the middle: what they said is unknown, and never guessed."""
    scene.doubtful = TIMES * scene.size.records
    scene.doubtful_least = TIMES
    _struck(scene, malformed=True)


@scenario("provider")
def shuffled(scene: Scene) -> None:
    """Every reply lists its results in another order than the request."""
    _struck(scene, times=None, shuffle=True)


@scenario("provider")
def truncated(scene: Scene) -> None:
    """Three results are missing from each of six replies: exactly those are unknown."""
    scene.doubtful = scene.doubtful_least = 3 * TIMES
    _struck(scene, truncate=3)


@scenario("provider", size=Size(refused=10))
def echo(scene: Scene) -> None:
    """Every tenth message is refused in words that quote the whole request, as JSON escapes: nothing of it is shown."""
    _struck(scene, times=None, echo="json-escapes")


@scenario("provider", size=Size(http_total=2.0))
def sigkill_while_failing(scene: Scene) -> None:
    """A worker is killed while every fifth connection is cut after the request was taken (resend)."""
    scene.provider(drop="after", share=0.2)
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.4)
    scene.kill("w0")
    scene.start("w1")
    scene.until_sent(0.8)
    scene.provider()


def _struck(scene: Scene, *, times: int | None = TIMES, **knobs: object) -> None:
    scene.provider(times=times, **knobs)
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.5)
    scene.start("w1")
