"""Fixtures of the tests that need a Docker engine. They run inside `make containers`, and nowhere else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers import stand_ins
from tests.containers.engine import Engine
from tests.containers.sandbox import INSIDE, REPOSITORY
from tests.containers.stack import SAID, Stack

# `make check` and `make test` collect nothing here: they never start an engine.
collect_ignore_glob = [] if INSIDE in os.environ else ["test_*.py"]


@pytest.fixture(scope="session")
def bare_engine() -> Iterator[Engine]:
    """An engine without any image."""
    engine = Engine(Path(os.environ[INSIDE]))
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def engine(bare_engine: Engine) -> Engine:
    """The engine with what stands in for our base image; ours is not built."""
    stand_ins.make_base(bare_engine)
    return bare_engine


@pytest.fixture(scope="session")
def kafka_image(engine: Engine) -> str:
    """Kafka's, as the compose file names it."""
    stand_ins.make_kafka(engine)
    return stand_ins.names()["kafka"]


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """Our image, built as deploy/README.md says; returns its name."""
    text = (REPOSITORY / "deploy" / "README.md").read_text()
    (command,) = re.findall(r"^docker (build --tag \S+ \.)$", text, re.MULTILINE)
    engine.docker(*command.split())
    return command.split()[2]


@pytest.fixture(scope="session")
def stack(engine: Engine, kafka_image: str) -> Iterator[Stack]:
    """docker-compose.yml, up as its first lines say and with nothing of it there before; down afterwards."""
    del kafka_image
    stand_ins.make_pages(engine)
    made = Stack(engine)
    made.up()
    yield made
    made.down()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in SAID:
        terminalreporter.write_line(line)
