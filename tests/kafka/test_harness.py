"""The harness itself: a broken harness proves nothing about the connector."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer

import psutil
import pytest
from confluent_kafka import Producer

from tests.kafka import find, jars, records
from tests.kafka.jars import KAFKA_4
from tests.kafka.local import LocalKafka
from tests.kafka.records import Event
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.kafka
def test_what_is_produced_is_read_back_with_key_partition_and_headers(kafka: find.Kafka, unique: str) -> None:
    records.create_topics(kafka.bootstrap, unique, partitions=3)
    events = [Event(b"%d" % n, b"k%d" % n, n % 3, {"h": b"v"}) for n in range(5000)]
    assert records.produce(kafka.bootstrap, unique, events) == 5000
    found = records.read_all(kafka.bootstrap, unique)
    assert sorted((r.value, r.key, r.partition, r.headers["h"]) for r in found) == sorted(
        (e.value, e.key, e.partition, b"v") for e in events
    )
    assert sum(records.end_offsets(kafka.bootstrap, unique).values()) == 5000
    assert records.committed(kafka.bootstrap, unique, unique) == {}


def test_kafka_4_works_the_same_way(make_kafka: Callable[..., LocalKafka]) -> None:
    cluster = make_kafka(version=KAFKA_4)
    records.create_topics(cluster.bootstrap, "t")
    records.produce(cluster.bootstrap, "t", [b"1", b"2"])
    assert {r.value for r in records.read_all(cluster.bootstrap, "t")} == {b"1", b"2"}


def test_records_survive_kill_and_restart_of_the_only_broker(own_kafka: LocalKafka) -> None:
    records.create_topics(own_kafka.bootstrap, "t", partitions=1)
    records.produce(own_kafka.bootstrap, "t", [b"%d" % n for n in range(100)])
    own_kafka.kill()
    own_kafka.restart()
    assert len(records.read_all(own_kafka.bootstrap, "t")) == 100


def test_a_paused_broker_answers_nobody_until_it_is_resumed(own_kafka: LocalKafka) -> None:
    records.create_topics(own_kafka.bootstrap, "t", partitions=1)
    producer = Producer({"bootstrap.servers": own_kafka.bootstrap})
    own_kafka.pause()
    producer.produce("t", b"x")
    assert producer.flush(1) == 1
    own_kafka.resume()
    assert producer.flush(30) == 0


def test_three_brokers_lose_one_and_go_on(make_kafka: Callable[..., LocalKafka]) -> None:
    cluster = make_kafka(brokers=3)
    records.create_topics(cluster.bootstrap, "t", partitions=6, replication=3, settings={"min.insync.replicas": "2"})
    cluster.kill(1)
    records.produce(cluster.bootstrap, "t", [b"x"] * 1000)
    assert len(records.read_all(cluster.bootstrap, "t")) == 1000
    cluster.restart(1)


def test_scram_and_mutual_tls_let_the_right_client_in(secure_kafka: LocalKafka) -> None:
    security = secure_kafka.security
    assert security is not None
    scram = {
        "bootstrap.servers": secure_kafka.sasl_bootstrap,
        "security.protocol": "SASL_SSL",
        "sasl.username": security.user,
        "sasl.password": security.password,
        "ssl.ca.location": str(security.certificates.ca),
        "log_level": 0,
    }
    tls = {
        "bootstrap.servers": secure_kafka.tls_bootstrap,
        "security.protocol": "SSL",
        "ssl.ca.location": str(security.certificates.ca),
        "ssl.certificate.location": str(security.certificates.client_certificate),
        "ssl.key.location": str(security.certificates.client_key),
    }
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"):
        assert Producer({**scram, "sasl.mechanism": mechanism}).list_topics(timeout=10).brokers
    assert Producer(tls).list_topics(timeout=10).brokers
    wrong = Producer({**scram, "sasl.mechanism": "SCRAM-SHA-512", "sasl.password": "hunter2-guess", "log_level": 0})
    with pytest.raises(Exception, match=r"Broker transport failure|[Aa]uthentication"):
        wrong.list_topics(timeout=2)


def test_children_end_when_the_test_run_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import pathlib, signal, sys
        from tests import guard
        output = pathlib.Path({str(tmp_path / "out")!r})
        child = guard.spawn([sys.executable, "-c", "import signal; signal.pause()"], output)
        print(child.pid, flush=True)
        signal.pause()
        """)
    )
    run = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert run.stdout is not None
    with run:
        child = psutil.Process(int(run.stdout.readline()))
        run.send_signal(signal.SIGKILL)
    wait_until(lambda: not child.is_running(), "the child to be killed")


class _UselessEngine(BaseHTTPRequestHandler):
    """A Docker engine that answers and is of no use: it has no image, and reaches no registry."""

    def do_GET(self) -> None:
        if self.path.endswith(("/_ping", "/version")):
            self._answer(200, b'{"ApiVersion": "1.45", "Version": "26.1.5"}')
        else:
            self._answer(404, b'{"message": "no such image"}')

    def do_POST(self) -> None:
        self._answer(500 if "/images/create" in self.path else 404, b'{"message": "no such host"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


def test_an_engine_that_answers_but_has_no_image_for_us_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next choice, brokers on local Java, still is to be had."""
    monkeypatch.delenv("KAFKA_RELEASE", raising=False)
    place = tmp_path / "engine.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
    with ThreadingUnixStreamServer(str(place), _UselessEngine) as engine:
        thread = threading.Thread(target=engine.serve_forever)
        thread.start()
        try:
            with pytest.raises(find.UnavailableError, match=r"a Docker engine answers, but .*no such host"):
                find.CHOICES["a container"](tmp_path)
        finally:
            engine.shutdown()
            thread.join()


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize(
    ("ci", "release", "code", "outcome"),
    [("", "", 0, "2 skipped"), ("true", "", 1, "2 errors"), ("", KAFKA_4, 1, "2 errors")],
)
def test_without_a_real_kafka_tests_are_skipped_loudly_and_fail_where_one_is_required(
    ci: str, release: str, code: int, outcome: str, processes: int, tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    environment |= {
        "CI": ci,
        jars.VARIABLE: release,
        "PATH": str(tmp_path),
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
    }
    environment.pop(find.VARIABLE, None)
    names = "what_is_produced or a_paused_broker"  # on the shared brokers, and on brokers of its own
    command = [sys.executable, "-m", "pytest", "-q", f"--basetemp={tmp_path / 'pytest'}", __file__, "-k", names]
    command += [f"--numprocesses={processes}"]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert outcome in done.stdout
    assert "EMBEDDED BROKER" in done.stdout
    assert "NOT PROVEN HERE" in done.stdout
    no_container = f"{jars.VARIABLE} asks for brokers of {release}" if release else "no Docker engine answers"
    for reason in (find.VARIABLE, no_container, "no `java` on the path"):
        assert reason in done.stdout
