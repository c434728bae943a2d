"""Every scenario, by what the alerts ask."""

from tests.prometheus.scenarios import kafka, people, presence, providers, way_back

SCENARIOS = [*presence.SCENARIOS, *kafka.SCENARIOS, *providers.SCENARIOS, *people.SCENARIOS, *way_back.SCENARIOS]
