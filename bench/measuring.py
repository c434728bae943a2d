"""One measurement: workers, a real broker and a provider on this machine, from the first result to the last."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import orjson
import psutil

from bench import audit, feed
from bench.cell import KINDS, Cell, Figures
from bench.ends import Ends
from bench.machine import calibrate
from bench.peer import Peer
from bench.processes import starter
from tests.integration.pipeline import AUTH, Pipeline
from tests.kafka import find
from tests.kafka.records import alter, delete
from tests.processes import ConnectorProcess

LOOK_SECONDS = 0.1
LIMIT_SECONDS = 300.0
STALL_SECONDS = 25.0
"""Without a new result, after which a peer is given up."""


@dataclass(frozen=True)
class Run:
    """What was seen while a cell ran.

    Attributes:
        done: results, or requests where there are none.
        since_start, since_first: seconds until the last of them; the first is that which was seen first.
        before: those that had come when the first one was seen.
        cpu, first_cpu: seconds of CPU of all workers, at the end and when the first result was seen.
        calibration: as in `Figures`.
        rss: bytes.
    """

    done: int
    since_start: float
    since_first: float
    before: int
    cpu: float
    first_cpu: float
    calibration: float
    rss: float

    def figures(self, cell: Cell) -> Figures:
        count = self.done - self.before
        # A start is measured with few messages, and has no rate.
        if count < cell.messages / 10 and not cell.light:  # over before it could be looked at
            raise AssertionError(f"{cell.name}: too short, give it more messages")
        return Figures(
            rate=count / max(self.since_first, LOOK_SECONDS),
            cpu=(self.cpu - self.first_cpu) / max(count, 1) * 1e6,
            calibration=self.calibration,
            rss=self.rss / 1e6,
        )


class Bench:
    """Measures cells one after the other; topics of equal events are shared.

    Args:
        root: whose `connector` runs; this checkout's by default.
        peer: what cells of `peer` run.
    """

    def __init__(self, kafka: find.Kafka, folder: Path, root: Path | None = None, *, peer: Peer | None = None) -> None:
        self._kafka = kafka
        self._folder = folder
        self._root = root or Path.cwd()
        self._peer = peer
        self._sources: dict[tuple[Any, ...], str] = {}
        self._number = 0

    def measure(self, cell: Cell) -> Figures:
        """Run one cell to its end and audit it: a rate of lost messages is no rate."""
        self._number += 1
        folder = self._folder / f"{self._number}"
        folder.mkdir(parents=True)
        with ExitStack() as stack:
            start = starter(folder, stack)
            unique = f"bench-{os.getpid()}-{self._root.name}-{self._number}"
            pipeline = Pipeline(folder, self._kafka.bootstrap, unique, start, partitions=cell.partitions)
            source = self._sources.get(_events(cell)) if cell.rate is None else None
            pipeline.source = source or pipeline.source
            address = self._provide(pipeline, cell, start)
            _define(pipeline, cell, address)
            pipeline.create_topics()
            ends = Ends(self._kafka.bootstrap, pipeline.results, cell.partitions)
            stack.callback(ends.close)
            ends.wait()
            if cell.light:
                alter(self._kafka.bootstrap, pipeline.results, {"message.timestamp.type": "LogAppendTime"})
            if cell.rate is None and source is None:
                feed.produce(pipeline, cell)
                self._sources[_events(cell)] = pipeline.source
            figures = self._run(pipeline, cell, address, ends, stack)
            delete(self._kafka.bootstrap, pipeline.results)
            return figures

    def _provide(self, pipeline: Pipeline, cell: Cell, start: Callable[..., ConnectorProcess]) -> str:
        """Where the provider is."""
        if not cell.light:
            return pipeline.simulate(f"{'pairs' if cell.kind == 'same text' else 'json'}.latency={cell.latency}")
        provider = start(str(cell.latency), str(cell.messages), name="provider", module="bench.provider")
        provider.wait_for("}\n")
        url: str = orjson.loads(provider.output)["url"]
        return url

    def _run(self, pipeline: Pipeline, cell: Cell, address: str, ends: Ends, stack: ExitStack) -> Figures:
        launched = time.time()
        workers = [self._start(pipeline, cell, f"w{number}", address, stack) for number in range(cell.workers)]
        if cell.rate is not None:
            for worker in workers:
                worker.wait_for("partitions opened")
            arguments = (self._kafka.bootstrap, pipeline.source, cell)
            threading.Thread(target=feed.pace, args=arguments, daemon=True).start()
        bare = cell.who == "bare_post"
        seen = _watch(cell, workers, (lambda: _taken(address)["messages"]) if bare else ends.count)
        figures = seen.figures(cell)
        if bare:
            assert _taken(address) | {"again": 0, "messages": cell.messages} == _taken(address), _taken(address)
            return figures
        if cell.who == "connector":
            for worker in workers:
                assert worker.stop() == 0, worker.output[-2000:]
        elif cell.who != "peer":
            return figures
        if not cell.light:
            return audit.with_log(figures, pipeline, cell)
        for worker in workers:
            worker.kill()
        figures = replace(figures, whole_cpu=seen.cpu / max(1, seen.done) * 1e6)
        return audit.with_results(figures, pipeline, cell, _taken(address), launched)

    def _start(self, pipeline: Pipeline, cell: Cell, name: str, address: str, stack: ExitStack) -> ConnectorProcess:
        with inside(self._root):
            if cell.who == "connector":
                return pipeline.worker(name)
            env = {
                "BENCH_BROKERS": pipeline.bootstrap,
                "BENCH_SOURCE": pipeline.source,
                "BENCH_RESULTS": pipeline.results,
                "BENCH_GROUP": pipeline.unique,
                "BENCH_URL": f"{address}/json/send",
                "BENCH_SLOTS": str(cell.concurrency),
                "BENCH_MESSAGES": str(cell.messages),
            }
            output = pipeline.folder / f"{name}.out"
            if cell.who == "peer":
                assert self._peer is not None, f"{cell.name}: --peer says which"
                command, more = self._peer.command(cell)
                process = ConnectorProcess(output, env=env | more, command=command)
            else:
                process = ConnectorProcess(output, env=env, module=f"bench.{cell.who}")
            stack.callback(process.kill)
            return process


def _events(cell: Cell) -> tuple[Any, ...]:
    """What the source topic depends on."""
    return (cell.messages, cell.campaigns, cell.partitions, cell.providers, cell.transactions)


def _define(pipeline: Pipeline, cell: Cell, address: str) -> None:
    body, records = KINDS[cell.kind]
    for number in range(cell.providers):
        values = {"name": f"p{number}", "records": records, "concurrency": cell.concurrency, "more": cell.more}
        text = body.format(simulator=address, auth=AUTH, **values)
        (pipeline.folder / "definitions" / f"p{number}.yaml").write_text(text)
    log = {"format": "json", "level": "warning" if cell.rate is None else "info"}
    pipeline.configure(**{"log": log, **cell.settings})


def _watch(cell: Cell, workers: Sequence[ConnectorProcess], count: Callable[[], int]) -> Run:
    """Look until everything has come, or until nothing comes any more of a peer."""
    processes = [psutil.Process(worker.pid) for worker in workers]
    if cell.pinned:
        cores = psutil.Process().cpu_affinity()
        for number, process in enumerate(processes):
            process.cpu_affinity([cores[-1 - number % len(cores)]])
    started = moved = time.monotonic()
    first: tuple[float, float, int] | None = None
    calibrations, rss, cpu, last = [], 0.0, 0.0, 0
    while True:
        calibrations.append(calibrate())
        done, now = count(), time.monotonic()
        with _ended(cell):
            cpu = sum(sum(process.cpu_times()[:2]) for process in processes)
            rss = max(rss, *(process.memory_info().rss for process in processes))
        if first is None and done > 0:
            first = (now, cpu, done)
        if done > last:
            last, moved = done, now
        if done >= cell.messages:
            break
        if cell.who == "peer" and now - moved > STALL_SECONDS:
            now = moved
            break
        for worker in workers:
            assert worker.running, f"{cell.name}: {worker.output[-2000:]}"
        assert now - started < LIMIT_SECONDS, f"{cell.name}: {done} of {cell.messages} results"
        time.sleep(LOOK_SECONDS)
    assert first is not None, f"{cell.name}: no result. {workers[0].output[-2000:]}"
    calibration = statistics.median(calibrations)
    return Run(done, now - started, now - first[0], first[2], cpu, first[1], calibration, rss)


def _taken(address: str) -> dict[str, int]:
    """What the light provider has counted."""
    with urlopen(address, timeout=20) as reply:
        counts: dict[str, int] = orjson.loads(reply.read())
    return counts


@contextmanager
def _ended(cell: Cell) -> Iterator[None]:
    """A script that has done its work may be gone before it is looked at; anything else may not."""
    try:
        yield
    except psutil.NoSuchProcess:
        if cell.who != "bare_post":
            raise


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Processes started meanwhile import what stands there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
