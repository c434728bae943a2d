"""The commands that operate it, on a real Kafka."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any
from urllib.error import HTTPError

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

URL = re.compile(r"http://127\.0\.0\.1:\d+")


def console_of(worker: ConnectorProcess) -> str:
    """The address a worker says its console has."""
    worker.wait_for('"event": "console"')
    found = URL.search(next(line for line in worker.output.splitlines() if '"event": "console"' in line))
    assert found is not None
    return found[0]


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def value(text: str, sample: str) -> float:
    """The value of a sample, written as it stands on the page."""
    return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(sample + " ")), 0.0)


def set_up(pipeline: Pipeline, **settings: Any) -> None:
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(console={"port": 0}, **settings)
    pipeline.create_topics()


def test_a_worker_tells_what_it_does(pipeline: Pipeline) -> None:
    """Metrics, health and status of a real run agree with what the provider saw."""
    set_up(pipeline)
    pipeline.produce([*(event(n, campaign=f"c{n % 3}") for n in range(300)), b"no JSON"])
    worker = pipeline.worker()
    pipeline.wait_for_results(301)
    url = console_of(worker)
    assert get(f"{url}/health/live") == (200, "alive\n")
    assert get(f"{url}/health/ready") == (200, "ready\n")
    text = wait_until(
        lambda: t if value(t := get(f"{url}/metrics")[1], "sms_connector_open_messages") == 0 else "", "0"
    )
    assert value(text, 'sms_connector_results_total{provider="batched",status="accepted"}') == 300
    assert value(text, 'sms_connector_results_total{provider="",status="invalid"}') == 1
    assert value(text, 'sms_connector_messages_taken_total{provider="batched"}') == 300
    requests = value(text, 'sms_connector_request_records_count{provider="batched"}')
    assert requests == len(pipeline.requests())
    assert value(text, f'sms_connector_events_total{{topic="{pipeline.source}"}}') == 301
    assert value(text, f'sms_connector_partitions{{topic="{pipeline.source}"}}') == 4
    assert value(text, f'sms_connector_lag_messages{{topic="{pipeline.source}"}}') == 0
    assert value(text, "sms_connector_result_ack_seconds_count") >= 4
    report = json.loads(get(f"{url}/status")[1])
    assert report["partitions"] == {pipeline.source: [0, 1, 2, 3]}
    assert report["lanes"]["batched"]["state"] == "sending"
    assert worker.stop() == 0, worker.output
    assert "ResourceWarning" not in worker.output
