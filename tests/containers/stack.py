"""docker-compose.yml, running: commands as users give them, events in, and the audit from outside."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.request import Request, urlopen

import orjson

from connector.cli.demo.audit import Audit, Event, SeenMessage, audit
from connector.model import Source, Status
from tests.containers.engine import Engine
from tests.containers.sandbox import REPOSITORY
from tests.kafka import records
from tests.waiting import wait_until

BOOTSTRAP = "127.0.0.1:9092"
SIMULATOR = "http://127.0.0.1:8025"
SOURCE, RESULTS = "sms.messages", "sms.results"
UP_SECONDS = 420.0

SAID: list[str] = []
"""Figures for the end of the run."""


class Stack:
    """What `docker compose` made of our file; with another broker, that and its fake provider."""

    def __init__(self, engine: Engine, bootstrap: str = BOOTSTRAP) -> None:
        self.engine = engine
        self.bootstrap = bootstrap

    def up(self) -> None:
        """The command that the compose file's first lines name, to the letter."""
        text = (REPOSITORY / "docker-compose.yml").read_text()
        (command,) = re.findall(r"^#\s+docker (compose up .*)$", text, re.MULTILINE)
        began = time.monotonic()
        self.engine.docker(*command.split(), within=UP_SECONDS)
        SAID.append(f"docker {command}: {time.monotonic() - began:.0f} s, from no image of ours to all healthy")

    def down(self) -> None:
        self.engine.compose("down", "--volumes")

    # ---- containers -------------------------------------------------------------------------------------------------

    def containers(self, service: str) -> list[str]:
        """Their names, in order; of stopped ones too."""
        listed = self.engine.compose("ps", "--all", "--format", "{{.Name}}", service)
        return sorted(listed.split())

    def state(self, name: str) -> dict[str, Any]:
        """Running, ExitCode, OOMKilled, Pid, and RestartCount beside them."""
        about = self.engine.inspect(name)
        state: dict[str, Any] = {**about["State"], "RestartCount": about["RestartCount"]}
        return state

    def wait_healthy(self, name: str) -> None:
        wait_until(
            lambda: self.state(name)["Health"]["Status"] == "healthy", f"{name} to be healthy", within=120, every=1
        )

    # ---- events and results -----------------------------------------------------------------------------------------

    def produce(self, numbers: Iterable[int]) -> int:
        """Write these events."""
        return records.produce(self.bootstrap, SOURCE, (orjson.dumps(event(number)) for number in numbers))

    def results(self) -> int:
        """Results so far."""
        return sum(records.end_offsets(self.bootstrap, RESULTS).values())

    def wait_for_results(self, count: int, *, within: float = 180.0) -> None:
        wait_until(lambda: self.results() >= count, f"{count} results", within=within, every=0.25)

    def turn(self, **knobs: Any) -> None:
        """Set the fake provider's knobs; those not named are reset."""
        request = Request(f"{SIMULATOR}/_control/json", orjson.dumps(knobs), method="PUT")
        urlopen(request, timeout=10).close()

    def requests(self) -> list[dict[str, Any]]:
        """What the fake provider was sent."""
        with urlopen(f"{SIMULATOR}/_log", timeout=30) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def taken(self) -> int:
        """Messages that the fake provider took."""
        return sum(len(request["taken"]) for request in self.requests())

    def audit(self) -> Audit:
        """Events, results and the provider's log against each other, of all that ever was in this stack."""
        events = [
            Event(Source(record.topic, record.partition, record.offset), *_identity(orjson.loads(record.value or b"")))
            for record in records.read_all(self.bootstrap, SOURCE)
        ]
        results = []
        for record in records.read_all(self.bootstrap, RESULTS):
            result = orjson.loads(record.value or b"")
            source = Source(*(result["source"][name] for name in ("topic", "partition", "offset")))
            results.append((source, Status(result["status"])))
        seen = [
            SeenMessage(record["to"], record["ref"], taken=kind == "taken")
            for request in self.requests()
            for kind in ("taken", "refused")
            for record in request[kind]
        ]
        return audit(events, results, seen)


def event(number: int) -> dict[str, Any]:
    """Event `number`, for the example's provider; its recipient is no magic number."""
    return {
        "message_id": f"c{number}",
        "provider": "simulated",
        "campaign_id": f"k{number % 3}",
        "to": f"+9198{number:07d}9",
        "body": f"Hello {number}",
    }


def _identity(document: Mapping[str, Any]) -> tuple[str, str]:
    return document["message_id"], document["to"]
