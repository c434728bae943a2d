"""What the API answers: the types that the OpenAPI document is made from. No numbers and no texts of messages."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

ProviderWord = Literal["sending", "open", "probing", "paused", "closed", "unused"]
Severity = Literal["bad", "warn", "odd"]
AttentionKind = Literal[
    "no-workers",
    "worker-missing",
    "worker-not-ready",
    "definition-differs",
    "definitions-unused",
    "provider-open",
    "provider-paused",
    "unknown-replies",
    "unknown-provider",
    "rejections",
    "expiring",
    "lag",
    "results-not-acknowledged",
    "no-receipts",
    "campaign-rejected",
    "campaign-paused",
]


class ActionDocument(msgspec.Struct, omit_defaults=True):
    """What can be done about it: go somewhere (`page`), or ask for a change (`operation`, with `target`)."""

    label: str
    page: str = ""
    operation: str = ""
    target: str = ""


class AttentionDocument(msgspec.Struct):
    """One thing that needs attention.

    `messages`: at stake. `expires`: none of them expires before. `runbook`: a section of docs/operations.md.
    """

    kind: AttentionKind
    severity: Severity
    subject: str
    sentence: str
    detail: str
    since: datetime | None
    messages: int
    expires: datetime | None
    runbook: str
    actions: list[ActionDocument]


class StaleDocument(msgspec.Struct):
    """What did not answer, so that figures are without it, or of an earlier time."""

    what: Literal["kafka", "worker", "control"]
    name: str
    sentence: str
    as_of: datetime | None


class LimitsDocument(msgspec.Struct):
    """What the provider may be sent: `300/5s` and the like; `used` of `slots` requests are under way."""

    requests: list[str]
    records: list[str]
    concurrency: int
    hours: str


class PerRequestDocument(msgspec.Struct):
    """How full requests are: messages in one, on average, of at most `full`."""

    mean: float | None
    full: int


class SecondsDocument(msgspec.Struct):
    """How long replies take: half of them, and 95 of 100, at most so many seconds."""

    p50: float | None
    p95: float | None


class TimesDocument(msgspec.Struct):
    """How long replies took since the workers began: how many came within each of `bounds` (seconds), not adding up,
    and a last number of those that took longer.
    """

    bounds: list[float]
    counts: list[int]


class ApartDocument(msgspec.Struct):
    """What keeps messages from sharing requests, in a sentence."""

    part: str
    values: int
    sentence: str


class WhoDocument(msgspec.Struct):
    """Who did something, when and why."""

    who: str
    at: datetime
    reason: str


class ShareDocument(msgspec.Struct):
    """One worker's part of a provider."""

    worker: str
    state: ProviderWord
    reason: str
    waiting: int
    slots: list[int]
    share: float
    digest: str
    obeys: bool


class ProviderDocument(msgspec.Struct, kw_only=True):
    """One provider, over all workers that answer. `delivered`: part of the messages of which its receipts of the last
    quarter of an hour, or a sample of them, say the end; null where there are none.

    `state` is that of the worker that is worst off; `sentence` says it with what follows from it. `rate`: accepted a
    second. `slots`: used, of all. `results`, `rules` and the like: since workers began; `rules` are messages by the
    rule that decided about them, with those that never did at 0. `etag`: of the control record that holds for it.
    `shares`: what each worker says, of one provider alone; empty in lists.
    """

    name: str
    state: ProviderWord
    reason: str
    sentence: str
    since: datetime | None
    until: datetime | None
    paused_by: WhoDocument | None
    obeyed: str
    obeying: int
    workers: int
    rate: float
    waiting: int
    retrying: int
    oldest: float
    expires: datetime | None
    slots: list[int]
    limits: LimitsDocument
    per_request: PerRequestDocument
    reply_seconds: SecondsDocument
    reply_times: TimesDocument
    windows_closed: dict[str, int]
    replies: dict[str, int]
    rules: dict[str, int]
    again: dict[str, int]
    results: dict[str, int]
    apart: ApartDocument | None
    failover: list[str]
    account: str | None
    digests: list[str]
    delivered: float | None
    shares: list[ShareDocument]
    etag: str


class SteeredProvider(ProviderDocument, kw_only=True):
    """A provider after somebody has paused or resumed it; `warnings`: what went with it that was not wanted."""

    warnings: list[str]


class FiguresDocument(msgspec.Struct):
    """Six figures. Rates are of the last ten seconds, the others of the range; null: not known.

    `since`: from when the range is known, where that is later than its beginning.
    """

    accepted_rate: float
    ended_rate: float
    rejected_share: float | None
    unknown: int
    failed: int
    expired: int
    waiting: int
    oldest: float
    since: datetime | None


class DeedDocument(msgspec.Struct):
    """A record of the audit topic. `known`: of a deed whose end nobody has written, what is known of it."""

    at: datetime
    who: str
    role: str
    via: str
    what: str
    target: str
    reason: str
    before: str
    after: str
    request: str
    done: str
    error: str
    known: str


class KafkaDocument(msgspec.Struct):
    """Whether Kafka answers: `as_of` when it did last, `away_since` while it does not."""

    reachable: bool
    as_of: datetime | None
    away_since: datetime | None
    why: str


class OverviewDocument(msgspec.Struct):
    """Is it working? `sentence` answers; `detail` says more."""

    sentence: str
    detail: str
    at: datetime
    attention: list[AttentionDocument]
    figures: FiguresDocument
    providers: list[ProviderDocument]
    deeds: list[DeedDocument]
    stale: list[StaleDocument]
    kafka: KafkaDocument


class OneProviderDocument(ProviderDocument, kw_only=True):
    """A provider, and what of it is not known at the moment."""

    stale: list[StaleDocument]
    kafka: KafkaDocument


class ProvidersDocument(msgspec.Struct):
    """All providers."""

    items: list[ProviderDocument]
    at: datetime
    stale: list[StaleDocument]
    kafka: KafkaDocument


class WorkerMemory(msgspec.Struct):
    """Open messages and bytes with their bounds."""

    messages: int
    messages_limit: int
    bytes: int
    bytes_limit: int
    resident: int
    blocked: bool


class WorkerDocument(msgspec.Struct):
    """One worker. A silent one has the figures of when it was `seen` last, or none (null), and never zeros."""

    id: str
    address: str
    silent: bool
    error: str
    seen: datetime | None
    version: str | None
    started: datetime | None
    ready: bool | None
    reason: str
    partitions: dict[str, list[int]] | None
    lag: int | None
    rate: float | None
    memory: WorkerMemory | None
    loop_lag: float | None
    definitions: dict[str, str] | None
    obeys: bool | None
    rebalances: int | None


class WorkersDocument(msgspec.Struct):
    """All workers: those that answer, and those that should. `members` of the group, as Kafka says; null: not known."""

    items: list[WorkerDocument]
    members: int | None
    group: str
    group_state: str
    at: datetime
    kafka: KafkaDocument


class OldestDocument(msgspec.Struct):
    """The oldest event without a result, and what holds it."""

    age: float
    provider: str | None
    campaign_id: str | None
    message_id: str | None
    holds: str


class PartitionDocument(msgspec.Struct):
    """One partition of a source or retry topic."""

    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int
    undecided: int
    owner: str | None
    oldest: OldestDocument | None


class PartitionsDocument(msgspec.Struct):
    """All partitions. `looked`: whether oldest events were read already; the next answer has them."""

    items: list[PartitionDocument]
    looked: bool
    kafka: KafkaDocument


class DeployedOther(msgspec.Struct):
    """Workers with another digest of it."""

    digest: str
    workers: list[str]


class DeployedDocument(msgspec.Struct):
    """A definition as workers have loaded it: the digest that most have, and who differs."""

    name: str
    digest: str
    workers: int
    of: int
    others: list[DeployedOther]
    unused: list[str]


class CurveDocument(msgspec.Struct):
    """One line of a chart; null where nothing is known."""

    name: str
    labels: dict[str, str]
    values: list[float | None]


class MarkDocument(msgspec.Struct):
    """A moment at which something was changed."""

    at: datetime
    sentence: str


class SeriesDocument(msgspec.Struct):
    """Curves: the first value is of `start`, each further one of `step` seconds later. `began`: with the console."""

    start: float
    step: int
    began: float | None
    series: list[CurveDocument]
    marks: list[MarkDocument]


class DeedsDocument(msgspec.Struct):
    """What people did, the newest first; `next` is the cursor of what is older. `recorded`: there is an audit topic."""

    items: list[DeedDocument]
    next: str | None
    recorded: bool
    kafka: KafkaDocument
