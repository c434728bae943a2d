"""Apache Kafka on local Java: brokers a test may kill, pause and restart."""

from __future__ import annotations

import base64
import signal
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests import guard
from tests.kafka.jars import jars, java, release
from tests.kafka.ports import free_ports
from tests.kafka.proxy import Proxy
from tests.kafka.secure import Security
from tests.waiting import wait_until

START_SECONDS = 180.0
STOP_SECONDS = 30.0

# Small and quick to start: C1 only costs throughput, which no test is about.
JVM = ["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
FULL_JVM = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"]
"""For throughput: about what Kafka's own start script sets."""

COMMON = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "2",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "auto.create.topics.enable": "false",
    "delete.topic.enable": "true",
    # The controller refuses a broker that was killed until its old session has run out (9 s by default).
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "log.cleaner.dedupe.buffer.size": "4194304",
}


class LocalKafka:
    """A cluster of our own in KRaft mode; each broker is a process with its own folder, ports and log.

    Attributes:
        bootstrap: `host:port,…` of the plain-text listeners; does not change when brokers restart.
        proxied_bootstrap: the same through proxies that `cut` cuts, where asked for.
        security: the users and certificates of the SASL_SSL and SSL listeners, where asked for.
    """

    real = True

    def __init__(
        self,
        folder: Path,
        *,
        version: str | None = None,
        brokers: int = 1,
        security: Security | None = None,
        settings: Mapping[str, str] | None = None,
        proxied: bool = False,
        jvm: Sequence[str] = JVM,
    ) -> None:
        self._jvm = jvm
        self._proxies = [Proxy() for _ in range(brokers)] if proxied else []
        self.version = version or release()
        self.security = security
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._ports = [free_ports(5) for _ in range(brokers)]
        self._settings = dict(settings or {})
        self._cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self.bootstrap = ",".join(f"127.0.0.1:{plain}" for plain, *_ in self._ports)
        self.proxied_bootstrap = ",".join(f"127.0.0.1:{proxy.port}" for proxy in self._proxies)

    def __str__(self) -> str:
        return f"Apache Kafka {self.version} on local Java, {self.bootstrap}, logs in {self._folder}"

    @property
    def sasl_bootstrap(self) -> str:
        """`host:port,…` of the SASL_SSL listeners (SCRAM and PLAIN)."""
        return ",".join(f"127.0.0.1:{ports[2]}" for ports in self._ports)

    @property
    def tls_bootstrap(self) -> str:
        """`host:port,…` of the SSL listeners, which ask for a client certificate."""
        return ",".join(f"127.0.0.1:{ports[3]}" for ports in self._ports)

    def start(self) -> None:
        """Format and start every broker; returns when all of them answer."""
        for number in range(len(self._ports)):
            self._format(number)
            self._launch(number)
        for proxy, ports in zip(self._proxies, self._ports, strict=False):
            proxy.start(ports[4])
        self.wait_ready()

    def stop(self) -> None:
        """End every broker; their data stay until the test folder goes."""
        for number in list(self._processes):
            self.kill(number)
        for proxy in self._proxies:
            proxy.stop()

    def cut(self) -> None:
        """Let nothing through the proxies: whoever came by them is cut off, and nobody is told."""
        for proxy in self._proxies:
            proxy.cut()

    def heal(self) -> None:
        """Let it through again."""
        for proxy in self._proxies:
            proxy.heal()

    def kill(self, number: int = 0) -> None:
        """SIGKILL: what a host that loses power does."""
        guard.end(self._processes.pop(number))

    def shut_down(self, number: int = 0) -> None:
        """SIGTERM, and wait: what a rolling restart does."""
        guard.end(self._processes.pop(number), within=STOP_SECONDS)

    def restart(self, number: int = 0, *, wait: bool = True) -> None:
        """Start a broker that was ended, with the data and ports it had."""
        assert number not in self._processes, f"broker {number} still runs"
        self._launch(number)
        if wait:
            self.wait_ready()

    def pause(self, number: int = 0) -> None:
        """SIGSTOP: connections stay open and nobody answers."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int = 0) -> None:
        """SIGCONT."""
        self._processes[number].send_signal(signal.SIGCONT)

    def log_file(self, topic: str, partition: int, number: int = 0) -> Path:
        """Where that broker keeps the partition's records: its only segment."""
        (file,) = (self._node(number) / "data" / f"{topic}-{partition}").glob("*.log")
        return file

    def log(self, number: int = 0) -> str:
        """What that broker has written so far."""
        return self._log(number).read_text(errors="replace")

    def wait_ready(self) -> None:
        """Return when every running broker is a member of the cluster; a broker that ended fails with its log's end."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        # A poll may be made while nobody listens: librdkafka reports that to a callback, which may stay empty.
        wait_until(lambda: self._members(admin) >= len(self._processes), "Kafka to start", within=START_SECONDS)

    def _members(self, admin: AdminClient) -> int:
        for number, process in self._processes.items():
            if process.poll() is not None:
                end = "\n".join(self.log(number).splitlines()[-15:])
                raise AssertionError(f"broker {number} ended with {process.returncode}:\n{end}")
        try:
            return len(admin.list_topics(timeout=1).brokers)
        except KafkaException:
            return 0

    def _launch(self, number: int) -> None:
        command = [*self._java(), "kafka.Kafka", str(self._properties(number))]
        self._processes[number] = guard.spawn(command, self._log(number))

    def _format(self, number: int) -> None:
        self._node(number).mkdir(parents=True)
        self._properties(number).write_text(_properties_text(self._configuration(number)))
        command = [*self._java(), "kafka.tools.StorageTool", "format"]
        # With an equals sign: one id in 64 begins with a dash, and would be read as an option.
        command += [f"--cluster-id={self._cluster}", "--config", str(self._properties(number))]
        if self.security:
            command += self.security.storage_arguments()
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_SECONDS)
        assert done.returncode == 0, f"formatting broker {number} failed:\n{done.stdout}\n{done.stderr}"

    def _configuration(self, number: int) -> dict[str, str]:
        plain, controller, sasl, tls, behind = self._ports[number]
        listeners = {"PLAINTEXT": plain}
        protocols = ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT"]
        if self.security:
            listeners |= {"SASL_SSL": sasl, "SSL": tls}
            protocols += ["SASL_SSL:SASL_SSL", "SSL:SSL"]
        advertised = [f"{name}://127.0.0.1:{port}" for name, port in listeners.items()]
        listening = [*advertised, f"CONTROLLER://127.0.0.1:{controller}"]
        if self._proxies:
            listening.append(f"PROXIED://127.0.0.1:{behind}")
            advertised.append(f"PROXIED://127.0.0.1:{self._proxies[number].port}")
            protocols.append("PROXIED:PLAINTEXT")
        voters = [f"{n + 1}@127.0.0.1:{ports[1]}" for n, ports in enumerate(self._ports)]
        return {
            **COMMON,
            "node.id": str(number + 1),
            "log.dirs": str(self._node(number) / "data"),
            "listeners": ",".join(listening),
            "advertised.listeners": ",".join(advertised),
            "listener.security.protocol.map": ",".join(protocols),
            "controller.quorum.voters": ",".join(voters),
            "offsets.topic.replication.factor": str(min(3, len(self._ports))),
            **(self.security.broker_settings() if self.security else {}),
            **self._settings,
        }

    def _java(self) -> list[str]:
        more = self.security.jvm() if self.security else []
        return [java(), *self._jvm, *more, "-cp", f"{jars(self.version)}/*"]

    def _node(self, number: int) -> Path:
        return self._folder / f"broker-{number}"

    def _properties(self, number: int) -> Path:
        return self._node(number) / "server.properties"

    def _log(self, number: int) -> Path:
        return self._node(number) / "server.log"


def _properties_text(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())
