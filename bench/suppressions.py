"""The list of who must not be texted, with ten million numbers: what it takes to have it, to hold it and to ask it.

A worker is started without the list, with it from nothing, and from its snapshot; what a number costs is the difference
of their memory. Time is that from the start of the process until `/health/ready` says 200; while the list is read it
has to say how far it is.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from rich.table import Table

from bench.processes import starter
from connector.model import Message
from connector.suppressions import snapshot
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.policy import Exemptions, SuppressionPolicy
from tests.crash.suppression_scene import readiness
from tests.integration.pipeline import Pipeline, event
from tests.kafka.find import Kafka
from tests.kafka.ports import free_ports
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

NUMBERS = 10_000_000
MESSAGES = 20_000
LIMIT_SECONDS, LOOK_SECONDS = 300.0, 0.05
BATCH_BYTES = 900_000
VALUE = b'{"since":"2026-01-01T00:00:00Z","by":"import","who":"ops"}'
SPREAD, PRIME, FIRST = 2_654_435_761, 4_000_000_007, 440_000_000_000
"""The n-th number is n × SPREAD modulo PRIME, a distinct one for each n; those of messages are none of them."""
ASKED = 1_000
"""Messages of a batch that the list is asked about."""
HEAD = ("the list", "measured", "at most")
_progress = re.compile(r"suppressions are read: ([\d,]+) of ([\d,]+) records")


@dataclass(frozen=True)
class Started:
    """A worker that is ready and has sent some messages.

    Attributes:
        seconds, cpu: from the start of its process until it was ready.
        megabytes, peak: resident memory, when it had nothing more to do, and at most.
        told: how often it said another number of records while it was not ready.
    """

    seconds: float
    cpu: float
    megabytes: float
    peak: float
    told: int


@dataclass(frozen=True)
class Measured:
    """One figure.

    Attributes:
        most: what was promised; None where nothing was.
    """

    what: str
    value: float
    unit: str
    most: float | None = None

    @property
    def exceeded(self) -> bool:
        """It is more than it may be."""
        return self.most is not None and self.value > self.most


def measure(kafka: Kafka, folder: Path, say: Any, *, numbers: int = NUMBERS) -> list[Measured]:
    """Everything, on one broker."""
    with ExitStack() as stack:
        pipeline = Pipeline(folder, kafka.bootstrap, f"list-{folder.name}", starter(folder, stack), partitions=4)
        pipeline.simulate("json.latency=0")
        pipeline.define(records=1_000)
        (port,) = free_ports(1)
        kept = folder / "list"
        pipeline.configure(health={"port": port}, suppressions={"enabled": True, "folder": str(kept)})
        pipeline.create_topics()
        before = time.monotonic()
        asyncio.run(_fill(kafka.bootstrap, f"{pipeline.unique}.suppressions", numbers))
        say(f"{numbers:,} numbers written in {time.monotonic() - before:.0f} s")
        without = _start(pipeline, "without", port, "--set", "suppressions.enabled=false")
        say(f"without the list: {without}")
        nothing = _start(pipeline, "nothing", port)
        say(f"from nothing: {nothing}")
        restored = _start(pipeline, "restored", port)
        say(f"from its snapshot: {restored}")
        listed = _listed(pipeline, numbers)
        asked = _asked(pipeline, kept / "suppressions.snapshot")
        return [*figures(numbers, without, nothing, restored), *asked, *listed]


def figures(numbers: int, without: Started, nothing: Started, restored: Started) -> list[Measured]:
    """What three starts come to; what is promised is promised for ten million."""
    part = numbers / NUMBERS
    return [
        Measured("ready from nothing", nothing.seconds, "s", 60.0),
        Measured("CPU until then, beyond that of a start without it", nothing.cpu - without.cpu, "s"),
        Measured("how often it said how far it is", float(nothing.told), ""),
        Measured("ready from the snapshot, later than without the list", restored.seconds - without.seconds, "s", 2.0),
        Measured("CPU until then, beyond that of a start without it", restored.cpu - without.cpu, "s"),
        Measured("memory, read from nothing", nothing.megabytes - without.megabytes, "MB", 100.0 * part),
        Measured("memory, from the snapshot", restored.megabytes - without.megabytes, "MB", 100.0 * part),
        Measured("memory at most, while it was read from nothing", nothing.peak - without.peak, "MB"),
    ]


def _start(pipeline: Pipeline, name: str, port: int, *options: str) -> Started:
    """One start, some messages, and a stop: what is to be on disk then is."""
    began = time.monotonic()
    worker = pipeline.run(*options, name=name)
    process, told = psutil.Process(worker.pid), set[str]()

    def ready() -> bool:
        assert worker.running, worker.output[-3000:]
        status, said = readiness(port)
        told.update(it[0] for it in _progress.finditer(said))
        return status == 200

    wait_until(ready, f"the worker {name} to be ready", within=LIMIT_SECONDS, every=LOOK_SECONDS)
    seconds, cpu = time.monotonic() - began, sum(process.cpu_times()[:2])
    count = pipeline.count_results() + MESSAGES
    pipeline.produce(event(number) for number in range(MESSAGES))
    wait_until(lambda: pipeline.count_results() >= count, f"{count} results", within=LIMIT_SECONDS)
    megabytes = process.memory_info().rss / 1e6
    peak = _peak(worker)
    assert worker.stop(within=120) == 0, worker.output[-3000:]
    return Started(seconds, cpu, megabytes, peak, len(told))


def _listed(pipeline: Pipeline, numbers: int) -> list[Measured]:
    """`suppress list`, all of it."""
    output = pipeline.folder / "listed.out"
    began = time.monotonic()
    command = [sys.executable, "-m", "connector", "suppress", "list", "--json", "--config", str(pipeline.config)]
    with output.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, "suppress list failed"
    with output.open("rb") as file:
        lines = sum(chunk.count(b"\n") for chunk in iter(functools.partial(file.read, 1 << 20), b""))
    assert lines == numbers, f"{lines} listed"
    return [
        Measured("`suppress list`: memory at most", used.ru_maxrss / 1e3, "MB"),
        Measured("`suppress list`: time", time.monotonic() - began, "s"),
    ]


def _peak(worker: ConnectorProcess) -> float:
    """Most resident memory so far, MB."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
    return int(found[1]) / 1e3 if found else 0.0


async def _fill(bootstrap: str, topic: str, numbers: int) -> None:
    """As an import does, in batches as large as the topic takes."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        batch, under_way = producer.create_batch(), list[Any]()
        for key in _keys(numbers):
            if batch.append(key=key, value=VALUE, timestamp=None) is None:
                under_way.append(await producer.send_batch(batch, topic, partition=0))
                batch = producer.create_batch()
                batch.append(key=key, value=VALUE, timestamp=None)
        under_way.append(await producer.send_batch(batch, topic, partition=0))
        await asyncio.gather(*under_way)
    finally:
        await producer.stop()


def _keys(numbers: int) -> Iterator[bytes]:
    for number in range(1, numbers + 1):
        yield str(FIRST + number * SPREAD % PRIME).encode()


def _asked(pipeline: Pipeline, file: Path) -> list[Measured]:
    """Reading the snapshot, and asking for messages of which none is in the list: the hot path."""
    phones, began = PhoneList(), time.process_time()
    cluster, topic = asyncio.run(_named(pipeline))
    assert snapshot.read(file, phones, cluster=cluster, topic=topic, oldest=0.0) is not None
    phones.finish(phones.prepare())
    read = time.process_time() - began
    policy = SuppressionPolicy(phones, Exemptions(campaigns=["otp-*"]), None)
    batches = [
        [Message("", f"+{FIRST + PRIME + batch * ASKED + number}") for number in range(ASKED)] for batch in range(100)
    ]
    best = min(_seconds(policy, batches) for _ in range(5))
    return [
        Measured("CPU of reading the snapshot", read, "s"),
        Measured("asking about a message", best / (len(batches) * ASKED) * 1e6, "µs", 1.0),
    ]


async def _named(pipeline: Pipeline) -> tuple[str, str]:
    """The cluster's id and the list's topic, as a snapshot has them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=pipeline.bootstrap)
    await admin.start()
    try:
        return str((await admin.describe_cluster())["cluster_id"]), f"{pipeline.unique}.suppressions"
    finally:
        await admin.close()


def _seconds(policy: SuppressionPolicy, batches: Sequence[Sequence[Message]]) -> float:
    began = time.process_time()
    for batch in batches:
        assert not policy.some(batch)
    return time.process_time() - began


def table(found: Sequence[Measured]) -> Table:
    """For people."""
    made = Table(*HEAD, title="suppressions", title_justify="left")
    for row in rows(found):
        made.add_row(*row)
    return made


def rows(found: Sequence[Measured]) -> list[list[str]]:
    """Of a table: `HEAD`."""
    return [[it.what, _shown(it.value, it.unit), "" if it.most is None else _shown(it.most, it.unit)] for it in found]


def _shown(value: float, unit: str) -> str:
    return f"{value:,.{0 if unit in {'MB', ''} else 2}f} {unit}".rstrip()


def as_json(numbers: int, found: Sequence[Measured]) -> dict[str, Any]:
    """What `add_to_json` takes."""
    return {"numbers": numbers, "figures": [asdict(it) for it in found]}
