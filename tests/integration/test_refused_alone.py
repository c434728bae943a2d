"""Topics of ours that refuse what has to be written one by one, rules that change, and brokers that tell nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka.admin import AclOperation

from tests.integration.pipeline import Pipeline, event
from tests.integration.test_refused import Guarded
from tests.kafka.acls import Acls
from tests.kafka.local import LocalKafka
from tests.kafka.records import alter, delete
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

READ, WRITE = AclOperation.READ, AclOperation.WRITE
SILENT = "tests.integration.silent"
"""A worker to whom brokers tell nothing beforehand."""
SOON = {"session": "6s", "heartbeat": "1s", "refused": "4s"}


@pytest.fixture
def make_guarded(
    secure_kafka: LocalKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> Callable[..., Guarded]:
    def make(partitions: int = 2) -> Guarded:
        pipeline = Pipeline(tmp_path, secure_kafka.bootstrap, unique, start_connector, partitions=partitions)
        return Guarded(pipeline, Acls(secure_kafka, unique), secure_kafka)

    return make


def test_a_journal_that_is_refused_alone_stops_who_needs_it_and_nothing_is_sent_again(
    make_guarded: Callable[..., Guarded],
) -> None:
    guarded = make_guarded()
    pipeline = guarded.pipeline
    pipeline.define(more="on_uncertain: report")
    guarded.acls.allow_worker()
    guarded.configure(timeouts=SOON)
    pipeline.turn(latency=0.5)
    worker = pipeline.worker("first")
    worker.wait_for("partitions opened")
    pipeline.produce(event(number) for number in range(3000))
    wait_until(lambda: guarded.sent >= 300, "some requests", within=30)
    guarded.acls.revoke("journal", WRITE)
    assert worker.wait(within=60) == 78, worker.output
    assert f"{pipeline.journal}: Kafka does not let this worker write" in worker.output
    sent = guarded.sent
    assert sent < 3000
    guarded.end_thrice()
    assert guarded.sent == sent
    guarded.acls.allow("journal", WRITE)
    last = pipeline.worker("last")
    pipeline.wait_for_results(3000)
    assert last.stop() == 0, last.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_a_journal_that_is_refused_alone_stops_nobody_who_does_not_need_it(
    make_guarded: Callable[..., Guarded],
) -> None:
    guarded = make_guarded()
    pipeline = guarded.pipeline
    guarded.acls.allow_worker()
    guarded.configure(timeouts=SOON)
    worker = pipeline.worker("first")
    worker.wait_for("partitions opened")
    guarded.acls.revoke("journal", WRITE)
    pipeline.produce(event(number) for number in range(1000))
    pipeline.wait_for_results(1000)
    assert worker.stop() == 0, worker.output
    assert pipeline.audit().sent_again == 0


def test_retry_topics_that_are_refused_alone_stop_sending_and_their_events_stay_where_they_are(
    make_guarded: Callable[..., Guarded],
) -> None:
    guarded = make_guarded()
    pipeline = guarded.pipeline
    guarded.acls.allow_worker()
    guarded.configure(timeouts=SOON, unknown_grace="5s")
    worker = pipeline.worker("first")
    worker.wait_for("partitions opened")
    guarded.acls.revoke("retry.", WRITE)
    pipeline.produce(event(number, provider="nobody" if number % 10 == 0 else "batched") for number in range(1000))
    assert worker.wait(within=60) == 78, worker.output
    assert "sending stops" in worker.output
    assert ".retry." in worker.output
    sent = guarded.sent
    guarded.end_thrice()
    assert guarded.sent == sent
    guarded.acls.allow("retry.", WRITE)
    last = pipeline.worker("last")
    pipeline.wait_for_results(1000)
    assert last.stop() == 0, last.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": 900, "invalid": 100}


@pytest.mark.parametrize("gone", [False, True], ids=["refused", "deleted"])
def test_dead_letters_that_are_not_taken_stop_nobody_and_the_result_says_so(
    make_guarded: Callable[..., Guarded], gone: bool
) -> None:
    guarded = make_guarded()
    pipeline = guarded.pipeline
    guarded.acls.allow_worker()
    guarded.configure(timeouts=SOON)
    worker = pipeline.worker("first")
    worker.wait_for("partitions opened")
    if gone:
        delete(pipeline.bootstrap, pipeline.dead_letters)
    else:
        guarded.acls.revoke("dead-letters", WRITE)
    pipeline.produce([b"no event" if number % 10 == 0 else event(number) for number in range(1000)])
    pipeline.wait_for_results(1000)
    assert worker.stop() == 0, worker.output
    assert "event not kept" in worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": 900, "invalid": 100}
    reasons = [result["reason"] for result in pipeline.read_results() if result["status"] == "invalid"]
    assert all("did not take it: not kept there" in reason for reason in reasons)


@pytest.mark.parametrize("mended", [False, True], ids=["SIGTERM", "mended"])
def test_who_can_write_nowhere_stays_alive_until_it_can_or_is_told_to_stop(
    make_guarded: Callable[..., Guarded], mended: bool
) -> None:
    """The results, the journal, and more offsets with holes between them than the metadata of a commit can hold."""
    guarded = make_guarded(partitions=1)
    pipeline = guarded.pipeline
    pipeline.define(concurrency=40)  # half of it at first: 2,000 are owed whenever the rules go within the latency
    guarded.acls.allow_worker()
    guarded.configure(timeouts=SOON)
    pipeline.turn(latency=2.0)
    worker = pipeline.worker("first")
    worker.wait_for("partitions opened")
    past = {"expires_at": "2020-01-01T00:00:00Z"}
    pipeline.produce(event(number, **(past if number % 2 else {})) for number in range(6000))
    wait_until(lambda: guarded.sent >= 1500, "the requests", within=30)
    for topic in ("journal", "results"):  # in between, the other way round, all that is owed may be written down
        guarded.acls.revoke(topic, WRITE)
    worker.wait_for("results are owed and can be written nowhere", within=60)
    worker.wait_for("nothing more is sent", within=60)
    sent = guarded.sent
    assert worker.running
    if mended:
        guarded.acls.allow("journal", WRITE)
        assert worker.wait(within=60) == 78, worker.output
        guarded.acls.allow("results", WRITE)
        last = pipeline.worker("last")
        pipeline.wait_for_results(6000)
        assert last.stop() == 0, last.output
        audit = pipeline.audit()
        assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
        return
    worker.terminate()
    assert worker.wait(within=60) == 78, worker.output
    assert "results are lost with this process: their messages will be sent again" in worker.output
    assert guarded.sent == sent


def test_a_rule_about_times_that_changes_while_results_are_written_ends_it_and_nothing_is_sent_again(
    make_guarded: Callable[..., Guarded],
) -> None:
    guarded = make_guarded()
    pipeline = guarded.pipeline
    guarded.acls.allow_worker()
    guarded.configure(timeouts=SOON)
    pipeline.turn(latency=0.5)
    worker = pipeline.worker("first")
    worker.wait_for("partitions opened")
    pipeline.produce(event(number) for number in range(3000))
    wait_until(lambda: guarded.sent >= 100, "the first request", within=30)
    rule = "message.timestamp.before.max.ms"
    alter(pipeline.bootstrap, pipeline.results, {rule: "0"})
    assert worker.wait(within=60) == 78, worker.output
    assert rule in worker.output
    sent = guarded.sent
    guarded.end_thrice()
    assert guarded.sent == sent
    alter(pipeline.bootstrap, pipeline.results, {rule: "9223372036854775807"})
    last = pipeline.worker("last")
    pipeline.wait_for_results(3000)
    assert last.stop() == 0, last.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert set(audit.statuses) <= {"accepted", "unknown"}


def test_of_brokers_that_tell_nothing_one_message_finds_out_over_any_number_of_starts(
    make_guarded: Callable[..., Guarded],
) -> None:
    """Without Write on the results: its result is owed, and each later start tries to write that first."""
    guarded = make_guarded()
    pipeline = guarded.pipeline
    guarded.acls.allow_worker(without=[("results", WRITE)])
    guarded.configure(timeouts=SOON)
    pipeline.produce(event(number) for number in range(1000))
    for number in range(3):
        worker = pipeline.worker(f"w{number}", module=SILENT)
        assert worker.wait(within=60) == 78, worker.output
        assert "allow Write" in worker.output
        assert guarded.sent == 1
    guarded.acls.allow("results", WRITE)
    last = pipeline.worker("last", module=SILENT)
    pipeline.wait_for_results(1000)
    assert last.stop() == 0, last.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": 1000}
    assert max(audit.fills) > 1


def test_without_write_anywhere_on_brokers_that_tell_nothing_it_ends_with_the_remedy(
    make_guarded: Callable[..., Guarded],
) -> None:
    """They do not even give its producer an id."""
    guarded = make_guarded()
    topics = ("results", "journal", "dead-letters", "retry.")
    guarded.acls.revoke_all()
    guarded.acls.allow_worker(without=[(topic, WRITE) for topic in topics])
    guarded.configure(timeouts=SOON)
    guarded.pipeline.produce(event(number) for number in range(10))
    worker = guarded.pipeline.worker(module=SILENT)
    assert worker.wait(within=60) == 78, worker.output
    assert "docs/security.md" in worker.output
    assert guarded.sent == 0


def test_results_without_a_key_get_one_where_the_topic_wants_it(pipeline: Pipeline) -> None:
    """A compacted one, though brokers do not tell: an event that cannot be read has neither key nor id."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    alter(pipeline.bootstrap, pipeline.results, {"cleanup.policy": "compact"})
    pipeline.produce([b"no event" if number % 10 == 0 else event(number) for number in range(500)])
    worker = pipeline.worker(module=SILENT)
    pipeline.wait_for_results(500)
    assert worker.stop() == 0, worker.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": 450, "invalid": 50}
