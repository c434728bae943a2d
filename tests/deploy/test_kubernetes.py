"""The manifests: against the schemas of the API, and against what the connector needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from connector import __version__
from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.kafka.topic_plan import DEFAULT_PARTITIONS
from connector.settings import Settings, load_settings
from tests.deploy.files import ROOT, read_all_yaml

FOLDER = ROOT / "deploy" / "kubernetes"
SCHEMAS = Path(__file__).parent / "kubernetes-1.33.json"
KINDS = {
    ("v1", "ConfigMap"): "io.k8s.api.core.v1.ConfigMap",
    ("apps/v1", "Deployment"): "io.k8s.api.apps.v1.Deployment",
    ("batch/v1", "Job"): "io.k8s.api.batch.v1.Job",
    ("policy/v1", "PodDisruptionBudget"): "io.k8s.api.policy.v1.PodDisruptionBudget",
}
# What KEDA 2 documents for a ScaledObject and its Kafka trigger, as far as it is used here.
SCALED = {
    "scaleTargetRef",
    "minReplicaCount",
    "maxReplicaCount",
    "pollingInterval",
    "cooldownPeriod",
    "advanced",
    "triggers",
}
TRIGGER = {
    "bootstrapServers",
    "consumerGroup",
    "topic",
    "lagThreshold",
    "offsetResetPolicy",
    "allowIdleConsumers",
    "scaleToZeroOnInvalidOffset",
}
# What the drain may be followed by: results, commit, leaving the group.
GRACE_SECONDS = 30


def manifest(name: str) -> dict[str, Any]:
    (document,) = read_all_yaml(FOLDER / name)
    assert isinstance(document, dict)
    return document


def problems(document: dict[str, Any]) -> list[str]:
    """What the API's schema says against a manifest."""
    definitions = json.loads(SCHEMAS.read_text())["$defs"]
    name = KINDS[document["apiVersion"], document["kind"]]
    found = Draft7Validator({"$ref": f"#/$defs/{name}", "$defs": definitions}).iter_errors(document)
    return [f"{'.'.join(map(str, it.absolute_path))}: {it.message}" for it in found]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """What the ConfigMap's settings are."""
    file = tmp_path / "connector.yaml"
    file.write_text(manifest("configmap.yaml")["data"]["connector.yaml"])
    return load_settings(file=file, environ={}, overrides={}).settings


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = manifest(name)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("name", ["configmap.yaml", "deployment.yaml", "topics.yaml", "pdb.yaml"])
def test_each_manifest_follows_the_schema_of_its_kind(name: str) -> None:
    assert problems(manifest(name)) == []


def test_a_misspelt_field_is_found() -> None:
    wrong = manifest("deployment.yaml")
    wrong["spec"]["template"]["spec"]["terminationGracePeriod"] = 75
    assert problems(wrong)


def test_every_manifest_is_tested() -> None:
    known = {"configmap.yaml", "deployment.yaml", "topics.yaml", "pdb.yaml", "keda.yaml"}
    assert {path.name for path in FOLDER.iterdir()} == known


def test_a_pod_that_is_stopped_has_time_to_drain(settings: Settings) -> None:
    assert pod("deployment.yaml")["terminationGracePeriodSeconds"] >= settings.timeouts.drain + GRACE_SECONDS


@pytest.mark.parametrize("name", ["deployment.yaml", "topics.yaml"])
def test_pods_may_nothing_and_write_nowhere_but_tmp(name: str) -> None:
    spec = pod(name)
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    writable = [it["mountPath"] for it in container["volumeMounts"] if not it.get("readOnly")]
    assert writable == ["/tmp"]
    assert container["image"] == f"sms-connector:{__version__}"


@pytest.mark.parametrize("name", ["deployment.yaml", "topics.yaml"])
def test_kubernetes_sets_no_variables_that_would_be_settings(name: str) -> None:
    """A service named sms-connector would give every pod SMS_CONNECTOR_PORT, and unknown settings stop the start."""
    assert pod(name)["enableServiceLinks"] is False


def test_probes_ask_the_pages_on_their_port(settings: Settings) -> None:
    (container,) = pod("deployment.yaml")["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == settings.health.port
    assert settings.health.host == "0.0.0.0"
    for probe, path in (("startupProbe", "live"), ("livenessProbe", "live"), ("readinessProbe", "ready")):
        assert container[probe]["httpGet"] == {"path": f"/health/{path}", "port": port["name"]}
    annotations = manifest("deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(settings.health.port)


def test_selectors_select_the_pods() -> None:
    labels = manifest("deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    assert manifest("deployment.yaml")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("pdb.yaml")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("topics.yaml")["spec"]["template"]["metadata"]["labels"] != labels


def test_what_is_mounted_is_what_is_run(settings: Settings, tmp_path: Path) -> None:
    data = manifest("configmap.yaml")["data"]
    for name in ("deployment.yaml", "topics.yaml"):
        config = Path(pod(name)["containers"][0]["args"][-1])
        assert config.name in data
        (mount,) = [it for it in pod(name)["containers"][0]["volumeMounts"] if it["name"] == "settings"]
        assert str(config.parent) == mount["mountPath"]
    (provider,) = map(Path, settings.providers)
    file = tmp_path / provider.name
    file.write_text(data[provider.name])
    (definition,) = load_all([str(file)], Environment({"ACME_USER": "u", "ACME_PASSWORD": "password"})).values()
    assert definition.name == provider.stem


def test_scaling_stays_within_the_partitions_and_is_slow_to_come_down(settings: Settings) -> None:
    document = manifest("keda.yaml")
    spec = document["spec"]
    assert (document["apiVersion"], document["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    assert set(spec) == SCALED
    assert spec["scaleTargetRef"]["name"] == manifest("deployment.yaml")["metadata"]["name"]
    assert spec["maxReplicaCount"] <= DEFAULT_PARTITIONS
    assert spec["cooldownPeriod"] >= 300
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] >= 600
    (trigger,) = spec["triggers"]
    metadata = trigger["metadata"]
    assert trigger["type"] == "kafka"
    assert set(metadata) == TRIGGER
    assert metadata["allowIdleConsumers"] == "false"
    assert metadata["bootstrapServers"] == settings.kafka.bootstrap_servers
    assert metadata["consumerGroup"] == settings.group
    assert (metadata["topic"],) == settings.topics.source_names
    assert re.fullmatch(r"\d+", metadata["lagThreshold"])
