"""A Kafka cluster for a laptop without Kafka: librdkafka's in-process mock cluster, in a child process.

What it cannot do: create topics on request (asking for a topic's metadata makes it, with 4 partitions), delete records,
survive its process; and it keeps about 5 MB or 100,000 records per partition, the oldest go first. Enough to try and to
demonstrate, never to keep data in.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from connector.safe_path import isolated

PARTITIONS = 4
"""Partitions of every topic."""

PARTITION_BYTES = 5 * 1024 * 1024
"""What a partition keeps (librdkafka, rdkafka_mock.c: `retention` of a mock partition)."""

START_SECONDS = 20.0


class BrokerUnavailableError(RuntimeError):
    """The embedded broker cannot run here; the text says what to install or do."""


class Broker:
    """The embedded cluster with `topics`; a context manager. It ends with this process, however this process ends.

    The child waits on its standard input: when the parent is gone, the pipe closes and the child leaves.
    """

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self.bootstrap = ""
        self._topics = list(topics)
        self._child: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def start(self) -> str:
        """Start it and return `host:port`; raises BrokerUnavailableError."""
        command = [sys.executable, *isolated(), "-m", "connector.tools.simulator.broker", *self._topics]
        # A session of its own: Ctrl-C in the terminal reaches the parent, which stops things in order.
        self._child = subprocess.Popen(  # noqa: S603  our own interpreter and module
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._child.stdout is not None
        self.bootstrap = self._child.stdout.readline().strip()
        if not self.bootstrap:
            _, errors = self._child.communicate(timeout=START_SECONDS)
            reason = errors.strip().splitlines()[-1:] or ["it ended without a word"]
            raise BrokerUnavailableError(f"the embedded broker did not start: {reason[0]}")
        return self.bootstrap

    def stop(self) -> None:
        """End it; safe to call twice."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None and not child.stdin.closed:
            child.stdin.close()
        try:
            child.wait(timeout=3)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(topics: Iterable[str]) -> None:
    """Run a cluster of one broker in this process until standard input closes; prints its address first."""
    try:
        from confluent_kafka import Producer
    except ImportError:
        sys.exit("confluent-kafka is not installed; install the extra: pip install 'kafka-sms-connector[demo]'")
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    for topic in topics:
        producer.list_topics(topic, timeout=START_SECONDS)  # asking for it makes it
    nodes = producer.list_topics(timeout=START_SECONDS).brokers.values()
    sys.stdout.write(",".join(f"{node.host}:{node.port}" for node in nodes) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    serve(sys.argv[1:])
