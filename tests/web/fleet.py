"""Reports of workers, as they would answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from connector.delivery.counts import RECORDS, SECONDS
from connector.health.status_report import (
    HistogramReport,
    LaneCounters,
    LaneReport,
    MemoryReport,
    PartitionReport,
    RateReport,
    WorkerReport,
)

STARTED = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def counts(number: int, bucket: int, bounds: int) -> HistogramReport:
    made = [0] * (bounds + 1)
    made[bucket] = number
    return HistogramReport(made, float(number))


def lane(
    state: str = "sending", *, results: dict[str, int] | None = None, requests: int = 0, **fields: Any
) -> LaneReport:
    made = LaneReport(state=state, reason="", open=0, delayed=0, requests=1, slots=4, full=1000, digest="a1b2c3d4")
    made.limits.requests = [RateReport(300, 5.0)]
    made.counters = LaneCounters(
        results=results or {}, requests={"2xx": counts(requests, 3, len(SECONDS))}, records=counts(1, 0, len(RECORDS))
    )
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def worker(name: str = "w1", lanes: dict[str, LaneReport] | None = None, **fields: Any) -> WorkerReport:
    made = WorkerReport(ready=True, reason="", lanes={"acme": lane()} if lanes is None else lanes)
    made.id, made.member, made.version, made.started = name, f"member-{name}", "0.2", STARTED
    made.second_bounds, made.record_bounds = list(SECONDS), list(RECORDS)
    made.memory = MemoryReport(messages=sum(it.open for it in made.lanes.values()))
    made.owned = [PartitionReport("sms.messages", 0, 0, 0, 0)]
    made.partitions = {"sms.messages": [0]}
    for field, value in fields.items():
        setattr(made, field, value)
    return made
