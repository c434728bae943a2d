"""A pipeline per test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.pipeline import Pipeline
from tests.kafka.find import Kafka
from tests.processes import StartConnector


@pytest.fixture
def make_pipeline(
    tmp_path: Path, kafka: Kafka, unique: str, start_connector: StartConnector
) -> Callable[..., Pipeline]:
    """Make a pipeline on the run's shared brokers, with a number of partitions."""

    def make(**options: int) -> Pipeline:
        return Pipeline(tmp_path, kafka.bootstrap, unique, start_connector, **options)

    return make


@pytest.fixture
def pipeline(make_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """One with four partitions."""
    return make_pipeline()
