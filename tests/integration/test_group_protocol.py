"""Kafka 4 speaks two group protocols, and workers the classic one: a member of the other one (KIP-848) beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from connector.stream.membership.group_answers import FOREIGN_SECONDS
from tests.integration.pipeline import Pipeline, event
from tests.kafka.jars import KAFKA_4, release
from tests.kafka.local import LocalKafka
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


class NewMember:
    """A consumer of another application that speaks the protocol of KIP-848."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": pipeline.bootstrap,
                "group.id": pipeline.unique,
                "group.protocol": "consumer",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        self._consumer.subscribe([pipeline.source])

    def poll(self) -> bool:
        """Let it work; whether it owns partitions."""
        self._consumer.poll(0.1)
        return bool(self._consumer.assignment())

    def leave(self) -> None:
        self._consumer.close()


@pytest.fixture
def pipeline(
    make_kafka: Callable[..., LocalKafka], tmp_path: Path, unique: str, start_connector: StartConnector
) -> Iterator[Pipeline]:
    """On brokers that speak both."""
    version = max(KAFKA_4, release(), key=lambda name: [int(number) for number in name.split(".")])
    made = Pipeline(tmp_path, make_kafka(version=version).bootstrap, unique, start_connector)
    made.simulate()
    made.define()
    made.configure()
    made.create_topics()
    yield made
    assert not made.leaks()


def test_a_worker_waits_for_a_new_member_in_its_group_and_goes_on_when_it_has_left(pipeline: Pipeline) -> None:
    stranger = NewMember(pipeline)
    try:
        wait_until(stranger.poll, "the stranger to join", within=60)
        pipeline.produce(event(number) for number in range(20))
        worker = pipeline.worker()
        worker.wait_for("InconsistentGroupProtocolError", 120)
        assert pipeline.count_results() == 0
    finally:
        stranger.leave()
    pipeline.wait_for_results(20)
    assert worker.stop() == 0, worker.output
    assert pipeline.audit().lost == 0


def test_a_new_member_that_joins_workers_stops_them_until_it_has_left(pipeline: Pipeline) -> None:
    """The brokers let it in, and give it partitions of theirs: nobody would send what is in these."""
    worker = pipeline.worker()
    worker.wait_for("partitions opened", 60)
    stranger = NewMember(pipeline)
    try:
        wait_until(stranger.poll, "the stranger to join", within=60)
        worker.wait_for("InconsistentGroupProtocolError", 120)
        pipeline.produce(event(number) for number in range(100))
    finally:
        stranger.leave()
    pipeline.wait_for_results(100)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_a_new_member_that_stays_ends_the_worker_with_a_message(pipeline: Pipeline) -> None:
    stranger = NewMember(pipeline)
    try:
        wait_until(stranger.poll, "the stranger to join", within=60)
        worker = pipeline.worker()
        assert worker.wait(FOREIGN_SECONDS + 90) == 1
    finally:
        stranger.leave()
    assert f"group {pipeline.unique} has members that share out partitions in another way" in worker.output
    assert "Traceback" not in worker.output
