"""The fake provider as a process: its faults, and its log as it grows."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import marked
from tests.crash.audit import Send, read_send
from tests.processes import ConnectorProcess
from tests.waiting import wait_until


class Simulator:
    """One fake provider as a process, and its log.

    Args:
        name: of the provider.
        fake: which of the simulator's.
    """

    def __init__(self, folder: Path, name: str, latency: float, *, fake: str = "json") -> None:
        self._fake = fake
        self._log = folder / f"{name}.jsonl"
        self._place = 0
        self._sends: list[Send] = []
        command = ["simulate", "--port", "0", "--json", "--provider", fake, "--log", str(self._log)]
        self._always = {"client_id": "crash", "client_secret": marked.PASSWORD} if fake == "single" else {}
        if fake == "json":
            command += ["--set", f"json.credentials=crash:{marked.PASSWORD}"]
        knobs = {"latency": latency, **self._always}
        command += [part for knob, value in knobs.items() for part in ("--set", f"{fake}.{knob}={value}")]
        self.process = ConnectorProcess(folder / f"simulator-{name}.out", *command)
        wait_until(lambda: "\n" in self.process.output, "the simulator to serve")
        self.url: str = json.loads(self.process.output.splitlines()[0])["providers"][fake]

    def set(self, knobs: Mapping[str, Any]) -> None:
        address = self.url.replace(f"/{self._fake}", f"/_control/{self._fake}")
        body = json.dumps({**self._always, **knobs}).encode()
        request = urllib.request.Request(address, body, method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def sends(self) -> list[Send]:
        """What has reached it so far."""
        with self._log.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._place += len(line)
                self._sends.append(read_send(line))
        return self._sends
