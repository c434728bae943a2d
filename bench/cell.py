"""One measurement: workers, a real broker and the simulator on this machine, from the first result to the last."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from bench.events import event
from bench.machine import calibrate
from tests.integration.pipeline import AUTH, BATCHED, Pipeline
from tests.kafka import find
from tests.kafka.records import Event, read_all
from tests.kafka.transactional import Transaction
from tests.processes import ConnectorProcess

CELL_LOOK_SECONDS = 0.1
LIMIT_SECONDS = 300.0

# The same text to many numbers: one form, numbers joined. {0}: name, {1}: the simulator's address.
SAME_TEXT = """\
name: {name}
method: POST
url: {simulator}/pairs/send
parameters: {{pairs: {{to: "$${{To|digits}}", text: "$$TemplateID $$CampaignID"}}}}
batching: {{key: to, records: {records}}}
response:
  rules: [{{status: 200, when: "status == 'ok'", then: entries}}]
  entries: [{{each: messages, match: {{"To|digits": to}}, id: id, rules: [{{when: id, then: accept}}]}}]
limits: {{concurrency: {concurrency}}}
http: {{private_hosts: true}}
{more}
"""

# Body, records per request.
KINDS = {"batched": (BATCHED, 1000), "unbatched": (BATCHED, 1), "same text": (SAME_TEXT, 100)}


@dataclass(frozen=True)
class Cell:
    """What is measured.

    Attributes:
        name: unique in a run.
        messages: in the topic before the workers start; or, with a `rate`, produced while they run.
        campaigns: interleaved, round robin.
        latency: of the provider, seconds.
        kind: of the definition.
        rate: messages per second produced while it runs; None for a backlog.
        who: `connector`, or the script of this folder that is measured instead.
        pinned: each worker's threads stay on one core, where the system can say so; others may run there too.
        more: further lines of the definition.
        settings: of the connector, over the defaults.
        transactions: events per transaction of their producer; 0 for a producer without.
    """

    name: str
    messages: int = 200_000
    campaigns: int = 15
    latency: float = 0.0
    kind: str = "batched"
    concurrency: int = 24
    partitions: int = 12
    providers: int = 1
    workers: int = 1
    rate: float | None = None
    who: str = "connector"
    pinned: bool = False
    more: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    transactions: int = 0


@dataclass(frozen=True)
class Figures:
    """What was seen. None where it does not apply.

    Attributes:
        rate: results per second.
        cpu: microseconds of CPU per message, of all workers together.
        calibration: microseconds of CPU of decoding one event meanwhile, the median.
        rss: MB, the largest of the workers.
        fill: messages per request, without the last request of each campaign.
        to_send, to_result: milliseconds from the event's timestamp to the request's arrival and to the result: p50,
            p95, p99. Only with a rate: in a backlog it is the age of the backlog.
    """

    rate: float
    cpu: float
    calibration: float
    rss: float
    fill: float | None = None
    to_send: tuple[float, float, float] | None = None
    to_result: tuple[float, float, float] | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Bench:
    """Measures cells one after the other; topics of equal events are shared.

    Args:
        root: whose `connector` runs; this checkout's by default.
    """

    def __init__(self, kafka: find.Kafka, folder: Path, root: Path | None = None) -> None:
        self._kafka = kafka
        self._folder = folder
        self._root = root or Path.cwd()
        self._sources: dict[tuple[Any, ...], str] = {}
        self._number = 0

    def measure(self, cell: Cell) -> Figures:
        """Run one cell to its end and audit it: a rate of lost messages is no rate."""
        self._number += 1
        folder = self._folder / f"{self._number}"
        folder.mkdir(parents=True)
        with ExitStack() as stack:

            def start(
                *arguments: str, name: str = "", env: Mapping[str, str] | None = None, module: str = "connector"
            ) -> ConnectorProcess:
                process = ConnectorProcess(folder / f"{name}.out", *arguments, env=env, module=module)
                stack.callback(process.kill)
                return process

            unique = f"bench-{os.getpid()}-{self._root.name}-{self._number}"
            pipeline = Pipeline(folder, self._kafka.bootstrap, unique, start, partitions=cell.partitions)
            source = self._sources.get(_events(cell)) if cell.rate is None else None
            pipeline.source = source or pipeline.source
            self._define(pipeline, cell)
            pipeline.create_topics()
            ends = _Ends(self._kafka.bootstrap, pipeline.results, cell.partitions)
            stack.callback(ends.close)
            ends.wait()
            if cell.rate is None and source is None:
                _produce(pipeline, cell)
                self._sources[_events(cell)] = pipeline.source
            return self._run(pipeline, cell, ends, stack)

    def _define(self, pipeline: Pipeline, cell: Cell) -> None:
        fake = "pairs" if cell.kind == "same text" else "json"
        pipeline.simulate(f"{fake}.latency={cell.latency}")
        body, records = KINDS[cell.kind]
        for number in range(cell.providers):
            name = f"p{number}"
            text = body.format(
                name=name,
                simulator=pipeline.address,
                records=records,
                concurrency=cell.concurrency,
                more=cell.more,
                auth=AUTH,
            )
            (pipeline.folder / "definitions" / f"{name}.yaml").write_text(text)
        log = {"format": "json", "level": "warning" if cell.rate is None else "info"}
        pipeline.configure(**{"log": log, **cell.settings})

    def _run(self, pipeline: Pipeline, cell: Cell, ends: _Ends, stack: ExitStack) -> Figures:
        workers = [self._start(pipeline, cell, f"w{number}", stack) for number in range(cell.workers)]
        processes = [psutil.Process(worker.pid) for worker in workers]
        if cell.pinned:
            cores = psutil.Process().cpu_affinity()
            for number, process in enumerate(processes):
                process.cpu_affinity([cores[-1 - number % len(cores)]])
        if cell.rate is not None:
            for worker in workers:
                worker.wait_for("partitions opened")
            pacing = threading.Thread(target=_pace, args=(self._kafka.bootstrap, pipeline.source, cell), daemon=True)
            pacing.start()
        first: tuple[float, float, int] | None = None
        calibrations, rss, started = [], 0.0, time.monotonic()
        while True:
            calibrations.append(calibrate())
            done, now = ends.count(), time.monotonic()
            cpu = sum(sum(process.cpu_times()[:2]) for process in processes)
            rss = max(rss, *(process.memory_info().rss for process in processes))
            if first is None and done > 0:
                first = (now, cpu, done)
            if done >= cell.messages:
                break
            for worker in workers:
                assert worker.running, f"{cell.name}: {worker.output[-2000:]}"
            assert now - started < LIMIT_SECONDS, f"{cell.name}: {done} of {cell.messages} results"
            time.sleep(CELL_LOOK_SECONDS)
        assert first is not None
        since, cpu_before, before = first
        count = done - before
        if count < cell.messages / 10:  # over before it could be looked at
            raise AssertionError(f"{cell.name}: too short, give it more messages")
        figures = Figures(
            rate=count / (now - since),
            cpu=(cpu - cpu_before) / count * 1e6,
            calibration=statistics.median(calibrations),
            rss=rss / 1e6,
        )
        if cell.who != "connector":
            return figures
        for worker in workers:
            assert worker.stop() == 0, worker.output[-2000:]
        return _with_log(figures, pipeline, cell)

    def _start(self, pipeline: Pipeline, cell: Cell, name: str, stack: ExitStack) -> ConnectorProcess:
        with _inside(self._root):
            if cell.who == "connector":
                return pipeline.worker(name)
            env = {
                "BENCH_BROKERS": pipeline.bootstrap,
                "BENCH_SOURCE": pipeline.source,
                "BENCH_RESULTS": pipeline.results,
                "BENCH_GROUP": pipeline.unique,
                "BENCH_URL": f"{pipeline.address}/json/send",
            }
            process = ConnectorProcess(pipeline.folder / f"{name}.out", env=env, module=f"bench.{cell.who}")
            stack.callback(process.kill)
            return process


def _events(cell: Cell) -> tuple[Any, ...]:
    """What the source topic depends on."""
    return (cell.messages, cell.campaigns, cell.partitions, cell.providers, cell.transactions)


def _produce(pipeline: Pipeline, cell: Cell) -> None:
    """The backlog. In transactions one after the other, each committed: what a producer with exactly-once writes."""
    if not cell.transactions:
        pipeline.produce(_event(number, cell) for number in range(cell.messages))
        return
    transaction = Transaction(pipeline.bootstrap, pipeline.unique)
    for first in range(0, cell.messages, cell.transactions):
        numbers = range(first, min(first + cell.transactions, cell.messages))
        events = [Event(orjson.dumps(_event(it, cell)), partition=it % cell.partitions) for it in numbers]
        transaction.write(pipeline.source, *events)
        transaction.commit()
        if numbers.stop < cell.messages:
            transaction.begin()


def _event(number: int, cell: Cell) -> dict[str, Any]:
    campaign = number % cell.campaigns
    return event(number, provider=f"p{campaign % cell.providers}", campaign=f"c{campaign}")


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Processes started meanwhile import what stands there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


class _Ends:
    """Counts results by the ends of their topic, with one client for the whole cell."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench", "log_level": 0})
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]

    def count(self) -> int:
        return sum(self._consumer.get_watermark_offsets(it, timeout=10)[1] for it in self._partitions)

    def wait(self) -> None:
        """A topic that was just created has no leader yet."""
        end = time.monotonic() + 20
        while True:
            try:
                self.count()
            except KafkaException:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)
            else:
                return

    def close(self) -> None:
        self._consumer.close()


def _pace(bootstrap: str, topic: str, cell: Cell) -> None:
    """Produce at the cell's rate, in steps of a hundredth of a second at most."""
    assert cell.rate is not None
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    started = time.monotonic()
    for number in range(cell.messages):
        wait = started + number / cell.rate - time.monotonic()
        if wait > 0.001:
            producer.poll(0)
            time.sleep(min(wait, 1.0))
        producer.produce(topic, orjson.dumps(_event(number, cell)), partition=number % cell.partitions)
    producer.flush(30)


def _with_log(figures: Figures, pipeline: Pipeline, cell: Cell) -> Figures:
    """Audit what the provider saw, and add what only it can say."""
    sizes: defaultdict[Any, list[int]] = defaultdict(list)
    sent_at: dict[str, float] = {}
    for request in pipeline.requests():
        key = request["values"].get("cid") or str(request["taken"][0]["text"])
        sizes[key].append(request["count"])
        for record in request["taken"]:
            assert sent_at.setdefault(record["to"].lstrip("+"), request["time"]) == request["time"], "sent twice"
    assert len(sent_at) == cell.messages, f"{cell.name}: {len(sent_at)} of {cell.messages} were sent"
    full = [size for of_key in sizes.values() for size in of_key[:-1]]
    added: dict[str, Any] = {"fill": statistics.mean(full) if full and cell.kind != "unbatched" else None}
    if cell.rate is not None:
        events = {(it.partition, it.offset): it for it in read_all(pipeline.bootstrap, pipeline.source)}
        sends, results = [], []
        for record in pipeline.read_result_records():
            result = orjson.loads(record.value or b"")
            at = events[result["source"]["partition"], result["source"]["offset"]].timestamp
            sends.append(sent_at[result["to"].lstrip("+")] * 1000 - at)
            results.append(float(record.timestamp - at))
        added |= {"to_send": _percentiles(sends), "to_result": _percentiles(results)}
    return Figures(**{**asdict(figures), **added})


def _percentiles(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))] for share in (0.5, 0.95, 0.99))
    return p50, p95, p99
