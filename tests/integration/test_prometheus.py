"""A real Prometheus scrapes real workers: load, bad events, an outage, and the end of all workers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from tests.deploy.files import dashboard
from tests.integration.pipeline import Pipeline, event
from tests.processes import ConnectorProcess
from tests.prometheus.binaries import Binaries
from tests.prometheus.server import Prometheus
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

ONLY_SOMETIMES = {
    "sms_connector_batch_key_values": "windows are apart by something",
    "sms_connector_worker_restarts_total": "there is a parent of several workers",
    "sms_connector_registry_wait_seconds": "a source is held for its schema registry",
    "sms_connector_suppressed_numbers": "there is a list of who must not be texted",
    "sms_connector_suppressions_unconfirmed_seconds": "there is such a list",
    'status="suppressed"': "a message was suppressed",
}
"""Metrics that a page shows only while …"""


@pytest.fixture
def prometheus(programs: Binaries, tmp_path: Path) -> Iterator[Prometheus]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    made = Prometheus(programs, folder)
    yield made
    made.stop()


def address(worker: ConnectorProcess) -> str:
    """Where its pages are."""
    worker.wait_for('"url"')
    line = next(line for line in worker.output.splitlines() if '"url"' in line)
    return str(json.loads(line)["url"]).removeprefix("http://")


@contextmanager
def load(pipeline: Pipeline) -> Iterator[None]:
    """Events, a few at a time, for as long as this goes on."""
    over, numbers = threading.Event(), count(10)

    def produce() -> None:
        while not over.wait(0.2):
            pipeline.produce([event(next(numbers)) for _ in range(20)])

    thread = threading.Thread(target=produce)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def asked() -> dict[str, str]:
    """Panel and query, as Grafana asks when everything is chosen; none of the way back, which does not run here."""
    found = {}
    titles = [panel["title"] for panel in dashboard()["panels"]]
    for panel in dashboard()["panels"][: titles.index("The way back")]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for variable in dashboard()["templating"]["list"]:
                query = query.replace(f"${variable['name']}", variable.get("allValue", ""))
            assert "$" not in query
            found[f"{panel['title']} {target['refId']}"] = query
    return found


def test_what_an_sre_sees_of_load_bad_events_an_outage_and_the_end_of_all_workers(
    pipeline: Pipeline, prometheus: Prometheus
) -> None:
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(health={"host": "127.0.0.1", "port": 0})
    pipeline.create_topics()
    prometheus.wait_for("NoWorkers critical", "firing")
    workers = [pipeline.worker(name) for name in ("w0", "w1")]
    prometheus.discover([address(worker) for worker in workers])
    wait_until(lambda: values(prometheus, "sum(sms_connector_ready)") == [2], "two ready workers", within=60)
    prometheus.wait_for("NoWorkers critical", None)

    with load(pipeline):
        # The first event that ever is invalid, and the first of a provider that nobody has defined.
        pipeline.produce([b"not JSON", json.dumps(event(1, provider="batchd")).encode()])
        prometheus.wait_for("Invalid warning", "firing")
        prometheus.wait_for("UnknownProvider warning", "firing")
        wait_until(lambda: values(prometheus, "sum(rate(sms_connector_results_total[1m]))")[0] > 0, "results")

        pipeline.turn(down=True)
        prometheus.wait_for("ProviderOpen critical", "pending")
        prometheus.wait_for("ProviderOpen critical", "firing")
        prometheus.wait_for("Invalid warning", None)

        empty = wait_until_answered(prometheus)
        assert not empty, "queries of the dashboard without a series"
        for variable in dashboard()["templating"]["list"][1:]:
            assert label_values(prometheus, variable["query"]["query"]) == EXPECTED_CHOICES[variable["name"]]

        pipeline.turn()
        prometheus.wait_for("ProviderOpen critical", None)

    faults = [
        (rule["name"], rule["lastError"])
        for group in prometheus.get("rules")["groups"]
        for rule in group["rules"]
        if rule["health"] != "ok"
    ]
    assert faults == []
    wait_until(
        lambda: not any("critical" in it for it in prometheus.alerts()), "no critical alert", within=60, every=0.5
    )

    workers[1].kill()
    prometheus.wait_for("Down critical", "firing")
    assert workers[0].stop() == 0
    prometheus.discover([])  # as discovery does when the last container is gone
    prometheus.wait_for("NoWorkers critical", "firing")
    prometheus.wait_for("Down critical", None)


EXPECTED_CHOICES = {"namespace": [], "job": ["sms-connector"], "provider": ["batched"]}
"""What Grafana offers for each variable: no namespace is what a Prometheus outside of Kubernetes knows."""


def values(prometheus: Prometheus, query: str) -> list[float]:
    return [float(it["value"][1]) for it in prometheus.query(query)] or [0]


def wait_until_answered(prometheus: Prometheus) -> dict[str, str]:
    """Queries of the dashboard that have no series even after a while."""
    open_ = {name: query for name, query in asked().items() if not any(it in query for it in ONLY_SOMETIMES)}

    def all_answered() -> bool:
        for name, query in list(open_.items()):
            if prometheus.query(query):
                del open_[name]
        return not open_

    try:
        wait_until(all_answered, "every query of the dashboard to have a series", within=45, every=0.5)
    except AssertionError:
        return open_
    return {}


def label_values(prometheus: Prometheus, query: str) -> list[str]:
    """Grafana's `label_values(selector, label)`."""
    selector, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(", ")
    for variable in dashboard()["templating"]["list"]:
        selector = selector.replace(f"${variable['name']}", variable.get("allValue", ""))
    return sorted(prometheus.get(f"label/{label}/values", **{"match[]": selector}))
