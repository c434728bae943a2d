"""Every scenario, by what the alerts ask."""

from tests.prometheus.scenarios import kafka, people, presence, providers

SCENARIOS = [*presence.SCENARIOS, *kafka.SCENARIOS, *providers.SCENARIOS, *people.SCENARIOS]
