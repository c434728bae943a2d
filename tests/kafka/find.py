"""Which Kafka the tests use: the first of four that can be had here."""

from __future__ import annotations

import contextlib
import gc
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from confluent_kafka.admin import AdminClient

from connector.tools.simulator.broker import Broker
from tests.kafka.jars import VARIABLE as RELEASE
from tests.kafka.jars import JarsUnavailableError, asked_for, jars, java, release
from tests.kafka.local import JVM, LocalKafka

VARIABLE = "KAFKA_BOOTSTRAP"
IMAGE = "confluentinc/cp-kafka:7.9.1"  # Apache Kafka 3.9
ENGINE_SECONDS = 3
REACH_SECONDS = 15


class Kafka(Protocol):
    """Brokers somewhere.

    Attributes:
        bootstrap: `host:port,…`
        real: False for the embedded broker, which has no transactions, no DeleteRecords and no topic creation.
    """

    @property
    def bootstrap(self) -> str: ...
    @property
    def real(self) -> bool: ...


class UnavailableError(Exception):
    """Why that Kafka cannot be had here."""


@dataclass(frozen=True)
class Found:
    """The Kafka of this run and, as text, why each better one was skipped."""

    kafka: Kafka
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class Elsewhere:
    """A Kafka this run did not start."""

    bootstrap: str
    about: str
    real: bool = True

    def __str__(self) -> str:
        return f"{self.about}, {self.bootstrap}"


@contextmanager
def find(folder: Path, *, jvm: Sequence[str] = JVM) -> Iterator[Found]:
    """Yield the first Kafka that can be had; it is stopped afterwards if this run started it. `jvm` is local Java's."""
    skipped: list[str] = []
    for name, start in (CHOICES | {"local Java": partial(_local, jvm=jvm)}).items():
        try:
            kafka, stop = start(folder)
        except UnavailableError as reason:
            skipped.append(f"{name}: {reason}")
            continue
        try:
            yield Found(kafka, tuple(skipped))
        finally:
            stop()
        return
    raise AssertionError(f"no Kafka at all: {skipped}")


def required() -> bool:
    """Whether this run must not be content with the embedded broker: in continuous integration, which sets CI, and
    where a release is asked for.
    """
    return bool(asked_for()) or os.environ.get("CI", "").lower() not in ("", "0", "false")


def local_unavailable() -> str:
    """Why brokers on local Java cannot be had here; empty when they can."""
    try:
        java()
        jars(release())
    except JarsUnavailableError as reason:
        return str(reason)
    return ""


Started = tuple[Kafka, Callable[[], None]]


def _given(_: Path) -> Started:
    bootstrap = os.environ.get(VARIABLE)
    if not bootstrap:
        raise UnavailableError(f"{VARIABLE} is not set")
    return Elsewhere(bootstrap, f"the Kafka of {VARIABLE}"), lambda: None


def _container(_: Path) -> Started:
    if asked := asked_for():
        raise UnavailableError(f"{RELEASE} asks for brokers of {asked} on local Java")
    if reason := _engine_silent():
        raise UnavailableError(f"no Docker engine answers ({reason})")
    from testcontainers.community.kafka import KafkaContainer

    container = KafkaContainer(IMAGE).with_kraft().with_env("KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS", "1000")
    try:
        container.start()
        bootstrap = container.get_bootstrap_server()
        AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}).list_topics(timeout=REACH_SECONDS)
    except BaseException as error:
        with contextlib.suppress(Exception):
            container.stop()
        if not isinstance(error, Exception):
            raise
        # Whatever it is: no registry, no such image, a broker that does not start or is not reached from here.
        # An engine that answers may not be of use, and the next choice still is.
        reason = " ".join(str(error).split())[:240] or type(error).__name__
        raise UnavailableError(f"a Docker engine answers, but has no {IMAGE} for us ({reason})") from error
    return Elsewhere(bootstrap, f"a container of {IMAGE}"), container.stop


def _engine_silent() -> str:
    """Why no Docker engine answers; empty when one does. Asked, not looked up: a client without an engine is common."""
    import docker
    from docker.errors import DockerException

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the client forgets the socket it could not connect
        try:
            with contextlib.closing(docker.from_env(timeout=ENGINE_SECONDS)) as client:
                client.ping()
        except DockerException as error:
            reason = str(error).splitlines()[0][:80]
        else:
            reason = ""
        gc.collect()
    return reason


def _local(folder: Path, jvm: Sequence[str] = JVM) -> Started:
    if reason := local_unavailable():
        raise UnavailableError(reason)
    kafka = LocalKafka(folder, version=release(), jvm=jvm)
    try:
        kafka.start()
    except BaseException:
        kafka.stop()
        raise
    return kafka, kafka.stop


def _embedded(_: Path) -> Started:
    broker = Broker()
    bootstrap = broker.start()
    return Elsewhere(bootstrap, "EMBEDDED BROKER (librdkafka's mock)", real=False), broker.stop


CHOICES: dict[str, Callable[[Path], Started]] = {
    "a Kafka that runs already": _given,
    "a container": _container,
    "local Java": _local,
    "the embedded broker": _embedded,
}
