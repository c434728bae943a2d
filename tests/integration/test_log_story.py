"""A worker's night, read as somebody reads it who was woken by an alert: every line of its log, on a real Kafka.

It starts, shares its partitions, loses its provider, its broker, meets a record that is none, and is told to stop. What
it says is held against a list of sentences. A line that is not on it is one that nobody has read.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.kafka.local import LocalKafka
from tests.kafka.records import Event, produce
from tests.processes import ConnectorProcess, StartConnector
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

LIBRARIES = re.compile(
    r"\b(?:ai[o]?kafka|faust|mode|asyncio|BufferingApp|Traceback|Coordinator|NodeNotReady)\b|Error\b|\[\^"
)
"""Words of libraries. Nobody who operates a connector knows them."""

RATE = "events_per_second_and_partition, slowest_request_seconds"
POISON = "poison record skipped; it stays in its topic, and further ones like it are only counted"
START = [
    f"info: up to this rate no slow request holds up others of its partition ({RATE})",
    "info: health (url)",
    "info: control topic read (campaigns, campaigns_cancelled, campaigns_paused, providers_paused)",
    "info: reading begins (partitions, topic, why)",
    "info: partitions opened (partitions, settled_read)",
    "info: worker started (group, providers)",
]
SHARED = [
    "info: partitions closed (committed, left_in_kafka, partitions, seconds, why)",
    "info: partitions opened (partitions, settled_read)",
]
STORY = [
    *START,
    *SHARED,  # another worker joins
    *SHARED,  # and leaves
    "warning: provider paused (account, campaign, provider, reason)",
    "info: probe failed: provider stays paused (account, campaign, next_probe, provider, reason)",
    "info: provider works again (account, campaign, provider)",
    "warning: a broker does not answer; asking again until it does (broker, why)",
    "warning: no broker coordinates the group for now; asking again (group)",
    "warning: no heartbeat was answered for half a session; nothing is sent or written until one is",
    "info: membership confirmed; going on (seconds)",
    "info: brokers answer again (seconds)",
    f"warning: {POISON} (offset, partition, reason, topic, what)",
    "info: stopping (signal)",
    "info: partitions closed (committed, left_in_kafka, partitions, seconds, why)",
    "info: stopped",
]


@pytest.fixture
def own(tmp_path: Path, own_kafka: LocalKafka, unique: str, start_connector: StartConnector) -> Pipeline:
    return Pipeline(tmp_path, own_kafka.bootstrap, unique, start_connector, partitions=2)


def sentences(worker: ConnectorProcess) -> Iterator[str]:
    """Each line as its level, what it says, and the names of what it says it of. Repetitions are one."""
    told = []
    for line in worker.output.splitlines():
        said = json.loads(line)
        about = sorted(said.keys() - {"event", "level", "logger", "timestamp"})
        told.append(f"{said['level']}: {said['event']}" + (f" ({', '.join(about)})" if about else ""))
    return (sentence for sentence, _ in itertools.groupby(told))


def test_a_night_is_told_in_sentences_that_are_known(own: Pipeline, own_kafka: LocalKafka) -> None:
    own.simulate()
    own.define(concurrency=2, more="retry: {attempts: 50, base: 200ms, cap: 500ms}")
    own.configure(health={"port": 0})
    own.create_topics()
    worker = own.worker()
    worker.wait_for("worker started")
    own.produce([event(1)])
    own.wait_for_results(1)
    other = own.worker("w1")
    other.wait_for("partitions opened")
    assert other.stop() == 0
    wait_until(lambda: worker.output.count("partitions opened") == 3, "the partitions to come back")
    own.turn(error=503)
    own.produce(event(n) for n in range(2, 12))
    worker.wait_for("probe failed")
    own.turn()
    own.wait_for_results(11)
    worker.wait_for("provider works again")
    own_kafka.kill()
    worker.wait_for("no heartbeat was answered")
    own_kafka.restart()
    worker.wait_for("brokers answer again", within=60)
    produce(own.bootstrap, f"{own.unique}.control", [Event(b"nothing", b"no key of ours")])
    worker.wait_for("poison record skipped")
    own.produce([event(12)])
    own.wait_for_results(12)
    assert worker.stop() == 0, worker.output
    assert list(sentences(worker)) == STORY, worker.output
    for line in worker.output.splitlines():
        assert LIBRARIES.search(json.loads(line)["event"]) is None, line
        assert not json.loads(line)["logger"].startswith(("aiokafka", "faust", "mode")), line


def test_a_start_without_a_broker_says_so_in_one_line(own: Pipeline, own_kafka: LocalKafka) -> None:
    own.simulate()
    own.define()
    own.configure(health={"port": 0})
    own_kafka.kill()
    worker = own.worker()
    assert worker.wait() == 1
    line = worker.output.splitlines()[-1]
    assert len(worker.output.splitlines()) <= 2, worker.output
    assert LIBRARIES.search(worker.output) is None, worker.output
    assert f"none of {own.bootstrap} can be used ({own.bootstrap}: connection refused); check the addresses" in line
