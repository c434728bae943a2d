"""The console beside real workers, on a real Kafka: what it sees, what it does, and what it says of who is away."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest

from tests import marked
from tests.integration.console import RunningConsole, until, until_begun, workers
from tests.integration.pipeline import Pipeline, event
from tests.integration.small import two_providers
from tests.kafka.records import read_all
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


def ready(found: Any) -> int:
    return sum(worker["ready"] is True for worker in found["items"])


def test_what_the_console_sees_and_does(pipeline: Pipeline, start_connector: StartConnector) -> None:
    two_providers(pipeline)
    pipeline.configure()
    pipeline.create_topics()
    started, urls = workers(pipeline, 2)
    console = RunningConsole(pipeline, start_connector, workers=urls)
    for worker in started:
        worker.wait_for("partitions opened")

    found = console.wait("/api/workers", lambda it: it["members"] == 2 and ready(it) == 2, "two workers")
    assert not any(it["silent"] for it in found["items"])
    owned = [number for it in found["items"] for numbers in it["partitions"].values() for number in numbers]
    assert sorted(owned) == [0, 1, 2, 3]
    assert {digest for it in found["items"] for digest in it["definitions"].values()} == {
        it["digest"] for it in console.get("/api/definitions")
    }
    overview = console.wait("/api/overview", lambda it: it["kafka"]["reachable"], "Kafka")
    assert overview["sentence"] == "Nothing waits: whatever came has its result."
    assert overview["attention"] == []
    assert overview["stale"] == []

    # ---- paused: everybody obeys, and everything says who it was and why
    code, paused = console.steer("sick", paused=True, reason="sender id under review")
    assert (code, paused["warnings"], paused["state"]) == (200, [], "paused")
    paused = console.wait("/api/providers/sick", lambda it: it["obeying"] == 2, "both obey")
    assert paused["paused_by"]["who"] == "local"
    assert paused["sentence"] == "Paused by local: sender id under review. Its messages wait, and still expire."
    pipeline.produce(event(n, provider="sick" if n % 2 else "healthy") for n in range(400))
    pipeline.wait_for_results(200)
    attention = console.wait("/api/overview", lambda it: any(a["messages"] == 200 for a in it["attention"]), "200 wait")
    (one,) = attention["attention"]
    assert (one["kind"], one["subject"], one["messages"]) == ("provider-paused", "sick", 200)
    assert "resume" in {it.get("operation") for it in one["actions"]}
    assert "200 messages wait" in attention["detail"]
    rows = console.wait(
        "/api/partitions", lambda it: any(row["oldest"] for row in it["items"]), "what holds a partition"
    )["items"]
    holds = next(row for row in rows if row["oldest"])
    assert holds["oldest"]["holds"].startswith("provider sick is paused")
    assert holds["owner"] in {it["id"] for it in found["items"]}

    # ---- two people at once
    etag = paused["etag"]
    code, _ = console.steer("sick", paused=False, **{"If-Match": '"999"'})
    assert code == 412
    with console.tail("?status=accepted&provider=sick") as events:
        until_begun(events)
        code, resumed = console.steer("sick", paused=False, reason="approved", **{"If-Match": f'"{etag}"'})
        assert (code, resumed["warnings"]) == (200, [])
        row = until(events, lambda name, _: name == "row", "row")
    assert row["provider"] == "sick"
    assert re.fullmatch(r"\+\*+\d\d", row["to"])
    pipeline.wait_for_results(400)
    console.wait("/api/providers", lambda it: {p["state"] for p in it["items"]} == {"sending"}, "both send")
    console.wait("/api/providers/sick", lambda it: it["results"].get("accepted") == 200, "their results")

    # ---- what is written about it
    deeds = console.wait("/api/audit", lambda it: len(it["items"]) == 4, "four records")["items"]
    assert [(it["what"], it["done"]) for it in deeds] == [
        ("provider.resume", "done"),
        ("provider.resume", "asked"),
        ("provider.pause", "done"),
        ("provider.pause", "asked"),
    ]
    assert {it["who"] for it in deeds} == {"local"}
    assert deeds[0]["request"] == deeds[1]["request"] != deeds[2]["request"]
    control = read_all(pipeline.bootstrap, f"{pipeline.unique}.control")
    assert [(it.headers["by"].decode(), it.headers["reason"].decode()) for it in control] == [
        ("local", "sender id under review"),
        ("local", "approved"),
    ]
    assert orjson.loads(control[-1].value or b"") == {"paused": False}

    # ---- a worker that dies is listed as silent, and its figures are no zeros
    started[0].kill()
    silent = console.wait("/api/workers", lambda it: any(w["silent"] for w in it["items"]), "a silent worker")
    (dead,) = [it for it in silent["items"] if it["silent"]]
    assert dead["seen"] is not None
    assert dead["ready"] is None
    assert dead["memory"] is not None
    overview = console.get("/api/overview")
    assert "worker-missing" in {it["kind"] for it in overview["attention"]}
    assert "worker" in {it["what"] for it in overview["stale"]}

    paths = ("/api/overview", "/api/providers", "/api/workers", "/api/partitions", "/api/audit")
    marked.page(json.dumps([console.get(path) for path in paths]))
    console.process.terminate()
    wait_until(lambda: not console.process.running, "the console ends")
    assert console.process.stop() == 0
