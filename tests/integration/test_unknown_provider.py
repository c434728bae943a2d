"""A mistyped provider on a real Kafka: told at once, cheap while it waits, and named wherever somebody looks."""

from __future__ import annotations

import json

from tests.integration.pipeline import Pipeline, event
from tests.integration.small import configure
from tests.integration.test_commands import get, pages_of
from tests.waiting import wait_until

EVENTS = 200


def test_a_mistyped_provider_is_told_at_once_and_costs_a_few_retry_records(pipeline: Pipeline) -> None:
    pipeline.simulate()
    pipeline.define()
    configure(pipeline, unknown_grace="15s", park_max="60s")
    pipeline.produce([event(n, provider="bathced") for n in range(EVENTS)])
    worker = pipeline.worker()
    worker.wait_for("unknown provider: no definition has this name; its events wait")
    pages = pages_of(worker)

    def named() -> list[dict[str, object]]:
        found = json.loads(get(f"{pages}/status")[1])["unknown"]
        return found if found and found[0]["events"] == EVENTS else []

    assert wait_until(named, "every event to be read") == [
        {"cause": "provider", "name": "bathced", "nearest": "batched", "events": EVENTS}
    ]
    assert f'sms_connector_unknown_provider_total{{cause="provider"}} {EVENTS}.0' in get(f"{pages}/metrics")[1]
    shown = pipeline.command("trace", "m7", "--since", "10m", "--health", pages)
    assert "provider bathced has no definition (did you mean batched?)" in shown
    pipeline.wait_for_results(EVENTS)
    assert worker.stop() == 0, worker.output
    results = pipeline.read_results()
    assert {(it["status"], it["reason"]) for it in results} == {
        ("invalid", "no provider definition `bathced`; did you mean `batched`?")
    }
    assert worker.output.count("unknown provider:") == 1
    retries = [pipeline.count(f"{pipeline.unique}.retry.{delay}") for delay in ("1s", "2s")]
    assert sum(retries) <= EVENTS * 9, retries
