"""A pipeline per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.pipeline import Pipeline
from tests.kafka.find import Kafka
from tests.processes import StartConnector


@pytest.fixture
def make_pipeline(
    tmp_path: Path, kafka: Kafka, unique: str, start_connector: StartConnector
) -> Iterator[Callable[..., Pipeline]]:
    """Make a pipeline on the run's shared brokers, with a number of partitions; afterwards its topics are searched."""
    made: list[Pipeline] = []

    def make(**options: int) -> Pipeline:
        made.append(Pipeline(tmp_path, kafka.bootstrap, unique, start_connector, **options))
        return made[-1]

    yield make
    leaks = [leak for pipeline in made for leak in pipeline.leaks()]
    assert not leaks, leaks


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """One with four partitions."""
    return make_pipeline()
