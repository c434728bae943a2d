"""One provider over all workers: what each of them says, as one figure and one sentence. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.definition.keys import is_name
from connector.delivery.counts import NO_REPLY
from connector.health.status_report import LaneReport, RateReport, WorkerReport
from connector.web.api_documents import (
    ApartDocument,
    LimitsDocument,
    PerRequestDocument,
    ProviderDocument,
    ProviderWord,
    SecondsDocument,
    ShareDocument,
    TimesDocument,
    WhoDocument,
)
from connector.web.plain_words import span

WORST: Sequence[ProviderWord] = ("paused", "open", "probing", "closed", "sending", "unused")
"""Of several workers' states the first one of these is the provider's: what a person has to end goes first."""


MOST_UNKNOWN = 100
"""Names that somebody has paused and no worker that answers has."""


@dataclass(frozen=True, slots=True)
class Steering:
    """What the control topic says of a provider.

    Attributes:
        paused: it is.
        by: who said so last.
        partition, offset: of that record; None where there is none.
    """

    paused: bool = False
    by: WhoDocument | None = None
    partition: int = 0
    offset: int | None = None

    def obeyed(self, report: WorkerReport) -> bool:
        """Whether a worker has taken that record in."""
        return self.offset is None or report.control.get(str(self.partition), -1) >= self.offset


@dataclass(frozen=True, slots=True)
class Pace:
    """What the last while says of a provider: results a second, seconds that replies took, part that was delivered."""

    accepted: float = 0.0
    p50: float | None = None
    p95: float | None = None
    delivered: float | None = None


def provider_names(reports: Iterable[WorkerReport], paused: Iterable[str]) -> list[str]:
    """Those that workers have, and some of those that somebody has paused: anybody may write such names."""
    known = {name for report in reports for name in report.lanes}
    others = sorted(name for name in paused if name not in known and is_name(name))
    return sorted(known) + others[:MOST_UNKNOWN]


def provider_document(
    name: str,
    reports: Sequence[WorkerReport],
    steering: Steering,
    pace: Pace,
    now: datetime,
    *,
    shares: bool = True,
) -> ProviderDocument:
    """One provider; in lists without `shares`, which are as many as there are workers."""
    having = [report for report in reports if name in report.lanes]
    lanes = [report.lanes[name] for report in having]
    word = _word([lane.state for lane in lanes], steering)
    speaking = [lane for lane in lanes if lane.state == word] or lanes
    reason = next((lane.reason for lane in speaking if lane.reason), "")
    until = min((lane.until for lane in speaking if lane.until is not None), default=None)
    waiting = sum(lane.open for lane in lanes)
    expires = min((lane.expires for lane in lanes if lane.expires is not None), default=None)
    obeying = sum(steering.obeyed(report) for report in reports)
    fill = _fill(lanes)
    since = steering.by.at if word == "paused" and steering.by is not None else _since(speaking)
    return ProviderDocument(
        name=name,
        state=word,
        reason=reason,
        sentence=sentence(word, reason, until, steering, now),
        since=since,
        until=until,
        paused_by=steering.by if steering.paused else None,
        obeyed=f"{obeying} of {len(reports)} workers",
        obeying=obeying,
        workers=len(reports),
        rate=round(pace.accepted, 2),
        waiting=waiting,
        retrying=sum(lane.delayed for lane in lanes),
        oldest=max((lane.oldest for lane in lanes), default=0.0),
        expires=expires,
        slots=[sum(lane.requests for lane in lanes), sum(lane.slots for lane in lanes)],
        limits=_limits(lanes),
        per_request=fill,
        reply_seconds=SecondsDocument(pace.p50, pace.p95),
        reply_times=_reply_times(having, lanes),
        windows_closed=_summed(lane.counters.closed for lane in lanes),
        replies=_summed({group: sum(it.counts) for group, it in lane.counters.requests.items()} for lane in lanes),
        rules=_summed(lane.counters.rules for lane in lanes),
        again=_summed(lane.counters.again for lane in lanes),
        results=_summed(lane.counters.results for lane in lanes),
        apart=_apart(lanes),
        failover=lanes[0].failover if lanes else [],
        account=(lanes[0].account or None) if lanes else None,
        digests=sorted({lane.digest for lane in lanes if lane.digest}),
        delivered=None if pace.delivered is None else round(pace.delivered, 4),
        shares=[_share(report, report.lanes[name], steering) for report in having] if shares else [],
        etag="" if steering.offset is None else str(steering.offset),
    )


def sentence(word: ProviderWord, reason: str, until: datetime | None, steering: Steering, now: datetime) -> str:
    """Its state, and why, in a sentence."""
    wait = "" if until is None else span((until - now).total_seconds())
    match word:
        case "paused":
            who = f" by {steering.by.who}" if steering.by is not None and steering.by.who else ""
            why = f": {steering.by.reason}" if steering.by is not None and steering.by.reason else ""
            return f"Paused{who}{why}. Its messages wait, and still expire."
        case "open":
            again = f" It is asked again in {wait}." if wait else ""
            return f"Nothing is sent: {reason or 'its requests fail'}.{again}"
        case "probing":
            return f"It is being asked whether it works again; before: {reason or 'its requests failed'}."
        case "closed":
            return f"Outside its hours; they begin in {wait}." if wait else "Outside its hours."
        case "unused":
            return "No worker that answers has a definition of it."
        case _:
            return "Sending."


def _word(states: Sequence[str], steering: Steering) -> ProviderWord:
    if steering.paused:
        return "paused"
    return next((word for word in WORST if word in states), "unused")


def _since(lanes: Sequence[LaneReport]) -> datetime | None:
    return min((lane.since for lane in lanes if lane.since is not None), default=None)


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _reply_times(reports: Sequence[WorkerReport], lanes: Sequence[LaneReport]) -> TimesDocument:
    """Of all workers that use the same bounds: those of another release may use others."""
    bounds = reports[0].second_bounds if reports else []
    counts = [0] * (len(bounds) + 1)
    for report, lane in zip(reports, lanes, strict=True):
        if report.second_bounds == bounds:
            counts = [many + more for many, more in zip(counts, replies_within(lane, len(counts)), strict=True)]
    return TimesDocument(bounds, counts)


def replies_within(lane: LaneReport, length: int) -> list[int]:
    """Of all replies: how many came within each bound; what has no reply is none."""
    sums = [0] * length
    for group, it in lane.counters.requests.items():
        if group != NO_REPLY and len(it.counts) == length:
            sums = [many + more for many, more in zip(sums, it.counts, strict=True)]
    return sums


def _limits(lanes: Sequence[LaneReport]) -> LimitsDocument:
    if not lanes:
        return LimitsDocument([], [], 0, "")
    limits = lanes[0].limits
    return LimitsDocument(_rates(limits.requests), _rates(limits.records), limits.concurrency, limits.hours)


def _rates(rates: Iterable[RateReport]) -> list[str]:
    return [f"{it.amount:,}/{'' if it.seconds == 1 else format(it.seconds, 'g')}s" for it in rates]


def _fill(lanes: Sequence[LaneReport]) -> PerRequestDocument:
    records = [lane.counters.records for lane in lanes if lane.counters.records is not None]
    requests = sum(sum(it.counts) for it in records)
    messages = sum(it.total for it in records)
    full = max((lane.full for lane in lanes), default=0)
    return PerRequestDocument(round(messages / requests, 1) if requests else None, full)


def _apart(lanes: Sequence[LaneReport]) -> ApartDocument | None:
    found = max((lane.apart for lane in lanes if lane.apart is not None), key=lambda it: it.values, default=None)
    if found is None or max((lane.full for lane in lanes), default=1) <= 1:
        return None
    if found.part == "campaign":
        told = f"{found.values:,} campaigns keep as many windows apart: messages of two never share a request."
    else:
        told = (
            f"{found.part} stands outside the records and has {found.values:,} values: messages with different ones "
            "never share a request. A campaign that supplies it, or its place in the records, would let them."
        )
    return ApartDocument(found.part, found.values, told)


def _share(report: WorkerReport, lane: LaneReport, steering: Steering) -> ShareDocument:
    word: ProviderWord = next((word for word in WORST if word == lane.state), "unused")
    return ShareDocument(
        worker=report.id,
        state=word,
        reason=lane.reason,
        waiting=lane.open,
        slots=[lane.requests, lane.slots],
        share=lane.limits.share,
        digest=lane.digest,
        obeys=steering.obeyed(report),
    )
