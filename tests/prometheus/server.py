"""A Prometheus with the configuration of the example, pointed at workers of a test, in a hurry."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from ruamel.yaml import YAML

from tests import guard
from tests.deploy.files import ALERTS, ROOT, read_yaml
from tests.kafka.ports import free_ports
from tests.prometheus.binaries import Binaries
from tests.waiting import wait_until

EXAMPLE = ROOT / "examples" / "compose" / "prometheus.yml"
TIMES = 30
"""A minute of a rule is two seconds here."""
SCRAPE = "1s"

_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])\b")
_SECONDS = re.compile(r"(?<=time_seconds [<>] )\d+|\b\d+(?= \* sms_connector:taken)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def hurried(rules: Mapping[str, Any], times: int = TIMES) -> dict[str, Any]:
    """The same rules with every window, `for` and age so many times shorter."""

    def shorter(found: re.Match[str]) -> str:
        number, unit = (found[1], found[2]) if found[1] else (found[3], found[4])
        return duration(f"{number}{unit}")

    def duration(text: str) -> str:
        return f"{int(text[:-1]) * _UNITS[text[-1]] * 1000 // times}ms"

    groups = []
    for group in rules["groups"]:
        made = []
        for rule in group["rules"]:
            query = _DURATION.sub(shorter, rule["expr"])
            query = _SECONDS.sub(lambda seconds: str(int(seconds[0]) // times), query)
            made.append({**rule, "expr": query} | ({"for": duration(rule["for"])} if "for" in rule else {}))
        groups.append({**group, "rules": made})
    return {"groups": groups}


class Prometheus:
    """One process with data of its own; `stop` ends it."""

    def __init__(self, programs: Binaries, folder: Path) -> None:
        self._folder = folder
        (port,) = free_ports(1)
        self._url = f"http://127.0.0.1:{port}/api/v1"
        self._targets = folder / "targets.json"
        self.discover([])
        rules = folder / "alerts.yml"
        YAML(typ="safe").dump(hurried(read_yaml(ALERTS)), rules)
        config = read_yaml(EXAMPLE)
        config["global"] |= {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE}
        config["rule_files"] = [str(rules)]
        (job,) = config["scrape_configs"]
        del job["dns_sd_configs"]
        job["file_sd_configs"] = [{"files": [str(self._targets)], "refresh_interval": SCRAPE}]
        file = folder / "prometheus.yml"
        YAML(typ="safe").dump(config, file)
        command = [programs.prometheus, f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}"]
        self._output = folder / "prometheus.out"
        self._process: subprocess.Popen[bytes] = guard.spawn(command, self._output)
        wait_until(self._answers, "Prometheus to answer", within=60)

    def discover(self, targets: Collection[str]) -> None:
        """From now on these are the workers, as `host:port`."""
        fresh = self._targets.with_suffix(".new")
        fresh.write_text(json.dumps([{"targets": list(targets)}]))
        fresh.rename(self._targets)

    def get(self, path: str, **arguments: str) -> Any:
        """What the API has to say."""
        with urlopen(f"{self._url}/{path}?{urlencode(arguments)}", timeout=10) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def alerts(self) -> dict[str, str]:
        """Alert and severity → pending or firing; the worse of several."""
        found: dict[str, str] = {}
        for it in self.get("alerts")["alerts"]:
            name = f"{it['labels']['alertname'].removeprefix('SmsConnector')} {it['labels']['severity']}"
            if found.get(name) != "firing":
                found[name] = it["state"]
        return found

    def wait_for(self, alert: str, state: str | None, *, within: float = 90.0) -> None:
        """Until the alert is in that state; None: neither pending nor firing."""
        what = f"{alert} to be {state or 'silent'}"
        wait_until(lambda: self.alerts().get(alert) == state, what, within=within, every=0.25)

    def stop(self) -> None:
        guard.end(self._process, within=10)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._output.read_text()[-2000:]
        try:
            self.get("status/buildinfo")
        except (URLError, OSError):
            return False
        return True
