"""One worker against a real broker and the simulator: messages per second from the first result to the last."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.integration.pipeline import Pipeline, event
from tests.kafka import find
from tests.kafka.records import read_all
from tests.processes import ConnectorProcess


class Case(NamedTuple):
    """What is measured: `messages` of `campaigns` interleaved campaigns, `records` per request at most."""

    name: str
    messages: int
    campaigns: int
    records: int
    latency: float


CASES = (
    Case("one campaign, 1,000 per request", 200_000, 1, 1000, 0.0),
    Case("300 campaigns, 1,000 per request, provider takes 200 ms", 300_000, 300, 1000, 0.2),
    Case("one message per request, 64 at once", 20_000, 1, 1, 0.0),
)


class Throughput(NamedTuple):
    case: Case
    per_second: float
    per_request: float


def measure(kafka: find.Kafka, folder: Path, case: Case) -> Throughput:
    """Run one case to its end and audit it: a rate of lost messages is no rate."""
    folder.mkdir()
    with ExitStack() as stack:

        def start(*arguments: str, name: str = "", env: Mapping[str, str] | None = None) -> ConnectorProcess:
            process = ConnectorProcess(folder / f"{name}.out", *arguments, env=env)
            stack.callback(process.kill)
            return process

        pipeline = Pipeline(folder, kafka.bootstrap, f"bench-{folder.name}", start)
        pipeline.simulate(f"json.latency={case.latency}")
        pipeline.define(records=case.records, concurrency=64)
        pipeline.configure(log={"format": "json", "level": "warning"})
        pipeline.create_topics()
        pipeline.produce(event(number, campaign=f"c{number % case.campaigns}") for number in range(case.messages))
        worker = pipeline.worker()
        pipeline.wait_for_results(case.messages, within=600)
        assert worker.stop() == 0, worker.output[-2000:]
        audit = pipeline.audit()
        assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0), audit
        times = [record.timestamp for record in read_all(kafka.bootstrap, pipeline.results)]
        seconds = max(1, max(times) - min(times)) / 1000
        return Throughput(case, case.messages / seconds, case.messages / len(audit.fills))
