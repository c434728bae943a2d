"""The commands that operate it, on a real Kafka."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import psutil
import pytest
from click.testing import Result

from connector.cli.workers import enough_partitions
from connector.errors import UsageError
from connector.health.families import EVERY_METRIC, METRICS
from connector.settings import load_settings
from connector.tools.simulator.fake import Magic
from tests.deploy.files import queries
from tests.deploy.queries import NAME
from tests.integration.pipeline import Pipeline, event
from tests.marked import page
from tests.processes import ConnectorProcess, StartConnector
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

URL = re.compile(r"http://127\.0\.0\.1:\d+")


def pages_of(worker: ConnectorProcess) -> str:
    """The address a worker says its pages have."""
    worker.wait_for('"event": "health"')
    found = URL.search(next(line for line in worker.output.splitlines() if '"event": "health"' in line))
    assert found is not None
    return found[0]


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status, page(response.read().decode())
    except HTTPError as error:
        with error:
            return error.code, page(error.read().decode())


def value(text: str, sample: str) -> float:
    """The value of a sample, written as it stands on the page."""
    return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(sample + " ")), 0.0)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def set_up(pipeline: Pipeline, **settings: Any) -> None:
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(health={"port": 0}, **settings)
    pipeline.create_topics()


def test_a_worker_tells_what_it_does(pipeline: Pipeline) -> None:
    """Metrics, health and status of a real run agree with what the provider saw."""
    set_up(pipeline)
    pipeline.produce([*(event(n, campaign=f"c{n % 3}") for n in range(300)), b"no JSON"])
    worker = pipeline.worker()
    pipeline.wait_for_results(301)
    url = pages_of(worker)
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
    # Only the page of several workers says how often each was started anew; receipts have processes of their own.
    elsewhere = {it.exposed for it in EVERY_METRIC.values()} - {it.exposed for it in METRICS}
    for name in {name for query in queries() for name in NAME.findall(query)} - {"sms_connector_worker_restarts_total"}:
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        if family in elsewhere:
            continue
        assert re.search(rf"^# TYPE {family} (counter|gauge|histogram)$", text, re.MULTILINE), name
    report = json.loads(get(f"{url}/status")[1])
    assert report["partitions"] == {pipeline.source: [0, 1, 2, 3]}
    assert report["lanes"]["batched"]["state"] == "sending"
    assert worker.stop() == 0, worker.output
    assert "ResourceWarning" not in worker.output


ENDS: dict[str, dict[str, Any]] = {
    "accepted": {},
    "rejected": {"to": f"+919800{Magic.BLOCKED}"},
    "failed": {"to": f"+919800{Magic.TEMPORARY}"},
    "expired": {"expires_at": "2020-01-01T00:00:00Z"},
    "cancelled": {"to": "+14155550100"},
    "invalid": {"provider": None},
    "unknown": {"to": f"+919800{Magic.SILENT}"},
}
"""Status → what makes an event end so."""
SENT = {"accepted", "rejected", "failed", "unknown"}
DEAD = {"failed", "invalid"}
TEMPORARY = "        - {when: \"code == 'temporary'\", then: retry}\n"


def test_send_waits_for_results_which_results_and_trace_then_find(
    pipeline: Pipeline, tmp_path: Path, start_connector: StartConnector
) -> None:
    """A message of every status: `send --wait` counts it, `results` selects it, `trace` finds it by its id."""
    pipeline.simulate()
    pipeline.define(more="retry: {attempts: 1}")
    definition = pipeline.folder / "definitions" / "batched.yaml"
    head, rule, tail = definition.read_text().partition("        - {when: \"status == 'refused'\"")
    definition.write_text(head + TEMPORARY + rule + tail)
    pipeline.configure(recipients={"allow": ["+9198*"]}, unknown_grace="0s")
    pipeline.create_topics()
    worker = pipeline.worker()
    follower = start_connector("results", "--config", str(pipeline.config), "--follow", "--json", name="follow")
    worker.wait_for("partitions opened")
    follower.wait_for("0 of 0 shown")
    events = {status: event(n, **fields) for n, (status, fields) in enumerate(ENDS.items())}
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(map(json.dumps, events.values())))
    (sent,) = lines(pipeline.invoke("send", str(file), "--wait", "--timeout", "60s", "--json", code=1))
    assert (sent["sent"], sent["missing"]) == (len(ENDS), 0)
    assert sent["results"] == dict.fromkeys(ENDS, 1)
    for sent_event in events.values():
        follower.wait_for(f'"message_id":"{sent_event["message_id"]}"')
    follower.send(signal.SIGINT)
    assert follower.wait() == 0
    found = {it["message_id"]: it["status"] for it in lines(pipeline.invoke("results", "--json"))}
    assert found == {sent_event["message_id"]: status for status, sent_event in events.items()}
    for message_id, status in found.items():
        (traced,) = lines(pipeline.invoke("trace", message_id, "--since", "1h", "--json"))
        assert traced["state"] == status
        assert traced["event"]["place"].startswith(pipeline.source)
        assert [it["status"] for it in traced["results"]] == [status]
        assert (traced["results"][0]["batch_id"] is not None) == (status in SENT)
        assert len(traced["dead_letters"]) == (status in DEAD)
    first = events["accepted"]
    by_key = pipeline.invoke("trace", first["message_id"], "--since", "1h", "--key", first["to"])
    assert "state: accepted" in by_key.stdout
    assert "in 1 partition " in by_key.stderr
    assert first["to"] not in by_key.stdout
    assert pipeline.invoke("trace", "nobody", "--since", "1h", code=1).stdout == ""
    only = lines(pipeline.invoke("results", "--status", "expired", "--since", "1h", "--json"))
    assert [it["message_id"] for it in only] == [events["expired"]["message_id"]]
    cancelled = events["cancelled"]["message_id"]
    assert f"cancelled  {cancelled}" in pipeline.invoke("results", "--message-id", cancelled).stdout
    assert worker.stop() == 0, worker.output


def test_lag_says_what_holds_a_partition_and_replay_sends_again_what_failed(pipeline: Pipeline) -> None:
    """No worker; then one that does not know the provider; then dead letters back into the topic, once."""
    set_up(pipeline, unknown_grace="0s")
    pipeline.produce([event(1, provider="later"), event(2, provider="later")])
    behind = lines(pipeline.invoke("lag", "--json"))
    assert [(it["lag"], it["oldest"]["message_id"]) for it in behind] == [(1, "m1"), (1, "m2")]
    assert {it["oldest"]["holds"] for it in behind} == {"no worker runs, and nothing is committed yet"}
    worker = pipeline.worker()
    pipeline.wait_for_results(2)
    wait_until(lambda: lines(pipeline.invoke("lag", "--json")) == [], "offsets to be committed")
    pipeline.define("later")
    worker.wait_for("definitions reloaded")
    said = pipeline.invoke("replay", "--provider", "later", "--since", "1h")
    assert "2 events from dead-letters would be replayed; nothing was sent" in said.stderr
    assert pipeline.count_results() == 2
    pipeline.invoke("replay", "--provider", "later", "--since", "1h", "--yes")
    again = pipeline.invoke("replay", "--provider", "later", "--since", "1h", "--yes")
    assert "2 left out: replayed before" in again.stderr
    pipeline.wait_for_results(4)
    assert "/status" not in pipeline.invoke("lag", "--health", pages_of(worker)).stderr
    assert worker.stop() == 0, worker.output
    assert sorted(it["status"] for it in pipeline.read_results()) == ["accepted", "accepted", "invalid", "invalid"]
    expired = ("replay", "--from", "results", "--status", "accepted", "--may-repeat", "--since", "1h")
    assert "2 events from results would be replayed" in pipeline.invoke(*expired).stderr


def test_topics_are_expanded_while_a_worker_runs(pipeline: Pipeline) -> None:
    """The worker gets the new partitions, and what is produced there is sent once."""
    set_up(pipeline)
    worker = pipeline.worker()
    pipeline.produce(event(n) for n in range(20))
    pipeline.wait_for_results(20)
    said = pipeline.invoke("topics", "expand", "6")
    assert said.stdout.splitlines()[0].startswith(f"would expand  {pipeline.results}")
    assert "nothing was changed" in said.stderr
    done = pipeline.invoke("topics", "expand", "6", "--yes").stdout.splitlines()
    assert done[-1] == f"expanded  {pipeline.source}  4 → 6"
    assert "fit" in pipeline.invoke("topics", "check").stdout
    pipeline.invoke("topics", "expand", "5", code=2)
    pipeline.partitions = 6
    worker.stop()
    again = pipeline.worker("w1")
    pipeline.produce(event(n) for n in range(20, 80))
    pipeline.wait_for_results(80)
    assert again.stop() == 0, again.output
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)


def test_several_workers_under_one_parent(pipeline: Pipeline) -> None:
    """One child is killed: the page goes on without it, it is started again, nothing is lost; one SIGTERM stops all."""
    pipeline.simulate("json.latency=0.2")
    pipeline.define(records=20, concurrency=4)
    pipeline.configure(health={"port": 0}, timeouts={"session": "3s", "heartbeat": "1s"})
    pipeline.create_topics()
    parent = pipeline.run("--workers", "2")
    url = pages_of(parent)
    wait_until(lambda: get(f"{url}/health/ready")[0] == 200, "both workers to be ready", within=60)
    pipeline.produce(event(n, campaign=f"c{n % 5}") for n in range(1000))
    pipeline.wait_for_results(100)
    children = {it.cmdline()[it.cmdline().index("--child") + 1]: it for it in psutil.Process(parent.pid).children()}
    assert set(children) == {"0", "1"}

    def accepted(page: str) -> float:
        return value(page, 'sms_connector_results_total{provider="batched",status="accepted",worker="1"}')

    before = accepted(get(f"{url}/metrics")[1])
    children["0"].kill()
    page = wait_until(
        lambda: p if 'sms_connector_worker_up{worker="0"} 0.0' in (p := get(f"{url}/metrics")[1]) else "",
        "the page to say that a worker is away",
    )
    assert 'sms_connector_worker_up{worker="1"} 1.0' in page
    assert accepted(page) >= before > 0
    assert get(f"{url}/health/live")[0] == 200
    pipeline.wait_for_results(1000)
    wait_until(lambda: get(f"{url}/health/ready")[0] == 200, "both workers to be ready", within=60)
    page = get(f"{url}/metrics")[1]
    assert [value(page, f'sms_connector_worker_up{{worker="{it}"}}') for it in children] == [1, 1]
    assert [value(page, f'sms_connector_worker_restarts_total{{worker="{it}"}}') for it in "01"] == [1, 0]
    assert accepted(page) >= before
    (ended,) = [json.loads(line) for line in parent.output.splitlines() if "worker ended" in line]
    assert (ended["worker"], ended["exit_code"], ended["seconds"]) == (0, 128 + signal.SIGKILL, 1)
    assert parent.stop() == 0, parent.output
    assert not any(child.is_running() for child in children.values())
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated) == (0, 0)


def test_a_wrong_configuration_is_not_tried_again_and_too_many_workers_are_refused(pipeline: Pipeline) -> None:
    set_up(pipeline, start_from=None)
    pipeline.produce([event(1)])
    parent = pipeline.run("--workers", "2")
    assert parent.wait() == 78, parent.output
    settings = load_settings(file=pipeline.config, environ={}, overrides={}).settings
    with pytest.raises(UsageError, match="the source topics have 4 partitions"):
        asyncio.run(enough_partitions(settings, 5))
