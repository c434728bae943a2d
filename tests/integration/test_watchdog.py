"""A worker that is busy and settles nothing: its watchdog ends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.kafka.fixtures import MakeKafka
from tests.kafka.records import alter
from tests.processes import StartConnector

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


def test_a_worker_that_is_busy_and_settles_nothing_is_ended_by_its_watchdog(
    make_kafka: MakeKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> None:
    """It is a member in good standing and its loop turns, but no result is acknowledged: nothing else would end it."""
    kafka = make_kafka(brokers=3)
    pipeline = Pipeline(tmp_path, kafka.bootstrap, unique, start_connector, partitions=2)
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(
        timeouts={
            "session": "10s",
            "heartbeat": "1s",
            "http_total": "1s",
            "drain": "6s",
            "rebalance": "16s",
            "refused": "15s",
            "stuck": "22s",
        }
    )
    pipeline.invoke("topics", "create", "--partitions", "2", "--replication", "3")
    alter(pipeline.bootstrap, pipeline.results, {"min.insync.replicas": "3"})
    pipeline.produce(event(number) for number in range(20))
    worker = pipeline.worker("stuck")
    pipeline.wait_for_results(20)
    kafka.kill(2)
    pipeline.produce(event(number) for number in range(20, 60))
    assert worker.wait(within=120) == 71, worker.output
    assert "no progress for 22 s" in worker.output
    kafka.restart(2)
    again = pipeline.worker("again")
    pipeline.wait_for_results(60)
    assert again.stop() == 0, again.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated) == (0, 0)
    assert audit.sent_again <= 40
