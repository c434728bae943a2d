"""Many workers in one group: how long a rebalance takes them, what they ask of the brokers, what they hold.

Real workers as processes, on one machine: with 50 of them on two cores the time is the machine's, which has to import,
join and open 50 times at once. What does not depend on it is what a group of that size costs wherever it runs: the
rebalances that a change takes, requests of each kind, memory, CPU time of all workers together.

Each worker says in its log when it has opened and closed partitions; it is counted what it asks (`counting_worker`).
"""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import psutil
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from rich.table import Table

from bench.counting_worker import COUNT
from bench.processes import starter
from connector.settings.model import Settings
from tests.integration.pipeline import Pipeline
from tests.kafka import find
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

WORKERS, PARTITIONS = 50, 200
LIMIT_SECONDS, LOOK_SECONDS, STEADY_SECONDS = 300.0, 0.5, 3.0
COORDINATOR = ("FindCoordinator", "JoinGroup", "SyncGroup", "Heartbeat", "LeaveGroup", "OffsetFetch", "OffsetCommit")
"""Requests that the group's coordinator answers."""


@dataclass(frozen=True)
class Change:
    """What a change of the group took.

    Attributes:
        seconds: from the change until every partition was open again.
        standstill: from the first partition that was closed for it to the last that was opened; 0 where none was.
        rebalances: openings of the worker that had most.
        requests: by kind, of all workers; heartbeats as well.
        cpu: seconds, of all workers.
        megabytes: the median worker's memory at the end; not what it shares with others (USS).
    """

    name: str
    workers: int
    seconds: float
    standstill: float
    rebalances: int
    requests: Mapping[str, int]
    cpu: float
    megabytes: float

    @property
    def coordinator(self) -> int:
        """Requests to the group's coordinator."""
        return sum(self.requests.get(kind, 0) for kind in COORDINATOR)


@dataclass
class Member:
    """A worker, and what it has said: when it opened (how many partitions) and closed."""

    process: ConnectorProcess
    counts: Path
    _read: int = 0
    opened: list[tuple[float, int]] = field(default_factory=list)
    closed: list[float] = field(default_factory=list)

    def listen(self) -> None:
        """Read what it has logged meanwhile."""
        with self.process.path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        lines = new[: new.rfind(b"\n") + 1]
        self._read += len(lines)
        for line in lines.splitlines():
            if b"partitions opened" in line or b"partitions closed" in line:
                said = orjson.loads(line)
                at = datetime.fromisoformat(said["timestamp"]).timestamp()
                if said["event"] == "partitions opened":
                    self.opened.append((at, said["partitions"]))
                else:
                    self.closed.append(at)

    @property
    def owns(self) -> int:
        """Partitions that are open."""
        if not self.opened or (self.closed and self.closed[-1] > self.opened[-1][0]):
            return 0
        return self.opened[-1][1]

    @property
    def alive(self) -> bool:
        return self.process.running


class Fleet:
    """The workers of one group."""

    def __init__(self, pipeline: Pipeline, partitions: int) -> None:
        self._pipeline = pipeline
        self._partitions = partitions * (1 + len(Settings().topics.retry))  # each of a source has one of each tier
        self.members: list[Member] = []
        self._gone: Counter[str] = Counter()

    def add(self, count: int) -> None:
        """Start so many."""
        for number in range(len(self.members), len(self.members) + count):
            counts = self._pipeline.folder / f"counts-{number}.jsonl"
            process = self._pipeline.worker(f"w{number}", module="bench.counting_worker", BENCH_COUNTS=str(counts))
            self.members.append(Member(process, counts))

    def steady(self) -> bool:
        """Whether every partition is open, for some seconds, and nobody owns none."""
        for member in self.living:
            member.listen()
        owned = [member.owns for member in self.living]
        last = max((member.opened[-1][0] for member in self.living if member.opened), default=time.time())
        return sum(owned) == self._partitions and min(owned) > 0 and time.time() - last > STEADY_SECONDS

    @property
    def living(self) -> list[Member]:
        """Those that run; what ended by itself is a failure."""
        return [member for member in self.members if member.alive]

    def requests(self, since: float) -> Counter[str]:
        """What all have asked since then, by kind."""
        for member in self.living:
            before = member.counts.stat().st_mtime_ns if member.counts.exists() else 0
            member.process.send(COUNT)
            wait_until(lambda m=member, b=before: m.counts.exists() and m.counts.stat().st_mtime_ns > b, "its counts")  # type: ignore[misc]
        found: Counter[str] = Counter()
        for member in self.members:
            if member.counts.exists():
                for line in member.counts.read_bytes().splitlines():
                    second, kind, count = orjson.loads(line)
                    if second >= int(since):
                        found[kind] += count
        return found

    @contextmanager
    def cpu(self) -> Iterator[Callable[[], float]]:
        """Seconds that the workers use meanwhile: those that run at the end."""
        before = {member.process.pid: _cpu(member.process.pid) for member in self.living}
        yield lambda: sum(_cpu(it.process.pid) - before.get(it.process.pid, 0.0) for it in self.living)

    def change(self, name: str, change: Callable[[], object]) -> Change:
        """Make it, wait until all is steady, and tell what it took."""
        began = time.time()
        opened = {id(member): len(member.opened) for member in self.members}
        with self.cpu() as used:
            change()
            wait_until(self.steady, f"{name}: every partition to be open", within=LIMIT_SECONDS, every=LOOK_SECONDS)
            cpu = used()
        living = self.living
        ends = [it.opened[-1][0] for it in living]
        closed = [at for member in self.members for at in member.closed if at >= began]
        return Change(
            name=name,
            workers=len(living),
            seconds=max(ends) - began,
            standstill=max(ends) - min(closed) if closed else 0.0,
            rebalances=max(len(it.opened) - opened.get(id(it), 0) for it in living),
            requests=dict(self.requests(began)),
            cpu=cpu,
            megabytes=statistics.median(psutil.Process(it.process.pid).memory_full_info().uss for it in living) / 1e6,
        )

    def idle(self, seconds: float) -> Change:
        """What they take while nothing happens; per second, as `Change` has it for the whole time."""
        began = time.time()
        with self.cpu() as used:
            wait_until(lambda: time.time() - began >= seconds, "the time to pass", within=seconds + 30)
            cpu = used()
        requests = dict(self.requests(began))
        memory = statistics.median(psutil.Process(it.process.pid).memory_full_info().uss for it in self.living) / 1e6
        return Change(f"nothing, {seconds:g} s", len(self.living), seconds, 0.0, 0, requests, cpu, memory)


def _cpu(pid: int) -> float:
    return float(sum(psutil.Process(pid).cpu_times()[:2]))


def measure(
    kafka: find.Kafka, folder: Path, say: Callable[[str], None], *, workers: int = WORKERS, partitions: int = PARTITIONS
) -> list[Change]:
    """Start them, and change the group in the ways that a deployment does."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Change] = []
    with ExitStack() as stack:
        start = starter(folder, stack)
        pipeline = Pipeline(folder, kafka.bootstrap, f"many-{os.getpid()}", start, partitions=partitions)
        pipeline.simulate()
        pipeline.define()
        timeouts = Settings().timeouts
        pipeline.configure(timeouts={"session": f"{timeouts.session:g}s", "heartbeat": f"{timeouts.heartbeat:g}s"})
        pipeline.create_topics()
        _coordinated(kafka.bootstrap)
        fleet = Fleet(pipeline, partitions)

        def tell(change: Change) -> None:
            found.append(change)
            say(
                f"{change.name}: {change.seconds:.1f} s, standstill {change.standstill:.1f} s, "
                f"{change.rebalances} rebalances, {change.coordinator} requests to the coordinator, "
                f"{sum(change.requests.values())} in all, {change.cpu:.1f} s of CPU, {change.megabytes:.0f} MB each: "
                + ", ".join(f"{kind} {count}" for kind, count in Counter(change.requests).most_common())
            )

        def stop(number: int) -> int:
            return fleet.members[number].process.stop()

        tell(fleet.change(f"{workers} start", lambda: fleet.add(workers)))
        tell(fleet.idle(20.0))
        tell(fleet.change("one more joins", lambda: fleet.add(1)))
        tell(fleet.change("one is stopped", lambda: stop(0)))
        tell(fleet.change("one is killed", fleet.members[1].process.kill))
        tell(fleet.change("two more join", lambda: fleet.add(2)))

        def roll() -> None:
            """As a Deployment with `maxSurge: 25 %` does: a quarter starts, then as many are stopped."""
            quarter = max(1, workers // 4)
            old = [number for number, member in enumerate(fleet.members) if member.alive][:quarter]
            fleet.add(quarter)
            wait_until(fleet.steady, "the new ones", within=LIMIT_SECONDS, every=LOOK_SECONDS)
            for number in old:
                fleet.members[number].process.terminate()
            for number in old:
                fleet.members[number].process.wait()

        tell(fleet.change("a quarter is replaced", roll))
        for member in fleet.living:
            member.process.terminate()
        for member in fleet.living:
            member.process.wait(120)
    return found


HEAD = (
    "change",
    "workers",
    "until steady, s",
    "standstill, s",
    "rebalances",
    "requests to the coordinator",
    "requests",
    "CPU, s",
    "MB each",
)


def row(it: Change) -> list[str]:
    """A change as it is shown."""
    return [
        it.name,
        str(it.workers),
        f"{it.seconds:.1f}",
        f"{it.standstill:.1f}",
        str(it.rebalances),
        f"{it.coordinator:,}",
        f"{sum(it.requests.values()):,}",
        f"{it.cpu:.1f}",
        f"{it.megabytes:.0f}",
    ]


def _coordinated(bootstrap: str) -> None:
    """Wait until groups are coordinated: new brokers make the topic for it at the first question, behind all others."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})

    def known() -> bool:
        (asked,) = admin.describe_consumer_groups(["nobody"], request_timeout=10).values()
        try:
            asked.result()
        except KafkaException as error:
            return error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND
        return True

    wait_until(known, "a coordinator", within=LIMIT_SECONDS, every=LOOK_SECONDS)


def table(found: Sequence[Change]) -> Table:
    """The figures."""
    made = Table(*HEAD)
    for it in found:
        made.add_row(*row(it))
    return made


def as_json(found: Sequence[Change]) -> dict[str, Any]:
    """What `report.add_to_json` takes."""
    return {"changes": [asdict(it) for it in found]}
