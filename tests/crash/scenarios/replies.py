"""Replies that break HTTP, that nobody understands, that cost; token endpoints that answer nonsense."""

from __future__ import annotations

from tests.crash.definitions import HOSTILE, TOKENS
from tests.crash.scenarios.table import LONG_SESSION, scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

CHANGED_SECONDS = 8.0
PROBES = 20
"""Single messages with which two workers find out within those seconds that replies are still not understood: at most
six by its pauses of 2, 4 and 8 s, and some for luck."""


@scenario("provider", size=Size(session=LONG_SESSION, unknown_run="off"))
def replies_broken(scene: Scene) -> None:
    """One reply in five breaks off, or breaks HTTP, behind its 200: those messages are unknown, and sent once."""
    scene.provider(broken="any", share=0.2)
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.4)
    scene.start("w1")
    scene.until_sent(0.8)
    scene.provider()


@scenario("provider", size=Size(unknown_run="off"))
def replies_broken_and_sigkill(scene: Scene) -> None:
    """The same, under `on_uncertain: resend`, and one of two workers is killed."""
    scene.provider(broken="any", share=0.2)
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.4)
    scene.kill("w0")
    scene.start("w2")
    scene.until_sent(0.8)
    scene.provider()


@scenario("provider", size=Size(session=LONG_SESSION, messages=8_000))
def replies_changed(scene: Scene) -> None:
    """Replies say nothing of any message from one moment to the next, for 8 s: sending pauses, the rest waits."""
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    scene.until_sent(1, worker="w0")
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.3)
    # What was under way when the first of them came, and a message per probe.
    scene.doubtful = scene.size.at_once + PROBES
    scene.doubtful_least = scene.size.records
    scene.provider(truncate=scene.size.records)
    scene.hold(CHANGED_SECONDS)
    scene.provider()


@scenario("provider", size=Size(messages=4_000, providers=("fake", HOSTILE), unknown_run="off"))
def replies_costly(scene: Scene) -> None:
    """One of two providers answers with what takes much work to read, 24 times; a worker is killed meanwhile."""
    scene.provider(HOSTILE, costly="any", times=24)
    scene.produce()
    scene.start("w0", *scene.measuring())
    scene.start("w1", *scene.measuring())
    scene.until_sent(1, worker="w1")
    scene.until_sent(0.3)
    scene.kill("w0")
    # In each of its slots a reply may have come and waited for its turn to be read, however long ago it was sent.
    scene.uncertain += scene.size.slots // 2 * scene.size.records
    scene.start("w2", *scene.measuring())


@scenario("provider", size=Size(messages=2_000, latency=0.1, providers=("fake", TOKENS)))
def tokens_wrong(scene: Scene) -> None:
    """One of two providers' token endpoint answers nonsense and a short-lived token in turn; a worker is killed."""
    scene.provider(TOKENS, token_turns=True, expires_in=1)
    scene.produce()
    scene.start("w0")
    scene.start("w1")
    half = scene.size.messages // 2
    scene.until_sent(1, worker="w1")
    scene.wait(lambda: sum(len(send.seen) for send in scene.sends(TOKENS)) > half // 4, "messages with a token")
    scene.kill("w0")
    scene.start("w2")
    # The other one does not wait for it.
    scene.wait(lambda: sum(len(send.seen) for send in scene.sends("fake")) >= half, "the other provider's messages")
    scene.check(scene.sent() < scene.produced, "the provider with the tokens was done first: it was not held up")
    scene.provider(TOKENS)
