"""Messages that wait in retry topics."""

from __future__ import annotations

from functools import partial

from connector.model import Campaign
from tests.crash.scenarios.kills import sigkill
from tests.crash.scenarios.stops import sigterm
from tests.crash.scenarios.table import LONG_SESSION, add_point, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

RETRIES = Size(temporary=200)
OUTAGE = Size(providers=("fake", "other"), session=LONG_SESSION)


@scenario("retry", size=Size(temporary=200, session=LONG_SESSION))
def retries_handed_over(scene: Scene) -> None:
    """One message in 200 is refused for now; workers that hold some of them are stopped twice (SIGTERM)."""
    sigterm(scene)
    scene.check(scene.topics.moved() > 0, "no message was moved to a retry topic")


@scenario("retry", size=RETRIES)
def retries_killed(scene: Scene) -> None:
    """One message in 200 is refused for now; workers that hold some of them are killed three times."""
    sigkill(scene)


@scenario("retry", size=OUTAGE)
def provider_away(scene: Scene) -> None:
    """One of two providers answers 429 only, until all messages of the other one are done."""
    _one_away(scene)
    scene.provider("other")


@scenario("retry", size=OUTAGE)
def provider_away_long(scene: Scene) -> None:
    """One of two providers answers 429 only, until finished retry records are purged; then the worker is stopped."""
    _one_away(scene)
    scene.wait(lambda: scene.topics.purged() > 0, "retry records to be purged")
    scene.stop("w0")
    scene.start("w1")
    scene.provider("other")


@scenario("retry", size=Size(providers=("fake", "other")))
def provider_away_and_sigkill(scene: Scene) -> None:
    """One of two providers answers 429 only; the worker that holds its messages is killed."""
    _one_away(scene)
    scene.kill("w0")
    scene.start("w1")
    scene.provider("other")


def _one_away(scene: Scene) -> None:
    scene.configure(memory={"messages": 1000})
    scene.provider("other", throttle=True, retry_after=1)
    scene.produce()
    scene.start("w0")
    half = scene.size.messages // 2
    scene.wait(
        lambda: sum(len(send.seen) for send in scene.sends("fake")) >= half - 10, "the other provider's messages"
    )
    scene.check(scene.topics.moved() > 0, "no message was moved to a retry topic")


@scenario("retry", size=Size(messages=6_000, scheduled=2))
def scheduled_killed(scene: Scene) -> None:
    """Every other message has a `send_at` in the next half minute; one of two workers is killed, three times."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    for round_ in range(3):
        scene.until_sent((round_ + 2 + scene.dice.random()) / 5)
        scene.until_sent(1, worker=f"w{round_}")
        scene.kill(f"w{round_}")
        scene.start(f"w{round_ + 2}")
    scene.check(scene.topics.moved() > 0, "no message was moved to a retry topic")


@scenario("retry", size=Size(messages=6_000, scheduled=2, session=LONG_SESSION))
def scheduled_handed_over(scene: Scene) -> None:
    """Every other message has a `send_at` in the next half minute; workers that hold some are stopped (SIGTERM)."""
    sigterm(scene)
    scene.check(scene.topics.moved() > 0, "no message was moved to a retry topic")


CAP, CAPPED_EVENTS = 600, 2_500


@scenario("retry")
def capped_killed(scene: Scene) -> None:
    """One of five campaigns has a cap, a third of its messages, which keep coming; a worker is killed, three times."""
    scene.campaign("c0", Campaign(cap=CAP))
    scene.produce(CAPPED_EVENTS)
    scene.start("w0")
    scene.start("w1")
    for round_ in range(3):
        scene.until_sent(0.3 + 0.3 * scene.dice.random())
        scene.until_sent(1, worker=f"w{round_}")
        scene.kill(f"w{round_}")
        scene.produce(CAPPED_EVENTS)  # whoever counts from here on lets as many through again
        scene.start(f"w{round_ + 2}")
    beyond = sum(number // 7 % scene.size.campaigns == 0 for number in range(scene.produced)) - CAP
    scene.wait(lambda: len(_refs(scene)) >= scene.produced - beyond, "all messages but those beyond the cap")
    scene.wait(lambda: scene.topics.moved() >= 2 * beyond, "those to be looked at again")
    scene.over_cap = len(_refs(scene)) - scene.produced + beyond
    scene.campaign("c0", None)


def _refs(scene: Scene) -> set[str | None]:
    return {message.ref for send in scene.sends() for message in send.seen}


def die_moving(point: str, low: int, high: int, scene: Scene) -> None:
    scene.configure(memory={"messages": 1000})
    scene.provider("other", throttle=True, retry_after=1)
    scene.produce()
    scene.start("w0", "--die-at", f"{point}:{scene.dice.randint(low, high)}")
    scene.await_death("w0")
    scene.start("w1")
    scene.provider("other")


add_point("before-move", partial(die_moving, "before-move", 3, 30), size=Size(providers=("fake", "other")))
add_point("after-move", partial(die_moving, "after-move", 3, 30), size=Size(providers=("fake", "other")))
add_point(
    "before-retry-commit", partial(die_moving, "before-retry-commit", 2, 6), size=Size(providers=("fake", "other"))
)
