"""The manifests, made from the chart: against the schemas of the APIs, and against what the connector needs."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector import __version__
from connector.cli.main import group
from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.definition.watch import fingerprint
from connector.errors import ConfigurationError
from connector.kafka.topic_plan import DEFAULT_PARTITIONS
from connector.settings import Settings, load_settings
from connector.stream.epoch.closing import CLOSE_GRACE_SECONDS
from connector.stream.preflight import PATIENCE_SECONDS
from connector.stream.process import STOP_GRACE_SECONDS
from tests.deploy.chart import PLAIN, Document, one
from tests.deploy.files import read_all_yaml
from tests.deploy.schemas import NEWEST, OLDEST, problems

# Until the image's first line of Python runs, and for Kubernetes to notice its end.
START_SECONDS = 30
SECRET = {"ACME_USER": "as-if", "ACME_PASSWORD": "hunter2-password"}


@functools.cache
def _read(name: str) -> str:
    return json.dumps(read_all_yaml(PLAIN / name))


def manifests(name: str) -> list[Document]:
    documents: list[Document] = json.loads(_read(name))
    return documents


def every() -> list[Document]:
    return [document for path in sorted(PLAIN.iterdir()) for document in manifests(path.name)]


def pods() -> dict[str, Document]:
    """Specs of pods, by what they are for."""
    return {
        "workers": one(every(), "Deployment")["spec"]["template"]["spec"],
        "topics": one(every(), "Job")["spec"]["template"]["spec"],
    }


def containers() -> list[Any]:
    return [
        pytest.param(pod, container, id=f"{name}-{container['name']}")
        for name, pod in pods().items()
        for container in [*pod.get("initContainers", ()), *pod["containers"]]
    ]


def lay_out(pod: Document, config_map: Document, folder: Path, generation: str) -> None:
    """A volume as the kubelet writes it: files of one generation in a folder, links to them through `..data`."""
    (volume,) = [it["configMap"] for it in pod["volumes"] if it["name"] == "settings"]
    assert volume["name"] == config_map["metadata"]["name"]
    for item in volume["items"]:
        file = folder / f"..{generation}" / item["path"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(config_map["data"][item["key"]].replace("/etc/sms-connector", str(folder)))
        top = item["path"].partition("/")[0]
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"..data/{top}")
    (folder / "..data_tmp").symlink_to(f"..{generation}")
    (folder / "..data_tmp").rename(folder / "..data")


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """/etc/sms-connector of a worker."""
    lay_out(pods()["workers"], one(manifests("configmap.yaml"), "ConfigMap"), tmp_path, "1")
    return tmp_path


@pytest.fixture
def settings(mounted: Path) -> Settings:
    return load_settings(file=mounted / "connector.yaml", environ={}, overrides={}).settings


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
def test_each_manifest_follows_the_schema_of_its_kind(kubernetes: str) -> None:
    assert list(problems(every(), kubernetes)) == []


@pytest.mark.parametrize(
    ("kind", "path", "wrong"),
    [
        ("Deployment", ["spec", "template", "spec", "terminationGracePeriod"], 75),
        ("Deployment", ["spec", "template", "spec", "securityContext", "runAsUser"], "65532"),
        ("Job", ["spec", "backofLimit"], 5),
        ("PodDisruptionBudget", ["spec", "unhealthyPodEviction"], "AlwaysAllow"),
        ("NetworkPolicy", ["spec", "podSelector", "matchLabel"], {}),
        ("ScaledObject", ["spec", "maxReplica"], 3),
        ("ScaledObject", ["spec", "triggers", 0, "metadata", "lagTreshold"], "1"),
        ("ScaledObject", ["spec", "triggers", 0, "metadata", "sasl"], "scram"),
    ],
)
def test_a_wrong_field_is_found(kind: str, path: list[str | int], wrong: Any) -> None:
    document = next(it for it in every() if it["kind"] == kind)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = wrong
    assert list(problems([document], NEWEST))


def test_a_pod_that_is_stopped_has_time_to_drain(settings: Settings) -> None:
    grace = pods()["workers"]["terminationGracePeriodSeconds"]
    assert grace > settings.timeouts.drain + CLOSE_GRACE_SECONDS + STOP_GRACE_SECONDS


@pytest.mark.parametrize(("pod", "container"), containers())
def test_pods_may_nothing_and_write_nowhere_but_tmp(pod: Document, container: Document) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    writable = [it["mountPath"] for it in container["volumeMounts"] if not it.get("readOnly")]
    assert writable == ["/tmp"]
    assert container["image"] == f"sms-connector:{__version__}"
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}, "a worker that is throttled loses its partitions"


def test_a_workers_memory_holds_what_its_settings_let_it_hold(settings: Settings) -> None:
    """With the program, a compressed batch for each partition that one worker may have, and /tmp."""
    (container,) = pods()["workers"]["containers"]
    (tmp,) = [it["emptyDir"] for it in pods()["workers"]["volumes"] if it["name"] == "tmp"]
    mebi = 2**20
    wanted = settings.memory.bytes + settings.memory.control + (100 + 16 * DEFAULT_PARTITIONS + 64) * mebi
    wanted += int(tmp["sizeLimit"].removesuffix("Mi")) * mebi
    assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"] == "1Gi"
    assert wanted <= 1024 * mebi


@pytest.mark.parametrize("name", ["workers", "topics"])
def test_pods_run_where_the_image_can(name: str) -> None:
    """Faust has wheels for amd64 only."""
    assert pods()[name]["nodeSelector"] == {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}


@pytest.mark.parametrize("name", ["workers", "topics"])
def test_kubernetes_sets_no_variables_that_would_be_settings(name: str) -> None:
    """A service named sms-connector would give every pod SMS_CONNECTOR_PORT, and unknown settings stop the start."""
    assert pods()[name]["enableServiceLinks"] is False


def test_probes_ask_the_pages_on_their_port(settings: Settings) -> None:
    (container,) = pods()["workers"]["containers"]
    (port,) = container["ports"]
    assert port["containerPort"] == settings.health.port
    assert settings.health.host == "0.0.0.0"
    for probe, path in (("startupProbe", "live"), ("livenessProbe", "live"), ("readinessProbe", "ready")):
        assert container[probe]["httpGet"] == {"path": f"/health/{path}", "port": port["name"]}
    annotations = one(every(), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(settings.health.port)


def test_probes_are_as_patient_as_the_worker(settings: Settings) -> None:
    """Whoever is stuck ends itself, with an exit code that says so; a probe that is quicker would hide it."""
    (container,) = pods()["workers"]["containers"]
    start, live = container["startupProbe"], container["livenessProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] > PATIENCE_SECONDS + START_SECONDS
    assert live["periodSeconds"] * live["failureThreshold"] > settings.timeouts.session
    assert live["timeoutSeconds"] >= 5


def test_a_rollout_stops_at_a_pod_that_ends_soon_after_it_was_ready(settings: Settings) -> None:
    spec = one(every(), "Deployment")["spec"]
    assert spec["minReadySeconds"] > settings.timeouts.session
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_workers_spread_over_nodes_and_zones() -> None:
    spread = pods()["workers"]["topologySpreadConstraints"]
    assert [it["topologyKey"] for it in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    labels = one(every(), "Deployment")["spec"]["selector"]["matchLabels"]
    assert all(it["labelSelector"]["matchLabels"] == labels for it in spread)


def test_selectors_select_the_workers_and_nothing_else() -> None:
    labels = one(every(), "Deployment")["spec"]["template"]["metadata"]["labels"]
    others = one(every(), "Job")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        one(every(), "Deployment")["spec"]["selector"]["matchLabels"],
        one(every(), "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(every(), "NetworkPolicy", "sms-connector")["spec"]["podSelector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
        assert not selector.items() <= others.items()
    policy = one(every(), "NetworkPolicy", "-topics")["spec"]["podSelector"]["matchLabels"]
    assert policy.items() <= others.items()


def test_a_pod_that_does_not_work_keeps_no_node_from_being_drained() -> None:
    spec = one(every(), "PodDisruptionBudget")["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_apply_sets_no_number_of_replicas_back() -> None:
    """KEDA owns it, or `kubectl scale`."""
    assert "replicas" not in one(every(), "Deployment")["spec"]


def test_the_topics_job_gives_up_at_once_where_a_person_has_to_mend_something() -> None:
    spec = one(every(), "Job")["spec"]
    assert spec["template"]["spec"]["restartPolicy"] == "Never", "podFailurePolicy asks for it"
    evicted, failed = spec["podFailurePolicy"]["rules"]
    assert evicted["action"] == "Ignore"
    assert failed == {
        "action": "FailJob",
        "onExitCodes": {"operator": "In", "values": [2, ConfigurationError.exit_code]},
    }
    assert spec["ttlSecondsAfterFinished"] >= 3600, "its log is worth reading"


@pytest.mark.parametrize(("pod", "container"), containers())
def test_every_command_is_one_and_finds_its_files(
    pod: Document, container: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` runs here as the pod runs it; the others as far as their settings, there is no Kafka."""
    name = "configmap.yaml" if container["name"] == "connector" else "topics.yaml"
    lay_out(pod, one(manifests(name), "ConfigMap"), tmp_path, "1")
    for variable, value in SECRET.items():
        monkeypatch.setenv(variable, value)
    arguments = [it.replace("/etc/sms-connector", str(tmp_path)) for it in container["args"]]
    if container["name"] == "check":
        done = CliRunner().invoke(group, arguments)
        assert done.exit_code == 0, done.output
        (tmp_path / "definitions" / "acme.yaml").write_text("method: POTS\n")
        assert CliRunner().invoke(group, arguments).exit_code == ConfigurationError.exit_code
    else:
        config = arguments[-1].removeprefix("--config=")
        assert Path(config).is_file()
        assert CliRunner().invoke(group, [*arguments, "--help"]).exit_code == 0


def test_settings_and_definitions_load_from_links_and_a_change_is_seen(settings: Settings, mounted: Path) -> None:
    """A volume is swapped by one link: everything in it changes at once, and a worker sees it."""
    environment = Environment(SECRET)
    loaded = load_all(settings.providers, environment)
    assert list(loaded) == ["acme"]
    before = fingerprint(settings.providers, loaded.values(), environment)
    config_map = one(manifests("configmap.yaml"), "ConfigMap")
    config_map["data"]["acme.yaml"] = config_map["data"]["acme.yaml"].replace("records: 1000", "records: 500")
    lay_out(pods()["workers"], config_map, mounted, "2")
    assert fingerprint(settings.providers, loaded.values(), environment) != before
    assert load_all(settings.providers, environment)["acme"] != loaded["acme"]


def test_the_secret_has_what_the_definitions_ask_for(settings: Settings) -> None:
    (definition,) = load_all(settings.providers, Environment(SECRET)).values()
    assert {re.sub(r"[${}]", "", it) for it in definition.secrets} == set(SECRET)


def test_the_topics_job_reads_what_the_workers_will_read() -> None:
    assert one(manifests("topics.yaml"), "ConfigMap")["data"] == one(manifests("configmap.yaml"), "ConfigMap")["data"]


def test_scaling_stays_within_the_partitions_and_is_slow_to_come_down(settings: Settings) -> None:
    document = one(every(), "ScaledObject")
    spec = document["spec"]
    assert spec["scaleTargetRef"]["name"] == one(every(), "Deployment")["metadata"]["name"]
    assert 1 <= spec["minReplicaCount"] <= spec["maxReplicaCount"] <= DEFAULT_PARTITIONS
    down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] >= 600
    (trigger,) = spec["triggers"]
    metadata = trigger["metadata"]
    assert metadata["allowIdleConsumers"] == "false"
    assert metadata["bootstrapServers"] == settings.kafka.bootstrap_servers
    assert metadata["consumerGroup"] == settings.group
    assert (metadata["topic"],) == settings.topics.source_names
    assert re.fullmatch(r"\d+", metadata["lagThreshold"])


def test_the_charts_version_is_the_connectors() -> None:
    chart = (PLAIN.parent / "chart" / "Chart.yaml").read_text()
    assert f"\nappVersion: {__version__}\n" in chart
    semantic = re.sub(r"[.](dev|rc)", r"-\1", __version__)
    assert f"\nversion: {semantic}\n" in chart


def test_schemas_are_small_and_say_nothing_twice() -> None:
    folder = Path(__file__).parent / "schemas"
    assert sum(file.stat().st_size for file in folder.glob("*.json")) < 200_000
    for file in folder.glob("*.json"):
        assert f"`{file.name}`" in (folder / "NOTICE.md").read_text()
        assert json.loads(file.read_text()).keys() == {"kinds", "definitions"}
