"""What needs attention, the most messages at stake first, and the sentence that answers "is it working?". Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connector.health.status_report import WorkerReport
from connector.web.api_documents import (
    ActionDocument,
    AttentionDocument,
    AttentionKind,
    ProviderDocument,
    Severity,
)
from connector.web.plain_words import span

MANY_REJECTED = 0.1
"""Share of a provider's results from which on rejections are worth a look."""
ENOUGH_RESULTS = 50
"""Fewer say nothing about shares."""
SOON = timedelta(minutes=15)
"""Messages that expire within it are worth a look where their provider does not send."""
OLD_SECONDS = 300.0
SLOW_ACK_SECONDS = 10.0
MOST = 50

SEVERITIES: Mapping[Severity, int] = {"bad": 0, "warn": 1, "odd": 2}


@dataclass(frozen=True, slots=True)
class ProviderPast:
    """What a provider's messages came to in the range."""

    accepted: float = 0.0
    rejected: float = 0.0
    unknown: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True, slots=True)
class SilentWorker:
    """One that does not answer."""

    key: str
    address: str
    error: str
    seen: datetime | None


@dataclass(frozen=True, slots=True)
class Situation:
    """All there is to say at one moment.

    Attributes:
        reports: of the workers that answer.
        members: of the group; None where Kafka does not say.
        waiting: messages without a result.
        oldest: seconds for which the oldest of them has waited.
        rates: accepted and ended a second.
        past: by provider.
        away: seconds since Kafka does not answer; None while it does.
        looked: workers were asked at least once.
    """

    now: datetime
    providers: Sequence[ProviderDocument]
    reports: Sequence[WorkerReport]
    silent: Sequence[SilentWorker]
    members: int | None
    waiting: int
    oldest: float
    accepted_rate: float
    ended_rate: float
    past: Mapping[str, ProviderPast]
    away: float | None
    looked: bool = True


# ---- the sentence ---------------------------------------------------------------------------------------------------


def headline(it: Situation) -> str:
    """Is it working?"""
    refusing = [provider.name for provider in it.providers if provider.state in {"open", "probing"}]
    tail = f" {_named(refusing)} {'refuse' if len(refusing) > 1 else 'refuses'}." if refusing else ""
    if it.away is not None:
        return f"Kafka has not answered the console for {span(it.away)}; figures are of then."
    if not it.looked:
        return "Looking for workers."
    if not it.reports:
        if it.members == 0:
            return "Nothing is sent: no worker runs."
        return "No worker answers the console: what is sent is not known."
    stopped = next((report.reason for report in it.reports if not report.ready), "")
    if all(not report.ready for report in it.reports):
        return f"Nothing is sent: {stopped.removeprefix('nothing is sent: ')}."
    if it.accepted_rate >= 0.05:
        return f"Sending {_rate(it.accepted_rate)} messages a second.{tail}"
    if it.waiting == 0:
        return f"Nothing waits: whatever came has its result.{tail}"
    if all(provider.state != "sending" for provider in it.providers if provider.waiting):
        return f"Nothing is sent: {it.waiting:,} messages wait.{tail}"
    return f"{it.waiting:,} messages wait; none was accepted in the last ten seconds.{tail}"


def detail(it: Situation) -> str:
    """What it is made of."""
    words = {"sending": "sends", "closed": "waits for its hours", "paused": "is paused", "open": "refuses"}
    many = {"sending": "send", "closed": "wait for their hours", "paused": "are paused", "open": "refuse"}
    parts = []
    for state in ("sending", "closed", "paused", "open"):
        states = {state, "probing"} if state == "open" else {state}
        number = sum(provider.state in states for provider in it.providers)
        if number:
            parts.append(f"{number} {words[state] if number == 1 else many[state]}")
    told = f"Of {len(it.providers)} providers {', '.join(parts)}. " if parts else ""
    if it.waiting:
        age = f", the oldest for {span(it.oldest)}" if it.oldest >= 1 else ""
        return f"{told}Nothing is lost: {it.waiting:,} {'message waits' if it.waiting == 1 else 'messages wait'}{age}."
    return told.strip()


def _named(names: Sequence[str]) -> str:
    if len(names) <= 2:
        return " and ".join(names)
    return f"{names[0]}, {names[1]} and {len(names) - 2} more"


def _rate(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


# ---- what needs attention -------------------------------------------------------------------------------------------


def attention(it: Situation) -> list[AttentionDocument]:
    """Most messages at stake first; of equal ones the worse first."""
    found = [*_workers(it), *_definitions(it)]
    for provider in it.providers:
        found += _provider(provider, it)
    found += _unknown_names(it)
    found.sort(key=lambda one: (-one.messages, SEVERITIES[one.severity], one.subject))
    return found[:MOST]


def _one(  # noqa: PLR0917  six texts in the order in which they are read
    kind: AttentionKind,
    severity: Severity,
    subject: str,
    sentence: str,
    detail: str,
    runbook: str,
    *,
    messages: int = 0,
    since: datetime | None = None,
    expires: datetime | None = None,
    actions: Sequence[ActionDocument] = (),
) -> AttentionDocument:
    return AttentionDocument(
        kind,
        severity,
        subject,
        sentence,
        detail,
        since,
        messages,
        expires,
        f"docs/operations.md#{runbook}",
        list(actions),
    )


def _workers(it: Situation) -> Iterator[AttentionDocument]:
    look = ActionDocument("See workers", page="/workers")
    if it.looked and it.members == 0 and not it.reports:
        yield _one(
            "no-workers",
            "bad",
            "workers",
            "No worker runs",
            "The group has no members: nothing is read and nothing is sent.",
            "smsconnectornoworkers",
            messages=max(it.waiting, 1),
            actions=[look],
        )
    for worker in it.silent:
        yield _one(
            "worker-missing",
            "bad" if not it.reports else "warn",
            worker.key,
            f"Worker {worker.key} does not answer",
            f"{worker.address}: {worker.error}. Figures are without it.",
            "smsconnectordown",
            since=worker.seen,
            actions=[look],
        )
    for report in it.reports:
        if not report.ready and report.reason:
            kind: AttentionKind = "results-not-acknowledged" if report.refused or report.owed else "worker-not-ready"
            runbook = "smsconnectorresultsrefused" if report.refused else "smsconnectornotready"
            yield _one(
                kind,
                "bad" if report.refused else "warn",
                report.id,
                f"Worker {report.id} is not ready",
                f"{report.reason}.",
                runbook,
                messages=report.memory.messages,
                actions=[look],
            )
        elif report.unacknowledged_for >= SLOW_ACK_SECONDS:
            yield _one(
                "results-not-acknowledged",
                "bad",
                report.id,
                f"Kafka has not acknowledged results of worker {report.id} for {span(report.unacknowledged_for)}",
                f"{report.unacknowledged:,} results wait for it.",
                "smsconnectorresultsnotacknowledged",
                messages=report.unacknowledged,
                actions=[look],
            )
    unread = sum(one.unread for report in it.reports for one in report.owned)
    if unread and it.oldest >= OLD_SECONDS and all(one.state == "sending" for one in it.providers):
        yield _one(
            "lag",
            "warn",
            "lag",
            f"{unread:,} events are not read yet",
            f"The oldest message has waited for {span(it.oldest)}: workers or providers are slower than what comes.",
            "smsconnectorlag",
            messages=unread,
            actions=[ActionDocument("See what holds each partition", page="/workers")],
        )


def _definitions(it: Situation) -> Iterator[AttentionDocument]:
    unused = sorted({place for report in it.reports for place in report.unused})
    if unused:
        yield _one(
            "definitions-unused",
            "warn",
            "definitions",
            "Definitions on disk are wrong, and not the ones in use",
            "; ".join(unused[:5]),
            "smsconnectordefinitionsunused",
        )
    for provider in it.providers:
        if len(provider.digests) > 1:
            yield _one(
                "definition-differs",
                "warn",
                provider.name,
                f"Workers have different definitions of {provider.name}",
                f"{len(provider.digests)} of them: {', '.join(provider.digests)}.",
                "things-to-do-while-it-runs",
                messages=provider.waiting,
                actions=[ActionDocument(f"See {provider.name}", page=f"/providers/{provider.name}")],
            )


def _provider(provider: ProviderDocument, it: Situation) -> Iterator[AttentionDocument]:
    name, past = provider.name, it.past.get(provider.name, ProviderPast())
    see = ActionDocument(f"See {name}", page=f"/providers/{name}")
    pause = ActionDocument("Pause it", operation="pause", target=name)
    resume = ActionDocument("Resume it", operation="resume", target=name)
    waiting = f"{provider.waiting:,} {'message waits' if provider.waiting == 1 else 'messages wait'}"
    over = f" Failover: {', '.join(provider.failover)}." if provider.failover else " No failover is set."
    expiring = "" if provider.expires is None else f" The first may expire in {_until(provider.expires, it.now)}."
    match provider.state:
        case "open" | "probing":
            yield _one(
                "provider-open",
                "bad",
                name,
                f"{name} refuses",
                f"{provider.sentence} {waiting}.{expiring}{over}",
                "smsconnectorprovideropen",
                messages=provider.waiting,
                since=provider.since,
                expires=provider.expires,
                actions=[see, pause],
            )
        case "paused":
            late = "" if provider.obeying == provider.workers else f" {provider.obeyed} obey so far."
            yield _one(
                "provider-paused",
                "warn",
                name,
                f"{name} is paused",
                f"{provider.sentence} {waiting}.{expiring}{late}",
                "smsconnectorproviderpaused",
                messages=provider.waiting,
                since=provider.since,
                expires=provider.expires,
                actions=[see, resume],
            )
        case "closed" if provider.expires is not None and provider.expires - it.now <= SOON:
            yield _one(
                "expiring",
                "warn",
                name,
                f"Messages of {name} may expire before its hours begin",
                f"{provider.sentence} {waiting}.{expiring}",
                "smsconnectorexpired",
                messages=provider.waiting,
                expires=provider.expires,
                actions=[see],
            )
        case _:
            pass
    if past.unknown >= 1:
        number = round(past.unknown)
        yield _one(
            "unknown-replies",
            "odd",
            name,
            f"{name} gives replies that do not say what became of messages",
            f"{number:,} {'message' if number == 1 else 'messages'} ended unknown: they may have arrived, and are not "
            "sent again.",
            "smsconnectorunknown",
            messages=number,
            actions=[see],
        )
    if past.ended >= ENOUGH_RESULTS and past.rejected / past.ended > MANY_REJECTED:
        share = past.rejected / past.ended
        yield _one(
            "rejections",
            "warn",
            name,
            f"{name}: {share:.0%} rejected",
            f"{past.rejected:,.0f} of {past.ended:,.0f} results say that the provider refuses the message for good.",
            "smsconnectorrejections",
            messages=round(past.rejected),
            actions=[see, ActionDocument("See them come", page=f"/tail?status=rejected&provider={name}")],
        )


def _until(instant: datetime, now: datetime) -> str:
    return span((instant - now).total_seconds())


def _unknown_names(it: Situation) -> Iterator[AttentionDocument]:
    for report in it.reports:
        for name in report.unknown:
            meant = f" Did you mean {name.nearest}?" if name.nearest else ""
            what = "provider" if name.cause == "provider" else "campaign without a provider"
            yield _one(
                "unknown-provider",
                "warn",
                name.name,
                f"Events name the {what} {name.name}, which no definition has",
                f"{name.events:,} events wait for it, then they end invalid.{meant}",
                "smsconnectorunknownprovider",
                messages=name.events,
            )
