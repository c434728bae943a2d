"""A worker that has not joined yet: told to stop at any moment, refused by its group, looked at by its watchdog."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from connector.stream.membership.group_answers import FOREIGN_SECONDS
from tests.integration.pipeline import Pipeline, event
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

DEFINITION = """\
method: POST
url: https://example.invalid/
parameters: {json: {to: $$To, text: $$Body}}
response: {rules: [{status: 200, then: accept}]}
"""


class Stranger:
    """A member of another application, which shares partitions out in its own way."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": pipeline.bootstrap,
                "group.id": pipeline.unique,
                "partition.assignment.strategy": "range",
                "session.timeout.ms": 6000,
                "auto.offset.reset": "earliest",
            }
        )
        self._consumer.subscribe([pipeline.source])

    def joined(self) -> bool:
        """Poll; librdkafka sends heartbeats by itself."""
        self._consumer.poll(0.1)
        return bool(self._consumer.assignment())

    def leave(self) -> None:
        self._consumer.close()


@pytest.fixture
def ready(pipeline: Pipeline) -> Pipeline:
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    return pipeline


@pytest.fixture
def stranger(ready: Pipeline) -> Iterator[Stranger]:
    member = Stranger(ready)
    wait_until(member.joined, "the stranger to join")
    yield member
    member.leave()


def test_a_worker_waits_for_a_stranger_in_its_group_and_goes_on_when_it_has_left(
    ready: Pipeline, stranger: Stranger
) -> None:
    ready.produce(event(number) for number in range(20))
    worker = ready.worker()
    worker.wait_for("InconsistentGroupProtocolError")
    stranger.leave()
    ready.wait_for_results(20)
    assert worker.stop() == 0
    assert ready.audit().lost == 0


@pytest.mark.timeout(180)
def test_a_stranger_that_stays_ends_the_worker_with_a_message(ready: Pipeline, stranger: Stranger) -> None:
    """It once waited for ever and said of itself that it was alive."""
    worker = ready.worker()
    worker.wait_for("InconsistentGroupProtocolError")
    assert worker.wait(FOREIGN_SECONDS + 45) == 1
    assert f"group {ready.unique} has members that share out partitions in another way" in worker.output
    assert "Traceback" not in worker.output


def test_a_worker_that_is_told_to_stop_while_it_cannot_join_stops_in_order(ready: Pipeline, stranger: Stranger) -> None:
    worker = ready.worker()
    worker.wait_for("InconsistentGroupProtocolError")
    assert worker.stop() == 0
    assert '"stopping"' in worker.output


def test_a_session_the_brokers_refuse_is_a_matter_for_a_person(ready: Pipeline) -> None:
    ready.configure(timeouts={"session": "500ms", "heartbeat": "100ms"})
    worker = ready.worker()
    assert worker.wait() == 78
    assert "timeouts.session: the brokers refuse a session of 0.5s" in worker.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_is_told_to_stop_while_it_asks_brokers_that_do_not_answer(
    tmp_path: Path, start_connector: StartConnector, number: signal.Signals
) -> None:
    """In its checks, before there is anything of Faust."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (tmp_path / "one.yaml").write_text(DEFINITION)
        (tmp_path / "connector.yaml").write_text(
            f'kafka: {{bootstrap.servers: "127.0.0.1:{silent.getsockname()[1]}"}}\ngroup: g\n'
            f"providers: [{tmp_path / 'one.yaml'}]\nhealth: {{port: null}}\n"
        )
        worker = start_connector("run", "--config", str(tmp_path / "connector.yaml"))
        silent.settimeout(30)
        asked, _ = silent.accept()
        with asked:
            worker.send(number)
            assert worker.wait(30) == 0
    assert "Traceback" not in worker.output
