"""The faults, one function each: what is done to a scene; the audit and its limits are the same for all.

The first line of a docstring is the fault as the tables show it. A function returns when the fault is over; the runner
then lets the workers finish, stops them and compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.crash.launch import POINTS
from tests.crash.scene import Scene, Size

Play = Callable[[Scene], None]

LONG_SESSION = 10.0
"""For faults that nobody may notice: far longer than a drain, as in production."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault and its stage.

    Attributes:
        promise: its number in docs/guarantees.md.
        brokers: of its own, which it may break; 0 shares the run's.
        quick: one of those in `make test`.
        finishes: the events end with results; False where the point is that nothing is sent.
    """

    name: str
    about: str
    play: Play
    size: Size
    promise: str
    brokers: int = 0
    quick: bool = False


SCENARIOS: dict[str, Scenario] = {}


def add(scenario: Scenario) -> None:
    assert scenario.name not in SCENARIOS, scenario.name
    SCENARIOS[scenario.name] = scenario


def scenario(
    promise: str, *, size: Size | None = None, brokers: int = 0, quick: bool = False
) -> Callable[[Play], Play]:
    """Put a function into the table: its name, and the first line of its docstring as the fault."""

    def enter(play: Callable[[Scene], None]) -> Callable[[Scene], None]:
        name = play.__name__.replace("_", "-")
        about = (play.__doc__ or "").splitlines()[0].rstrip(".")
        add(Scenario(name, about, play, size or Size(), promise, brokers, quick))
        return play

    return enter


CLEAN = Size(session=LONG_SESSION)

# ---- nothing, and clean ends ----------------------------------------------------------------------------------------


@scenario("clean", size=CLEAN)
def calm(scene: Scene) -> None:
    """No fault: two workers, events before and while they run."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(0.5)
    scene.produce(2_000)


@scenario("clean", size=CLEAN, quick=True)
def sigterm(scene: Scene) -> None:
    """One of two workers is stopped with SIGTERM under load, twice; each time another one joins."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    for round_ in range(2):
        scene.until_sent(0.2 + 0.3 * round_ + scene.dice.random() * 0.2)
        scene.stop(f"w{round_}")
        scene.start(f"w{round_ + 2}")


@scenario("clean", size=CLEAN)
def sigterm_all(scene: Scene) -> None:
    """Three workers are stopped with SIGTERM at the same moment under load; one takes over."""
    scene.produce()
    names = ["w0", "w1", "w2"]
    for name in names:
        scene.start(name)
    for name in names:
        scene.until_sent(1, worker=name)
    scene.until_sent(0.5)
    scene.stop(*names)
    scene.start("w3")


@scenario("clean", size=Size(session=LONG_SESSION, latency=1.0))
def sigterm_twice(scene: Scene) -> None:
    """A second SIGTERM, and a third, while the worker still waits for its requests in flight."""
    scene.produce()
    worker = scene.start("w0")
    scene.until_sent(0.3)
    for _ in range(3):
        worker.terminate()
    scene.ended("w0", 0)
    scene.start("w1")


@scenario("clean", size=Size(session=LONG_SESSION, messages=16_000), quick=True)
def join_and_leave(scene: Scene) -> None:
    """One to four workers join and leave in quick succession, ten changes at random moments."""
    scene.produce()
    scene.start("w0")
    started = 1
    for change in range(10):
        scene.until_sent((change + scene.dice.random()) / 12)
        running = scene.running()
        if len(running) == 1 or (len(running) < 4 and scene.dice.random() < 0.5):
            scene.start(f"w{started}")
            started += 1
            continue
        name = scene.dice.choice(running)
        if scene.sent(name) or len(running) > 2:
            scene.until_sent(1, worker=name)  # a SIGTERM before its handler stands ends it with -15, harmlessly
            scene.stop(name)


@scenario("clean", size=CLEAN)
def refused_commits(scene: Scene) -> None:
    """The broker refuses every commit the first time."""
    scene.produce()
    scene.start("w0", "--refuse-commits")
    scene.until_sent(0.5)
    scene.start("w1")


# ---- hard kills -----------------------------------------------------------------------------------------------------


@scenario("kill", size=Size(messages=12_000), quick=True)
def sigkill(scene: Scene) -> None:
    """One of two workers is killed at a random moment, three times; another one starts each time."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    for round_ in range(3):
        scene.until_sent((round_ + scene.dice.random()) / 4)
        scene.until_sent(1, worker=f"w{round_}")
        scene.kill(f"w{round_}")
        scene.start(f"w{round_ + 2}")


@scenario("kill")
def sigkill_all(scene: Scene) -> None:
    """Both workers are killed at the same moment before anything may have been committed; one starts."""
    scene.configure(commit_interval="60s")
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(0.6)
    scene.kill("w0")
    scene.kill("w1")
    scene.configure()
    scene.start("w2")


def die_at(point: str, low: int, high: int, scene: Scene) -> None:
    scene.produce()
    scene.start("w0", "--die-at", f"{point}:{scene.dice.randint(low, high)}")
    scene.await_death("w0")
    scene.start("w1")


def die_in_revoke(point: str, scene: Scene) -> None:
    scene.produce()
    scene.start("w0", "--die-at", point)
    scene.until_sent(0.1)
    scene.start("w1")
    scene.await_death("w0")


def die_opening(point: str, low: int, high: int, scene: Scene) -> None:
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    scene.kill("w0")
    scene.start("w1", "--die-at", f"{point}:{scene.dice.randint(low, high)}")
    scene.await_death("w1")
    scene.start("w2")


def add_point(point: str, play: Play, *, quick: bool = False, size: Size | None = None) -> None:
    about = f"Killed at a point: {(POINTS[point].__doc__ or '').rstrip('.')}"
    add(Scenario(f"kill-{point}", about, play, size or Size(), "kill", quick=quick))


add_point("before-send", partial(die_at, "before-send", 5, 40))
add_point("after-send", partial(die_at, "after-send", 5, 40), quick=True)
add_point("before-result", partial(die_at, "before-result", 10, 60))
add_point("after-result", partial(die_at, "after-result", 10, 60))
add_point("before-commit", partial(die_at, "before-commit", 2, 5))
add_point("after-commit", partial(die_at, "after-commit", 2, 5))
add_point("in-revoke", partial(die_in_revoke, "in-revoke"), quick=True)
add_point("in-revoke-drained", partial(die_in_revoke, "in-revoke-drained"))
add_point("in-tail-read", partial(die_opening, "in-tail-read", 20, 400))
add_point("after-open", partial(die_opening, "after-open", 1, 1))
add_point("after-journal", partial(die_at, "after-journal", 3, 20), size=Size(on_uncertain="report"))


@scenario("kill", size=Size(messages=12_000, on_uncertain="report"))
def sigkill_report(scene: Scene) -> None:
    """As `sigkill`, under `on_uncertain: report`."""
    sigkill(scene)


@scenario("zombie", quick=True)
def sigstop(scene: Scene) -> None:
    """One of two workers is frozen (SIGSTOP) under load for twice its session, then goes on."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(1, worker="w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(0.3)
    scene.freeze("w0")
    scene.hold(2 * scene.size.session)
    scene.until_sent(0.6, worker=None)
    scene.thaw("w0")
    scene.produce(4_000)


# ---- retry topics ---------------------------------------------------------------------------------------------------

RETRIES = Size(temporary=200)
OUTAGE = Size(providers=("fake", "other"), session=LONG_SESSION)


@scenario("retry", size=Size(temporary=200, session=LONG_SESSION))
def retries_handed_over(scene: Scene) -> None:
    """One message in 200 is refused for now; workers that hold some of them are stopped twice (SIGTERM)."""
    sigterm(scene)
    scene.check(scene.moved() > 0, "no message was moved to a retry topic")


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
    scene.wait(lambda: scene.purged() > 0, "retry records to be purged")
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
    scene.check(scene.moved() > 0, "no message was moved to a retry topic")


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


# ---- brokers --------------------------------------------------------------------------------------------------------


@scenario("broker", size=CLEAN, brokers=1, quick=True)
def broker_restart(scene: Scene) -> None:
    """The only broker is shut down and started again under load."""
    _under_load(scene)
    scene.broker.shut_down()
    scene.broker.restart()


@scenario("broker", size=CLEAN, brokers=1)
def broker_killed(scene: Scene) -> None:
    """The only broker is killed and started again under load."""
    _under_load(scene)
    scene.broker.kill()
    scene.broker.restart()


@scenario("broker", size=CLEAN, brokers=1)
def broker_paused(scene: Scene) -> None:
    """The only broker is frozen for longer than the session, then goes on."""
    _under_load(scene)
    scene.broker.pause()
    scene.hold(LONG_SESSION * 1.5)
    scene.broker.resume()


@scenario("broker", size=CLEAN, brokers=1)
def broker_away(scene: Scene) -> None:
    """The only broker is away for a minute."""
    _under_load(scene)
    scene.broker.kill()
    scene.hold(60)
    scene.broker.restart()


@scenario("broker", size=Size(session=LONG_SESSION, replication=3), brokers=3)
def broker_lost(scene: Scene) -> None:
    """One of three brokers is killed under load and stays away until all is done."""
    _under_load(scene)
    scene.broker.kill(scene.dice.randrange(3))


@scenario("broker", size=Size(session=LONG_SESSION, replication=3), brokers=3)
def brokers_rolling(scene: Scene) -> None:
    """Three brokers are restarted one after the other under load."""
    _under_load(scene)
    for number in range(3):
        scene.broker.shut_down(number)
        scene.broker.restart(number)
        scene.produce(1_000)


RESULTS_WAITING = 500
"""Results that may wait for their acknowledgement before requests are held back."""


def _waiting(scene: Scene) -> int:
    """Messages whose results may have waited: those within the bound, and what was at the provider when it was hit."""
    return RESULTS_WAITING + scene.size.slots * scene.size.records


@scenario("kill")
def sigkill_while_results_wait(scene: Scene) -> None:
    """A worker is killed five seconds after the broker has ceased to acknowledge results, but not offsets."""
    scene.produce()
    scene.start("w0", "--hold-results", str(scene.dice.randint(20, 60)))
    scene.until_sent(0.1)
    scene.hold(5)
    scene.kill("w0")
    scene.uncertain += _waiting(scene)
    scene.start("w1")


@scenario("kill", size=CLEAN, brokers=1)
def sigkill_while_broker_paused(scene: Scene) -> None:
    """A worker is killed five seconds after the only broker was frozen."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    scene.broker.pause()
    scene.hold(5)
    scene.kill("w0")
    scene.uncertain += _waiting(scene)
    scene.broker.resume()
    scene.start("w1")


@scenario("broker", size=CLEAN, brokers=1)
def sigterm_while_broker_away(scene: Scene) -> None:
    """A worker is told to stop while the broker is away: it gives up at its deadline (exit 70), another one goes on."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    scene.broker.pause()
    scene.hold(scene.size.latency)
    scene.workers["w0"].terminate()
    scene.ended("w0", 70)
    scene.moment("w0", "gave up")
    scene.uncertain += _waiting(scene)
    scene.broker.resume()
    scene.start("w1")


def _under_load(scene: Scene) -> None:
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.3 + scene.dice.random() * 0.2)


# ---- providers ------------------------------------------------------------------------------------------------------

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


# ---- offsets and topics ---------------------------------------------------------------------------------------------


def _half_done(scene: Scene) -> None:
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.5)
    scene.stop("w0")


@scenario("offsets", size=CLEAN)
def offsets_deleted(scene: Scene) -> None:
    """The group's offsets are deleted while no worker runs."""
    _half_done(scene)
    scene.delete_group()
    scene.start("w1")


@scenario("offsets", size=CLEAN)
def offsets_deleted_after_kill(scene: Scene) -> None:
    """A worker is killed and the group's offsets are deleted."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.5)
    scene.kill("w0")
    scene.delete_group()
    scene.start("w1")


@scenario("offsets", size=CLEAN)
def group_renamed(scene: Scene) -> None:
    """The next worker runs under another group name."""
    _half_done(scene)
    scene.group += "-renamed"
    scene.configure()
    scene.start("w1")


@scenario("offsets", size=CLEAN)
def wrong_partition_count(scene: Scene) -> None:
    """The results topic has fewer partitions than the source: nothing is sent (exit 78) until that is mended."""
    scene.produce()
    scene.delete_topics(scene.results)
    scene.create_results(scene.size.partitions - 1)
    scene.start("w0")
    scene.ended("w0", 78)
    scene.check(scene.sent() == 0, f"{scene.sent()} messages were sent")
    scene.add_partitions(scene.results, scene.size.partitions)
    scene.start("w1")


@scenario("offsets", size=CLEAN)
def results_deleted(scene: Scene) -> None:
    """The results topic is deleted under a running worker and created again."""
    scene.produce()
    scene.start("w0")
    scene.until_committed()
    scene.spare_results()
    scene.delete_topics(scene.results)
    scene.produce(2_000)
    scene.until_sent(scene.size.messages + scene.size.records)
    scene.create_results(scene.size.partitions)


@scenario("offsets", size=CLEAN)
def source_recreated(scene: Scene) -> None:
    """The source topic is deleted and created anew: nothing is sent from it (exit 78) until a person has decided."""
    _half_done(scene)
    scene.start("w1")
    scene.conclude()
    before = scene.sent()
    scene.delete_topics(scene.source)
    scene.create_topics()
    scene.produce(500)
    scene.start("w2")
    scene.ended("w2", 78)
    scene.check(scene.sent() == before, f"{scene.sent() - before} messages of the new topic were sent")


@scenario("offsets", size=CLEAN)
def partitions_added(scene: Scene) -> None:
    """Partitions are added to the source under a running worker, and to the other topics afterwards."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    more = scene.size.partitions + 2
    scene.add_partitions(scene.source, more)
    scene.produce(1_000, partitions=more)
    scene.start("w1")
    scene.ended("w1", 78)  # its topics do not fit any more
    for topic in scene.numbered_topics():
        scene.add_partitions(topic, more)
    scene.start("w2")
