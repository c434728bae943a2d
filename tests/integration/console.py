"""A console beside the workers of a pipeline, asked like a browser asks it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.integration.pipeline import Pipeline
from tests.kafka.ports import free_ports
from tests.processes import ConnectorProcess, StartConnector
from tests.waiting import wait_until

BROWSER = {"X-Console": "1", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}
SECONDS = 60.0


class RunningConsole:
    """One console process."""

    def __init__(self, pipeline: Pipeline, start: StartConnector, *, name: str = "console", **settings: Any) -> None:
        arguments = ["console", "--config", str(pipeline.config), "--set", "web.port=0"]
        for key, value in settings.items():
            arguments += ["--set", f"web.{key}={value}"]
        self.process: ConnectorProcess = start(*arguments, name=name)
        self.process.wait_for('"event": "console"')
        found = re.search(r'"url": "(http://[^"]+?)/"', self.process.output)
        assert found is not None
        self.url = found[1]

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Status, JSON and headers of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self.url}{path}", data, headers={**BROWSER, **(headers or {})}, method=method)
        try:
            with urlopen(request, timeout=60) as response:
                return response.status, json.loads(response.read() or b"null"), response.headers
        except HTTPError as error:
            return error.code, json.loads(error.read() or b"null"), error.headers

    def get(self, path: str) -> Any:
        """An answer that is 200."""
        status, found, _ = self.ask("GET", path)
        assert status == 200, found
        return found

    def wait(self, path: str, condition: Callable[[Any], bool], what: str) -> Any:
        """An answer of which something holds."""

        def look() -> Any:
            found = self.get(path)
            return found if condition(found) else None

        return wait_until(look, f"{what}; the console said {self.get(path)!r:.2000}", within=SECONDS)

    def steer(self, name: str, *, paused: bool, reason: str = "under review", **headers: str) -> tuple[int, Any]:
        """Pause or resume."""
        path = f"/api/providers/{name}/state"
        status, found, _ = self.ask("PUT", path, {"paused": paused, "reason": reason}, headers)
        return status, found

    @contextmanager
    def tail(self, query: str = "") -> Iterator[Iterator[tuple[str, Any]]]:
        """Events of the live tail: name and data."""
        with urlopen(Request(f"{self.url}/api/tail{query}"), timeout=60) as response:

            def events() -> Iterator[tuple[str, Any]]:
                name = ""
                for line in response:
                    if line.startswith(b"event: "):
                        name = line[7:].strip().decode()
                    elif line.startswith(b"data: "):
                        yield name, json.loads(line[6:])

            yield events()


def until(events: Iterator[tuple[str, Any]], wanted: Callable[[str, Any], bool], what: str) -> Any:
    """The data of the first event of which something holds; there is a count every second."""
    counts = 0
    for name, data in events:
        if wanted(name, data):
            return data
        counts += name == "count"
        assert counts < SECONDS, f"no {what} within {SECONDS:g} counts; the last one was {data}"
    raise AssertionError(f"the stream has ended before {what}")


def until_begun(events: Iterator[tuple[str, Any]]) -> None:
    """From now on no result is missed."""
    until(events, lambda name, data: name == "count" and data["begun"], "count that says that results are read")


def workers(pipeline: Pipeline, number: int) -> tuple[list[ConnectorProcess], str]:
    """Workers that answer on ports of this machine, and those as `web.workers` has them."""
    ports = free_ports(number)
    started = [pipeline.run("--set", f"health.port={port}", name=f"w{index}") for index, port in enumerate(ports)]
    return started, json.dumps([f"http://127.0.0.1:{port}" for port in ports])
