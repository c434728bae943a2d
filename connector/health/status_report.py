"""What `/status` says: written by workers, read by `lag` and by the console. No numbers, no texts, no campaigns' words.

Fields are only ever added: a console reads workers of other releases, and they it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from connector.untrusted import BoundedReader

REPORT_BYTES = 16 * 1024**2
"""Of one answer, at most: a parent of many workers with many providers says megabytes."""


class RateReport(msgspec.Struct):
    """At most `amount` in any `seconds`: of the whole group; the worker may use its share."""

    amount: int
    seconds: float


class LimitsReport(msgspec.Struct):
    """What the definition allows. `share` of it is this worker's; `hours` as the definition writes them."""

    requests: list[RateReport] = msgspec.field(default_factory=list)
    records: list[RateReport] = msgspec.field(default_factory=list)
    concurrency: int = 0
    share: float = 1.0
    hours: str = ""


class HistogramReport(msgspec.Struct):
    """Counts between the bounds that the worker names once, and the sum of all values."""

    counts: list[int]
    total: float


class ApartReport(msgspec.Struct):
    """What keeps open windows apart most, and in how many values."""

    part: str
    values: int


class LaneCounters(msgspec.Struct):
    """Totals since the worker began.

    `results` by status, `requests` by status class of the reply, `closed` by why windows became requests, `again` by
    why messages wait for another request. `held`: seconds in which messages could have left but for limits, breaker or
    hours. `rules`: messages by the rule that decided about them; those of the definition that never did are there at 0.
    """

    results: dict[str, int] = msgspec.field(default_factory=dict)
    requests: dict[str, HistogramReport] = msgspec.field(default_factory=dict)
    records: HistogramReport | None = None
    closed: dict[str, int] = msgspec.field(default_factory=dict)
    again: dict[str, int] = msgspec.field(default_factory=dict)
    unknown_runs: int = 0
    errors: int = 0
    held: float = 0.0
    rules: dict[str, int] = msgspec.field(default_factory=dict)


class LaneReport(msgspec.Struct):
    """One provider. `reason` is what its breaker says, without secrets and numbers.

    `since`: from when its state is what it is; `until`: when it asks again, or its hours begin; null where nobody
    knows. `oldest`: seconds for which the first message that may leave has waited. `expires`: none expires before.
    `receipts`: its definition says how it reports what became of messages.
    """

    state: str
    reason: str
    open: int
    delayed: int
    requests: int
    slots: int
    since: datetime | None = None
    until: datetime | None = None
    waiting: int = 0
    windows: int = 0
    oldest: float = 0.0
    expires: datetime | None = None
    digest: str = ""
    account: str = ""
    failover: list[str] = msgspec.field(default_factory=list)
    limits: LimitsReport = msgspec.field(default_factory=LimitsReport)
    full: int = 0
    apart: ApartReport | None = None
    receipts: bool = False
    counters: LaneCounters = msgspec.field(default_factory=LaneCounters)


class UnknownReport(msgspec.Struct):
    """A name in events that no definition has. `cause` says whether it is a provider's or a campaign's."""

    cause: str
    name: str
    nearest: str
    events: int


class PartitionReport(msgspec.Struct):
    """A source partition it owns. `lag`: from the oldest open event to the end; `unread`: not admitted yet.

    `undecided`: seconds for which the same open transaction has held back what follows it.
    """

    topic: str
    partition: int
    lag: int
    unread: int
    span: int
    undecided: float = 0.0


class MemoryReport(msgspec.Struct):
    """Open messages and their bytes with their bounds; `blocked`: intake waits for room; `resident` bytes of all."""

    messages: int = 0
    messages_limit: int = 0
    bytes: int = 0
    bytes_limit: int = 0
    blocked: bool = False
    resident: int = 0


class WorkerReport(msgspec.Struct):
    """One worker. `reason`: why it is not ready. `held`: format version → events that wait for a worker of it.

    `unused`: where definitions on disk are wrong, and so not in use. `member`: what the group calls it. `control`: the
    newest record of the control topic that it obeys, by partition. `other_results`: of messages that no lane took.
    """

    ready: bool
    reason: str
    held: dict[str, int] = msgspec.field(default_factory=dict)
    unused: list[str] = msgspec.field(default_factory=list)
    partitions: dict[str, list[int]] = msgspec.field(default_factory=dict)
    lanes: dict[str, LaneReport] = msgspec.field(default_factory=dict)
    unknown: list[UnknownReport] = msgspec.field(default_factory=list)
    format: int = 1
    id: str = ""
    member: str = ""
    version: str = ""
    started: datetime | None = None
    at: datetime | None = None
    stopping: bool = False
    loop_lag: float = 0.0
    memory: MemoryReport = msgspec.field(default_factory=MemoryReport)
    owned: list[PartitionReport] = msgspec.field(default_factory=list)
    retry_backlog: dict[str, int] = msgspec.field(default_factory=dict)
    control: dict[str, int] = msgspec.field(default_factory=dict)
    unacknowledged: int = 0
    unacknowledged_for: float = 0.0
    refused: str = ""
    owed: int = 0
    rebalances: int = 0
    events: dict[str, int] = msgspec.field(default_factory=dict)
    skipped: dict[str, int] = msgspec.field(default_factory=dict)
    other_results: dict[str, int] = msgspec.field(default_factory=dict)
    second_bounds: list[float] = msgspec.field(default_factory=list)
    record_bounds: list[int] = msgspec.field(default_factory=list)


class Readiness(msgspec.Struct):
    """What every process says of itself: a worker, a receiver, `receipts run`."""

    ready: bool
    reason: str


class ManyReports(msgspec.Struct):
    """What the parent of several workers says: one report each."""

    workers: list[WorkerReport]


_one, _many = BoundedReader(WorkerReport, most=REPORT_BYTES), BoundedReader(ManyReports, most=REPORT_BYTES)


def read_reports(page: bytes) -> list[WorkerReport]:
    """The workers behind one address. Raises UnreadableError."""
    return _many(page).workers if page.lstrip().startswith(b'{"workers"') else [_one(page)]
