"""What happens to workers, and which alerts fire when: played by `promtool test rules`.

An alert is written as its name without prefix, its severity and, if it has one, its namespace: `Failures critical`,
`Lag warning in staging`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.prometheus.fleet import WorkerSeries

PREFIX = "SmsConnector"
FIRING = 'ALERTS{alertstate="firing"}'
KEPT = "alertname, severity, namespace"


@dataclass(frozen=True)
class Scenario:
    """One.

    Attributes:
        name: a sentence of what must hold.
        workers: what Prometheus sees.
        firing: minute → every alert that fires then. What is in none of them never fires: all minutes are looked at.
        near: alerts that must stay silent because this is what they would be too loud about.
        others: series that are no worker's.
        every: minutes between two looks at the rules: more where days are played.
    """

    name: str
    workers: Sequence[WorkerSeries]
    firing: Mapping[int, Collection[str]]
    near: Sequence[str] = ()
    others: Sequence[Mapping[str, str]] = field(default=())
    every: int = 1

    @property
    def ever(self) -> set[str]:
        """All that fire at some time."""
        return set().union(*self.firing.values())

    @property
    def recovering(self) -> set[str]:
        """Those that fire and, at a later minute, do not."""
        minutes = sorted(self.firing)
        return {
            alert
            for position, minute in enumerate(minutes)
            for alert in self.firing[minute]
            if any(alert not in self.firing[later] for later in minutes[position:])
        }

    def document(self, rules: Path, shown: Mapping[str, Collection[str]] | None = None) -> str:
        """The file for promtool.

        Args:
            shown: by alert, labels that its summary shows and that it therefore must have.
        """
        last = max(self.firing)
        looks = [_look(FIRING, minute, alerts) for minute, alerts in self.firing.items()]
        looks.append(_look(f"last_over_time({FIRING}[{last}m])", last, self.ever))
        for minute, alerts in self.firing.items():
            for alert in sorted(alerts):
                name = without_namespace(alert)
                for label in (shown or {}).get(name, ()):
                    alertname, severity = name.split()
                    where = f'alertname="{PREFIX}{alertname}", severity="{severity}", {label}!=""'
                    having = f'ALERTS{{alertstate="firing", {where}}}'
                    looks.append(_look(having, minute, [it for it in alerts if without_namespace(it) == name]))
        series = [line for worker in self.workers for line in worker.written()]
        test = {"interval": "1m", "input_series": [*series, *self.others], "promql_expr_test": looks}
        return json.dumps(
            {"rule_files": [str(rules)], "evaluation_interval": f"{self.every}m", "tests": [test]}
        )  # JSON is YAML


def _look(alerts: str, minute: int, expected: Collection[str]) -> dict[str, Any]:
    samples = [{"labels": _labels(alert), "value": 1} for alert in sorted(expected)]
    return {"expr": f"group by ({KEPT}) ({alerts})", "eval_time": f"{minute}m", "exp_samples": samples}


def _labels(alert: str) -> str:
    words, _, namespace = alert.partition(" in ")
    name, severity = words.split()
    labels = {"alertname": PREFIX + name, "severity": severity} | ({"namespace": namespace} if namespace else {})
    return "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def short(rule: Mapping[str, Any]) -> str:
    """A rule of alerts.yml as scenarios write it."""
    return f"{rule['alert'].removeprefix(PREFIX)} {rule['labels']['severity']}"


def without_namespace(alert: str) -> str:
    """For the count of rules that are played."""
    return alert.partition(" in ")[0]
