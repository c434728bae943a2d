"""What a worker costs at low load: `python -m bench.low_load [--against FOLDER] [--rates 0,1,10,100,470]`.

Per rate: CPU time in percent of a core, wake-ups a second (voluntary switches of all threads), milliseconds of CPU per
message and from the event to its result. `--against` runs the connector of another checkout in turns with this one, on
the same brokers: only such figures compare. Health is on, as by default.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import orjson
from confluent_kafka import Producer

from bench.cell import KINDS
from bench.events import event
from bench.measuring import inside
from bench.processes import starter
from connector.settings.model import Settings
from tests.integration.pipeline import AUTH, Pipeline
from tests.kafka import find
from tests.kafka.local import FULL_JVM
from tests.kafka.ports import free_ports
from tests.kafka.records import alter, read_all

PARTITIONS, CAMPAIGNS = 12, 15
WARM_SECONDS, REST_SECONDS = 3.0, 2.0


@dataclass(frozen=True)
class Low:
    """What was seen. Milliseconds are None where nothing was sent."""

    core: float
    wake_ups: float
    cpu: float | None = None
    to_result: tuple[float, float] | None = None

    def __str__(self) -> str:
        shown = f"{self.core:6.2f} % of a core, {self.wake_ups:5.0f} wake-ups/s"
        if self.cpu is not None:
            shown += f", {self.cpu:6.2f} ms per message"
        if self.to_result is not None:
            shown += f", to result {self.to_result[0]:.0f} / {self.to_result[1]:.0f} ms (p50, p99)"
        return shown


@dataclass(frozen=True)
class Usage:
    """Of a process until now: seconds of CPU, and how often its threads went to sleep."""

    cpu: float
    wake_ups: int


def usage(pid: int) -> Usage:
    """Read what Linux counts, in nanoseconds: its ticks of 10 ms are too coarse here."""
    cpu, wake_ups = 0, 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        cpu += int((thread / "schedstat").read_text().split()[0])
        for line in (thread / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                wake_ups += int(line.split()[1])
    return Usage(cpu / 1e9, wake_ups)


def measure(kafka: find.Kafka, folder: Path, root: Path, *, rate: float, seconds: float, kind: str) -> Low:
    """One worker of `root` at a rate of messages per second, 0 for none."""
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        start = starter(folder, stack)
        pipeline = Pipeline(folder, kafka.bootstrap, f"low-{os.getpid()}-{folder.name}", start, partitions=PARTITIONS)
        most = int(rate * (WARM_SECONDS + seconds + REST_SECONDS)) + 1
        provider = start("0.05", str(most), name="provider", module="bench.provider")
        provider.wait_for("}\n")
        _define(pipeline, orjson.loads(provider.output)["url"], kind)
        pipeline.create_topics()
        alter(kafka.bootstrap, pipeline.results, {"message.timestamp.type": "LogAppendTime"})
        with inside(root):
            worker = pipeline.worker()
        worker.wait_for("partitions opened", within=60)
        stop = threading.Event()
        pacing = threading.Thread(target=_pace, args=(pipeline, rate, most, stop), daemon=True)
        if rate:
            pacing.start()
        time.sleep(WARM_SECONDS)
        before, done, began = usage(worker.pid), pipeline.count_results(), time.monotonic()
        time.sleep(seconds)
        after, count, took = usage(worker.pid), pipeline.count_results() - done, time.monotonic() - began
        stop.set()
        if rate:
            pacing.join()
            time.sleep(REST_SECONDS)
        assert worker.stop() == 0, worker.output[-2000:]
        cpu = after.cpu - before.cpu
        return Low(
            core=cpu / took * 100,
            wake_ups=(after.wake_ups - before.wake_ups) / took,
            cpu=cpu / count * 1000 if count else None,
            to_result=_to_result(pipeline) if rate else None,
        )


def _define(pipeline: Pipeline, url: str, kind: str) -> None:
    body, records = KINDS[kind]
    values = {"name": "p0", "records": records, "concurrency": 24, "more": "", "auth": AUTH}
    (pipeline.folder / "definitions" / "p0.yaml").write_text(body.format(simulator=url, **values))
    timeouts = Settings().timeouts
    pipeline.configure(
        health={"port": free_ports(1)[0]},
        timeouts={"session": f"{timeouts.session:g}s", "heartbeat": f"{timeouts.heartbeat:g}s"},
    )


def _pace(pipeline: Pipeline, rate: float, most: int, stop: threading.Event) -> None:
    producer = Producer({"bootstrap.servers": pipeline.bootstrap, "linger.ms": 0})
    began = time.monotonic()
    for number in range(most):
        wait = began + number / rate - time.monotonic()
        producer.poll(0)
        if wait > 0 and stop.wait(wait):
            break
        made = event(number, provider="p0", campaign=f"c{number % CAMPAIGNS}")
        producer.produce(pipeline.source, orjson.dumps(made), partition=number % PARTITIONS)
    producer.flush(30)


def _to_result(pipeline: Pipeline) -> tuple[float, float]:
    """From an event's time stamp to its result's; without the first ones, which wait for a connection."""
    results = {
        (source["partition"], source["offset"]): record.timestamp
        for record in pipeline.read_result_records()
        for source in [orjson.loads(record.value or b"")["source"]]
    }
    events = {(it.partition, it.offset): it.timestamp for it in read_all(pipeline.bootstrap, pipeline.source)}
    assert results.keys() == events.keys(), "each event has a result"
    waits = [results[place] - at for place, at in sorted(events.items(), key=lambda it: it[1])][2:]
    waits.sort()
    return waits[len(waits) // 2], waits[min(len(waits) - 1, int(len(waits) * 0.99))]


def turns(roots: Sequence[Path], rates: Sequence[float], rounds: int) -> Iterator[tuple[float, int, Path]]:
    """Rate by rate, round by round, each checkout after the other."""
    for rate in rates:
        for number in range(rounds):
            for root in roots:
                yield rate, number, root


def main() -> int:
    """Measure, and say each figure as it comes."""
    parser = argparse.ArgumentParser(prog="python -m bench.low_load", description=__doc__)
    parser.add_argument("--against", type=Path, help="another checkout, whose connector takes turns with this one's")
    parser.add_argument("--rates", default="0,1,10,100,470", help="messages per second")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--kind", choices=sorted(KINDS), default="batched")
    options = parser.parse_args()
    roots = [*([options.against] if options.against else []), Path.cwd()]
    rates = [float(rate) for rate in options.rates.split(",")]
    with tempfile.TemporaryDirectory(prefix="sms-low-") as name, find.find(Path(name) / "kafka", jvm=FULL_JVM) as found:
        for number, (rate, _, root) in enumerate(turns(roots, rates, options.rounds)):
            seen = measure(
                found.kafka, Path(name) / str(number), root, rate=rate, seconds=options.seconds, kind=options.kind
            )
            print(f"{rate:5g}/s {root.name:>12}: {seen}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
