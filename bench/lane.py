"""What a request costs in a whole worker but for Kafka and HTTP: microseconds of CPU, 64 requests at once.

`python -m bench.lane` puts a worker together as in production, from fetched events to acknowledged results. A
transport and brokers that answer at once stand in for what is outside: some 10 µs of each request. Eight replies land
in one turn of the event loop. `--report` writes the journal before each request.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import Final
from unittest import mock

import orjson

from bench.events import event
from connector.definition.tree import Auth
from connector.model import Reply, Request
from tests.integration.pipeline import BATCHED
from tests.stream import test_pipeline as pipeline

SLOTS: Final = 64
TOGETHER: Final = 8
MESSAGES: Final = 4_000
"""Per turn: half a second."""

TURNS: Final = 7
CAMPAIGNS: Final = 15
HEADERS: Final = {"content-type": "application/json"}


class AnsweringTransport:
    """Answers as the simulator's `json` does, some requests in each turn of the loop."""

    token_refreshes = 0

    def __init__(self, *_: object, **__: object) -> None:
        self._waiting: deque[tuple[asyncio.Future[Reply], Request]] = deque()

    async def send(self, request: Request, auth: Auth | None = None, _: object = None) -> Reply:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer)
        self._waiting.append((answer, request))
        return await answer

    def _answer(self) -> None:
        for _ in range(min(TOGETHER, len(self._waiting))):
            answer, request = self._waiting.popleft()
            answer.set_result(Reply(200, HEADERS, _taken(request.body or b"")))
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._answer)

    async def close(self) -> None:
        pass


def _taken(body: bytes) -> bytes:
    messages = orjson.loads(body)["msgs"]
    entries = [{"uid": it["uid"], "to": it["to"], "status": "queued", "id": f"5f2b6c1e-{it['uid']}"} for it in messages]
    return orjson.dumps({"batch": "b77", "results": entries})


async def measure(*, report: bool) -> list[float]:
    """Microseconds of CPU per request, turn by turn."""
    definition = BATCHED.format(
        name="acme",
        simulator="http://127.0.0.1:1",
        auth="",
        records=1,
        concurrency=SLOTS,
        more="on_uncertain: report" if report else "",
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("connector.stream.lanes.HttpTransport", AnsweringTransport),
    ):
        worker = pipeline.Bench(Path(folder), definition, delivery="live")
        async with worker.running():
            (lane,) = worker.parts.lanes.current.values()
            lane.share(1.0)
            await _turn(worker, 0)  # until all slots are in use
            return [await _turn(worker, 1 + turn) for turn in range(TURNS)]


async def _turn(worker: pipeline.Bench, turn: int) -> float:
    numbers = range(turn * MESSAGES, (turn + 1) * MESSAGES)
    values = [orjson.dumps(event(number, provider="acme", campaign=f"c{number % CAMPAIGNS}")) for number in numbers]
    started = time.process_time()
    await worker.read(*values)
    await worker.settled(worker.brokers.end)
    return (time.process_time() - started) / MESSAGES * 1e6


def main() -> None:
    """Measure, and print the best turn and the median."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--report", action="store_true")
    chosen = options.parse_args()
    logging.basicConfig(level=logging.WARNING)
    figures = asyncio.run(measure(report=chosen.report))
    sys.stdout.write(f"{min(figures):.1f} µs of CPU per request, median {statistics.median(figures):.1f}\n")


if __name__ == "__main__":
    main()
