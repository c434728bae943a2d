"""The whole way of the data for a test: topics on a real Kafka, a simulator, workers as processes, and the audit.

What is audited comes from outside the connector: the events produced, the results topic, the simulator's own log.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import orjson
from click import ClickException
from click.testing import CliRunner, Result

from connector.cli.main import group
from connector.errors import ConnectorError
from tests import marked
from tests.kafka.records import Event, Record, end_offsets, produce, read_all, topics
from tests.processes import ConnectorProcess, StartConnector
from tests.waiting import wait_until

# The seed's batched payload, served by the simulator's `json` provider. {0}: name, {1}: the simulator's address.
ASK_SECONDS = 0.25
"""Between two questions to the brokers: each takes 50 ms of a core, which the workers asked about could use."""

AUTH = 'auth: {basic: {username: demo, password: "${PROVIDER_PASSWORD}"}}'
BATCHED = """\
name: {name}
method: POST
url: {simulator}/json/send
{auth}
parameters:
  json: |
    {{"hid": "$$hid", "tid": "$$TemplateID", "cid": "$$CampaignID", "type": "template",
     "msgs": [{{"seq": 1, "to": "$$To", "uid": "$$uid", "variables": "$$TemplateVariables", "enc": "utf8"}}]}}
batching: {{key: msgs, records: {records}}}
response:
  rules: [{{status: 200, when: "type(results) == 'array'", then: entries, id: batch}}]
  entries:
    - each: results
      match: {{"uid": uid}}
      id: id
      rules:
        - {{when: "status == 'queued'", then: accept}}
        - {{when: "status == 'refused'", then: reject, code: code}}
limits: {{concurrency: {concurrency}}}
http: {{private_hosts: true}}
{more}
"""


def event(number: int, *, provider: str = "batched", campaign: str = "c0", **fields: Any) -> dict[str, Any]:
    """Event `number`; its uid is what the provider echoes and the simulator writes down."""
    return {
        "message_id": f"m{number}",
        "provider": provider,
        "campaign_id": campaign,
        "to": f"+9198{number:07d}9",  # magic numbers end otherwise
        "template_id": "t1",
        "template_variables": {"name": f"Zoë {marked.TEXT}", "n": number},
        "custom": {"hid": "h1", "uid": f"m{number}"},
        **fields,
    }


@dataclass(frozen=True, slots=True)
class Audit:
    """Counts that must be zero, and what was seen.

    Attributes:
        lost: events without a result.
        duplicated: results beyond the first of an event.
        sent_again: times the provider took a message beyond the first.
        statuses: results by status.
        fills: records per request, in the order of arrival.
    """

    lost: int
    duplicated: int
    sent_again: int
    statuses: Mapping[str, int]
    fills: list[int]


class Pipeline:
    """Topics, definitions, simulator and workers of one test."""

    def __init__(
        self, folder: Path, bootstrap: str, unique: str, start: StartConnector, *, partitions: int = 4
    ) -> None:
        self.folder = folder
        self.bootstrap = bootstrap
        self.unique = unique
        self.partitions = partitions
        self._start = start
        self.source = f"{unique}.messages"
        self.results = f"{unique}.results"
        self.dead_letters = f"{unique}.dead-letters"
        self.journal = f"{unique}.journal"
        self.log = folder / "provider.jsonl"
        self.workers: list[ConnectorProcess] = []
        (folder / "definitions").mkdir(exist_ok=True)

    # ---- setting up -------------------------------------------------------------------------------------------------

    def simulate(self, *knobs: str) -> str:
        """Start the simulator; returns its address."""
        self.simulator, self.address = self._simulator(self.log, *knobs)
        return self.address

    def another_simulator(self, log: Path, *knobs: str) -> str:
        """Start one more, with a log of its own; returns its address."""
        return self._simulator(log, *knobs)[1]

    def _simulator(self, log: Path, *knobs: str) -> tuple[ConnectorProcess, str]:
        arguments = ["simulate", "--port", "0", "--json", "--log", str(log)]
        arguments += ["--set", f"json.credentials=demo:{marked.PASSWORD}"]
        for knob in knobs:
            arguments += ["--set", knob]
        simulator = self._start(*arguments, name=f"simulator-{log.stem}")
        simulator.wait_for('"url"')
        line = next(line for line in simulator.output.splitlines() if line.startswith('{"url"'))
        address: str = json.loads(line)["url"]
        return simulator, address

    def turn(self, fake: str = "json", *, at: str = "", **knobs: Any) -> None:
        """Set a fake's knobs; those not named are reset."""
        request = Request(f"{at or self.address}/_control/{fake}", orjson.dumps(knobs), method="PUT")
        with urlopen(request, timeout=10) as response:
            assert response.status == 200

    def act(self, fake: str, action: str) -> None:
        """Make a fake do something, such as `revoke`."""
        with urlopen(Request(f"{self.address}/_control/{fake}/{action}", method="POST"), timeout=10) as response:
            assert response.status == 200

    def define(
        self, name: str = "batched", *, records: int = 100, concurrency: int = 8, more: str = "", at: str = ""
    ) -> None:
        """A batched definition of a simulator's `json` provider."""
        simulator = at or self.address
        auth = "" if "auth:" in more else AUTH
        values = {"name": name, "simulator": simulator, "records": records, "concurrency": concurrency}
        text = BATCHED.format(**values, auth=auth, more=more)
        (self.folder / "definitions" / f"{name}.yaml").write_text(text)

    def configure(self, **settings: Any) -> Path:
        """Write connector.yaml; `settings` go over those every test shares."""
        document = {
            "kafka": {"bootstrap.servers": self.bootstrap},
            "group": self.unique,
            "topics": {
                "sources": [self.source],
                "results": self.results,
                "dead_letters": self.dead_letters,
                "journal": self.journal,
                "control": f"{self.unique}.control",
                "audit": f"{self.unique}.audit",
                "receipts": f"{self.unique}.receipts",
                "suppressions": f"{self.unique}.suppressions",
                "retry_prefix": f"{self.unique}.retry",
            },
            "providers": [str(self.folder / "definitions")],
            "start_from": "earliest",
            "timeouts": {"session": "6s", "heartbeat": "1s"},
            "health": {"port": None},
            "log": {"format": "json", "level": "info"},
            **settings,
        }
        self.config = self.folder / "connector.yaml"
        self.config.write_bytes(orjson.dumps(document))  # JSON is YAML
        return self.config

    def create_topics(self, *, code: int = 0) -> None:
        """Make them with the connector's own command, which ends with `code`."""
        self.invoke("topics", "create", "--partitions", str(self.partitions), "--replication", "1", code=code)

    def worker(self, name: str = "w0", *, module: str = "connector", **env: str) -> ConnectorProcess:
        return self.run(name=name, module=module, **env)

    def run(self, *arguments: str, name: str = "w0", module: str = "connector", **env: str) -> ConnectorProcess:
        """`run`, with options."""
        started = self._start("run", "--config", str(self.config), *arguments, name=name, env=env, module=module)
        self.workers.append(started)
        return started

    def invoke(self, *arguments: str, code: int = 0) -> Result:
        """Run a command with the settings of this test, in this process: to start one takes seconds."""
        runner = CliRunner(env={"PROVIDER_PASSWORD": marked.PASSWORD})
        result = runner.invoke(group, [*arguments, "--config", str(self.config)], standalone_mode=False)
        error = result.exception
        ended = error.exit_code if isinstance(error, ConnectorError | ClickException) else result.exit_code
        assert (ended or result.return_value or 0) == code, (result.output, error)
        return result

    def command(self, *arguments: str, code: int = 0) -> str:
        """Likewise; returns what it says."""
        result = self.invoke(*arguments, code=code)
        return f"{result.output}{result.exception or ''}"

    # ---- events and what became of them -----------------------------------------------------------------------------

    def produce(
        self, events: Iterable[dict[str, Any] | bytes], *, topic: str | None = None, codec: str = "none"
    ) -> int:
        """Produce round-robin over the partitions."""
        return produce(
            self.bootstrap,
            topic or self.source,
            (
                Event(it if isinstance(it, bytes) else orjson.dumps(it), partition=index % self.partitions)
                for index, it in enumerate(events)
            ),
            codec=codec,
        )

    def count(self, topic: str) -> int:
        """Records ever written to a topic."""
        return sum(end_offsets(self.bootstrap, topic).values())

    def count_results(self) -> int:
        return self.count(self.results)

    def wait_for_results(self, count: int, *, within: float = 90.0) -> None:
        """Wait for as many; fail at once when every worker has ended."""

        def there() -> bool:
            if self.count_results() >= count:
                return True
            assert any(worker.running for worker in self.workers), self.workers[-1].output[-4000:]
            return False

        wait_until(there, f"{count} results", within=within, every=ASK_SECONDS)

    def read_results(self) -> list[dict[str, Any]]:
        return [orjson.loads(record.value or b"") for record in read_all(self.bootstrap, self.results)]

    def read_result_records(self) -> list[Record]:
        return read_all(self.bootstrap, self.results)

    def leaks(self) -> list[str]:
        """Secrets, recipients and texts in topics where they must not stand."""
        records = read_all(self.bootstrap, *topics(self.bootstrap, f"{self.unique}."))
        return marked.in_topics(records, results=self.results, journals=[self.journal])

    def requests(self, log: Path | None = None) -> list[dict[str, Any]]:
        """What a simulator says it got, request by request."""
        file = log or self.log
        # The last line may be half written.
        return [orjson.loads(line) for line in file.read_bytes().split(b"\n")[:-1]] if file.exists() else []

    def audit(self, *logs: Path) -> Audit:
        """Compare events, results and the simulators' logs: the first one's, and those named."""
        events = {(record.partition, record.offset) for record in read_all(self.bootstrap, self.source)}
        results = Counter[tuple[int, int]]()
        statuses = Counter[str]()
        for record in self.read_result_records():
            result = orjson.loads(record.value or b"")
            source = result["source"]
            place = (source["partition"], source["offset"])
            assert source["topic"] == self.source
            assert record.partition == source["partition"], "a result stands in the partition of its event"
            settles = record.headers["settles"].decode()  # of the event, or of the retry record that took over its duty
            waited = settles.startswith(f"{self.unique}.retry.") and settles.split("/")[1] == str(place[0])
            assert waited or settles == f"{self.source}/{place[0]}/{place[1]}", settles
            results[place] += 1
            statuses[result["status"]] += 1
        requests = [request for log in (self.log, *logs) for request in self.requests(log)]
        taken = Counter(record["ref"] for request in requests for record in request["taken"])
        return Audit(
            lost=len(events - set(results)),
            duplicated=sum(results.values()) - len(results),
            sent_again=sum(taken.values()) - len(taken),
            statuses=dict(statuses),
            fills=[request["count"] for request in requests],
        )
