"""A small worker and two providers: what the tests of lanes and of their steering share.

Backlog, memory and span shrink together, so that each test runs in well under a minute on two cores. `LANES_SCALE=25`
(`make crash`) runs those with a backlog at full size: 300,000 messages for a provider that is down, and more than
100,000 for a limited one, for priority and for pause.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from connector.stream.intake.admission import SLICE_RECORDS
from tests.integration.pipeline import Pipeline, event
from tests.integration.test_commands import get, pages_of, value
from tests.processes import ConnectorProcess

SCALE = int(os.environ.get("LANES_SCALE", "1"))
SECONDS = 60.0 + 30 * SCALE
LIMIT_SECONDS = 100 + 30 * SCALE

# A worker that holds little, so that a small backlog is a large one: 1,000 messages are half of its memory.
# The bytes are those of so many events of this size, in windows of three campaigns.
MEMORY_BYTES = max(1 << 20, 2000 * SCALE * 600)
SMALL: dict[str, Any] = {
    "memory": {"messages": 2000 * SCALE, "bytes": f"{MEMORY_BYTES}B"},
    "span": 1000 * SCALE,
    "park_max": "2s",
    "unknown_grace": "10s",
}

# What a worker may take beside `memory.bytes` once it works. 72 MB were seen with 50,000 events; where they go was not
# measured. Faust may buffer 8 chunks of up to 2,000 records and one more per partition, about a kilobyte each.
BESIDE_MEMORY_BYTES = 160 << 20

# A slice of records is let in at once.
MOST = SMALL["memory"]["messages"] + SLICE_RECORDS


def configure(pipeline: Pipeline, **settings: Any) -> None:
    """Small, with quick retry tiers and its pages on a free port."""
    pipeline.configure(**{**SMALL, "health": {"port": 0}, **settings})
    document = pipeline.config.read_text().replace('"retry_prefix"', '"retry_tiers":["1s","2s"],"retry_prefix"')
    pipeline.config.write_text(document)
    pipeline.create_topics()


def two_providers(pipeline: Pipeline, *, more: str = "") -> tuple[Path, str]:
    """`healthy` at the first simulator, `sick` at another one; that one's log and address."""
    pipeline.simulate()
    log = pipeline.folder / "sick.jsonl"
    address = pipeline.another_simulator(log)
    pipeline.define("healthy")
    pipeline.define("sick", at=address, more=more)
    return log, address


def statuses(pipeline: Pipeline) -> Counter[tuple[str, str]]:
    """Results by provider and status."""
    return Counter((result.get("provider", ""), result["status"]) for result in pipeline.read_results())


def taken(requests: Iterable[dict[str, Any]]) -> list[str]:
    """References of the messages a provider took, in the order of the requests."""
    return [record["ref"] for request in requests for record in request["taken"]]


def open_messages(worker: ConnectorProcess) -> float:
    """What the worker holds."""
    return value(get(f"{pages_of(worker)}/metrics")[1], "sms_connector_open_messages")


def resident_bytes(worker: ConnectorProcess) -> float:
    """What the process takes."""
    return value(get(f"{pages_of(worker)}/metrics")[1], "sms_connector_process_resident_memory_bytes")


def mixed(count: int, healthy: int, *, sick: Sequence[str] = ("sick",)) -> list[dict[str, Any]]:
    """`count` events, of which every so many is for `healthy` and the others for those that are `sick`."""
    step = count // healthy
    names = [sick[n % len(sick)] for n in range(step - 1)] + ["healthy"]
    return [event(n, provider=names[n % step], campaign=f"c{n % 3}") for n in range(count)]
