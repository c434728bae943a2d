"""What there is to say at one moment, and the sentence that answers "is it working?". Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.health.status_report import WorkerReport
from connector.web.api_documents import ProviderDocument, WhoDocument
from connector.web.plain_words import span
from connector.web.recent_counts import CampaignCounts


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
class CampaignSituation:
    """A campaign that may need attention.

    Attributes:
        by: who paused it.
        unreadable: its record cannot be read, so that it is paused: nobody knows whether it may be sent.
        counts: of the last while; None where it is only paused.
    """

    name: str
    paused: bool = False
    by: WhoDocument | None = None
    unreadable: bool = False
    counts: CampaignCounts | None = None


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
        campaigns: those that may need attention.
        unreported: providers that report nothing of what they took, and how many messages those are.
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
    campaigns: Sequence[CampaignSituation] = ()
    unreported: Sequence[tuple[str, float]] = ()


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
