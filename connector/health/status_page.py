"""The page `/status`: what a worker and its lanes are doing, as JSON; `lag` and the console read it.

Made when somebody asks, of numbers that are kept anyway: no message is slower for it.
"""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from connector import __version__
from connector.clock import Clock
from connector.delivery.counts import RECORDS, SECONDS, Histogram
from connector.health.metrics import state
from connector.health.status_report import (
    ApartReport,
    HistogramReport,
    LaneCounters,
    LaneReport,
    LimitsReport,
    MemoryReport,
    PartitionReport,
    RateReport,
    UnknownReport,
    WorkerReport,
)

if TYPE_CHECKING:
    from connector.definition.tree import Definition, Hours, Rate
    from connector.delivery.lane import Lane
    from connector.delivery.limits.lane_status import LaneStatus
    from connector.stream.status import WorkerStatus

UNKNOWN_NAMES = 20
FORMAT = 2
MEMORY_FILE = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Which process speaks.

    Attributes:
        id: the name of its host, and its number there.
        started: when it began.
    """

    id: str
    started: datetime


def identity(clock: Clock) -> ProcessIdentity:
    """Of this process."""
    return ProcessIdentity(f"{socket.gethostname()}:{os.getpid()}", datetime.fromtimestamp(clock.wall(), UTC))


def report(
    status: WorkerStatus | None, who: ProcessIdentity | None = None, *, wall: float = 0.0, loop_lag: float = 0.0
) -> WorkerReport:
    """What there is to say; before there is a worker, that."""
    if status is None:
        made = WorkerReport(ready=False, reason="the worker waits for its broker")
    else:
        made = _report(status, wall)
    made.format, made.version, made.loop_lag = FORMAT, __version__, round(loop_lag, 4)
    made.memory.resident = _resident()
    if who is not None:
        made.id, made.started, made.at = who.id, who.started, datetime.fromtimestamp(wall, UTC)
    return made


def _report(status: WorkerStatus, wall: float) -> WorkerReport:
    partitions: dict[str, list[int]] = {}
    for it in status.partitions:
        partitions.setdefault(it.topic, []).append(it.partition)
    refused: Counter[str] = Counter()
    for (provider, ended), number in status.intake.refused.items():
        if provider not in status.lanes:
            refused[ended] += number
    skipped: Counter[str] = Counter()
    for (topic, _), number in status.skipped.items():
        skipped[topic] += number
    return WorkerReport(
        ready=status.ready and not status.stopping,
        reason=_reason(status),
        held={str(version): number for version, number in status.held.items()},
        unused=list(status.unused),
        partitions={topic: sorted(numbers) for topic, numbers in partitions.items()},
        lanes={name: _lane(name, lane, status, wall) for name, lane in status.lanes.items()},
        unknown=[
            UnknownReport(cause=it.cause.value, name=it.name, nearest=it.nearest, events=it.events)
            for it in status.unknown.names()[:UNKNOWN_NAMES]
        ],
        member=status.member,
        stopping=status.stopping,
        memory=MemoryReport(
            messages=status.messages,
            messages_limit=status.max_messages,
            bytes=status.bytes,
            bytes_limit=status.max_bytes,
            blocked=status.blocked,
        ),
        owned=[
            PartitionReport(it.topic, it.partition, it.lag, it.unread, it.span, round(it.undecided, 1))
            for it in status.partitions
        ],
        retry_backlog=dict(status.retry_backlog),
        control={str(partition): offset for partition, offset in status.control.items()},
        unacknowledged=status.unacknowledged,
        unacknowledged_for=round(status.unacknowledged_for, 3),
        refused=status.refused,
        owed=status.owed,
        rebalances=status.epochs.opened,
        events=dict(status.intake.events),
        skipped={topic: number for topic, number in skipped.items() if number},
        other_results=dict(refused),
        second_bounds=list(SECONDS),
        record_bounds=list(RECORDS),
    )


def _reason(status: WorkerStatus) -> str:
    if status.refused:
        owed = f"; {status.owed} results are owed" if status.owed else ""
        return f"nothing is sent: Kafka refuses what has to be written to {status.refused}{owed}"
    if status.stopping:
        return "the worker is stopping"
    if status.cut_off:
        return "nothing is sent: no heartbeat was answered for half a session, the worker is cut off from the brokers"
    if status.held_sources:
        return "; ".join(f"events of {topic} wait: {it.why}" for topic, it in sorted(status.held_sources.items()))
    suppressions = status.suppressions
    if not status.ready and suppressions is not None and suppressions.unconfirmed is None:
        return f"suppressions are read: {suppressions.read:,} of {suppressions.expected:,} records"
    return "" if status.ready else "the group has not given it its partitions"


def _lane(name: str, lane: Lane, worker: WorkerStatus, wall: float) -> LaneReport:
    status, counts, definition = lane.status, lane.counts, lane.definition
    finished = Counter(counts.finished)
    for (provider, ended), number in worker.intake.refused.items():
        if provider == name:
            finished[ended] += number
    apart = lane.apart
    return LaneReport(
        state=state(status),
        reason=status.reason,
        open=status.open_count,
        delayed=status.delayed,
        requests=status.requests,
        slots=status.slots,
        since=None if status.for_seconds is None else _instant(wall - status.for_seconds),
        until=_until(status, wall),
        waiting=status.waiting,
        windows=status.windows,
        oldest=round(status.oldest, 1),
        expires=None if status.expires_at is None else _instant(status.expires_at),
        digest=definition.digest,
        account=definition.account or "",
        failover=list(definition.failover),
        limits=LimitsReport(
            requests=_rates(definition.limits.requests),
            records=_rates(definition.limits.records),
            concurrency=definition.limits.concurrency,
            share=round(status.share, 4),
            hours=_hours(definition.hours),
        ),
        full=max(1 if it.batching is None else it.batching.max_records for it in definition.operations),
        apart=None if apart is None else ApartReport(apart.part, apart.values),
        receipts=definition.receipts is not None,
        counters=LaneCounters(
            results={status: number for status, number in finished.items() if number},
            requests={group: _histogram(it) for group, it in counts.requests.items() if any(it.counts)},
            records=_histogram(counts.fill),
            closed={why: number for why, number in counts.closed.items() if number},
            again={why: number for why, number in counts.again.items() if number},
            unknown_runs=counts.unknown_runs,
            errors=counts.errors,
            held=round(status.held, 1),
            rules=_rules(definition) | {rule: number for rule, number in counts.rules.items() if rule},
        ),
    )


def _until(status: LaneStatus, wall: float) -> datetime | None:
    if status.paused:
        return None
    seconds = status.probe_in if status.probe_in is not None else status.opens_in
    return _instant(wall + seconds) if seconds > 0 else None


def _instant(wall: float) -> datetime:
    return datetime.fromtimestamp(round(wall, 3), UTC)


def _rates(rates: Iterable[Rate]) -> list[RateReport]:
    return [RateReport(it.amount, it.seconds) for it in rates]


def _rules(definition: Definition) -> dict[str, int]:
    """Those that may decide about a message, at 0. One that asks for entries leaves it to the rules of these."""
    responses = [it.response for it in definition.operations if it.response is not None]
    rules = [rule for it in responses for rule in (*it.rules, *(rule for entry in it.entries for rule in entry.rules))]
    return {rule.path: 0 for rule in rules if rule.then != "entries"}


def _hours(hours: Hours | None) -> str:
    if hours is None:
        return ""
    begin, end = (f"{minutes // 60:02}:{minutes % 60:02}" for minutes in (hours.start, hours.end))
    return f"{begin}-{end} {hours.zone}"


def _histogram(histogram: Histogram) -> HistogramReport:
    return HistogramReport(list(histogram.counts), round(histogram.total, 3))


def _resident() -> int:
    """Bytes of memory this process has; 0 where the system does not tell."""
    try:
        return int(MEMORY_FILE.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
