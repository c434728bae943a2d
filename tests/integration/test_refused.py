"""What cannot be reported is not sent: results that Kafka refuses, before and while a worker runs, over restarts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AclOperation

from tests.integration.pipeline import Pipeline, event
from tests.kafka.acls import Acls, worker_settings
from tests.kafka.local import LocalKafka
from tests.kafka.records import alter
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

WRITE = AclOperation.WRITE


class Guarded:
    """A pipeline whose worker may do what access rules say; topics are made, and read, by an administrator."""

    def __init__(self, pipeline: Pipeline, acls: Acls, kafka: LocalKafka) -> None:
        self.pipeline = pipeline
        self.acls = acls
        self.kafka = kafka
        pipeline.simulate()
        pipeline.define()
        pipeline.configure()
        pipeline.create_topics()

    def configure(self, **settings: object) -> None:
        """As the worker sees it."""
        self.pipeline.configure(kafka=worker_settings(self.kafka), **settings)

    def end_thrice(self, *, within: float = 60) -> None:
        """Three starts end with 78."""
        for number in range(3):
            worker = self.pipeline.worker(f"w{number}")
            assert worker.wait(within) == 78, worker.output

    @property
    def sent(self) -> int:
        """Messages that have reached the provider, each time counted."""
        return sum(request["count"] for request in self.pipeline.requests())


@pytest.fixture
def guarded(
    secure_kafka: LocalKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> Iterator[Guarded]:
    pipeline = Pipeline(tmp_path, secure_kafka.bootstrap, unique, start_connector, partitions=2)
    yield Guarded(pipeline, Acls(secure_kafka, unique), secure_kafka)
    assert not pipeline.leaks()


def test_without_access_to_the_results_nothing_is_sent_at_any_start(guarded: Guarded) -> None:
    guarded.acls.allow_worker(without=[("results", WRITE)])
    guarded.configure()
    guarded.pipeline.produce(event(number) for number in range(3))
    for number in range(3):
        worker = guarded.pipeline.worker(f"w{number}")
        assert worker.wait(within=60) == 78, worker.output
        assert "Write" in worker.output
        assert guarded.pipeline.results in worker.output
    assert guarded.sent == 0


def test_topics_check_says_before_anything_runs_what_may_not_be_done(guarded: Guarded) -> None:
    guarded.acls.allow_worker(without=[("results", WRITE), ("dead-letters", WRITE), ("journal", AclOperation.READ)])
    guarded.configure()
    told = guarded.pipeline.command("topics", "check", code=78)
    assert f"{guarded.pipeline.results}: this principal lacks Write" in told
    assert f"{guarded.pipeline.dead_letters}: this principal lacks Write" in told
    guarded.acls.allow("results", WRITE)
    guarded.acls.allow("dead-letters", WRITE)
    assert "topics fit" in guarded.pipeline.command("topics", "check")


@pytest.mark.parametrize(
    ("key", "fields", "compression"),
    [
        pytest.param(1_048_100, {}, "none", id="key"),
        pytest.param(0, {"provider": "p" * 1_048_100}, "none", id="provider"),
        pytest.param(1_055_000, {}, "gzip", id="compressed key"),
        pytest.param(0, {"provider": "p" * 5_000_000}, "gzip", id="compressed provider"),
        pytest.param(0, {"message_id": "m" * 2_000_000, "campaign_id": "c" * 2_000_000}, "gzip", id="compressed ids"),
    ],
)
def test_a_result_that_is_too_large_for_its_topic_is_written_smaller(
    pipeline: Pipeline, key: int, fields: dict[str, str], compression: str
) -> None:
    """Identity and status are what counts; nothing is sent again, and the others are as they were."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(unknown_grace="0s", events={"bytes": "16MiB"})
    pipeline.create_topics()
    alter(pipeline.bootstrap, pipeline.results, {"max.message.bytes": "1048588"})
    odd = orjson.dumps({**event(0), "body": "x", "template_variables": {}, **fields})
    producer = Producer(
        {"bootstrap.servers": pipeline.bootstrap, "message.max.bytes": 20_000_000, "compression.type": compression}
    )
    for value, its_key in [(orjson.dumps(event(1)), None), (odd, b"k" * key or None), (orjson.dumps(event(2)), None)]:
        refused: list[object] = []
        producer.produce(pipeline.source, value, its_key, 0, on_delivery=lambda error, _: refused.append(error))  # noqa: B023
        assert producer.flush(30) == 0
        assert refused == [None]
    worker = pipeline.worker()
    pipeline.wait_for_results(3)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses["accepted"] == (2 if fields else 3)
    by_offset = {result["source"]["offset"]: result for result in pipeline.read_results()}
    assert [by_offset[offset]["message_id"] for offset in (0, 2)] == ["m1", "m2"]
    assert len(orjson.dumps(by_offset[1])) < 10_000


@pytest.mark.parametrize("journal", [True, False], ids=["journal", "commit"])
def test_what_was_sent_when_access_went_away_is_reported_first_and_never_sent_again(
    guarded: Guarded, journal: bool
) -> None:
    """Over three starts without access, and one with it. Without the journal the offset is known, not the outcome."""
    pipeline = guarded.pipeline
    guarded.acls.allow_worker()
    guarded.configure(timeouts={"session": "6s", "heartbeat": "1s", "refused": "4s"})
    pipeline.turn(latency=1.0)
    worker = pipeline.worker("first")
    worker.wait_for("partitions opened")
    pipeline.produce(event(number) for number in range(1200))
    wait_until(lambda: guarded.sent >= 100, "the first request", within=30)
    guarded.acls.revoke("results", WRITE)
    if not journal:
        guarded.acls.revoke("journal", WRITE)
    assert worker.wait(within=60) == 78, worker.output
    assert "sending stops" in worker.output
    assert "allow Write" in worker.output
    sent = guarded.sent
    for number in range(2):
        again = pipeline.worker(f"again{number}")
        assert again.wait(within=60) == 78, again.output
    assert guarded.sent == sent
    for topic in ("results", "journal"):
        guarded.acls.allow(topic, WRITE)
    last = pipeline.worker("last")
    pipeline.wait_for_results(1200)
    assert last.stop() == 0, last.output
    assert "results owed by an earlier worker are written first" in last.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert set(audit.statuses) == ({"accepted"} if journal else {"accepted", "unknown"})
    assert audit.statuses["accepted"] > 0
