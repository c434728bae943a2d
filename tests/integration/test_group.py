"""What a group refuses, and what becomes of a worker that cannot reach it: exit codes, and what a person is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from connector.stream.membership.group_answers import FOREIGN_SECONDS
from tests.integration.pipeline import Pipeline, event
from tests.integration.test_commands import get, pages_of
from tests.kafka.acls import Acls, worker_settings
from tests.kafka.fixtures import MakeKafka
from tests.kafka.local import LocalKafka
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

TIMEOUTS = {"session": "6s", "heartbeat": "1s", "refused": "5s"}


def audited(pipeline: Pipeline) -> tuple[int, int, int]:
    """Lost, duplicated, sent again."""
    audit = pipeline.audit()
    return audit.lost, audit.duplicated, audit.sent_again


# ---- access to the group --------------------------------------------------------------------------------------------


@pytest.fixture
def acls(secure_kafka: LocalKafka, unique: str) -> Acls:
    return Acls(secure_kafka, unique)


@pytest.fixture
def guarded(
    secure_kafka: LocalKafka, acls: Acls, tmp_path: Path, unique: str, start_connector: StartConnector
) -> Iterator[Pipeline]:
    """A worker that may do everything but with its group."""
    pipeline = Pipeline(tmp_path, secure_kafka.bootstrap, unique, start_connector, partitions=2)
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    acls.allow_worker(group=False)
    pipeline.configure(kafka=worker_settings(secure_kafka), timeouts=TIMEOUTS)
    yield pipeline
    assert not pipeline.leaks()


def test_who_may_not_read_the_group_is_told_so_and_does_not_restart(guarded: Pipeline) -> None:
    guarded.produce(event(number) for number in range(3))
    worker = guarded.worker()
    assert worker.wait(within=60) == 78, worker.output
    assert f"the brokers refuse this user the group {guarded.unique}" in worker.output
    assert "allow it Read on the group" in worker.output
    assert "Traceback" not in worker.output
    assert guarded.requests() == []


def test_a_worker_that_is_given_its_group_in_time_goes_on(guarded: Pipeline, acls: Acls) -> None:
    """Brokers hear of new rules late."""
    guarded.configure(kafka=worker_settings(acls.kafka), timeouts={**TIMEOUTS, "refused": "60s"})
    guarded.produce(event(number) for number in range(20))
    worker = guarded.worker()
    worker.wait_for("the group refuses this worker")
    acls.allow_group()
    guarded.wait_for_results(20)
    assert worker.stop() == 0, worker.output
    assert audited(guarded) == (0, 0, 0)


def test_a_worker_that_loses_its_group_sends_nothing_more_and_ends(guarded: Pipeline, acls: Acls) -> None:
    acls.allow_group()
    guarded.produce(event(number) for number in range(20))
    worker = guarded.worker("first")
    guarded.wait_for_results(20)
    acls.revoke_group()
    assert worker.wait(within=60) == 78, worker.output
    assert "allow it Read on the group" in worker.output
    guarded.produce(event(number) for number in range(20, 40))
    acls.allow_group()
    again = guarded.worker("again")
    guarded.wait_for_results(40)
    assert again.stop() == 0, again.output
    assert audited(guarded) == (0, 0, 0)


def test_a_worker_that_may_not_read_events_any_more_gives_its_partitions_back_and_says_why(
    guarded: Pipeline, acls: Acls
) -> None:
    acls.allow_group()
    worker = guarded.worker("first")
    worker.wait_for("partitions opened")
    guarded.produce(event(number) for number in range(20))
    guarded.wait_for_results(20)
    acls.revoke("messages", acls.READ)
    assert worker.wait(within=60) == 78, worker.output
    assert "TopicAuthorizationFailedError" in worker.output
    assert "docs/security.md" in worker.output
    acls.allow("messages", acls.READ)
    guarded.produce(event(number) for number in range(20, 40))
    again = guarded.worker("again")
    guarded.wait_for_results(40)
    assert again.stop() == 0, again.output
    assert audited(guarded) == (0, 0, 0)


# ---- a group that has no room, and an id that has another bearer ----------------------------------------------------


class Member:
    """Of the same group, sharing partitions out as workers do."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": pipeline.bootstrap,
                "group.id": pipeline.unique,
                "partition.assignment.strategy": "roundrobin",
                "session.timeout.ms": 6000,
                "auto.offset.reset": "earliest",
            }
        )
        self._consumer.subscribe([pipeline.source])
        wait_until(self._joined, "the other member to join")

    def _joined(self) -> bool:
        self._consumer.poll(0.1)
        return bool(self._consumer.assignment())

    def leave(self) -> None:
        self._consumer.close()


@pytest.fixture
def full(
    make_kafka: MakeKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> Iterator[tuple[Pipeline, Member]]:
    """A group in which brokers allow one member, and has it."""
    kafka = make_kafka(settings={"group.max.size": "1"})
    pipeline = Pipeline(tmp_path, kafka.bootstrap, unique, start_connector, partitions=2)
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    member = Member(pipeline)
    yield pipeline, member
    member.leave()


@pytest.mark.timeout(180)
def test_a_group_that_stays_full_ends_the_worker_and_says_so(full: tuple[Pipeline, Member]) -> None:
    pipeline, _ = full
    worker = pipeline.worker()
    assert worker.wait(within=FOREIGN_SECONDS + 60) == 1, worker.output
    assert f"group {pipeline.unique} is full: the brokers allow no more members (group.max.size)" in worker.output
    assert "Traceback" not in worker.output


def test_a_worker_joins_a_group_that_was_full(full: tuple[Pipeline, Member]) -> None:
    pipeline, member = full
    pipeline.produce(event(number) for number in range(20))
    worker = pipeline.worker()
    worker.wait_for("the group refuses this worker")
    member.leave()
    pipeline.wait_for_results(20)
    assert worker.stop() == 0, worker.output
    assert audited(pipeline) == (0, 0, 0)


def test_the_older_of_two_workers_with_one_id_is_fenced_and_says_so(pipeline: Pipeline) -> None:
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(static_membership="pod-0")
    pipeline.create_topics()
    older = pipeline.worker("older")
    older.wait_for("partitions opened")
    newer = pipeline.worker("newer")
    assert older.wait(within=60) == 78, older.output
    assert "under this instance id: this one is fenced" in older.output
    assert "give each worker an id of its own" in older.output
    pipeline.produce(event(number) for number in range(20))
    pipeline.wait_for_results(20)
    assert newer.stop() == 0, newer.output
    assert audited(pipeline) == (0, 0, 0)


# ---- cut off --------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_cut_off_from_its_brokers_is_not_ready_until_the_group_has_answered(
    make_kafka: MakeKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> None:
    kafka = make_kafka(proxied=True)
    pipeline = Pipeline(tmp_path, kafka.bootstrap, unique, start_connector, partitions=2)
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(
        kafka={"bootstrap.servers": kafka.proxied_bootstrap},
        timeouts={"session": "20s", "heartbeat": "1s"},
        health={"port": 0},
    )
    pipeline.create_topics()
    worker = pipeline.worker()
    worker.wait_for("partitions opened")
    page = f"{pages_of(worker)}/health/ready"
    wait_until(lambda: get(page)[0] == 200, "it to be ready")
    kafka.cut()
    wait_until(lambda: get(page)[0] == 503, "it to be not ready")
    assert "cut off from the brokers" in get(page)[1]
    kafka.heal()
    wait_until(lambda: get(page)[0] == 200, "it to be ready again")
    pipeline.produce(event(number) for number in range(20))
    pipeline.wait_for_results(20)
    assert worker.stop() == 0, worker.output
    assert audited(pipeline) == (0, 0, 0)
