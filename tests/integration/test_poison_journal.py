"""What may have been sent is not sent again, whatever else stands in the journal (`on_uncertain: report`)."""

from __future__ import annotations

import time

import pytest

from tests.crash import poison
from tests.integration.pipeline import Pipeline, event
from tests.integration.test_commands import get, pages_of, value
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


def sent(pipeline: Pipeline) -> int:
    """Messages that have reached the provider, each time counted."""
    return sum(request["count"] for request in pipeline.requests())


def poison_the_journal(pipeline: Pipeline) -> None:
    """Forged records in each of its partitions, between and behind those of the worker."""
    records = [
        (number, it)
        for number in range(pipeline.partitions)
        for it in poison.journal(pipeline.journal, pipeline.source)
    ]
    poison.write(pipeline.bootstrap, records, time.time())


def test_what_may_have_been_sent_is_not_sent_again_whatever_else_stands_in_the_journal(pipeline: Pipeline) -> None:
    """Killed with requests at the provider: they end `unknown`, all others are sent once, poison is counted."""
    pipeline.simulate()
    pipeline.define(records=10, concurrency=2, more="on_uncertain: report")
    pipeline.configure(health={"port": 0})
    pipeline.create_topics()
    poison_the_journal(pipeline)
    worker = pipeline.worker("killed")
    pipeline.produce(event(number) for number in range(40))
    pipeline.wait_for_results(40)
    pipeline.turn(latency=20.0)
    pipeline.produce(event(number) for number in range(40, 200))
    wait_until(lambda: sent(pipeline) > 40, "requests at the provider")
    poison_the_journal(pipeline)
    worker.kill()
    poison_the_journal(pipeline)
    pipeline.turn()
    again = pipeline.worker("again")
    pipeline.wait_for_results(200)
    page = get(f"{pages_of(again)}/metrics")[1]
    assert again.stop() == 0, again.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert set(audit.statuses) == {"accepted", "unknown"}
    assert 0 < audit.statuses["unknown"] <= 20  # two requests of ten
    metric = "sms_connector_records_skipped_total"
    for reason in ("malformed", "foreign"):
        assert value(page, f'{metric}{{reason="{reason}",topic="{pipeline.journal}"}}') > 0
    assert "poison record skipped" in again.output
