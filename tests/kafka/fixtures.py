"""Fixtures that give a test its Kafka. Loaded by tests/conftest.py.

`kafka`         the run's shared brokers; a test marked `kafka` needs them real
`unique`        a prefix no other test has, for topics and groups
`own_kafka`     one broker for this test alone, which it may kill, pause and restart
`make_kafka`    the same with a number of brokers, a release, broker settings
`secure_kafka`  SASL_SSL (SCRAM, PLAIN) and SSL with client certificates; one for the run
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.kafka import find
from tests.kafka.certificates import make_certificates
from tests.kafka.local import LocalKafka
from tests.kafka.secure import Security
from tests.kafka.tokens import TokenKey

MakeKafka = Callable[..., LocalKafka]

_FOUND = pytest.StashKey[find.Found]()
_SKIPPED = pytest.StashKey[list[str]]()
_OTHERS = pytest.StashKey[list[dict[str, Any]]]()


@pytest.fixture(scope="session")
def _found(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[find.Found]:
    with find.find(tmp_path_factory.mktemp("kafka")) as found:
        pytestconfig.stash[_FOUND] = found
        yield found


@pytest.fixture
def kafka(request: pytest.FixtureRequest, _found: find.Found) -> find.Kafka:
    """The run's shared brokers. Names of topics and groups must be `unique`."""
    if not _found.kafka.real and request.node.get_closest_marker("kafka"):
        _refuse(request, "needs a real Kafka: " + "; ".join(_found.skipped))
    return _found.kafka


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A prefix for topics and groups: this test's name and chance."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    return f"{name[:40]}-{uuid.uuid4().hex[:6]}"


@pytest.fixture
def make_kafka(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeKafka]:
    """Start brokers for this test alone: `make_kafka(brokers=3, version="4.1.0", settings={…})`."""
    _need_local(request)
    made: list[LocalKafka] = []

    def make(
        *,
        brokers: int = 1,
        version: str | None = None,
        settings: Mapping[str, str] | None = None,
        proxied: bool = False,
    ) -> LocalKafka:
        folder = tmp_path / f"kafka-{len(made)}"
        cluster = LocalKafka(folder, brokers=brokers, version=version, settings=settings, proxied=proxied)
        made.append(cluster)
        cluster.start()
        return cluster

    yield make
    for cluster in made:
        cluster.stop()


@pytest.fixture
def own_kafka(make_kafka: MakeKafka) -> LocalKafka:
    """One broker for this test alone."""
    return make_kafka()


@pytest.fixture(scope="session")
def _secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    folder = tmp_path_factory.mktemp("secure-kafka")
    security = Security(make_certificates(folder / "certificates"), tokens=TokenKey(folder / "jwks.json"))
    cluster = LocalKafka(folder, security=security)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def secure_kafka(request: pytest.FixtureRequest) -> LocalKafka:
    """A broker with `sasl_bootstrap` and `tls_bootstrap`; `.security` holds the user and the certificates."""
    _need_local(request)
    cluster = request.getfixturevalue("_secure")
    assert isinstance(cluster, LocalKafka)
    return cluster


def _need_local(request: pytest.FixtureRequest) -> None:
    if reason := find.local_unavailable():
        _refuse(request, f"needs brokers of its own on local Java: {reason}")


def _refuse(request: pytest.FixtureRequest, reason: str) -> None:
    """Skip, and say so loudly at the end; where a real Kafka is required, fail."""
    request.config.stash.setdefault(_SKIPPED, []).append(f"{request.node.nodeid}: {reason}")
    if find.required():
        pytest.fail(f"{reason} (CI is set: a skip is a failure)", pytrace=False)
    pytest.skip(reason)


def _about(config: pytest.Config) -> dict[str, Any]:
    """What this process has used, and what it could not prove."""
    about = {"kafka": "", "missing": "", "skipped": config.stash.get(_SKIPPED, [])}
    if (found := config.stash.get(_FOUND, None)) is not None:
        about["kafka"] = str(found.kafka)
        if not found.kafka.real:
            about["missing"] = "; ".join(found.skipped)
    return about


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes: the first one says it."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["kafka"] = _about(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    if about := getattr(node, "workeroutput", {}).get("kafka"):
        node.config.stash.setdefault(_OTHERS, []).append(about)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    said = [_about(config), *config.stash.get(_OTHERS, [])]
    for kafka in sorted({about["kafka"] for about in said} - {""}):
        terminalreporter.write_line(f"Kafka: {kafka}")
    for missing in sorted({about["missing"] for about in said} - {""}):
        terminalreporter.write_line(f"No real Kafka: {missing}", red=True, bold=True)
    skipped = [line for about in said for line in about["skipped"]]
    if skipped:
        terminalreporter.section("NOT PROVEN HERE, for want of a real Kafka", red=True, bold=True)
        for line in skipped:
            terminalreporter.write_line(line, red=True)
