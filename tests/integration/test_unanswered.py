"""Results that Kafka neither takes nor refuses: they may be there or not, and nothing is sent again for it."""

from __future__ import annotations

import signal

import orjson
import pytest

from tests.integration.pipeline import Pipeline, event
from tests.kafka.records import committed, delete, end_offsets
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

NOTED = "results are owed and written down"


def sent(pipeline: Pipeline) -> int:
    """Messages that have reached the provider, each time counted."""
    return sum(request["count"] for request in pipeline.requests())


def owed(output: str) -> int:
    """Results that a worker says it has written down."""
    lines = [orjson.loads(line) for line in output.splitlines() if NOTED in line and line.endswith("}")]
    return sum(line["results"] for line in lines)


@pytest.mark.parametrize("journal", [True, False], ids=["journal", "commit"])
def test_results_whose_topic_is_deleted_under_load_are_owed_and_nothing_is_sent_again(
    pipeline: Pipeline, journal: bool
) -> None:
    """Nobody refuses them, and nobody takes them: they may be there or not. Over two starts without it, one with it.

    Results that were acknowledged go with the topic; of events that no commit had passed they end `unknown`.
    """
    pipeline.simulate()
    pipeline.define(concurrency=4)
    pipeline.configure(timeouts={"session": "6s", "heartbeat": "1s", "refused": "4s", "commit_interval": "5s"})
    pipeline.create_topics()
    pipeline.turn(latency=0.3)
    worker = pipeline.worker("first")
    worker.wait_for("partitions opened")
    pipeline.produce(event(number) for number in range(6000))
    pipeline.wait_for_results(1000)
    if not journal:
        delete(pipeline.bootstrap, pipeline.journal)
    delete(pipeline.bootstrap, pipeline.results)
    assert worker.wait(within=60) == 78, worker.output
    assert "is not on the cluster any more" in worker.output
    assert "sms-connector topics create" in worker.output
    before = sent(pipeline)
    assert before < 6000
    for number in range(2):
        again = pipeline.worker(f"again{number}")
        assert again.wait(within=60) == 78, again.output
    assert sent(pipeline) == before
    pipeline.create_topics()
    last = pipeline.worker("last")
    ends = end_offsets(pipeline.bootstrap, pipeline.source)

    def all_committed() -> bool:
        assert last.running, last.output
        places = committed(pipeline.bootstrap, pipeline.unique, pipeline.source)
        return {number: place.offset for number, place in places.items()} == ends

    wait_until(all_committed, "every event is settled", within=90, every=0.5)
    assert last.stop() == 0, last.output
    assert "results owed by an earlier worker are written first" in last.output
    audit = pipeline.audit()
    assert (audit.duplicated, audit.sent_again) == (0, 0)
    assert sum(audit.fills) == 6000
    assert set(audit.statuses) <= {"accepted", "unknown"}


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("journal", [True, False], ids=["journal", "commit"])
def test_results_that_are_never_acknowledged_are_owed_before_a_stop_and_before_a_kill(
    pipeline: Pipeline, end: signal.Signals, journal: bool
) -> None:
    """Requests stop when enough results wait, and none is sent again afterwards."""
    pipeline.simulate()
    pipeline.define(concurrency=2)
    pipeline.configure(timeouts={"session": "6s", "heartbeat": "1s", "drain": "10s", "http_total": "5s"})
    pipeline.create_topics()
    worker = pipeline.worker("first", module="tests.integration.mute")
    worker.wait_for("partitions opened")
    if not journal:
        delete(pipeline.bootstrap, pipeline.journal)
    pipeline.produce(event(number) for number in range(4000))

    def all_of_them() -> bool:
        waiting = sent(pipeline) - pipeline.count_results()
        return waiting > 0 and owed(worker.output) >= waiting

    wait_until(all_of_them, "what waits to be written down", within=60, every=0.5)
    before = sent(pipeline)
    assert before < 4000
    worker.send(end)
    assert worker.wait(within=60) == (70 if end is signal.SIGTERM else -signal.SIGKILL), worker.output
    if not journal:
        pipeline.create_topics()
    last = pipeline.worker("last")
    pipeline.wait_for_results(4000)
    assert last.stop() == 0, last.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert sum(audit.fills) == 4000
    assert set(audit.statuses) == ({"accepted"} if journal else {"accepted", "unknown"})
