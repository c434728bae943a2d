"""What needs attention, the most messages at stake first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from connector.web.api_documents import (
    ActionDocument,
    AttentionDocument,
    AttentionKind,
    ProviderDocument,
    Severity,
)
from connector.web.plain_words import plain_id, plain_words, span
from connector.web.situation import CampaignSituation, ProviderPast, Situation

MANY_REJECTED = 0.1
"""Share of a provider's results from which on rejections are worth a look."""
ENOUGH_RESULTS = 50
"""Fewer say nothing about shares."""
SOON = timedelta(minutes=15)
"""Messages that expire within it are worth a look where their provider does not send."""
OLD_SECONDS = 300.0
SLOW_ACK_SECONDS = 10.0
MOST = 50
MOST_CAMPAIGNS = 10

SEVERITIES: Mapping[Severity, int] = {"bad": 0, "warn": 1, "odd": 2}


def attention(it: Situation) -> list[AttentionDocument]:
    """Most messages at stake first; of equal ones the worse first."""
    found = [*_workers(it), *_definitions(it)]
    for provider in it.providers:
        found += _provider(provider, it)
    found += _unknown_names(it)
    found += _unreported(it)
    found += _campaigns(it)
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


def _unreported(it: Situation) -> Iterator[AttentionDocument]:
    for name, accepted in it.unreported:
        yield _one(
            "no-receipts",
            "warn",
            name,
            f"{name} reports nothing of its messages",
            f"About {accepted:,.0f} were accepted in the last quarter of an hour, and no receipt has come: whether "
            "they arrive is not known.",
            "smsconnectornoreceipts",
            messages=round(accepted),
            actions=[ActionDocument(f"See {name}", page=f"/providers/{name}")],
        )


def _campaigns(it: Situation) -> Iterator[AttentionDocument]:
    """The worst of them: thousands of campaigns may be under way."""
    refused = [one for campaign in it.campaigns if campaign.counts is not None for one in _refused(campaign)]
    yield from sorted(refused, key=lambda one: -one.messages)[:MOST_CAMPAIGNS]
    paused = [campaign for campaign in it.campaigns if campaign.paused]
    paused.sort(key=lambda one: (not one.unreadable, -one.by.at.timestamp() if one.by else 0.0))
    yield from map(_paused, paused[:MOST_CAMPAIGNS])


def _refused(campaign: CampaignSituation) -> Iterator[AttentionDocument]:
    counts = campaign.counts
    assert counts is not None
    share = counts.rejected / counts.ended if counts.ended else 0.0
    if counts.looked < ENOUGH_RESULTS or share <= MANY_REJECTED:
        return
    name, code = plain_id(campaign.name, most=128) or "", plain_words(counts.code, most=64)
    most = f" {counts.code_share:.0%} of them have the code {code}." if code and counts.code_share > 0.5 else ""
    query = urlencode({"status": "rejected", "campaign": campaign.name})
    yield _one(
        "campaign-rejected",
        "warn",
        name,
        f"Campaign {name}: {share:.0%} rejected",
        f"About {counts.rejected:,.0f} of {counts.ended:,.0f} results of the last quarter of an hour say that "
        f"{plain_words(counts.provider, most=64)} refuses the message for good.{most}",
        "smsconnectorrejections",
        messages=round(counts.rejected),
        actions=[ActionDocument("See them come", page=f"/tail?{query}")],
    )


def _paused(campaign: CampaignSituation) -> AttentionDocument:
    name, by = plain_id(campaign.name, most=128) or "", campaign.by
    who = f" by {by.who}" if by is not None and by.who else ""
    why = f": {by.reason}" if by is not None and by.reason else ""
    told = f"Paused{who}{why}. Its messages wait, and still expire. `sms-connector campaign resume` lets them go."
    if campaign.unreadable:
        told = "Its record cannot be read, so nobody knows whether it may be sent: write it again (`campaign put`)."
    return _one(
        "campaign-paused",
        "warn" if campaign.unreadable else "odd",
        name,
        f"Campaign {name} is paused",
        told,
        "things-to-do-while-it-runs",
        since=None if by is None else by.at,
    )
