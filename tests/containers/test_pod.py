"""The manifests' pod, played by the engine: the topics' Job, then a worker with ConfigMap, limits, probes and grace."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from functools import partial
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest
from ruamel.yaml import YAML

from tests.containers.engine import Engine
from tests.containers.pod import Pod, manifests
from tests.containers.sandbox import REPOSITORY
from tests.containers.stack import SAID, Stack
from tests.waiting import wait_until

NETWORK = "sms-connector_default"
"""Of the compose stack, whose fake provider is the cluster's too."""

BROKER = "kafka-bootstrap"
SECRET = {"ACME_USER": "user", "ACME_PASSWORD": "hunter2-of-the-pod"}
BACKLOG = 30_000


@pytest.fixture(scope="module")
def cluster(stack: Stack, kafka_image: str) -> Iterator[Stack]:
    """A broker under the name that the ConfigMap has for it, and the stack's fake provider; no workers but the pod."""
    engine = stack.engine
    engine.compose("stop", "connector")
    environment = {
        **YAML(typ="safe").load(REPOSITORY / "docker-compose.yml")["services"]["kafka"]["environment"],
        "KAFKA_CONTROLLER_QUORUM_VOTERS": f"1@{BROKER}:29093",
        "KAFKA_LISTENERS": "CONTROLLER://:29093,PLAINTEXT://:9092,PLAINTEXT_HOST://:9094",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{BROKER}:9092,PLAINTEXT_HOST://localhost:9094",
    }
    options = [f"--env={name}={value}" for name, value in environment.items()]
    options += [f"--name={BROKER}", f"--hostname={BROKER}", f"--network={NETWORK}", "--publish=127.0.0.1:9094:9094"]
    engine.docker("run", "--detach", *options, kafka_image)
    listens = ("exec", BROKER, "bash", "-c", "</dev/tcp/localhost/9092 && echo listens")
    wait_until(lambda: "listens" in engine.docker(*listens, code=None).split(), "the broker", within=120, every=1)
    yield Stack(engine, "127.0.0.1:9094")
    engine.docker("rm", "--force", "--volumes", BROKER)


def change(data: dict[str, str]) -> dict[str, str]:
    """The settings as they are shipped; the example's definition makes place for a user's own."""
    definition = (REPOSITORY / "examples" / "compose" / "providers" / "simulated.yaml").read_text()
    return {name: text if name == "connector.yaml" else definition for name, text in data.items()}


@pytest.fixture(scope="module")
def pod(engine: Engine, image: str, cluster: Stack) -> Iterator[Pod]:
    """The Deployment's pod, ready, after the Job, which may run as often as one likes."""
    (job,), (deployment,) = manifests("Job"), manifests("Deployment")
    engine.docker("tag", image, deployment["spec"]["template"]["spec"]["containers"][0]["image"])
    for _ in range(2):
        Pod(engine, job, change=change, secret=SECRET, network=NETWORK).run()
    made = Pod(engine, deployment, change=change, secret=SECRET, network=NETWORK)
    made.start()
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        url = made.probe(probe)
        wait_until(partial(answers, url), f"{probe}\n{log(engine, made)}", within=120, every=0.5)
    yield made
    engine.docker("rm", "--force", made.name)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def log(engine: Engine, pod: Pod) -> str:
    return engine.docker("logs", pod.name)


def send(engine: Engine, pod: Pod, number: int) -> str:
    """As the pages say: in a pod, with the command that is on its path and the settings that are mounted."""
    words = f"send --to +9198123450{number:02} --provider simulated --campaign pod --body Hi --wait"
    return engine.docker("exec", pod.name, "sms-connector", *words.split())


def test_the_pod_sends_with_nothing_but_what_the_manifest_gives_it(engine: Engine, pod: Pod) -> None:
    assert "accepted         1" in send(engine, pod, 1)
    said = engine.docker("exec", pod.name, "sh", "-c", "touch /etc/sms-connector/x /x 2>&1; df -k /tmp | tail -1")
    assert "Read-only file system" in said
    assert " 65536 " in said, "the size of /tmp"


def test_a_changed_config_map_is_taken_up_whole_and_a_wrong_one_is_not(engine: Engine, pod: Pod) -> None:
    def changed(before: str, after: str) -> dict[str, str]:
        assert any(before in text for text in pod.data.values())
        return {name: text.replace(before, after) for name, text in pod.data.items()}

    def told() -> bool:
        with urlopen(pod.probe("livenessProbe").replace("/health/live", "/status"), timeout=5) as answer:
            return bool(json.load(answer)["unused"])

    pod.settings.update(changed("records: 100", "records: 50"))
    wait_until(lambda: "definitions reloaded" in log(engine, pod), "the new definition", within=60, every=0.5)
    pod.settings.update(changed("then: accept", "then: accpet"))
    wait_until(told, "the wrong definition to be told", within=60, every=0.5)
    assert "accepted         1" in send(engine, pod, 2), "the old one is kept"
    pod.settings.update(pod.data)
    wait_until(lambda: not told(), "the right one again", within=60, every=0.5)


def test_a_backlog_is_worked_off_within_the_memory_limit_and_a_stop_within_the_grace(
    engine: Engine, pod: Pod, cluster: Stack
) -> None:
    before, taken = cluster.results(), cluster.taken()
    cluster.turn(latency=0.5)
    cluster.produce(range(1_000_000, 1_000_000 + BACKLOG))
    wait_until(lambda: cluster.results() >= before + BACKLOG // 20, "load", within=120, every=0.2)
    began = time.monotonic()
    assert pod.stop() == 0, "137 would be the end of the grace, or of the memory"
    SAID.append(f"the pod stopped under load: {time.monotonic() - began:.0f} s of {pod.grace} s")
    assert engine.inspect(pod.name)["State"]["OOMKilled"] is False
    assert cluster.results() - before == cluster.taken() - taken, "what was sent has its result, and nothing else has"
    cluster.turn()
    engine.docker("start", pod.name)
    peak = 0

    def done() -> bool:
        nonlocal peak
        peak = max(peak, resident(engine, pod))
        return cluster.results() >= before + BACKLOG

    wait_until(done, "the backlog", within=240, every=0.5)
    SAID.append(f"the pod with {BACKLOG:,} events behind: {peak / 2**20:.0f} MiB of {pod.limit / 2**20:.0f}")
    assert peak < pod.limit
    assert engine.inspect(pod.name)["RestartCount"] == 0
    assert cluster.results() == before + BACKLOG, "one result per event"


def resident(engine: Engine, pod: Pod) -> int:
    """Bytes of the worker in memory."""
    number = engine.inspect(pod.name)["State"]["Pid"]
    return psutil.Process(number).memory_info().rss


def test_nothing_in_its_log_is_a_secret_a_number_or_a_text(engine: Engine, pod: Pod) -> None:
    said = log(engine, pod)
    assert not [word for word in ("hunter2", "+9198", "Hello ") if word in said]
