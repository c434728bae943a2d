"""Alerts and dashboard: every query finds something on a real page, and every alert has its runbook."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from connector.health.families import METRICS
from connector.health.join_pages import JoinCollector
from connector.health.merged import MergedCollector
from connector.health.metrics import registry
from connector.health.receiver_pages import ReceiverCollector
from connector.receive.callback_counts import CallbackCounts
from connector.receive.receiver_status import ReceiverStatus
from connector.stream.epoch.epoch_counts import EpochCounts
from connector.stream.receipts.index_status import IndexCounts, IndexStatus
from connector.stream.receipts.join_status import JoinCounts, JoinStatus
from tests.deploy.files import ROOT, alerts, dashboard, queries, read_yaml, recorded
from tests.deploy.queries import NAME, all_faults
from tests.health.worker import used_lane, worker_status


@pytest.fixture(scope="module")
def page() -> str:
    """What `run --workers 1` serves: what one worker does, and what its parent adds."""
    status = worker_status(used_lane())
    text = generate_latest(registry(lambda: status, lambda: 0.0)).decode()
    parent = CollectorRegistry(auto_describe=False)
    parent.register(MergedCollector({"0": text}, {"0": 1}))
    return generate_latest(parent).decode() + way_back_pages()


def way_back_pages() -> str:
    """What a receiver and `receipts run` serve before anything has come."""
    received, joined = CallbackCounts(), JoinCounts()
    received.expect(["acme"])
    joined.expect(["acme"])
    receiver = ReceiverStatus(received, "", 0, 2_000, 0, 1, 0, 0.0, ["acme"], ())
    looked_up = IndexCounts()
    looked_up.expect(["acme"])
    index = IndexStatus(looked_up, "", 1, 0, 0.0, 0, 0)
    join = JoinStatus(True, "", joined, (), (), 0, 0.0, 0, EpochCounts(), {}, index, ["acme"], ())
    text = ""
    for collector in (ReceiverCollector(lambda: receiver, lambda: 0.0), JoinCollector(lambda: join, lambda: 0.0)):
        pages = CollectorRegistry(auto_describe=False)
        pages.register(collector)
        text += generate_latest(pages).decode()
    return text


def test_every_query_finds_its_metrics_and_labels(page: str) -> None:
    assert len(queries()) > 40
    assert all_faults(queries(), page, recorded()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "sms_connector_result_total",
        'sms_connector_results_total{campaign="c"}',
        "sum by (phone) (sms_connector_ready)",
        "sum(sms_connector_ready",
        "rate(sms_connector_results_total)",  # of an instant, where a range is wanted
        "sum by provider (sms_connector_results_total)",
        "sms_connector:results:increase10n > 0",
    ],
)
def test_a_wrong_query_is_found(page: str, wrong: str) -> None:
    assert all_faults([wrong], page, recorded())


def test_every_metric_is_on_the_dashboard() -> None:
    asked = {name for query in queries() for name in NAME.findall(query)}
    for it in METRICS:
        assert any(name.startswith(it.exposed) for name in asked), it.name


def test_each_alert_leads_to_its_runbook() -> None:
    headings = re.findall(r"^### (\w+)", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    for rule in alerts():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["alert"] in headings
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert {it for it in headings if it.startswith("Sms")} == {rule["alert"] for rule in alerts()}


def lost(ours: object, theirs: object, place: str = "") -> list[str]:
    """What is in our document and not, or otherwise, in what Grafana's types have read of it."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        missing = [f"{place}.{key}" for key in ours if key not in theirs]
        return missing + [it for key in ours if key in theirs for it in lost(ours[key], theirs[key], f"{place}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [it for n, pair in enumerate(zip(ours, theirs, strict=True)) for it in lost(*pair, f"{place}[{n}]")]
    return [] if ours == theirs else [f"{place}: {ours!r} is read as {theirs!r}"]


def read_by_grafana(document: dict[str, object]) -> object:
    """The document after Grafana's own types, of panels and queries as well, have read and written it."""
    plugins.register_default_plugins()
    return json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(document))))


def test_the_dashboard_is_what_grafanas_own_types_say() -> None:
    assert lost(dashboard(), read_by_grafana(dashboard())) == []


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (["refersh"], "30s"),
        (["panels", 1, "fieldConfig", "defaults", "noValues"], "none"),
        (["panels", 6, "targets", 0, "legend"], "x"),
        (["panels", 6, "fieldConfig", "defaults", "custom", "fillOpacityy"], 5),
        (["panels", 4, "options", "showValues"], "never"),
        (["templating", "list", 1, "multy"], True),
    ],
)
def test_a_key_that_grafana_does_not_know_is_found(path: list[str | int], wrong: object) -> None:
    document = dashboard()
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = wrong
    assert lost(document, read_by_grafana(document))


def test_panels_do_not_overlap_and_have_a_meaning() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]


def test_the_example_mounts_files_that_are_there_and_scrapes_the_connectors_port() -> None:
    services = read_yaml(ROOT / "docker-compose.yml")["services"]
    for name in ("prometheus", "grafana"):
        for volume in services[name]["volumes"]:
            source, _, mode = volume.split(":")
            assert (ROOT / source).exists(), source
            assert mode == "ro"
    (job,) = read_yaml(ROOT / "examples" / "compose" / "prometheus.yml")["scrape_configs"]
    assert job["job_name"] == "sms-connector"
    (found,) = job["dns_sd_configs"]
    assert found["names"] == ["connector"]
    assert str(found["port"]) in services["connector"]["expose"]
