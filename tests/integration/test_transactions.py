"""Producers with transactions: what was aborted is not sent, what is open waits and is told, markers are no lag."""

from __future__ import annotations

import json

import orjson
import pytest

from connector.stream.partitions.open_transactions import TOLD_SECONDS
from tests.integration.pipeline import Pipeline, event
from tests.integration.test_commands import get, pages_of, value
from tests.kafka.records import Event, committed, end_offsets, produce
from tests.kafka.transactional import Transaction, aborted
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def skipped_records(page: str, topic: str, reason: str) -> float:
    return value(page, f'sms_connector_records_skipped_total{{reason="{reason}",topic="{topic}"}}')


def of_source(pipeline: Pipeline, name: str) -> str:
    """A metric of the source topic."""
    return f'sms_connector_{name}{{topic="{pipeline.source}"}}'


def in_partition(number: int, *numbers: int) -> list[Event]:
    """Events of these numbers, in that partition."""
    return [Event(orjson.dumps(event(n)), partition=number) for n in numbers]


def sent(pipeline: Pipeline) -> list[str]:
    return sorted(record["ref"] for request in pipeline.requests() for record in request["taken"])


def until_committed(pipeline: Pipeline) -> None:
    """To the end of the log, markers and all."""

    def there() -> bool:
        done = committed(pipeline.bootstrap, pipeline.unique, pipeline.source)
        return {number: it.offset for number, it in done.items()} == end_offsets(pipeline.bootstrap, pipeline.source)

    wait_until(there, "everything to be committed", every=0.5)


def ready(pipeline: Pipeline) -> None:
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(health={"port": 0})
    pipeline.create_topics()


def test_aborted_events_are_not_sent_and_nothing_lags_behind_markers(pipeline: Pipeline):
    ready(pipeline)
    with aborted(pipeline.bootstrap, f"{pipeline.unique}-a") as transaction:
        transaction.write(pipeline.source, *in_partition(0, 1, 2, 3), *in_partition(1, 4))
        produce(pipeline.bootstrap, pipeline.source, in_partition(0, 10))
    decided = Transaction(pipeline.bootstrap, f"{pipeline.unique}-b")
    decided.write(pipeline.source, *in_partition(0, 11), *in_partition(2, 12))
    decided.commit()
    worker = pipeline.worker()
    pipeline.wait_for_results(3)
    until_committed(pipeline)
    with aborted(pipeline.bootstrap, f"{pipeline.unique}-a") as transaction:  # and while it runs
        transaction.write(pipeline.source, *in_partition(3, 5, 6))
    until_committed(pipeline)
    assert pipeline.invoke("lag", "--json").stdout == ""
    assert value(get(f"{pages_of(worker)}/metrics")[1], of_source(pipeline, "lag_messages")) == 0
    worker.kill()
    again = pipeline.worker("w1")
    produce(pipeline.bootstrap, pipeline.source, in_partition(0, 13))
    pipeline.wait_for_results(4)
    assert again.stop() == 0, again.output
    assert sent(pipeline) == ["m10", "m11", "m12", "m13"]
    assert pipeline.count_results() == 4


def test_an_open_transaction_holds_back_what_follows_and_is_told(pipeline: Pipeline):
    ready(pipeline)
    transaction = Transaction(pipeline.bootstrap, f"{pipeline.unique}-open")
    transaction.write(pipeline.source, *in_partition(0, 1))
    produce(pipeline.bootstrap, pipeline.source, [*in_partition(0, 2), *in_partition(1, 3)])
    worker = pipeline.worker()
    pipeline.wait_for_results(1)  # of the other partition
    metrics = f"{pages_of(worker)}/metrics"
    wait_until(
        lambda: value(get(metrics)[1], of_source(pipeline, "open_transaction_seconds")) > 0, "it to be told", every=0.5
    )
    assert value(get(metrics)[1], of_source(pipeline, "lag_messages")) == 2
    wait_until(
        lambda: committed(pipeline.bootstrap, pipeline.unique, pipeline.source)[1].offset == 1, "m3 to be committed"
    )
    (behind,) = [json.loads(line) for line in pipeline.invoke("lag", "--json").stdout.splitlines()]
    assert (behind["partition"], behind["lag"], behind["undecided"]) == (0, 2, 2)
    assert "transaction" in behind["oldest"]["holds"]
    assert sent(pipeline) == ["m3"]
    worker.wait_for("a producer has left a transaction open", within=TOLD_SECONDS + 30)
    transaction.commit()
    worker.wait_for("a transaction that was left open is decided")
    pipeline.wait_for_results(3)
    until_committed(pipeline)
    assert value(get(metrics)[1], of_source(pipeline, "open_transaction_seconds")) == 0
    assert worker.stop() == 0, worker.output
    assert sent(pipeline) == ["m1", "m2", "m3"]


def test_transactions_of_others_in_our_topics_hide_nothing_and_move_nothing(pipeline: Pipeline):
    """An open transaction there would hide our results from a reader of committed ones, and everything would be sent
    again. What others settle in them is not believed.
    """
    ready(pipeline)
    retry = f"{pipeline.unique}.retry.5s"
    ours = (pipeline.results, pipeline.journal, retry)
    forged = {"settles": f"{pipeline.source}/0/1".encode()}
    for ending in ("open", "abort", "commit"):
        transaction = Transaction(pipeline.bootstrap, f"{pipeline.unique}-{ending}")
        for topic in ours:
            transaction.write(topic, *(Event(b"{}", partition=number, headers=forged) for number in range(4)))
        if ending != "open":
            getattr(transaction, ending)()
    before = pipeline.count_results()
    pipeline.produce([event(n) for n in range(100)])
    first = pipeline.worker("w0")
    pipeline.wait_for_results(before + 100)
    first.kill()
    second = pipeline.worker("w1")
    pipeline.produce([event(n) for n in range(100, 120)])
    pipeline.wait_for_results(before + 120)
    until_committed(pipeline)
    skipped = get(f"{pages_of(second)}/metrics")[1]
    assert skipped_records(skipped, retry, "transactional") > 0
    assert second.stop() == 0, second.output
    assert pipeline.count_results() == before + 120
    assert sent(pipeline) == sorted(f"m{n}" for n in range(120))
    assert len(pipeline.invoke("results", "--json", "-n", "500").stdout.splitlines()) >= 120


def test_a_control_record_that_was_aborted_is_not_applied(pipeline: Pipeline):
    ready(pipeline)
    control = f"{pipeline.unique}.control"
    cancel = Event(b'{"state":"cancelled"}', key=b"campaign:c0", partition=0)
    with aborted(pipeline.bootstrap, f"{pipeline.unique}-c") as transaction:
        transaction.write(control, cancel)
    pipeline.produce([event(1)])
    worker = pipeline.worker()
    pipeline.wait_for_results(1)
    assert pipeline.read_results()[0]["status"] == "accepted"
    decided = Transaction(pipeline.bootstrap, f"{pipeline.unique}-d")
    decided.write(control, cancel)
    decided.commit()
    worker.wait_for("campaign changed")
    pipeline.produce([event(2)])
    pipeline.wait_for_results(2)
    assert worker.stop() == 0, worker.output
    assert sorted(result["status"] for result in pipeline.read_results()) == ["accepted", "cancelled"]
