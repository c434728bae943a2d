"""Fourteen faults of the suite, each against real brokers; `make crash` plays all of them, and the mutations."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.run import play
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.kafka.find import Kafka

SEED = 1
SHARED = [scenario for scenario in SCENARIOS.values() if scenario.quick and not scenario.brokers]
OWN = [scenario for scenario in SCENARIOS.values() if scenario.quick and scenario.brokers]


@pytest.mark.crash
@pytest.mark.kafka
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", SHARED, ids=lambda scenario: scenario.name)
def test_a_fault_loses_nothing_and_repeats_no_more_than_it_accounts_for(
    scenario: Scenario, kafka: Kafka, tmp_path: Path
) -> None:
    outcome = play(scenario, kafka, tmp_path, SEED)
    assert not outcome.failures, f"{outcome.failures}\n{outcome.evidence()}"


@pytest.mark.crash
@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", OWN, ids=lambda scenario: scenario.name)
def test_a_fault_of_the_broker_loses_nothing_and_repeats_nothing(
    scenario: Scenario, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    cluster = request.getfixturevalue("make_kafka")(brokers=scenario.brokers)
    outcome = play(scenario, cluster, tmp_path, SEED)
    assert not outcome.failures, f"{outcome.failures}\n{outcome.evidence()}"


def test_fifteen_scenarios_are_played_by_every_run() -> None:
    assert len(SHARED) + len(OWN) == 15
