"""The tests' own Kafka in a container (tests/kafka/find.py): a branch that only an engine can walk."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.containers.engine import Engine
from tests.containers.sandbox import REPOSITORY
from tests.containers.stand_ins import names
from tests.kafka import find

TESTS = ("tests/kafka/test_harness.py", "tests/integration/test_stream.py")
CHOSEN = "what_is_produced or every_event or mid_flow or wrong_topics"
"""Of them, so that it takes a minute; `make test` runs all of them on local Java."""


def play(engine: Engine, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as somebody whose DOCKER_HOST is this engine; nobody has testcontainers' own helper image here."""
    environment = {
        **os.environ,
        "DOCKER_HOST": f"unix://{engine.socket}",
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        **more,
    }
    environment.pop(find.VARIABLE, None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_integration_tests_run_against_a_kafka_in_a_container(engine: Engine, kafka_image: str) -> None:
    del kafka_image
    done = play(engine, *TESTS, "-k", CHOSEN)
    assert done.returncode == 0, done.stdout[-6000:]
    assert f"Kafka: a container of {find.IMAGE}" in done.stdout
    assert engine.docker("ps", "--all", "--quiet", f"--filter=ancestor={find.IMAGE}") == "", "it is removed afterwards"


BROKEN = {
    "no such image, and no registry": ("confluentinc/cp-kafka:99.9.9", False),
    "a container that is no broker": ("confluentinc/cp-kafka:99.9.1", True),
}


@pytest.mark.parametrize("how", BROKEN)
def test_an_engine_that_is_of_no_use_is_passed_over_for_local_java(
    engine: Engine, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, made = BROKEN[how]
    if made:
        engine.docker("tag", names()["base"], name)  # its command waits for nothing, and is no broker
    monkeypatch.setenv("DOCKER_HOST", f"unix://{engine.socket}")
    monkeypatch.setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
    monkeypatch.setattr(find, "IMAGE", name)
    with pytest.raises(find.UnavailableError, match="a Docker engine answers, but has no"):
        find.CHOICES["a container"](engine.place)
    left = engine.docker("ps", "--all", "--format={{.Image}}").split()
    assert name not in left, "what did not start is removed"
