"""One scenario's stage: topics, provider, workers as real processes, and everything a fault may be done to."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiokafka.errors
import orjson
from confluent_kafka import KafkaException
from confluent_kafka.admin import AclOperation

from connector.model import Campaign, Status
from connector.stream.control.table import campaign_record
from tests import marked
from tests.crash.audit import Evidence, Findings, Moment, Recorded, Send, audit
from tests.crash.definitions import FAKES, definition
from tests.crash.registry import MAP, Registry
from tests.crash.simulated import Simulator
from tests.crash.size import Size
from tests.crash.suppressed import Word, compare_words
from tests.crash.topics import Topics
from tests.kafka import records
from tests.kafka.acls import Acls, worker_settings
from tests.kafka.find import Kafka
from tests.kafka.local import LocalKafka
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
LAUNCHER = "tests.crash.launch"
NOBODY_LEFT = "no worker is left"
TAKE_OVER_SECONDS = 120.0
"""Long enough for a session to run out, a rebalance, a drain and the rest of a backlog on a busy machine."""


@dataclass
class Scene:
    """A stage; a context manager that ends every process it started.

    Attributes:
        name: prefix of topics and group; no other scenario has it.
        patience: seconds any progress may take.
        faults: the launcher's options for every worker.
        dice: everything random is drawn from here, so that a seed repeats a run as far as processes allow.
        moments: hard stops so far; a scenario that does one itself adds it.
        uncertain: messages the provider may have taken although their request was given up.
        doubtful, doubtful_least: messages whose reply does not say what happened to them, at most and at least.
        outage: the provider was away and nothing else: nobody may be given up.
        deeds: people do things through a console.
        over_cap: messages of a campaign that were sent beyond its cap, while it held.
        spared: results that were read before the topic was deleted.
        blocked: from when until when no result could be written.
        words: what was said of phone numbers, in order.
        concluded: what was found when a scenario had to compare before it went on.
        failures: what went wrong beyond the audit.
    """

    kafka: Kafka
    folder: Path
    name: str
    size: Size
    seed: int
    patience: float = TAKE_OVER_SECONDS
    faults: tuple[str, ...] = ()
    group: str = ""
    dice: random.Random = field(default_factory=random.Random)
    workers: dict[str, ConnectorProcess] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    uncertain: int = 0
    doubtful: int = 0
    doubtful_least: int = 0
    outage: bool = False
    deeds: bool = False
    blocked: list[tuple[float, float]] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    concluded: Findings | None = None
    over_cap: int = 0
    spared: list[Recorded] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    produced: int = 0
    _simulators: dict[str, Simulator] = field(default_factory=dict)
    _guarded: bool = False
    _registry: Registry | None = None

    def __enter__(self) -> Self:
        self.dice.seed(self.seed)
        self.group = self.group or self.name
        self.topics = Topics(self.kafka.bootstrap, self.name)
        self.topics.receives, self.topics.looks_up = self.size.receipts, self.size.lookups
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            if self.size.avro:
                self._registry = Registry()
            for name in self.size.providers:
                fake = FAKES.get(name, "json")
                self._simulators[name] = simulator = Simulator(self.folder, name, self.size.latency, fake=fake)
                (self.folder / f"{name}.yaml").write_text(definition(self.size, name, simulator.url))
            self.configure()
            self.create_topics()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.workers.values():
            process.kill()
        for simulator in self._simulators.values():
            simulator.process.kill()
        if self._registry is not None:
            self._registry.stop()

    def leaks(self) -> list[str]:
        """Secrets, recipients and texts that a worker has shown, or that stand where they must not; once it is over."""
        shown = [leak for worker in self.workers.values() for leak in worker.leaks()]
        return shown + marked.in_topics(
            self.topics.written(), results=self.topics.results, journals=[self.topics.journal]
        )

    # ---- the stage --------------------------------------------------------------------------------------------------

    def configure(self, *, memory: Mapping[str, int] | None = None, **timeouts: str) -> None:
        """Write connector.yaml (JSON is YAML), with some time-outs, or the memory, changed."""
        size, session = self.size, self.size.session
        drain = size.http_total + 10
        document = {
            "kafka": worker_settings(self.broker) if self._guarded else {"bootstrap.servers": self.kafka.bootstrap},
            "group": self.group,
            "topics": self.topics.settings(),
            "providers": [str(self.folder / f"{name}.yaml") for name in self.size.providers],
            "start_from": "earliest",
            "max_age": None,
            "wait": "200ms",
            "memory": memory or {},
            "duplicates": {"horizon": "1h" if self.size.repeats else None},
            "health": {"port": None},
            "log": {"format": "json", "level": "info"},
            "timeouts": {
                "session": f"{session:g}s",
                "heartbeat": f"{session / 4:g}s",
                "rebalance": f"{drain + 15:g}s",
                "drain": f"{drain:g}s",
                "http_total": f"{self.size.http_total:g}s",
                "broker_request": f"{max(20.0, session):g}s",
                "commit_interval": "500ms",
                "stuck": "180s",
                **timeouts,
            },
        }
        if self._registry is not None:
            document["registry"] = {"url": self._registry.url}
            document["topics"]["sources"] = [{"topic": self.topics.source, "format": "avro", "message": MAP}]
        if self.size.receipts:
            document["receive"] = {"url": "https://sms.example.com", "keys": ["k" * 32], "url_keys": ["u" * 32]}
        if size.receipts or size.suppresses:
            document["suppressions"] = {"enabled": True}
        (self.folder / "connector.yaml").write_text(json.dumps(document, indent=1))

    def create_topics(self) -> None:
        """As an operator does, and brokers' times on the results, so that "durable since" is known."""
        size = self.size
        done = self._start("topics", "create", "--config", str(self.folder / "connector.yaml"),
            "--partitions", str(size.partitions), "--replication", str(size.replication), name="topics")  # fmt: skip
        code = done.wait(60)
        assert code == 0, f"topics create ended with {code}\n{done.output}"
        self.topics.use_brokers_time()

    def guard(self, *, without: Iterable[tuple[str, AclOperation]] = ()) -> Acls:
        """Let workers do only what docs/security.md says they need, but for these. The topics are there already."""
        acls = Acls(self.broker, self.name)
        acls.allow_worker(without=without)
        self._guarded = True
        self.configure(refused="4s")
        return acls

    @contextmanager
    def unwritable(self) -> Iterator[None]:
        """While no result can be written."""
        begun = time.time()
        yield
        self.blocked.append((begun, time.time()))

    @property
    def registry(self) -> Registry:
        """The scenario's own."""
        assert self._registry is not None
        return self._registry

    @property
    def broker(self) -> LocalKafka:
        """The scenario's own brokers."""
        assert isinstance(self.kafka, LocalKafka)
        return self.kafka

    def produce(self, count: int | None = None, *, partitions: int | None = None, codec: str = "none") -> None:
        """Write the next events, spread over partitions and campaigns in runs as a service does."""
        first = self.produced
        self.produced += self.size.messages if count is None else count
        spread = partitions or self.size.partitions
        events = (self.size.event(number, spread) for number in range(first, self.produced))
        records.produce(self.kafka.bootstrap, self.topics.source, events, codec=codec)

    def campaign(self, name: str, campaign: Campaign | None) -> None:
        """Say what holds for a campaign."""
        key, value = campaign_record(name, campaign)
        records.produce(self.kafka.bootstrap, self.topics.control, [records.Event(value, key)])

    # ---- workers ----------------------------------------------------------------------------------------------------

    def start(
        self, name: str, *faults: str, settings: Mapping[str, str] | None = None, source: Path = REPOSITORY
    ) -> ConnectorProcess:
        """Start a worker; `faults` are the launcher's options, `settings` are its own, its code stands at `source`."""
        options = [*self.faults, *faults, "--marks", str(self._marks)]
        command = [*options, "run", "--config", str(self.folder / "connector.yaml")]
        command += [part for key, value in (settings or {}).items() for part in ("--set", f"{key}={value}")]
        assert name not in self.workers or not self.workers[name].running, f"{name} runs already"
        worker = self._start(*command, name=name, module=LAUNCHER, env={"WORKER": name, "PYTHONPATH": str(source)})
        self.workers[name] = worker
        return worker

    def run(self, *command: str) -> ConnectorProcess:
        """Start a command on this stage's topics."""
        name = "-".join(["command", *command]).replace("/", "_")
        return self._start(*command, "--config", str(self.folder / "connector.yaml"), name=name)

    def measuring(self) -> tuple[str, str]:
        """The launcher's option with which a worker writes down how much CPU reading a reply takes."""
        return "--measure-replies", str(self._readings)

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.workers[name].send(signal.SIGKILL)
        self.moment(name, "killed")
        self.workers[name].kill()

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.workers[name].pause()
        self.moment(name, "frozen")

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self.workers[name].resume()

    def moment(self, name: str, what: str) -> None:
        """A worker has ended just now without a chance to finish."""
        self.moments.append(Moment(name, time.time(), what))

    def await_death(self, name: str, within: float = 60.0) -> None:
        """Wait until a worker has died at its point, and note when that was."""
        worker = self.workers[name]
        code = worker.wait(within)
        found = [mark for mark in self.marks() if mark["pid"] == worker.pid]
        self.check(code == -signal.SIGKILL and len(found) == 1, f"{name} ended with {code}, not at its point")
        self.moments += [Moment(name, mark["time"], mark["point"]) for mark in found]

    def stop(self, *names: str, within: float = 60.0) -> None:
        """SIGTERM to all of them at once; each must end with 0.

        Before a worker has put its handler in place the signal ends it as it ends any process (it owns nothing yet).
        """
        for name in names:
            self.workers[name].wait_for("worker started", within=60)
        for name in names:
            self.workers[name].terminate()
        for name in names:
            self.ended(name, 0, within)

    def ended(self, name: str, code: int, within: float = 60.0) -> None:
        """Wait until a worker has ended; another exit code than `code` is a failure."""
        try:
            found = self.workers[name].wait(within)
        except AssertionError as late:
            self.failures.append(f"{name} did not end: {str(late).splitlines()[0]}")
            self.workers[name].kill()
        else:
            self.check(found == code, f"{name} ended with {found} instead of {code}")

    def running(self) -> list[str]:
        return [name for name, worker in self.workers.items() if worker.running]

    def marks(self) -> list[dict[str, Any]]:
        """Points at which workers have died."""
        return _lines(self._marks)

    def check(self, holds: bool, failure: str) -> None:
        if not holds:
            self.failures.append(failure)

    # ---- the provider -----------------------------------------------------------------------------------------------

    def provider(self, name: str = "", **knobs: Any) -> None:
        """Put faults in force: knobs of connector/tools/simulator/knobs.py; without any the provider is calm."""
        self._simulators[name or self.size.providers[0]].set({"latency": self.size.latency, **knobs})

    def sends(self, provider: str | None = None) -> list[Send]:
        """What has reached the providers (or that one) so far."""
        chosen = [simulator for name, simulator in self._simulators.items() if provider in (None, name)]
        return [send for simulator in chosen for send in simulator.sends()]

    def sent(self, worker: str | None = None) -> int:
        return sum(len(send.seen) for send in self.sends() if worker in (None, send.worker))

    def until_sent(self, count: float, *, worker: str | None = None) -> None:
        """Wait until so many messages (of that worker) have reached the providers; below 1: that part of all."""
        goal = int(count * self.produced) if count < 1 else int(count)
        self.wait(lambda: self.sent(worker) >= goal, f"{goal} messages at the provider")

    def wait(self, condition: Callable[[], Any], what: str) -> None:
        """Wait; where nobody is left to make it true, say so at once."""

        def met() -> bool:
            if condition():
                return True
            assert any(worker.running for worker in self.workers.values()), f"{NOBODY_LEFT}; waited for {what}"
            return False

        wait_until(met, what, within=self.patience)

    def hold(self, seconds: float) -> None:
        """Let a fault last. Not a way to wait for something."""
        time.sleep(seconds)

    # ---- the end ----------------------------------------------------------------------------------------------------

    def until_committed(self) -> None:
        """Wait until every event is settled as far as its offset says."""

        def done() -> bool:
            try:
                return self.topics.uncommitted(self.group) == 0
            except (KafkaException, aiokafka.errors.KafkaError):  # a broker that is away, or has just come back
                return False

        self.wait(done, "every offset to be committed")

    def finish(self) -> Findings:
        """Let the workers end the work, stop them, and compare everything."""
        try:
            self.until_committed()
        except AssertionError as late:
            self.failures.append(str(late).splitlines()[0])
            self._note_uncommitted()
        self.stop(*self.running())
        return self.audit()

    def _note_uncommitted(self) -> None:
        """Count now what has no committed offset: a worker that is stopped commits everything once more."""
        with suppress(KafkaException, aiokafka.errors.KafkaError):
            if uncommitted := self.topics.uncommitted(self.group):
                self.failures.append(f"uncommitted: {uncommitted} while workers were running, at most 0")

    def conclude(self) -> None:
        """Finish now; what the scenario does afterwards is not part of the comparison."""
        self.concluded = self.finish()

    def spare_results(self) -> None:
        """Keep what the results topic holds: it is about to be deleted."""
        self.spared = list(self.topics.recorded())

    def audit(self) -> Findings:
        evidence = Evidence(
            self.topics.events(),
            [*self.spared, *self.topics.recorded()],
            self.sends(),
            self.topics.uncommitted(self.group),
            answer_seconds=self.size.latency,
            inherited=self.topics.inherited(),
            purged=tuple(f"{topic}/" for topic in self.topics.retry) if self.topics.purged() else (),
            moments=self.moments,
            uncertain=self.uncertain,
            doubtful=self.doubtful,
            doubtful_least=self.doubtful_least,
            outage=self.outage,
            held=self.size.avro,
            unwritable=self.blocked,
            over_cap=self.over_cap,
            send_at=self.topics.send_times() if self.size.scheduled else {},
            readings=[mark["reading"] for mark in _lines(self._readings)],
            report=self.size.on_uncertain == "report",
            request_messages=self.size.at_once,
        )
        found = audit(evidence)
        if self.size.receipts:
            found.note_states(self.topics.states())
            found.note_list(self.topics.opt_outs())
        if self.deeds:
            found.note_deeds(self.topics.deeds())
        if self.size.suppresses:
            withheld = [it for it in evidence.results if it.result.status is Status.SUPPRESSED]
            found.note_words(compare_words(self.words, evidence.sends, withheld))
            self.check(bool(withheld), "nothing was suppressed")
        if self.size.lookups:
            found.note_lookups(self.topics.lookups())
        return found

    # ---- files ------------------------------------------------------------------------------------------------------

    @property
    def _marks(self) -> Path:
        return self.folder / "marks.jsonl"

    @property
    def _readings(self) -> Path:
        return self.folder / "readings.jsonl"

    def _start(
        self, *command: str, name: str, module: str = "connector", env: Mapping[str, str] | None = None
    ) -> ConnectorProcess:
        begin = partial(ConnectorProcess, self.folder / f"{name}.out", *command, module=module)
        # Without the working directory, which would come first.
        return begin(env={"PYTHONPATH": str(REPOSITORY), "PYTHONSAFEPATH": "1", **(env or {})})


def _lines(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
