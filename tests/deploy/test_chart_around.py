"""What the Helm chart makes around the workers: a network policy, and what monitors them."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest

from tests.deploy.chart import EVERYTHING, FIRST, PRODUCTION, Document, one, render
from tests.deploy.files import ALERTS, DASHBOARD, read_yaml
from tests.deploy.tools import BUILD_SECONDS

pytestmark = [pytest.mark.usefixtures("helm_built"), pytest.mark.timeout(BUILD_SECONDS)]


def reachable(policy: Document, address: str, port: int) -> bool:
    """Whether a pod may open a connection to there; as far as rules name addresses."""
    for rule in policy["spec"]["egress"]:
        if port not in {it["port"] for it in rule.get("ports", ()) if it["protocol"] == "TCP"}:
            continue
        blocks = [it["ipBlock"] for it in rule.get("to", ()) if "ipBlock" in it]
        if "to" not in rule or any(_within(address, block) for block in blocks):
            return True
    return False


def _within(address: str, block: dict[str, Any]) -> bool:
    def holds(cidr: str) -> bool:
        return ipaddress.ip_address(address) in ipaddress.ip_network(cidr)

    return holds(block["cidr"]) and not any(map(holds, block.get("except", ())))


@pytest.mark.parametrize(
    ("address", "port", "may"),
    [
        ("198.51.100.7", 443, True),
        ("2001:db8::1", 443, True),
        ("198.51.100.7", 80, False),
        ("198.51.100.7", 22, False),
        ("169.254.169.254", 443, False),
        ("169.254.169.254", 80, False),
        ("10.1.2.3", 443, False),
        ("172.20.0.1", 443, False),
        ("192.168.1.1", 443, False),
        ("100.100.100.200", 443, False),
        ("fd00:ec2::254", 443, False),
        ("10.1.2.3", 9093, True),
        ("10.1.2.3", 9092, False),
        ("10.96.0.10", 53, True),
        ("169.254.20.10", 53, True),
    ],
)
def test_workers_reach_names_brokers_and_public_providers(address: str, port: int, may: bool) -> None:
    policy = one(render(FIRST, PRODUCTION), "NetworkPolicy", "sms-connector")
    assert reachable(policy, address, port) is may


def test_the_topics_job_reaches_brokers_and_no_provider() -> None:
    policy = one(render(FIRST, PRODUCTION), "NetworkPolicy", "-topics")
    assert reachable(policy, "10.1.2.3", 9093)
    assert not reachable(policy, "198.51.100.7", 443)
    assert policy["spec"]["ingress"] == []


def test_brokers_ports_are_all_that_are_named() -> None:
    policy = one(render(EVERYTHING), "NetworkPolicy", "sms-connector")
    assert reachable(policy, "10.0.0.1", 9096)
    assert reachable(policy, "10.0.0.1", 9196)
    assert not reachable(policy, "10.1.0.1", 9096), "kafkaTo says where they are"
    set_by_hand = render(EVERYTHING, sets=["networkPolicy.kafkaPorts={9999}"])
    assert not reachable(one(set_by_hand, "NetworkPolicy", "sms-connector"), "10.0.0.1", 9096)


def test_only_metrics_are_let_in() -> None:
    (rule,) = one(render(FIRST, PRODUCTION), "NetworkPolicy", "sms-connector")["spec"]["ingress"]
    assert rule["from"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "health"}]
    closed = render(FIRST, sets=["networkPolicy.enabled=true", "networkPolicy.metricsFrom=null"])
    assert one(closed, "NetworkPolicy", "sms-connector")["spec"]["ingress"] == []


def test_alerts_and_dashboard_are_those_of_the_files() -> None:
    manifests = render(FIRST, PRODUCTION)
    assert one(manifests, "PrometheusRule")["spec"] == read_yaml(ALERTS)
    assert one(manifests, "ConfigMap", "-dashboard")["data"] == {"sms-connector.json": DASHBOARD.read_text()}


def test_the_scrape_is_called_what_the_alerts_call_it() -> None:
    """`job` is the value of a label of the pod; the operator's default would be the PodMonitor's name."""
    manifests = render(FIRST, PRODUCTION, release="other")
    spec = one(manifests, "PodMonitor")["spec"]
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    (endpoint,) = spec["podMetricsEndpoints"]
    (container,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert endpoint["port"] in {it["name"] for it in container["ports"]}
    job = labels[spec["jobLabel"]]
    (known,) = re.findall(r'\bup\{job=~"([^"]*)"', ALERTS.read_text())
    assert re.fullmatch(known, job)


def test_pods_are_scraped_once() -> None:
    """Where the operator scrapes, the annotations are left out: other Prometheus servers would scrape as well."""

    def annotations(manifests: list[Document]) -> dict[str, str]:
        found: dict[str, str] = one(manifests, "Deployment")["spec"]["template"]["metadata"]["annotations"]
        return found

    assert annotations(render(FIRST))["prometheus.io/scrape"] == "true"
    assert "prometheus.io/scrape" not in annotations(render(FIRST, PRODUCTION))
