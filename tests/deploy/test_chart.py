"""The Helm chart, rendered by the real helm and validated by kubeconform."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector.cli.main import group
from connector.settings import Settings, load_settings
from tests.deploy.chart import (
    CHART,
    EVERYTHING,
    FIRST,
    PLAIN,
    PRODUCTION,
    ChartError,
    Document,
    documents,
    helm,
    kubeconform,
    one,
    plain,
    render,
    text,
)
from tests.deploy.files import read_yaml
from tests.deploy.schemas import NEWEST, OLDEST
from tests.deploy.tools import BUILD_SECONDS

CATALOGUE = ("secretName=plivo", "settings.providers={plivo}", "settings.start_from=latest")
SECRETS = {
    "ACME_USER": "as-if",
    "ACME_PASSWORD": "hunter2-password",
    "KAFKA_USERNAME": "as-if",
    "KAFKA_PASSWORD": "hunter2-kafka",
    "PLIVO_AUTH_ID": "as-if",
    "PLIVO_AUTH_TOKEN": "hunter2-token",
}
WAYS = {
    "first": ((FIRST,), ()),
    "production": ((FIRST, PRODUCTION), ()),
    "everything": ((EVERYTHING,), ()),
    "catalogue": ((), CATALOGUE),
    "way back": ((FIRST,), ("receive.enabled=true", "receipts.enabled=true", "receive.port=9443")),
    "way back, watched": (
        (FIRST,),
        (
            *("receive.enabled=true", "receipts.enabled=true", "networkPolicy.enabled=true"),
            *("monitoring.podMonitor.enabled=true", "networkPolicy.metricsFrom=null"),
        ),
    ),
    "console": (
        (FIRST,),
        (
            *("console.enabled=true", "networkPolicy.enabled=true", "settings.web.auth=tokens"),
            *("settings.web.tokens[0].name=priya", f"settings.web.tokens[0].sha256={'0' * 64}"),
        ),
    ),
    "bare": ((FIRST,), ("topicsJob.run=none", "secretName=null", "podDisruptionBudget.enabled=false")),
    "without metrics": ((FIRST,), ("networkPolicy.enabled=true", "networkPolicy.metricsFrom=null")),
}

pytestmark = [pytest.mark.usefixtures("helm_built"), pytest.mark.timeout(BUILD_SECONDS)]


def arguments(way: str) -> list[str]:
    files, sets = WAYS[way]
    return [*(part for file in files for part in ("--values", str(file))), *(p for it in sets for p in ("--set", it))]


def lay_out(manifests: list[Document], folder: Path) -> Path:
    """The files of the workers' ConfigMap where a pod would see them; the path of the settings."""
    data = one(manifests, "ConfigMap", "sms-connector")["data"]
    (volume,) = [it["configMap"] for it in pod(manifests)["volumes"] if it["name"] == "settings"]
    assert {it["key"] for it in volume["items"]} == data.keys()
    for item in volume["items"]:
        file = folder / item["path"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(data[item["key"]].replace("/etc/sms-connector", str(folder)))
    return folder / "connector.yaml"


def pod(manifests: list[Document], kind: str = "Deployment") -> Document:
    spec: Document = one(manifests, kind, "sms-connector" if kind == "Deployment" else "")["spec"]["template"]["spec"]
    return spec


def settings_of(manifests: list[Document], folder: Path) -> Settings:
    return load_settings(file=lay_out(manifests, folder), environ=SECRETS, overrides={}).settings


def test_the_console_has_a_deployment_of_its_own_and_needs_people_to_sign_in(tmp_path: Path) -> None:
    files, sets = WAYS["console"]
    manifests = render(*files, sets=[*sets, "console.port=9090", "console.from[0].podSelector.matchLabels.app=ingress"])
    spec = one(manifests, "Deployment", "-console")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    words = container["args"]
    overrides = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--set")
    settings = load_settings(file=lay_out(manifests, tmp_path), environ=SECRETS, overrides=overrides).settings
    assert (settings.web.host, settings.web.port, settings.web.auth) == ("0.0.0.0", 9090, "tokens")
    assert container["ports"] == [{"name": "pages", "containerPort": 9090}]
    assert {probe["httpGet"]["path"] for name, probe in container.items() if name.endswith("Probe")} == {"/health/live"}
    assert one(manifests, "Service", "-console")["spec"]["ports"][0]["port"] == 9090
    policy = one(manifests, "NetworkPolicy", "-console")["spec"]
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": "pages"}]
    asked = [it for it in policy["egress"] if any("podSelector" in to for to in it.get("to", ()))]
    workers = one(manifests, "Deployment", "sms-connector")["spec"]["selector"]["matchLabels"]
    assert asked[-1]["to"][0]["podSelector"]["matchLabels"] == workers
    let_in, *_ = one(manifests, "NetworkPolicy", "sms-connector")["spec"]["ingress"]
    assert let_in["from"][0]["podSelector"]["matchLabels"] == policy["podSelector"]["matchLabels"]
    assert not [it for it in render(FIRST) if "console" in it["metadata"]["name"]]


def test_workers_keep_the_list_of_who_must_not_be_texted_in_a_folder_of_the_pod_or_of_the_settings(
    tmp_path: Path,
) -> None:
    enabled = "settings.suppressions.enabled=true"
    manifests = render(FIRST, sets=[enabled, "suppressions.disk=2Gi"])
    spec = one(manifests, "Deployment", "sms-connector")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    mounted = {it["name"]: it["mountPath"] for it in container["volumeMounts"]}
    assert mounted.keys() == {it["name"] for it in spec["volumes"]}
    assert {"name": "list", "emptyDir": {"sizeLimit": "2Gi"}} in spec["volumes"]
    words = container["args"]
    overrides = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--set")
    settings = load_settings(file=lay_out(manifests, tmp_path), environ=SECRETS, overrides=overrides).settings
    assert settings.suppressions.folder == mounted["list"]
    for sets in ([], [enabled, "settings.suppressions.folder=/mine"]):
        spec = one(render(FIRST, sets=sets), "Deployment", "sms-connector")["spec"]["template"]["spec"]
        assert "list" not in {it["name"] for it in spec["volumes"]}
        assert spec["containers"][0]["args"] == ["run", "--config", "/etc/sms-connector/connector.yaml"]


def test_the_way_back_has_deployments_of_its_own_and_a_service_for_the_ingress(tmp_path: Path) -> None:
    manifests = render(FIRST, sets=["receive.enabled=true", "receipts.enabled=true", "receive.port=9443"])
    worker = one(manifests, "Deployment", "sms-connector")["spec"]["selector"]["matchLabels"]
    service = one(manifests, "Service", "sms-connector-receive")["spec"]
    for part in ("receive", "receipts"):
        deployment = one(manifests, "Deployment", f"-{part}")["spec"]
        chosen = deployment["selector"]["matchLabels"]
        assert chosen != worker
        assert chosen.items() <= deployment["template"]["metadata"]["labels"].items()
        assert (service["selector"] == chosen) == (part == "receive")
        spec = deployment["template"]["spec"]
        (container,) = spec["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        mounted = {it["name"]: it["mountPath"] for it in container["volumeMounts"]}
        assert mounted.keys() == {it["name"] for it in spec["volumes"]}
        words = container["args"]
        command = group.get_command(click.Context(group), words[0])
        assert isinstance(command, click.Group)
        overrides = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--set")
        settings = load_settings(file=lay_out(manifests, tmp_path), environ=SECRETS, overrides=overrides).settings
        ports = {it["name"]: it["containerPort"] for it in container["ports"]}
        assert ports["health"] == settings.health.port
        if part == "receive":
            assert settings.receive.listen == f"0.0.0.0:{ports['callbacks']}" == "0.0.0.0:9443"
            assert service["ports"][0]["port"] == 9443
        else:
            assert settings.receipts.folder == mounted["states"]
    watched = render(
        FIRST,
        sets=[
            *("receive.enabled=true", "receipts.enabled=true", "networkPolicy.enabled=true"),
            "monitoring.podMonitor.enabled=true",
        ],
    )
    monitor = one(watched, "PodMonitor")["spec"]["selector"]
    (expression,) = monitor["matchExpressions"]
    for part in ("", "-receive", "-receipts"):
        pods = one(watched, "Deployment", f"sms-connector{part}")["spec"]["template"]["metadata"]["labels"]
        assert monitor["matchLabels"].items() <= pods.items()
        assert pods[expression["key"]] in expression["values"]
        policy = one(watched, "NetworkPolicy", f"sms-connector{part}")["spec"]
        assert policy["podSelector"]["matchLabels"].items() <= pods.items()
        opened = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        assert opened == {"health"} | ({"callbacks"} if part == "-receive" else set())
    assert not [it for it in render(FIRST) if "receive" in it["metadata"]["name"] or it["kind"] == "Service"]


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
@pytest.mark.parametrize("way", WAYS)
def test_every_manifest_is_valid(way: str, kubernetes: str, tmp_path: Path) -> None:
    rendered = text(*arguments(way), kubernetes=kubernetes)
    assert documents(rendered)
    assert kubeconform(rendered, kubernetes, tmp_path) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "kind"),
    [
        ("pollingInterval:", "polingInterval:", "ScaledObject"),
        ("lagThreshold:", "lagTreshold:", "ScaledObject"),
        ("sasl: scram_sha512", "sasl: SCRAM-SHA-512", "ScaledObject"),
        ("parameter: ca", "parameter: cacert", "TriggerAuthentication"),
        ("interval: 15s", "interval: 15", "PodMonitor"),
        ("severity: critical", "severity: 3", "PrometheusRule"),
        ("readOnlyRootFilesystem:", "readOnlyRootFileSystem:", "Deployment"),
        ("podFailurePolicy:", "podFailPolicy:", "Job"),
        ("ipBlock:", "ipRange:", "NetworkPolicy"),
    ],
)
def test_kubeconform_finds_what_is_wrong(right: str, wrong: str, kind: str, tmp_path: Path) -> None:
    rendered = text(*arguments("production"))
    assert right in rendered
    assert f"{kind} " in kubeconform(rendered.replace(right, wrong), NEWEST, tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_helm_lint_has_nothing_to_say(way: str) -> None:
    said = helm("lint", "--strict", str(CHART), "--kube-version", f"{NEWEST}.0", *arguments(way))
    assert "1 chart(s) linted, 0 chart(s) failed" in said
    assert set(re.findall(r"^\[(\w+)\] (.*)$", said, re.MULTILINE)) <= {("INFO", "Chart.yaml: icon is recommended")}


def test_a_packaged_chart_has_everything_in_it(tmp_path: Path) -> None:
    """Alerts and dashboard are links out of its folder."""
    helm("package", str(CHART), "--destination", str(tmp_path))
    (package,) = tmp_path.iterdir()
    assert text(*arguments("production"), chart=package) == text(*arguments("production"))


def test_the_manifests_for_those_without_helm_are_made_from_the_chart() -> None:
    there = {path.name: path.read_text() for path in PLAIN.iterdir()}
    assert there == plain(), "run: python -m tests.deploy.plain"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("replica=3", "'replica' not allowed"),
        ("topicsJob.run=crate", "topicsJob"),
        ("autoscaling.minReplicas=0", "minReplicas"),
        ("image.digest=latest", "digest"),
        ("image.tag=2", "/image/tag"),
        ("definitions.connector=x", "propertyName 'connector'"),
        ("definitions.beta.method=POST", "definitions/beta"),
        ("settings.health.host=127.0.0.1", "{host: 0.0.0.0, port: 8080}"),
        ("settings.health.port=null", "{host: 0.0.0.0, port: 8080}"),
        ("settings.static_membership=x", "StatefulSet"),
        ("definitions=null", "no provider"),
        ("settings.providers={plivo}", "nobody would read"),
        ("settings.timeouts.drain=40", "40s, 1m"),
        ("settings.timeouts.drain=2m,terminationGracePeriodSeconds=75", "write 155"),
        ("autoscaling.authentication=null", "`username` and `password`"),
        ("settings.kafka.security\\.protocol=SSL,autoscaling.authentication=null", "needs `ca`"),
        ("settings.kafka.ssl\\.certificate\\.location=/x", "`cert` and `key`"),
        ("settings.health.port=${PORT}", "settings.health.port: ${PORT}: write the value itself"),
        ("settings.kafka.bootstrap\\.servers=${BROKERS}", "settings.kafka.bootstrap.servers: ${BROKERS}"),
        ("settings.group=${GROUP}", "settings.group: ${GROUP}"),
        ("settings.topics.sources[0]=a-${STAGE}", 'settings.topics.sources: ["a-${STAGE}"'),
        ("settings.kafka.security\\.protocol=${PROTOCOL}", "settings.kafka.security.protocol: ${PROTOCOL}"),
        ("settings.kafka.sasl\\.mechanism=${MECHANISM}", "settings.kafka.sasl.mechanism: ${MECHANISM}"),
        ("settings.timeouts.drain=${DRAIN}", "settings.timeouts.drain: ${DRAIN}"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(wrong: str, said: str) -> None:
    with pytest.raises(ChartError, match=re.escape(said)):
        render(FIRST, PRODUCTION, sets=[wrong])


@pytest.mark.parametrize("way", ["first", "production", "everything", "catalogue"])
def test_the_connector_takes_the_settings_and_the_definitions(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Job's `check` does, with its own arguments."""
    files, sets = WAYS[way]
    manifests = render(*files, sets=sets)
    settings_of(manifests, tmp_path)
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)
    (check,) = pod(manifests, "Job")["initContainers"]
    done = CliRunner().invoke(group, [it.replace("/etc/sms-connector", str(tmp_path)) for it in check["args"]])
    assert done.exit_code == 0, done.output


def test_variables_may_stand_where_only_pods_read_them() -> None:
    sets = [
        "settings.kafka.bootstrap\\.servers=${BROKERS}",
        "settings.group=${GROUP}",
        "networkPolicy.kafkaPorts={9092}",
    ]
    assert render(FIRST, sets=[*sets, "networkPolicy.enabled=true"])


def test_numbers_and_texts_of_values_stay_what_they_are(tmp_path: Path) -> None:
    settings = settings_of(render(EVERYTHING), tmp_path)
    assert (settings.span, settings.memory.messages) == (1_000_000, 2_000_000)
    assert (tmp_path / "definitions" / "acme.yaml").read_text() == read_yaml(EVERYTHING)["definitions"]["acme"]


@pytest.mark.parametrize("way", ["first", "production", "everything"])
def test_keda_asks_for_what_the_settings_name(way: str, tmp_path: Path) -> None:
    files, _ = WAYS[way]
    sets = ["autoscaling.enabled=true"]
    manifests = render(*files, sets=sets)
    settings = settings_of(manifests, tmp_path)
    triggers = [it["metadata"] for it in one(manifests, "ScaledObject")["spec"]["triggers"]]
    assert [it["topic"] for it in triggers] == list(settings.topics.source_names)
    for it in triggers:
        assert it["bootstrapServers"].split(",") == list(settings.kafka.servers)
        assert it["consumerGroup"] == settings.group
        assert it["offsetResetPolicy"] == settings.start_from
        assert it.get("tls", "disable") == ("enable" if settings.kafka.tls else "disable")
        assert ("sasl" in it) == settings.kafka.sasl
    assert "replicas" not in one(manifests, "Deployment")["spec"]


def test_without_keda_the_number_of_workers_is_the_values() -> None:
    assert one(render(FIRST), "Deployment")["spec"]["replicas"] == 2
    assert one(render(EVERYTHING), "Deployment")["spec"]["replicas"] == 5


def test_kedas_secrets_are_those_that_it_is_given() -> None:
    manifests = render(FIRST, PRODUCTION)
    authentication = one(manifests, "TriggerAuthentication")
    assert {it["parameter"] for it in authentication["spec"]["secretTargetRef"]} == {"username", "password", "ca"}
    for trigger in one(manifests, "ScaledObject")["spec"]["triggers"]:
        assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]


@pytest.mark.parametrize(
    ("drain", "grace"), [("10s", 45), ("40s", 75), ("2m", 155), ("1.5m", 125), ("500ms", 36), ("1h", 3635)]
)
def test_the_grace_period_follows_the_drain(drain: str, grace: int) -> None:
    manifests = render(FIRST, sets=[f"settings.timeouts.drain={drain}"])
    assert pod(manifests)["terminationGracePeriodSeconds"] == grace


def template(*sets: str) -> Document:
    """What a pod is made from: another one is another rollout."""
    spec: Document = one(render(FIRST, sets=sets), "Deployment")["spec"]["template"]
    return spec


@pytest.mark.parametrize("change", ["settings.wait=2s", "settings.kafka.client\\.id=other", "image.tag=v2"])
def test_other_settings_or_another_image_replace_the_pods(change: str) -> None:
    assert template(change) != template()


def test_other_definitions_and_more_replicas_replace_no_pod() -> None:
    """Running workers load definitions themselves."""
    assert template("definitions.acme=x: 1", "replicas=7", "topicsJob.partitions=24") == template()


@pytest.mark.parametrize(
    "change",
    ["settings.wait=2s", "definitions.acme=x: 1", "image.tag=v2", "topicsJob.partitions=24", "topicsJob.run=check"],
)
def test_a_changed_topics_job_is_another_job(change: str) -> None:
    """A Job cannot be changed: applied a second time under its old name it would be refused."""
    before, after = one(render(FIRST), "Job"), one(render(FIRST, sets=[change]), "Job")
    assert before["metadata"]["name"] != after["metadata"]["name"]
    assert one(render(FIRST), "Job") == before


def test_the_topics_job_is_done_before_anything_is_changed() -> None:
    manifests = render(FIRST, PRODUCTION)
    hooks = [it for it in manifests if "helm.sh/hook" in it["metadata"].get("annotations", {})]
    annotations = [it["metadata"]["annotations"] for it in hooks]
    assert all(it["helm.sh/hook"] == "pre-install,pre-upgrade" for it in annotations)
    assert all("before-hook-creation" in it["helm.sh/hook-delete-policy"] for it in annotations), "or the next fails"
    weights = {it["kind"]: int(it["metadata"]["annotations"]["helm.sh/hook-weight"]) for it in hooks}
    assert weights["Job"] > max(weights["ConfigMap"], weights["NetworkPolicy"])
    job = one(manifests, "Job")["spec"]
    assert job["activeDeadlineSeconds"] < 300, "helm waits for five minutes"
    (volume,) = [it["configMap"] for it in job["template"]["spec"]["volumes"] if it["name"] == "settings"]
    named = {it["metadata"]["name"] for it in hooks if it["kind"] == "ConfigMap"}
    assert volume["name"] in named, "the workers' own is not there yet"


def test_names_fit_however_long_the_release_is() -> None:
    """63 characters, for everything that becomes a label or the name of a pod."""
    manifests = render(FIRST, PRODUCTION, release="r" * 53)
    names = [it["metadata"]["name"] for it in manifests]
    assert max(map(len, names)) <= 63
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) for name in names)
    assert len({(it["kind"], it["metadata"]["name"]) for it in manifests}) == len(manifests)


def test_every_value_is_explained_and_has_been_rendered_once() -> None:
    """Each default is used by a template, and each name stands in the schema."""
    values = YAML(typ="safe").load((CHART / "values.yaml").read_text())
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    for name, value in values.items():
        assert f".Values.{name}" in templates, name
        if isinstance(value, dict) and name not in ("settings", "definitions", "nodeSelector", "resources"):
            for inner in value:
                assert re.search(rf"\.{inner}\b", templates), f"{name}.{inner}"
    schema = read_yaml(CHART / "values.schema.json")["properties"]
    assert set(schema) == {*values, "global"}
