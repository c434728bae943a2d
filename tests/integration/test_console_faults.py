"""A console that stays open while what it watches fails: Kafka killed and frozen, a worker that stands still."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.integration.console import RunningConsole, until, until_begun, workers
from tests.integration.pipeline import Pipeline, event
from tests.integration.small import two_providers
from tests.kafka.local import LocalKafka
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

READS = (
    *("/api/me", "/api/overview", "/api/providers", "/api/providers/sick", "/api/workers", "/api/partitions"),
    *("/api/definitions", "/api/audit", "/api/series?names=results&by=status", "/api/studio"),
)
HOSTILE = ("huge", "slow", "html", "list", "wrong", "deep", "bomb", "redirect")
WATCHERS = 10
ROUNDS = 30
GROWTH_BYTES = 64 * 1024**2
"""What a console may take more for an outage that is watched: curves, connections, and what malloc keeps."""

FAULTS: dict[str, tuple[Callable[[LocalKafka], None], Callable[[LocalKafka], None]]] = {
    "killed": (LocalKafka.kill, LocalKafka.restart),
    "frozen": (LocalKafka.pause, LocalKafka.resume),
}


SAID = {
    "html": b"<html>",
    "list": b"[]",
    "wrong": b'{"ready": 1, "reason": []}',
    "deep": b"[" * 1_000_000,
    "bomb": gzip.compress(b'{"x": "' + b"y" * (64 << 20), 1),
}


class HostileServer(ThreadingHTTPServer):
    """Says one thing."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, what: str) -> None:
        super().__init__(("127.0.0.1", 0), HostilePages)
        self.what = what


class HostilePages(BaseHTTPRequestHandler):
    """What is no status of a worker; each server says something else."""

    server: HostileServer

    def do_GET(self) -> None:
        what = self.server.what
        if what == "redirect":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/status")
            self.end_headers()
            return
        self.send_response(200)
        if what == "bomb":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        with suppress(OSError):
            self._say(what)

    def _say(self, what: str) -> None:
        self.wfile.write(SAID.get(what, b""))
        for _ in range(3_000 if what == "huge" else 100 if what == "slow" else 0):
            self.wfile.write(b" " * 10_000 if what == "huge" else b" ")
            if what == "slow":
                threading.Event().wait(0.2)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hostile_pages() -> Iterator[list[str]]:
    servers = [HostileServer(what) for what in HOSTILE]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    yield [f"http://127.0.0.1:{server.server_port}" for server in servers]
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def resident(console: RunningConsole) -> int:
    pages = Path(f"/proc/{console.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


@pytest.mark.parametrize("fault", FAULTS)
def test_kafka_goes_and_comes_under_open_pages(
    fault: str, own_kafka: LocalKafka, tmp_path: Path, start_connector: StartConnector
) -> None:
    pipeline = Pipeline(tmp_path, own_kafka.bootstrap, f"away-{fault}", start_connector)
    two_providers(pipeline)
    pipeline.configure()
    pipeline.create_topics()
    (worker,), urls = workers(pipeline, 1)
    console = RunningConsole(pipeline, start_connector, workers=urls, test_numbers="['+919899999999']")
    worker.wait_for("partitions opened")
    console.wait("/api/overview", lambda it: it["kafka"]["reachable"] and len(it["providers"]) == 2, "Kafka")
    assert console.steer("sick", paused=True)[0] == 200
    with ExitStack() as stack:
        tails = [stack.enter_context(console.tail()) for _ in range(WATCHERS)]
        for events in tails:
            until_begun(events)
        before = resident(console)
        go, come = FAULTS[fault]
        go(own_kafka)

        overview = console.wait("/api/overview", lambda it: not it["kafka"]["reachable"], "that Kafka is away")
        assert overview["sentence"].startswith("Kafka has not answered the console for ")
        assert overview["kafka"]["away_since"] is not None
        assert "kafka" in {it["what"] for it in overview["stale"]}
        assert {it["name"] for it in overview["providers"]} == {"sick", "healthy"}, "workers are asked all the same"
        for _ in range(ROUNDS):
            for path in READS:
                assert console.ask("GET", path)[0] == 200, path
        code, refused = console.steer("sick", paused=False)
        assert (code, refused["title"]) == (503, "Kafka does not answer the console: nothing can be changed")
        code, refused, _ = console.ask(
            "POST", "/api/studio/test", {"provider": "healthy", "number": 0, "reason": "does it arrive"}
        )
        assert code == 503, refused
        assert resident(console) - before < GROWTH_BYTES

        come(own_kafka)
        console.wait("/api/overview", lambda it: it["kafka"]["reachable"] and not it["stale"], "that Kafka is back")
        console.wait("/api/workers", lambda it: it["members"] == 1 and it["items"][0]["ready"], "the worker")
        for events in tails:
            until(events, lambda name, data: name == "count" and data["away"], "count that says that Kafka is away")
        with console.tail() as fresh:  # read by the same reader
            until_begun(fresh)
        pipeline.produce(event(n, provider="healthy") for n in range(100))
        for events in tails:
            assert until(events, lambda name, _: name == "row", "row")["provider"] == "healthy"
        assert console.steer("sick", paused=False)[0] == 200
    deeds = console.wait("/api/audit", lambda it: len(it["items"]) >= 4, "four records")["items"]
    assert [it["what"] for it in deeds].count("test.send") == 0, "what could not be recorded was not begun"
    assert "could not answer" not in console.process.output
    assert "Traceback" not in console.process.output
    assert console.process.stop() == 0


def test_a_worker_that_stands_still_is_silent_and_never_zero_and_comes_back_by_itself(
    pipeline: Pipeline, start_connector: StartConnector
) -> None:
    two_providers(pipeline)
    pipeline.configure(timeouts={"session": "40s", "heartbeat": "1s"})
    pipeline.create_topics()
    (still, other), urls = workers(pipeline, 2)
    console = RunningConsole(pipeline, start_connector, workers=urls)
    found = console.wait("/api/workers", lambda it: sum(w["ready"] is True for w in it["items"]) == 2, "two workers")
    waiting = {it["address"]: it for it in found["items"]}
    assert len(waiting) == 2
    still.pause()
    try:
        silent = console.wait("/api/workers", lambda it: sum(w["silent"] for w in it["items"]) == 1, "a silent one")
        (dead,) = [it for it in silent["items"] if it["silent"]]
        assert dead["error"] == "no answer in time"
        assert (dead["ready"], dead["rate"], dead["obeys"]) == (None, None, None), "nothing is not zero"
        assert dead["memory"] is not None, "what it said last stays"
        assert dead["seen"] is not None
        code, _ = console.steer("sick", paused=True)
        assert code == 200
        provider = console.wait("/api/providers/sick", lambda it: it["obeying"] == 1, "the other one obeys")
        assert provider["obeyed"] == "1 of 1 workers"
        assert {it["worker"] for it in provider["shares"]} != {dead["id"]}
        overview = console.get("/api/overview")
        assert "worker-missing" in {it["kind"] for it in overview["attention"]}
        assert any(it["what"] == "worker" and "without it" in it["sentence"] for it in overview["stale"])
    finally:
        still.resume()
    console.wait("/api/workers", lambda it: not any(w["silent"] for w in it["items"]), "both again")
    console.wait("/api/providers/sick", lambda it: it["obeyed"] == "2 of 2 workers", "both obey")
    assert other.running


def test_whatever_answers_where_a_worker_should_is_a_row_and_stops_nothing(
    pipeline: Pipeline, start_connector: StartConnector, hostile_pages: list[str]
) -> None:
    two_providers(pipeline)
    pipeline.configure()
    pipeline.create_topics()
    (worker,), urls = workers(pipeline, 1)
    places = [*json.loads(urls), *hostile_pages, "http://127.0.0.1:1"]
    console = RunningConsole(pipeline, start_connector, workers=json.dumps(places))
    worker.wait_for("partitions opened")
    found = console.wait("/api/workers", lambda it: any(w["ready"] for w in it["items"]), "the worker")
    console.wait("/api/workers", lambda it: len(it["items"]) == len(places), "a row for each address")
    before = resident(console)
    for _ in range(ROUNDS):
        found = console.get("/api/workers")
    assert sum(it["silent"] for it in found["items"]) == len(places) - 1
    assert resident(console) - before < GROWTH_BYTES
    wait_until(lambda: console.get("/api/overview")["kafka"]["reachable"], "Kafka")
    assert "could not answer" not in console.process.output
