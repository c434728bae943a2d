"""Metrics, health and status: what the pages say of a worker, over real HTTP."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from connector.clock import ManualClock
from connector.errors import Phase, SettingsError
from connector.health.families import METRICS
from connector.health.loop_lag import KEEP_SECONDS, LoopLag
from connector.health.merged import MergedCollector
from connector.health.metrics import WorkerCollector
from connector.health.server import HealthServer, listen
from connector.model import Status
from connector.settings.model import Health
from connector.stream.intake.unknown_names import Cause
from connector.stream.process import StatusSource as Seen
from tests.health.worker import SeenLane, fresh_status, new_lane, used_lane, worker_status


@pytest.fixture(scope="module")
def lane() -> SeenLane:
    return used_lane()


@pytest.fixture(scope="module")
def paused_lane() -> SeenLane:
    return used_lane(paused=True)


@pytest.fixture(scope="module")
def unused() -> SeenLane:
    return new_lane()


@asynccontextmanager
async def console(status: Seen) -> AsyncIterator[str]:
    place = listen(Health(host="127.0.0.1", port=0))
    assert place is not None
    served = HealthServer(place)
    await served.start(status)
    yield f"http://127.0.0.1:{place.getsockname()[1]}"
    await served.stop()


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_before_there_is_a_worker_it_is_alive_and_not_ready() -> None:
    async with console(lambda: None) as url:
        assert await get(f"{url}/health/live") == (200, "alive\n")
        assert await get(f"{url}/health/ready") == (503, "not ready: the worker waits for its broker\n")
        _, text = await get(f"{url}/metrics")
        assert "sms_connector_ready 0.0" in text
        assert "sms_connector_build_info{" in text


async def test_ready_is_who_owns_partitions_and_does_not_stop(lane: SeenLane) -> None:
    for ready, stopping, code in [(True, False, 200), (False, False, 503), (True, True, 503)]:
        status = worker_status(lane, ready=ready, stopping=stopping)
        async with console(lambda status=status: status) as url:
            assert (await get(f"{url}/health/ready"))[0] == code
            assert (await get(f"{url}/health/live"))[0] == 200


async def test_who_is_cut_off_from_the_brokers_is_not_ready_and_says_so(lane: SeenLane) -> None:
    status = dataclasses.replace(worker_status(lane, ready=False), cut_off=True)
    async with console(lambda: status) as url:
        code, text = await get(f"{url}/health/ready")
        assert code == 503
        assert "no heartbeat was answered for half a session" in text
        assert "sms_connector_ready 0.0" in (await get(f"{url}/metrics"))[1]
        assert (await get(f"{url}/health/live"))[0] == 200


async def test_whose_events_wait_for_the_schema_registry_is_not_ready_and_says_so(lane: SeenLane) -> None:
    status = worker_status(lane, ready=False)
    async with console(lambda: status) as url:
        code, text = await get(f"{url}/health/ready")
        assert (code, text) == (
            503,
            "not ready: events of sms.messages wait: the schema registry cannot be asked: it answers 500\n",
        )
        assert 'registry_wait_seconds{topic="sms.messages"} 12.5' in (await get(f"{url}/metrics"))[1]
        assert (await get(f"{url}/health/live"))[0] == 200


async def test_every_metric_is_on_the_page_with_its_meaning_and_only_bounded_labels(lane: SeenLane) -> None:
    status = worker_status(lane)
    async with console(lambda: status) as url:
        _, text = await get(f"{url}/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for it in METRICS:
        family = families["sms_connector_" + it.name]
        assert family.documentation == it.help
        assert family.type == it.kind
        assert family.samples, f"{it.name} has no sample"
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert labels == set(it.labels)
    assert families["sms_connector_process_resident_memory_bytes"].samples[0].value > 1_000_000


async def test_the_numbers_are_those_that_were_counted(lane: SeenLane) -> None:
    status = worker_status(lane)
    async with console(lambda: status) as url:
        lines = set((await get(f"{url}/metrics"))[1].splitlines())
    assert {
        'sms_connector_events_total{topic="sms.messages"} 9.0',
        'sms_connector_results_total{provider="acme",status="accepted"} 5.0',
        'sms_connector_results_total{provider="acme",status="invalid"} 2.0',
        'sms_connector_results_total{provider="",status="invalid"} 1.0',
        'sms_connector_messages_taken_total{provider="acme"} 6.0',
        'sms_connector_request_duration_seconds_bucket{le="0.25",provider="acme",status="2xx"} 1.0',
        'sms_connector_request_duration_seconds_bucket{le="+Inf",provider="acme",status="2xx"} 1.0',
        'sms_connector_request_records_sum{provider="acme"} 5.0',
        'sms_connector_lane_state{provider="acme",state="sending"} 1.0',
        'sms_connector_lane_state{provider="acme",state="paused"} 0.0',
        'sms_connector_batch_key_values{part="$$hid",provider="acme"} 40.0',
        'sms_connector_lag_messages{topic="sms.messages"} 12.0',
        'sms_connector_unread_messages{topic="sms.messages"} 8.0',
        'sms_connector_retry_backlog_messages{topic="sms.retry.5s"} 4.0',
        "sms_connector_unacknowledged_seconds 0.25",
        'sms_connector_span_offsets{topic="sms.messages"} 7.0',
        'sms_connector_partitions{topic="sms.messages"} 2.0',
        "sms_connector_rebalances_total 3.0",
    } <= lines


async def test_every_series_is_there_at_0_before_anything_happens(unused: SeenLane) -> None:
    """`increase()` does not see a series that begins at 1: the first failure, the first burst."""
    async with console(lambda: fresh_status(unused)) as url:
        text = (await get(f"{url}/metrics"))[1]
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    for provider in ("acme", ""):
        for status in Status:
            assert samples["sms_connector_results_total", provider, status.value] == 0, status
    waiting = {"retry", "throttle", "pause", "defer", "uncertain", "split", *Phase}
    assert {name[2] for name in samples if name[0] == "sms_connector_retries_total"} == waiting
    for group in ("2xx", "3xx", "4xx", "5xx", "none"):
        assert samples["sms_connector_request_duration_seconds_count", "acme", group] == 0
    for topic in ("sms.messages", "sms.retry.5s"):
        assert samples["sms_connector_events_total", topic] == 0
    for cause in ("provider", "campaign"):
        assert samples["sms_connector_unknown_provider_total", cause] == 0
    labelled = {it.exposed for it in METRICS if it.kind == "counter" and it.labels}
    assert labelled <= {name[0] for name in samples}, "a counter whose labels are known is there from the start"


async def test_nothing_that_is_counted_begins_later_than_its_lane(lane: SeenLane, unused: SeenLane) -> None:
    """What a lane has counted after it was used are series that were there before."""

    def series(page: str) -> set[tuple[str, ...]]:
        families = {"sms_connector_" + it.name for it in METRICS if it.kind != "gauge"}
        return {
            (sample.name, *sample.labels.values())
            for family in text_string_to_metric_families(page)
            if family.name in families
            for sample in family.samples
        }

    pages = []
    for status in (fresh_status(unused), worker_status(lane)):
        async with console(lambda status=status: status) as url:
            pages.append(series((await get(f"{url}/metrics"))[1]))
    assert pages[1] <= pages[0]


def test_the_merged_page_of_several_workers_begins_at_0_as_well(unused: SeenLane) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(WorkerCollector(lambda: fresh_status(unused), lambda: 0.0))
    page = generate_latest(registry).decode()
    merged = CollectorRegistry(auto_describe=False)
    merged.register(MergedCollector({"0": page, "1": page}, {"0": 0, "1": 0}))
    text = generate_latest(merged).decode()
    for worker in (0, 1):
        assert f'sms_connector_results_total{{provider="acme",status="failed",worker="{worker}"}} 0.0' in text
        assert f'sms_connector_worker_restarts_total{{worker="{worker}"}} 0.0' in text


async def test_status_names_the_providers_that_nobody_has_defined(lane: SeenLane) -> None:
    status = worker_status(lane)
    status.unknown.note(Cause.PROVIDER, "acne", first=True)
    async with console(lambda: status) as url:
        found = json.loads((await get(f"{url}/status"))[1])
        text = (await get(f"{url}/metrics"))[1]
    assert found["unknown"] == [{"cause": "provider", "name": "acne", "nearest": "acme", "events": 1}]
    assert 'sms_connector_unknown_provider_total{cause="provider"} 1.0' in text


async def test_status_says_in_a_word_what_each_provider_does(paused_lane: SeenLane) -> None:
    status = worker_status(paused_lane)
    async with console(lambda: status) as url:
        found = json.loads((await get(f"{url}/status"))[1])
    assert found["ready"] is True
    assert found["partitions"] == {"sms.messages": [0, 1]}
    acme = found["lanes"]["acme"]
    assert (acme["state"], acme["receipts"]) == ("paused", False)
    assert sum(acme["counters"]["rules"].values()) == 5, "each message that had a reply is told by its rule"


async def test_status_and_metrics_say_when_definitions_on_disk_are_not_in_use(lane: SeenLane) -> None:
    status = dataclasses.replace(worker_status(lane), unused=("acme.yaml:7: retry.attempts",))
    async with console(lambda: status) as url:
        assert json.loads((await get(f"{url}/status"))[1])["unused"] == ["acme.yaml:7: retry.attempts"]
        assert "sms_connector_definitions_unused 1.0" in (await get(f"{url}/metrics"))[1].splitlines()


def test_a_port_that_is_taken_is_a_configuration_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"cannot listen on 127\.0\.0\.1:{port}.*health\.port"):
            listen(Health(host="127.0.0.1", port=port))


def test_nothing_is_served_without_a_port() -> None:
    assert listen(Health(port=None)) is None


def test_the_pages_of_several_workers_become_one_with_a_label() -> None:
    page = '# HELP a_total Things.\n# TYPE a_total counter\na_total{provider="acme"} %s\n'
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MergedCollector({"0": page % 3, "2": page % 4}, {"0": 0, "1": 5, "2": 1}))
    text = generate_latest(registry).decode()
    assert text.count("# TYPE a_total counter") == 1
    assert 'a_total{provider="acme",worker="0"} 3.0' in text
    assert 'a_total{provider="acme",worker="2"} 4.0' in text
    assert 'sms_connector_worker_up{worker="1"} 0.0' in text
    assert 'sms_connector_worker_restarts_total{worker="1"} 5.0' in text


def test_the_worst_lag_stays_visible_for_a_while_and_is_forgotten() -> None:
    clock = ManualClock()
    lag = LoopLag(clock)
    lag.note(0.5)
    clock.advance(KEEP_SECONDS)
    lag.note(0.0)
    assert lag.worst() == 0.5
    clock.advance(KEEP_SECONDS)
    lag.note(0.1)
    assert lag.worst() == 0.1
