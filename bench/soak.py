"""`python -m bench soak`: hours of steady load, and whether memory, lag and open files stay what they were.

One worker first shows what it can do while events are written as fast as it takes them; then events come at a part of
that, and samples are taken. The broker deletes what is old, the simulator keeps no log: what has to hold at the end is
that every event has one result and was at the provider once, by counting.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

import orjson
import psutil
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from bench.ends import Ends
from bench.verdict import Point, Verdict, judge
from connector.cli.plot import COLOURS, panels, thousands
from tests.integration.pipeline import Pipeline, event
from tests.kafka import find
from tests.kafka.ports import free_ports
from tests.processes import ConnectorProcess

PARTITIONS, CAMPAIGNS, LATENCY_SECONDS = 12, 15, 0.05
CAPACITY_SECONDS = 30.0
BACKLOG = 100_000
"""Events without a result while the capacity is measured: enough to fill batches, and soon gone."""
STEP_SECONDS = 0.02
SAMPLES = 360
LAST_SECONDS = 60.0
"""Without a new result, at the end."""
BUSY = 1.5
"""Load average per core: worker, broker, provider and producer alone make about one."""

KEPT = {"retention.ms": "120000", "segment.ms": "30000", "segment.bytes": "67108864"}

# What counts as flat from the middle of the run to its end: memory 5 %; lag and open messages a second of events.
RSS_SHARE, LAG_SECONDS, FILES = 0.05, 1.0, 8


@dataclass(frozen=True, slots=True)
class Sample:
    """One look.

    Attributes:
        at: seconds since the load began.
        rate: results per second since the last look.
        lag: events written and without a result, seen from outside.
        open: messages the worker holds.
        rss: MB.
        files: open file descriptors.
        cpu: cores used since the last look.
        collections: garbage collections so far, of the oldest generation.
        machine: the load average of the whole machine: others may take what was there when the capacity was measured.
    """

    at: float
    rate: float
    lag: int
    open: int
    rss: float
    files: int
    cpu: float
    collections: int
    machine: float


@dataclass(frozen=True, slots=True)
class Soaked:
    """A whole run: what it was given, what was seen, what is wrong with it."""

    capacity: float
    rate: float
    events: int
    samples: list[Sample]
    verdicts: list[Verdict]
    faults: list[str]

    @property
    def holds(self) -> bool:
        return not self.faults and all(verdict.holds for verdict in self.verdicts)


def verdicts(samples: Sequence[Sample], rate: float) -> list[Verdict]:
    """What has to be flat, and how flat."""

    def points(name: str) -> list[Point]:
        return [(sample.at, float(getattr(sample, name))) for sample in samples]

    second = rate * LAG_SECONDS
    return [
        judge("resident memory, MB", points("rss"), share=RSS_SHARE),
        judge("lag, events", points("lag"), least=second),
        judge("open messages", points("open"), least=second),
        judge("open files", points("files"), least=FILES),
    ]


def soak(kafka: find.Kafka, folder: Path, *, seconds: float, load: float, console: Console) -> Soaked:
    """Run it. Whatever happens, nothing is left running.

    Args:
        kafka: a real one.
        folder: for files of workers and simulator.
        seconds: of steady load.
        load: part of the capacity.
        console: is told how it goes on.
    """
    with ExitStack() as stack:
        run = _Run(kafka, folder, stack)
        capacity = run.capacity(CAPACITY_SECONDS)
        rate = capacity * load
        console.print(f"capacity {capacity:,.0f} messages/s; {seconds:g} s at {rate:,.0f} messages/s …")
        samples = run.steady(rate, seconds)
        faults = run.finish()
        return Soaked(capacity, rate, run.produced, samples, verdicts(samples, rate), faults)


class _Run:
    """Topics, simulator, one worker, and the producer of events."""

    def __init__(self, kafka: find.Kafka, folder: Path, stack: ExitStack) -> None:
        def start(*arguments: str, name: str = "", env: Mapping[str, str] | None = None) -> ConnectorProcess:
            process = ConnectorProcess(folder / f"{name}.out", *arguments, env=env)
            stack.callback(process.kill)
            return process

        pipeline = Pipeline(folder, kafka.bootstrap, f"soak-{os.getpid()}", start, partitions=PARTITIONS)
        pipeline.log = Path(os.devnull)  # it would have gigabytes
        self._address = pipeline.simulate(f"json.latency={LATENCY_SECONDS}")
        pipeline.define("p0", records=1000, concurrency=24)
        (port,) = free_ports(1)
        self._page = f"http://127.0.0.1:{port}/metrics"
        pipeline.configure(health={"port": port}, log={"format": "json", "level": "info"})
        pipeline.create_topics()
        _forget_soon(kafka.bootstrap, pipeline.source, pipeline.results)
        self._ends = Ends(kafka.bootstrap, pipeline.results, PARTITIONS)
        stack.callback(self._ends.close)
        self._ends.wait()
        self._producer = Producer({"bootstrap.servers": kafka.bootstrap, "linger.ms": 10, "log_level": 0})
        self._source = pipeline.source
        self._worker = pipeline.worker()
        self._process = psutil.Process(self._worker.pid)
        self._worker.wait_for("partitions opened")
        self.produced = 0

    def capacity(self, seconds: float) -> float:
        """Results per second while there is always something to do; the first third is warming up."""
        started = time.monotonic()
        first: tuple[float, int] | None = None
        while True:
            done, now = self._ends.count(), time.monotonic()
            if first is None and now - started > seconds / 3:
                first = (now, done)
            if first is not None and now - started > seconds:
                return (done - first[1]) / (now - first[0])
            self._produce(max(0, BACKLOG - (self.produced - done)))
            self._producer.poll(STEP_SECONDS)

    def steady(self, rate: float, seconds: float) -> list[Sample]:
        """Events at an even rate, with looks at what the worker is like."""
        interval = max(1.0, seconds / SAMPLES)
        samples: list[Sample] = []
        began, before = time.monotonic(), self.produced
        done, cpu, looked = self._ends.count(), self._cpu(), began
        while (now := time.monotonic()) < began + seconds:
            self._produce(before + int((now - began) * rate) - self.produced)
            self._producer.poll(STEP_SECONDS)
            if now - looked < interval:
                continue
            assert self._worker.running, self._worker.output[-4000:]
            done_now, cpu_now, page = self._ends.count(), self._cpu(), self._read_page()
            sample = Sample(
                at=round(now - began, 1),
                rate=round((done_now - done) / (now - looked)),
                lag=self.produced - done_now,
                open=int(page["sms_connector_open_messages"]),
                rss=round(self._process.memory_info().rss / 1e6, 1),
                files=self._process.num_fds(),
                cpu=round((cpu_now - cpu) / (now - looked), 2),
                collections=int(page["sms_connector_gc_collections_total"]),
                machine=round(os.getloadavg()[0], 1),
            )
            samples.append(sample)
            done, cpu, looked = done_now, cpu_now, now
        return samples

    def finish(self) -> list[str]:
        """Wait for the last results, stop, and count; returns what does not add up."""
        self._producer.flush(30)
        if not self._everything():
            return [f"no new result for {LAST_SECONDS:g} s; {self.produced - self._ends.count():,} events have none"]
        code = self._worker.stop()
        results = self._ends.count()
        with urlopen(f"{self._address}/_stats", timeout=10) as answer:
            taken = orjson.loads(answer.read())["providers"]["json"]["taken"]
        found = {
            f"the worker ended with exit code {code}": code != 0,
            f"{results:,} results of {self.produced:,} events": results != self.produced,
            f"{taken:,} messages at the provider of {self.produced:,} events": taken != self.produced,
        }
        return [fault for fault, there in found.items() if there]

    def _everything(self) -> bool:
        """Wait for the last result, as long as there are new ones."""
        done, since = self._ends.count(), time.monotonic()
        while done < self.produced:
            time.sleep(1.0)
            before, done = done, self._ends.count()
            if done > before:
                since = time.monotonic()
            elif time.monotonic() - since > LAST_SECONDS:
                return False
        return True

    def _produce(self, count: int) -> None:
        for number in range(self.produced, self.produced + count):
            while True:
                try:
                    self._producer.produce(self._source, _event(number), partition=number % PARTITIONS)
                    break
                except BufferError:
                    self._producer.poll(STEP_SECONDS)
        self.produced += count

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _read_page(self) -> dict[str, float]:
        """The sum of every sample, by name; of generations only the oldest."""
        with urlopen(self._page, timeout=10) as answer:
            text = answer.read().decode()
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.labels.get("generation", "2") == "2":
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found


def _event(number: int) -> bytes:
    return orjson.dumps(event(number % 10_000_000, provider="p0", campaign=f"c{number % CAMPAIGNS}"))


def _forget_soon(bootstrap: str, *topics: str) -> None:
    """Half an hour of events is tens of gigabytes."""
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in KEPT.items()]
    resources = [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries) for topic in topics]
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    for answer in admin.incremental_alter_configs(resources).values():
        answer.result(30)


def remark(samples: Sequence[Sample], cores: int) -> str:
    """What speaks against the verdict, if anything does."""
    busy = median(sample.machine for sample in samples)
    if busy <= BUSY * cores:
        return ""
    return f"The machine was busy (load {busy:.1f} on {cores} cores): lag that grows may be others' doing."


def table(soaked: Soaked) -> Table:
    """For people."""
    made = Table("second half", "median", "growth", "at most", "", title="soak", title_justify="left")
    for it in soaked.verdicts:
        values = (f"{value:,.1f}" for value in (it.middle, it.growth, it.allowed))
        made.add_row(it.name, *values, "flat" if it.holds else "[red]GROWS[/]")
    return made


def figures(soaked: Soaked) -> dict[str, Any]:
    """What `report.add_to_json` takes of it: the verdicts; what every look saw is for the plot."""
    seconds = soaked.samples[-1].at if soaked.samples else 0.0
    said = {name: it for name, it in asdict(soaked).items() if name != "samples"}
    return {"seconds": round(seconds), **said, "holds": soaked.holds}


def write_plot(file: Path, about: Mapping[str, Any], soaked: Soaked) -> None:
    """Throughput, what waits, memory and files over time."""
    at = [sample.at / 60 for sample in soaked.samples]
    title = f"{soaked.events:,} events at {soaked.rate:,.0f}/s; {about['cpu']}, {about['cores']} cores"
    with panels(file, title, rows=4, size=(8.0, 7.2)) as drawn:
        columns = (
            ("Throughput: messages/s", ("rate",)),
            ("Waiting: messages", ("lag", "open")),
            ("Resident memory: MB", ("rss",)),
            ("Open files, full garbage collections", ("files", "collections")),
        )
        for axes, (heading, names) in zip(drawn, columns, strict=True):
            axes.set_title(heading)
            for name, colour in zip(names, COLOURS, strict=False):
                axes.plot(at, [getattr(sample, name) for sample in soaked.samples], color=colour, label=name)
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(thousands)
            if len(names) > 1:
                axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=2, borderaxespad=0.0)
        drawn[-1].set_xlabel("minutes")
