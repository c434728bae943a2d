"""The alert rules, played: each fires when it should, is silent when it should not, and recovers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.files import ALERTS, ROOT, alerts, rules
from tests.prometheus.binaries import Binaries
from tests.prometheus.scenario import Scenario, short, without_namespace
from tests.prometheus.scenarios import SCENARIOS

pytestmark = pytest.mark.timeout(300)

LEAST = 48


SHOWN = {
    short(rule): set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) - {"namespace", "pod", "instance"}
    for rule in alerts()
}
"""Labels of summaries; where a worker runs is told as far as the scrape tells it."""


def promtool(programs: Binaries, *arguments: str) -> str:
    """Run it; fails with what it says."""
    done = subprocess.run([programs.promtool, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda it: it.name)
def test_alerts(programs: Binaries, tmp_path: Path, scenario: Scenario) -> None:
    file = tmp_path / "scenario.yml"
    file.write_text(scenario.document(ALERTS, SHOWN))
    promtool(programs, "test", "rules", str(file))


def test_a_scenario_that_expects_something_else_fails(programs: Binaries, tmp_path: Path) -> None:
    file = tmp_path / "scenario.yml"
    for firing in ({33: []}, {33: ["NoWorkers critical", "Down critical"]}, {10: []}):
        wrong = Scenario("wrong", SCENARIOS[1].workers, firing)
        file.write_text(wrong.document(ALERTS))
        done = subprocess.run([programs.promtool, "test", "rules", str(file)], capture_output=True, check=False)
        assert (done.returncode != 0) == (firing != {10: []})


def test_every_rule_is_played_firing_recovering_and_silent() -> None:
    rules = {short(rule) for rule in alerts()}
    recovering = {without_namespace(alert) for it in SCENARIOS for alert in it.recovering}
    near = {alert for it in SCENARIOS for alert in it.near}
    assert recovering == rules
    assert near == rules
    assert len(SCENARIOS) >= LEAST
    assert len({it.name for it in SCENARIOS}) == len(SCENARIOS)
    for it in SCENARIOS:
        assert not {without_namespace(alert) for alert in it.ever} & set(it.near), it.name


def test_promtool_finds_no_fault_in_the_rules(programs: Binaries) -> None:
    assert f"{len(rules())} rules found" in promtool(programs, "check", "rules", str(ALERTS))


def test_promtool_finds_no_fault_in_the_configuration_of_the_example(programs: Binaries, tmp_path: Path) -> None:
    text = (ROOT / "examples" / "compose" / "prometheus.yml").read_text()
    mounted = "/etc/prometheus/alerts.yml"
    assert mounted in text
    file = tmp_path / "prometheus.yml"
    file.write_text(text.replace(mounted, str(ALERTS)))
    said = promtool(programs, "check", "config", str(file))
    assert "1 rule files found" in said
