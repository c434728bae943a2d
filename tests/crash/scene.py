"""One scenario's stage: topics, provider, workers as real processes, and everything a fault may be done to."""

from __future__ import annotations

import json
import random
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

import aiokafka.errors
import orjson
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from connector.model import Source
from connector.simulator.fake import Magic
from tests.crash.audit import (
    NOT_NOW,
    Evidence,
    Findings,
    Moment,
    Recorded,
    Send,
    audit,
    decode_result,
    read_event,
    read_send,
)
from tests.kafka import records
from tests.kafka.find import Kafka
from tests.kafka.local import LocalKafka
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

REPOSITORY = Path(__file__).parents[2]
LAUNCHER = "tests.crash.launch"
TAKE_OVER_SECONDS = 120.0
"""Long enough for a session to run out, a rebalance, a drain and the rest of a backlog on a busy machine."""


ORDINARY = 10_000
"""The simulator gives numbers that end in 000001 to 000008 outcomes of their own."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a scenario is. Times in seconds.

    Attributes:
        messages: of its first phase.
        records, slots: messages per request, requests at once of the whole group.
        latency: of the provider.
        session: short where a worker is killed, as in production where nothing should be noticed.
        on_uncertain: of the definition.
        temporary: of so many messages one is refused for now, each time it is sent; 0 for none.
        retry: how those are repeated until they end `failed`.
        providers: definitions, each with a simulator of its own; messages take turns.
        http_total: time-out of a request.
    """

    messages: int = 14_000
    partitions: int = 6
    campaigns: int = 5
    records: int = 50
    slots: int = 8
    latency: float = 0.25
    session: float = 3.0
    on_uncertain: str = "resend"
    http_total: float = 5.0
    replication: int = 1
    temporary: int = 0
    retry: str = "{attempts: 3, base: 3s, cap: 6s}"
    providers: tuple[str, ...] = ("fake",)


@dataclass
class Scene:
    """A stage; a context manager that ends every process it started.

    Attributes:
        name: prefix of topics and group; no other scenario has it.
        patience: seconds for the work to be done once the fault is over.
        faults: the launcher's options for every worker.
        dice: everything random is drawn from here, so that a seed repeats a run as far as processes allow.
        moments: hard stops so far; a scenario that does one itself adds it.
        uncertain: messages the provider may have taken although their request was given up.
        doubtful, doubtful_least: messages whose reply does not say what happened to them, at most and at least.
        spared: results that were read before the topic was deleted.
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
    concluded: Findings | None = None
    spared: list[Recorded] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    produced: int = 0
    _simulators: dict[str, Simulator] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.dice.seed(self.seed)
        self.group = self.group or self.name
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            for name in self.size.providers:
                self._simulators[name] = simulator = Simulator(self.folder, name, self.size.latency)
                (self.folder / f"{name}.yaml").write_text(self._definition(simulator.url))
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

    # ---- the stage --------------------------------------------------------------------------------------------------

    @property
    def source(self) -> str:
        return f"{self.name}.messages"

    @property
    def results(self) -> str:
        return f"{self.name}.results"

    @property
    def topics(self) -> dict[str, Any]:
        fixed = ("results", "dead-letters", "journal", "control", "receipts")
        names = {topic.replace("-", "_"): f"{self.name}.{topic}" for topic in fixed}
        return {"sources": [self.source], **names, "retry_prefix": f"{self.name}.retry", "retry_tiers": ["1s", "5s"]}

    def configure(self, *, memory: Mapping[str, int] | None = None, **timeouts: str) -> None:
        """Write connector.yaml (JSON is YAML), with some time-outs, or the memory, changed."""
        session = self.size.session
        document = {
            "kafka": {"bootstrap.servers": self.kafka.bootstrap},
            "group": self.group,
            "topics": self.topics,
            "providers": [str(self.folder / f"{name}.yaml") for name in self.size.providers],
            "start_from": "earliest",
            "max_age": None,
            "wait": "200ms",
            "memory": memory or {},
            "console": {"port": None},
            "log": {"format": "json", "level": "info"},
            "timeouts": {
                "session": f"{session:g}s",
                "heartbeat": f"{session / 4:g}s",
                "rebalance": "30s",
                "drain": "15s",
                "http_total": f"{self.size.http_total:g}s",
                "broker_request": "20s",
                "commit_interval": "500ms",
                "stuck": "60s",
                **timeouts,
            },
        }
        (self.folder / "connector.yaml").write_text(json.dumps(document, indent=1))

    def create_topics(self) -> None:
        """As an operator does, and brokers' times on the results, so that "durable since" is known."""
        size = self.size
        done = self._start("topics", "create", "--config", str(self.folder / "connector.yaml"),
            "--partitions", str(size.partitions), "--replication", str(size.replication), name="topics")  # fmt: skip
        code = done.wait(60)
        assert code == 0, f"topics create ended with {code}\n{done.output}"
        entry = ConfigEntry("message.timestamp.type", "LogAppendTime", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.results, incremental_configs=[entry])
        _done(self.admin.incremental_alter_configs([resource]))

    def create_results(self, partitions: int) -> None:
        """The results topic again, after it was deleted."""
        settings = {"message.timestamp.type": "LogAppendTime"}
        records.create_topics(self.kafka.bootstrap, self.results, partitions=partitions, settings=settings)

    def delete_topics(self, *names: str) -> None:
        """Returns when the cluster no longer lists them."""
        _done(self.admin.delete_topics(list(names), operation_timeout=30))
        wait_until(lambda: not set(names) & set(self.admin.list_topics(timeout=10).topics), f"{names} to be gone")

    def add_partitions(self, topic: str, total: int) -> None:
        _done(self.admin.create_partitions([NewPartitions(topic, total)], operation_timeout=30))

    def numbered_topics(self) -> list[str]:
        """The topics whose partitions go with the source's."""
        return [self.results, self.topics["journal"], *self.retry_topics]

    @property
    def retry_topics(self) -> list[str]:
        return [f"{self.topics['retry_prefix']}.{tier}" for tier in self.topics["retry_tiers"]]

    def delete_group(self) -> None:
        """Delete the group with its offsets, once it has no members (a killed one leaves when its session ends)."""

        def deleted() -> bool:
            try:
                _done(self.admin.delete_consumer_groups([self.group], request_timeout=10))
            except KafkaException as error:
                if error.args[0].code() != KafkaError.NON_EMPTY_GROUP:
                    raise
                return False
            return True

        wait_until(deleted, f"group {self.group} to be deleted", within=60)

    @cached_property
    def admin(self) -> AdminClient:
        """One for the scene: its answers do not come any more once it is gone."""
        return AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})

    @property
    def broker(self) -> LocalKafka:
        """The scenario's own brokers."""
        assert isinstance(self.kafka, LocalKafka)
        return self.kafka

    def produce(self, count: int | None = None, *, partitions: int | None = None) -> None:
        """Write the next events, spread over partitions and campaigns in runs as a service does."""
        first = self.produced
        self.produced += self.size.messages if count is None else count
        spread = partitions or self.size.partitions
        events = (self._event(number, spread) for number in range(first, self.produced))
        records.produce(self.kafka.bootstrap, self.source, events)

    def _event(self, number: int, partitions: int) -> records.Event:
        size = self.size
        campaign = f"c{number // 7 % size.campaigns}"
        refused = size.temporary and number % size.temporary == 0
        document = {
            "message_id": f"m{number}",
            "to": f"+91{number:07d}{Magic.TEMPORARY}" if refused else f"+9198{ORDINARY + number:08d}",
            "provider": size.providers[number // 3 % len(size.providers)],
            "campaign_id": campaign,
            "body": "hello",
            "custom": {"hid": f"h-{campaign}"},
        }
        return records.Event(orjson.dumps(document), partition=number % partitions)

    def _definition(self, url: str) -> str:
        size = self.size
        return f"""\
method: POST
url: "{url}/send"
parameters:
  json:
    worker: "${{WORKER}}"
    hid: "$$hid"
    cid: "$$CampaignID"
    msgs:
      - {{to: "$$To", uid: "$${{message_id()}}", text: "$$Body"}}
batching: {{key: msgs, records: {size.records}}}
on_uncertain: {size.on_uncertain}
limits: {{concurrency: {size.slots}}}
retry: {size.retry}
response:
  rules:
    - {{status: 200, when: "type(results) == 'array'", then: entries, id: batch}}
  entries:
    - each: results
      match: {{"message_id()": uid}}
      id: id
      code: code
      rules:
        - {{when: "status == 'queued'", then: accept}}
        - {{when: "code == '{NOT_NOW}'", then: retry}}
        - {{when: "status == 'refused'", then: reject, reason: code}}
http: {{private_hosts: true, total: {size.http_total:g}s}}
"""

    # ---- workers ----------------------------------------------------------------------------------------------------

    def start(self, name: str, *faults: str) -> ConnectorProcess:
        """Start a worker; `faults` are the launcher's options."""
        command = [
            *self.faults,
            *faults,
            "--marks",
            str(self._marks),
            "run",
            "--config",
            str(self.folder / "connector.yaml"),
        ]
        assert name not in self.workers or not self.workers[name].running, f"{name} runs already"
        worker = self._start(*command, name=name, module=LAUNCHER, env={"WORKER": name})
        self.workers[name] = worker
        return worker

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
        if not self._marks.exists():
            return []
        return [orjson.loads(line) for line in self._marks.read_bytes().splitlines()]

    def check(self, holds: bool, failure: str) -> None:
        if not holds:
            self.failures.append(failure)

    # ---- the provider -----------------------------------------------------------------------------------------------

    def provider(self, name: str = "", **knobs: Any) -> None:
        """Put faults in force: knobs of connector/simulator/knobs.py; without any the provider is calm."""
        self._simulators[name or self.size.providers[0]].set({"latency": self.size.latency, **knobs})

    def sends(self, provider: str | None = None) -> list[Send]:
        """What has reached the providers (or that one) so far."""
        chosen = [simulator for name, simulator in self._simulators.items() if provider in (None, name)]
        return [send for simulator in chosen for send in simulator.sends()]

    def sent(self, worker: str | None = None) -> int:
        return sum(len(send.seen) for send in self.sends() if worker in (None, send.worker))

    def until_sent(self, count: float, *, worker: str | None = None, within: float = TAKE_OVER_SECONDS) -> None:
        """Wait until so many messages (of that worker) have reached the providers; below 1: that part of all."""
        goal = int(count * self.produced) if count < 1 else int(count)
        self.wait(lambda: self.sent(worker) >= goal, f"{goal} messages at the provider", within=within)

    def wait(self, condition: Callable[[], Any], what: str, *, within: float = TAKE_OVER_SECONDS) -> None:
        """Wait; where nobody is left to make it true, say so at once."""

        def met() -> bool:
            if condition():
                return True
            assert any(worker.running for worker in self.workers.values()), f"no worker is left; waited for {what}"
            return False

        wait_until(met, what, within=within)

    def hold(self, seconds: float) -> None:
        """Let a fault last. Not a way to wait for something."""
        time.sleep(seconds)

    # ---- the end ----------------------------------------------------------------------------------------------------

    def uncommitted(self) -> int:
        """Events, and retry records, behind which no offset is committed.

        Offsets before ends: a record that is committed because it moved on stands at an end that is read later.
        """
        groups = {self.source: self.group, **dict.fromkeys(self.retry_topics, f"{self.group}-retry")}
        committed = {topic: records.committed(self.kafka.bootstrap, group, topic) for topic, group in groups.items()}
        return sum(
            end - (committed[topic][number].offset if number in committed[topic] else 0)
            for topic in groups
            for number, end in records.end_offsets(self.kafka.bootstrap, topic).items()
        )

    def until_committed(self, within: float = TAKE_OVER_SECONDS) -> None:
        """Wait until every event is settled as far as its offset says."""

        def done() -> bool:
            try:
                return self.uncommitted() == 0
            except (KafkaException, aiokafka.errors.KafkaError):  # a broker that is away, or has just come back
                return False

        self.wait(done, "every offset to be committed", within=within)

    def finish(self) -> Findings:
        """Let the workers end the work, stop them, and compare everything."""
        try:
            self.until_committed(self.patience)
        except AssertionError as late:
            self.failures.append(str(late).splitlines()[0])
        self.stop(*self.running())
        return self.audit()

    def conclude(self) -> None:
        """Finish now; what the scenario does afterwards is not part of the comparison."""
        self.concluded = self.finish()

    def spare_results(self) -> None:
        """Keep what the results topic holds: it is about to be deleted."""
        self.spared = list(self.recorded())

    def audit(self) -> Findings:
        events = [
            read_event(Source(record.topic, record.partition, record.offset), record.value or b"")
            for record in records.read_all(self.kafka.bootstrap, self.source)
        ]
        evidence = Evidence(
            events,
            [*self.spared, *self.recorded()],
            self.sends(),
            self.uncommitted(),
            answer_seconds=self.size.latency,
            inherited=self._inherited(),
            purged=tuple(f"{topic}/" for topic in self.retry_topics) if self.purged() else (),
            moments=self.moments,
            uncertain=self.uncertain,
            doubtful=self.doubtful,
            doubtful_least=self.doubtful_least,
            report=self.size.on_uncertain == "report",
            request_messages=self.size.records * self.size.slots * len(self.size.providers),
        )
        return audit(evidence)

    def recorded(self) -> Iterator[Recorded]:
        """The results topic, read back."""
        for record in records.read_all(self.kafka.bootstrap, self.results):
            header = record.headers.get("settles", b"").decode()
            yield Recorded(decode_result(record.value or b""), header, record.timestamp / 1000, record.partition)

    def moved(self) -> int:
        """How often an event was put into a retry topic."""
        return sum(sum(records.end_offsets(self.kafka.bootstrap, topic).values()) for topic in self.retry_topics)

    def purged(self) -> int:
        """Retry records that were deleted because nobody needs them any more."""
        return sum(sum(records.start_offsets(self.kafka.bootstrap, topic).values()) for topic in self.retry_topics)

    def _inherited(self) -> dict[str, str]:
        """What each retry record settles."""
        return {
            f"{topic}/{record.partition}/{record.offset}": record.headers.get("settles", b"").decode()
            for topic in self.retry_topics
            for record in records.read_all(self.kafka.bootstrap, topic)
        }

    # ---- files ------------------------------------------------------------------------------------------------------

    @property
    def _marks(self) -> Path:
        return self.folder / "marks.jsonl"

    def _start(
        self, *command: str, name: str, module: str = "connector", env: Mapping[str, str] | None = None
    ) -> ConnectorProcess:
        begin = partial(ConnectorProcess, self.folder / f"{name}.out", *command, module=module)
        return begin(env={"PYTHONPATH": str(REPOSITORY), **(env or {})})


class Simulator:
    """One fake provider as a process, and its log."""

    def __init__(self, folder: Path, name: str, latency: float) -> None:
        self._log = folder / f"{name}.jsonl"
        self._place = 0
        self._sends: list[Send] = []
        command = ["simulate", "--port", "0", "--json", "--provider", "json", "--log", str(self._log)]
        command += ["--set", f"json.latency={latency}"]
        self.process = ConnectorProcess(folder / f"simulator-{name}.out", *command)
        wait_until(lambda: "\n" in self.process.output, "the simulator to serve")
        self.url: str = json.loads(self.process.output.splitlines()[0])["providers"]["json"]

    def set(self, knobs: Mapping[str, Any]) -> None:
        address = self.url.replace("/json", "/_control/json")
        request = urllib.request.Request(address, json.dumps(knobs).encode(), method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200

    def sends(self) -> list[Send]:
        """What has reached it so far."""
        with self._log.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._place += len(line)
                self._sends.append(read_send(line))
        return self._sends


def _done(futures: Mapping[Any, Any]) -> None:
    for future in futures.values():
        future.result(30)
