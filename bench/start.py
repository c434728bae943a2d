"""How long a worker takes from the start of its process to its first result. `python -m bench.start [--runs 5]`

Cells: one worker and `--workers 2` on brokers whose groups do not wait for further members, one worker on brokers as
Kafka sets them (`group.initial.rebalance.delay.ms`, 3 s: a group that is empty waits so long), and a worker started
right after another was killed: the group gives a dead member's partitions away when its session has run out, unless
`static_membership` says that the new one is the old one. Wall-clock time: nothing else should run on the machine.

The first start is not counted: Python writes the compiled modules down then, which are in an image already. Without
them each start compiles them again, which takes nearly as long as all the rest.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psutil
from confluent_kafka import Consumer, TopicPartition

from bench.events import event
from bench.processes import starter
from connector.settings.model import Settings
from tests.integration.pipeline import AUTH, BATCHED, Pipeline
from tests.kafka.local import LocalKafka
from tests.processes import ConnectorProcess

PARTITIONS, CAMPAIGNS, EVENTS = 12, 15, 20_000
LIMIT_SECONDS = 60.0
KAFKAS_DELAY_MS = "3000"


@dataclass(frozen=True)
class StartCell:
    """A start that is measured.

    Attributes:
        delay_ms: `group.initial.rebalance.delay.ms` of the brokers.
        workers: of `run --workers`.
        killed: another worker was killed just before.
    """

    name: str
    delay_ms: str = "0"
    workers: int = 1
    killed: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


CELLS = (
    StartCell("start, 15 campaigns"),
    StartCell("start, --workers 2", workers=2),
    StartCell("start, Kafka's delay of 3 s", delay_ms=KAFKAS_DELAY_MS),
    StartCell("ready after kill", killed=True),
    StartCell("ready after kill, static", killed=True, settings={"static_membership": "w0"}),
)


@dataclass(frozen=True)
class Started:
    """Seconds from the start of the process to its first result, and the CPU seconds it had used by then."""

    seconds: float
    cpu: float


def measure(cell: StartCell, kafka: LocalKafka, folder: Path, number: int) -> Started:
    """One start. Fails with the worker's output where there is no result in time."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        start = starter(folder, stack)
        pipeline = Pipeline(folder, kafka.bootstrap, f"start-{os.getpid()}-{number}", start, partitions=PARTITIONS)
        _prepare(pipeline, cell)
        results = _Results(pipeline)
        stack.callback(results.close)
        if cell.killed:
            before = pipeline.run(name="before")
            results.wait(before)
            before.kill()
            results.drain()
            _produce(pipeline)
        began = time.monotonic()
        worker = pipeline.run("--workers", str(cell.workers), name="w")
        process = psutil.Process(worker.pid)
        results.wait(worker)
        seconds = time.monotonic() - began
        family = [process, *process.children(recursive=True)]
        cpu = sum(sum(each.cpu_times()[:2]) for each in family)
        assert worker.stop() == 0, worker.output[-2000:]
        return Started(seconds, cpu)


def _prepare(pipeline: Pipeline, cell: StartCell) -> None:
    pipeline.simulate("json.latency=0")
    text = BATCHED.format(name="p0", simulator=pipeline.address, records=1000, concurrency=24, more="", auth=AUTH)
    (pipeline.folder / "definitions" / "p0.yaml").write_text(text)
    timeouts = Settings().timeouts
    pipeline.configure(
        log={"format": "json", "level": "warning"},
        timeouts={"session": f"{timeouts.session:g}s", "heartbeat": f"{timeouts.heartbeat:g}s"},
        **cell.settings,
    )
    pipeline.create_topics()
    _produce(pipeline)


def _produce(pipeline: Pipeline) -> None:
    pipeline.produce(event(number, provider="p0", campaign=f"c{number % CAMPAIGNS}") for number in range(EVENTS))


class _Results:
    """Hears of results as they come."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": pipeline.bootstrap,
                "group.id": "bench",
                "auto.offset.reset": "earliest",
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(pipeline.results, number, 0) for number in range(PARTITIONS)])

    def wait(self, worker: ConnectorProcess) -> None:
        end = time.monotonic() + LIMIT_SECONDS
        while (message := self._consumer.poll(0.1)) is None or message.error() is not None:
            assert worker.running, worker.output[-2000:]
            assert time.monotonic() < end, f"no result\n{worker.output[-2000:]}"

    def drain(self) -> None:
        """Pass over what is there: nothing has come for a second."""
        while self._consumer.poll(1.0) is not None:
            pass

    def close(self) -> None:
        self._consumer.close()


def measure_all(folder: Path, runs: int, say: Callable[[str], None]) -> dict[str, dict[str, float]]:
    """Every cell `runs` times, in turns, so that what else the machine does weighs on all: best and median."""
    found: dict[str, list[Started]] = {cell.name: [] for cell in CELLS}
    number = 0
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for delay in dict.fromkeys(cell.delay_ms for cell in CELLS):
        kafka = LocalKafka(folder / f"kafka-{delay}", settings={"group.initial.rebalance.delay.ms": delay})
        try:
            kafka.start()
            measure(CELLS[0], kafka, folder / f"first-{delay}", 0)
            for _ in range(runs):
                for cell in (it for it in CELLS if it.delay_ms == delay):
                    number += 1
                    started = measure(cell, kafka, folder / str(number), number)
                    found[cell.name].append(started)
                    say(f"{cell.name}: {started.seconds:.2f} s, {started.cpu:.2f} s of CPU")
        finally:
            kafka.stop()
    return {
        name: {
            "best": min(it.seconds for it in its),
            "median": statistics.median(it.seconds for it in its),
            "cpu": statistics.median(it.cpu for it in its),
        }
        for name, its in found.items()
    }


def main() -> int:
    """Measure; the figures go to standard output as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sms-start-") as name:
        figures = measure_all(Path(name), options.runs, lambda line: print(line, file=sys.stderr, flush=True))
    print(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
