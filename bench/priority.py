"""One-time passwords from a source of their own while a campaign keeps the worker busy and another provider is down."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import psutil
from confluent_kafka import Producer

from bench.audit import percentiles
from bench.cell import KINDS, Figures
from bench.ends import Ends
from bench.events import event
from bench.machine import calibrate
from bench.measuring import LIMIT_SECONDS, LOOK_SECONDS
from bench.processes import starter
from tests.integration.pipeline import AUTH, Pipeline
from tests.kafka import find
from tests.kafka.ports import free_ports
from tests.kafka.records import read_all

PARTITIONS, CAMPAIGNS, SLOTS = 12, 15, 64
SHARE = 0.2
RATE = 5.0
"""One-time passwords a second; every second one goes to the campaign's own provider, the others to one of their own."""
FIRST = 5_000_000
"""The number of the first of them: it tells them from the campaign's."""
DOWN_EACH = 50
"""Of so many events of the campaign's topic one is for the provider that is down."""


@dataclass(frozen=True)
class Saturation:
    """A campaign that takes the worker some twenty seconds.

    Attributes:
        kind: of its provider's definition.
    """

    name: str
    messages: int
    kind: str


CELLS = (
    Saturation("beside a batched campaign", 1_500_000, "batched"),
    Saturation("beside an unbatched campaign", 100_000, "unbatched"),
)


def measure(kafka: find.Kafka, folder: Path, cell: Saturation) -> Figures:
    """Rate and CPU are the campaign's, times those of the one-time passwords that were written meanwhile."""
    folder = folder / f"priority-{cell.kind}"
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        start = starter(folder, stack)
        pipeline = Pipeline(folder, kafka.bootstrap, f"bench-{os.getpid()}-{cell.kind}", start, partitions=PARTITIONS)
        urgent = f"{pipeline.unique}.priority"
        _define(pipeline, cell, urgent)
        pipeline.create_topics()
        pipeline.produce(_events(cell))
        ends = Ends(kafka.bootstrap, pipeline.results, PARTITIONS)
        stack.callback(ends.close)
        ends.wait()
        figures = _run(pipeline, cell, ends, urgent)
        return Figures(*figures, to_send=percentiles(_times(pipeline, urgent)))


def _define(pipeline: Pipeline, cell: Saturation, urgent: str) -> None:
    address = pipeline.simulate("json.latency=0")  # it is the worker that is to be busy
    nowhere = f"http://127.0.0.1:{free_ports(1)[0]}"
    for name, kind, url in (
        ("p0", cell.kind, address),
        ("passwords", "unbatched", address),
        ("down", "batched", nowhere),
    ):
        body, records = KINDS[kind]
        text = body.format(name=name, simulator=url, records=records, concurrency=SLOTS, more="", auth=AUTH)
        (pipeline.folder / "definitions" / f"{name}.yaml").write_text(text)
    pipeline.configure(log={"format": "json", "level": "warning"})
    document = orjson.loads(pipeline.config.read_bytes())
    document["topics"]["sources"] = [pipeline.source, {"topic": urgent, "share": SHARE}]
    pipeline.config.write_bytes(orjson.dumps(document))


def _events(cell: Saturation) -> Iterator[dict[str, Any]]:
    for number in range(cell.messages):
        if number % DOWN_EACH == 0:
            yield event(FIRST - 1 - number, provider="down", campaign="elsewhere")
        yield event(number, provider="p0", campaign=f"c{number % CAMPAIGNS}")


def _run(pipeline: Pipeline, cell: Saturation, ends: Ends, urgent: str) -> tuple[float, float, float, float]:
    worker = pipeline.worker()
    process = psutil.Process(worker.pid)
    first: tuple[float, float, int] | None = None
    calibrations, rss, started, stop = [], 0.0, time.monotonic(), threading.Event()
    writing = threading.Thread(target=_write, args=(pipeline.bootstrap, urgent, stop.wait), daemon=True)
    try:
        while True:
            calibrations.append(calibrate())
            done, now, cpu = ends.count(), time.monotonic(), sum(process.cpu_times()[:2])
            rss = max(rss, process.memory_info().rss)
            if first is None and done > 0:
                first = (now, cpu, done)
                writing.start()
            if done >= cell.messages:
                break
            assert worker.running, worker.output[-2000:]
            assert now - started < LIMIT_SECONDS, f"{cell.name}: {done} of {cell.messages} results"
            time.sleep(LOOK_SECONDS)
    finally:
        stop.set()
    assert first is not None, f"{cell.name}: too short, give it more messages"
    writing.join()
    written = sum(1 for _ in read_all(pipeline.bootstrap, urgent))
    pipeline.wait_for_results(cell.messages + written)
    worker.kill()  # those of the provider that is down stay open
    messages = done - first[2]
    calibration = statistics.median(calibrations)
    return messages / (now - first[0]), (cpu - first[1]) / messages * 1e6, calibration, rss / 1e6


def _write(bootstrap: str, topic: str, wait: Callable[[float], bool]) -> None:
    """One-time passwords at their rate, until `wait` says that it is enough."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    started = time.monotonic()
    for number in count():
        if wait(max(0.0, started + number / RATE - time.monotonic())):
            break
        values = event(FIRST + number, provider=("passwords", "p0")[number % 2], campaign="otp", priority="high")
        producer.produce(topic, orjson.dumps(values), partition=number % PARTITIONS)
        producer.poll(0)
    producer.flush(30)


def _times(pipeline: Pipeline, urgent: str) -> list[float]:
    """Milliseconds from the event's timestamp to the request's arrival, of every one-time password."""
    written = {
        orjson.loads(it.value or b"")["to"].lstrip("+"): it.timestamp for it in read_all(pipeline.bootstrap, urgent)
    }
    sent: dict[str, float] = {}
    for request in pipeline.requests():
        for record in request["taken"]:
            number = record["to"].lstrip("+")
            if number in written:
                assert number not in sent, "sent twice"
                sent[number] = request["time"] * 1000
    assert len(sent) == len(written), f"{len(sent)} of {len(written)} one-time passwords were sent"
    return [sent[number] - at for number, at in written.items()]
