"""What scenarios of deeds do: a console beside the workers, asked to pause, to resume and to send a test message."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import Any

from tests import marked
from tests.crash.scene import LAUNCHER, REPOSITORY, Scene
from tests.kafka.ports import free_ports
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

HEADERS = {"X-Console": "1", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
TEST_NUMBER = "+919899999999"
DIED = 0
"""Instead of a status: the console has ended and answered nothing."""


class DeedsScene:
    """Consoles, and who asks them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._urls: list[str] = []
        self._url = ""
        self._console = ""

    def worker(self, name: str) -> None:
        """Start a worker that answers the console."""
        (port,) = free_ports(1)
        self._urls.append(f"http://127.0.0.1:{port}")
        self._scene.start(name, settings={"health.port": str(port)})

    def console(self, name: str, *faults: str) -> ConnectorProcess:
        """Start a console; `faults` are the launcher's options."""
        scene = self._scene
        command = [*scene.faults, *faults, "--marks", str(scene.folder / "marks.jsonl"), "console"]
        command += ["--config", str(scene.folder / "connector.yaml"), "--set", "web.port=0"]
        command += ["--set", f"web.workers={json.dumps(self._urls)}", "--set", f"web.test_numbers=['{TEST_NUMBER}']"]
        process = scene._start(*command, name=name, module=LAUNCHER, env={"PYTHONPATH": str(REPOSITORY)})
        scene.workers[name] = process
        process.wait_for('"event": "console"', within=60)
        found = re.search(r'"url": "(http://[^"]+?)/"', process.output)
        assert found is not None
        self._url, self._console = found[1], name
        self.until("/api/workers", lambda it: it["kafka"]["reachable"], "Kafka")
        self.until(
            "/api/providers",
            lambda it: (
                sum(one["workers"] for one in it["items"]) == len(it["items"]) * len(self._urls) > 0
                and not any(one["what"] == "control" for one in it["stale"])
            ),
            "workers and the control topic",
        )
        return process

    def close(self) -> None:
        """Stop the console, as an operator does."""
        self._scene.workers[self._console].terminate()
        self._scene.ended(self._console, 0)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and answer; DIED where the console ends meanwhile."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._url}{path}", data, headers=HEADERS, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                text = answer.read().decode()
                return answer.status, text if answer.headers["Content-Type"].startswith("text/") else json.loads(text)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")
        except OSError:
            return DIED, None

    def until(self, path: str, condition: Any, what: str) -> Any:
        """An answer of which something holds."""

        def look() -> Any:
            status, found = self.ask("GET", path)
            return found if status == 200 and condition(found) else None

        return wait_until(look, what, within=self._scene.patience)

    def steer(self, provider: str, *, paused: bool) -> int:
        """Pause or resume; the answer's status."""
        return self.ask("PUT", f"/api/providers/{provider}/state", {"paused": paused, "reason": "under review"})[0]

    def send_test(self, provider: str) -> int:
        """A test message; the answer's status."""
        event = {"body": f"hello {marked.TEXT}", "custom": {"hid": "h-test"}, "campaign_id": "test"}
        body = {"provider": provider, "number": 0, "reason": "does it arrive", "event": event}
        return self.ask("POST", "/api/studio/test", body)[0]

    def expect(self, what: str, found: int, *wanted: int) -> None:
        """A deed that is answered otherwise is a failure."""
        self._scene.check(
            found in wanted, f"{what}: answered {found or 'nothing'}, not {' or '.join(map(str, wanted))}"
        )

    def until_obeyed(self, provider: str) -> None:
        """Wait until all workers obey what was said last."""
        self.until(
            f"/api/providers/{provider}",
            lambda it: it["obeying"] == it["workers"] == len(self._urls) and it["slots"][0] == 0,
            f"all workers to obey about {provider}",
        )

    def known(self) -> list[str]:
        """What the audit log says of deeds without an end, the newest first."""
        _, found = self.ask("GET", "/api/audit")
        return [it["known"] for it in found["items"] if it["known"]]

    def control_records(self) -> int:
        """How many there are."""
        return self._scene.topics.count_control()
