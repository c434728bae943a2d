"""The files under deploy/, read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "sms-connector.json"


def read_yaml(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def read_all_yaml(path: Path) -> list[Any]:
    return [it for it in YAML(typ="safe").load_all(path) if it is not None]


def rules() -> list[dict[str, Any]]:
    """Alerts, and what they ask for."""
    return [rule for group in read_yaml(ALERTS)["groups"] for rule in group["rules"]]


def recorded() -> set[str]:
    """Names of the series that rules record."""
    return {rule["record"] for rule in rules() if "record" in rule}


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def dashboard() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def queries() -> list[str]:
    """Every query of alerts and dashboard."""
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return [rule["expr"] for rule in rules()] + panels
