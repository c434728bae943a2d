"""What others write into the topics of the connector."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.crash import poison
from tests.crash.scenarios.table import scenario
from tests.crash.scene import Scene
from tests.crash.size import Size

KILLED = Size(messages=8_000)

COMMANDS = (
    *(["lag", "--all"], ["results"], ["results", "--since", "1h", "--json"], ["trace", "m1"], ["trace", "p"]),
    *(["replay"], ["replay", "--from", "results", "--status", "invalid"], ["campaign", "list"], ["provider", "list"]),
)
"""They read the same topics."""


@scenario("input", size=KILLED, quick=True)
def poison_everywhere(scene: Scene) -> None:
    """A worker is killed; before the next one opens, others write into all its topics, and its commits' metadata."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.4)
    scene.kill("w0")
    scene.topics.wait_empty(scene.group)
    scene.topics.poisoned = poison.write(scene.kafka.bootstrap, _all(scene), time.time())
    poison.spoil_metadata(scene.kafka.bootstrap, scene.group, scene.topics.results)
    scene.start("w1")
    scene.produce(1_000)
    scene.until_committed()
    ended = scene.topics.poison_ended()
    missing = {place for place, ends in scene.topics.poisoned.items() if ends} - ended.keys()
    scene.check(not missing, f"poison records without a result: {sorted(missing)[:5]}")
    scene.check(set(ended.values()) == {"invalid"}, f"poison ended {sorted(set(ended.values()))}")
    told = scene.workers["w1"].output.count("poison record skipped")
    scene.check(0 < told < 40, f"poison was told in {told} lines")
    for command in COMMANDS:
        ran = scene.run(*command)
        scene.check(
            ran.wait() == 0 and "Traceback" not in ran.output, f"`{' '.join(command)}` fails: {ran.output[-500:]}"
        )


def _all(scene: Scene) -> Iterator[tuple[int, poison.Poison]]:
    topics = scene.topics
    for number in range(scene.size.partitions):
        for each in (
            poison.results(topics.results, topics.source, topics.retry[0], number),
            poison.waiting(topics.retry[0], topics.source, number),
            poison.journal(topics.journal, topics.source),
            poison.events(topics.source),
        ):
            yield from ((number, it) for it in each)
    yield from ((0, it) for it in poison.control(topics.control))
