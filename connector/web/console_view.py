"""What the watches know, as the documents of the API: every answer is made of memory, and waits for nobody."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from connector.clock import Clock
from connector.health.status_report import WorkerReport
from connector.model import CampaignState
from connector.operating.audit_trail import AuditRecord
from connector.operating.holding import Providers, providers_of
from connector.receipts.callback import State
from connector.receipts.states import is_final
from connector.settings import Settings
from connector.stream.control.table import UNREADABLE
from connector.web.api_documents import (
    DeedDocument,
    FiguresDocument,
    KafkaDocument,
    OverviewDocument,
    ProviderDocument,
    StaleDocument,
    WhoDocument,
)
from connector.web.attention import attention
from connector.web.control_watch import ControlWatch
from connector.web.curves import FINE_SECONDS, Curves
from connector.web.deed_documents import DeedDocuments
from connector.web.fleet_watch import FleetWatch
from connector.web.kafka_watch import KafkaWatch
from connector.web.provider_figures import Pace, Steering, provider_document, provider_names
from connector.web.recent_counts import WINDOW_SECONDS
from connector.web.recent_watch import RecentWatch
from connector.web.situation import CampaignSituation, ProviderPast, SilentWorker, Situation, detail, headline

LATEST_DEEDS = 10
FINAL_STATES = tuple(str(state) for state in State if is_final(state))
RECEIPT_SECONDS = 300.0
"""Receipts of messages may take so long before somebody wonders."""
ENOUGH_ACCEPTED = 50
"""Of fewer messages there may be no receipt yet, as phones are off."""
PAST_SECONDS = 3600.0
"""Of what needs attention: what happened in the last hour."""


def instant(wall: float | None) -> datetime | None:
    """Wall seconds as a time; None stays None."""
    return None if wall is None else datetime.fromtimestamp(wall, UTC)


class ConsoleView:
    """Everything that is known at this moment.

    Attributes:
        fleet, kafka, control, recent, curves: what watches.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self.fleet = FleetWatch(settings, clock)
        self.control = ControlWatch(settings, clock)
        self.curves = Curves()
        self.recent = RecentWatch(settings, clock)
        self._listed: list[ProviderDocument] = []
        self._listed_of: object = None
        self.kafka = KafkaWatch(settings, clock, providers=self.holding, told=self.fleet.told_members)

    def holding(self) -> Providers:
        """What workers say holds messages."""
        return providers_of(self.fleet.reports, self.settings.unknown_grace)

    @property
    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.fromtimestamp(self._clock.wall(), UTC)

    # ---- curves -----------------------------------------------------------------------------------------------------

    async def draw(self) -> None:
        """Add to the curves, for ever."""
        while True:
            await asyncio.sleep(FINE_SECONDS)
            self.note_curves()

    def note_curves(self) -> None:
        """The values of this moment; nothing where no worker answers, as nothing is not zero."""
        if not self.fleet.reports:
            return
        wall, add = self._clock.wall(), self.curves.add
        for (provider, status), rate in self.fleet.rates().items():
            add(wall, "results", rate, provider=provider, status=status)
        for worker, rate in self.fleet.worker_rates().items():
            add(wall, "results", rate, worker=worker)
        for name in provider_names(self.fleet.reports, ()):
            lanes = [report.lanes[name] for report in self.fleet.reports if name in report.lanes]
            add(wall, "lane_open_messages", sum(lane.open for lane in lanes), provider=name)
            add(wall, "requests_in_flight", sum(lane.requests for lane in lanes), provider=name)
            add(wall, "request_slots", sum(lane.slots for lane in lanes), provider=name)
        topics: dict[str, int] = {}
        backlog: dict[str, int] = {}
        for report in self.fleet.reports:
            for one in report.owned:
                topics[one.topic] = topics.get(one.topic, 0) + one.unread
            for topic, number in report.retry_backlog.items():
                backlog[topic] = backlog.get(topic, 0) + number
        for topic, number in topics.items():
            add(wall, "unread_messages", number, topic=topic)
        for topic, number in backlog.items():
            add(wall, "retry_backlog_messages", number, topic=topic)
        add(wall, "waiting_messages", self.waiting)

    # ---- documents --------------------------------------------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """Messages without a result: open in workers, not read yet, or in retry topics. One that workers have read
        again from a retry topic counts there as well until it is finished.
        """
        return sum(
            report.memory.messages + sum(one.unread for one in report.owned) + sum(report.retry_backlog.values())
            for report in self.fleet.reports
        )

    @property
    def members(self) -> int | None:
        """Of the group; None where Kafka does not say."""
        members = self.kafka.state.members
        return members.number if members.known else None

    @property
    def oldest(self) -> float:
        """Seconds for which the oldest message that may leave has waited, or an event that holds a partition."""
        lanes = [lane.oldest for report in self.fleet.reports for lane in report.lanes.values()]
        return max(lanes, default=0.0)

    def steering(self, name: str) -> Steering:
        """What the control topic says of a provider."""
        change = self.control.of_provider(name)
        paused = name in self.control.table.paused
        if change is None:
            return Steering(paused=paused)
        by = WhoDocument(change.by, change.at, change.reason)
        return Steering(paused, by, change.partition, change.offset)

    def provider(self, name: str) -> ProviderDocument | None:
        """One provider; None where nobody knows it."""
        known = self.steering(name).paused or any(name in report.lanes for report in self.fleet.reports)
        return self.steered(name) if known else None

    def steered(self, name: str) -> ProviderDocument:
        """One that somebody has just paused or resumed, whoever has it."""
        return self._provider(name, self.fleet.reports, self.fleet.rates(), shares=True)

    def providers(self) -> list[ProviderDocument]:
        """All of them; made once a second at most, however many people look."""
        seen = (int(self._clock.wall()), self.fleet.looked_at, dict(self.control.table.applied))
        if self._listed_of != seen:
            reports, rates = self.fleet.reports, self.fleet.rates()
            names = provider_names(reports, self.control.table.paused)
            self._listed = [self._provider(name, reports, rates, shares=False) for name in names]
            self._listed_of = seen
        return self._listed

    def _provider(
        self, name: str, reports: list[WorkerReport], rates: Mapping[tuple[str, str], float], *, shares: bool
    ) -> ProviderDocument:
        pace = Pace(
            rates.get((name, "accepted"), 0.0),
            self.fleet.reply_seconds(name, 0.5),
            self.fleet.reply_seconds(name, 0.95),
            self.recent.receipts.share(name, State.DELIVERED, *FINAL_STATES),
        )
        return provider_document(name, reports, self.steering(name), pace, self.now, shares=shares)

    def overview(self, seconds: float) -> OverviewDocument:
        """Is it working?"""
        providers, rates, now = self.providers(), self.fleet.rates(), self.now
        reachability = self.kafka.reachability
        away = None if reachability.away_since is None else self._clock.wall() - reachability.away_since
        silent = [SilentWorker(it.key, it.url, it.error, instant(it.seen)) for it in self.fleet.silent]
        accepted = sum(rate for (_, status), rate in rates.items() if status == "accepted")
        situation = Situation(
            now=now,
            providers=providers,
            reports=self.fleet.reports,
            silent=silent,
            members=self.members,
            waiting=self.waiting,
            oldest=self.oldest,
            accepted_rate=accepted,
            ended_rate=sum(rates.values()),
            past=self._past(),
            away=away,
            campaigns=self._campaigns(),
            unreported=self._unreported(),
            looked=self.fleet.looked_at is not None
            and (self.kafka.state.quick is not None or bool(self.fleet.workers)),
        )
        return OverviewDocument(
            sentence=headline(situation),
            detail=detail(situation),
            at=now,
            attention=attention(situation),
            figures=self._figures(situation, seconds),
            providers=providers,
            deeds=self.deeds(it for _, _, it in list(self.control.deeds)[: -LATEST_DEEDS - 1 : -1]),
            stale=self.stale(),
            kafka=self.kafka_document(),
        )

    def deeds(self, records: Iterable[AuditRecord]) -> list[DeedDocument]:
        """Records of the audit topic."""
        return DeedDocuments(self.control, self.now).of(records)

    def _campaigns(self) -> list[CampaignSituation]:
        """Campaigns that may need attention: those that are paused, and those of which messages were refused."""
        table = self.control.table
        found = []
        for name, campaign in table.campaigns.items():
            if campaign.state is CampaignState.PAUSED:
                change = self.control.of_campaign(name)
                by = None if change is None else WhoDocument(change.by, change.at, change.reason)
                found.append(CampaignSituation(name, paused=True, by=by, unreadable=campaign is UNREADABLE))
        found += [CampaignSituation(it.campaign, counts=it) for it in self.recent.results.campaigns() if it.rejected]
        return found

    def _unreported(self) -> list[tuple[str, float]]:
        """Providers that report nothing of what they took, though they should; and how many messages those are."""
        settings, wall = self.settings, self._clock.wall()
        if settings.receive.url is None or not self.recent.receipts_there:
            return []
        reporting = {name for report in self.fleet.reports for name, lane in report.lanes.items() if lane.receipts}
        after, until = wall - WINDOW_SECONDS, wall - RECEIPT_SECONDS
        found = []
        for name in sorted(reporting):
            accepted = self.recent.results.of_provider(name, "accepted", after=after, until=until)
            expected = accepted * self.recent.receipts.fraction
            if expected >= ENOUGH_ACCEPTED and not self.recent.receipts.looked_at(name):
                found.append((name, accepted))
        return found

    def _past(self) -> dict[str, ProviderPast]:
        """What messages came to in the last hour, by provider."""
        wall = self._clock.wall()
        sums: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for (provider, status), amount in self.curves.amounts("results", wall - PAST_SECONDS, wall).items():
            sums[provider][status] = amount
        return {
            provider: ProviderPast(
                it.get("accepted", 0.0), it.get("rejected", 0.0), it.get("unknown", 0.0), sum(it.values())
            )
            for provider, it in sums.items()
        }

    def _figures(self, it: Situation, seconds: float) -> FiguresDocument:
        wall = self._clock.wall()
        begin = wall - seconds
        amounts: defaultdict[str, float] = defaultdict(float)
        for (_, status), amount in self.curves.amounts("results", begin, wall).items():
            amounts[status] += amount
        ended = sum(amounts.values())
        began = self.curves.began
        return FiguresDocument(
            accepted_rate=round(it.accepted_rate, 2),
            ended_rate=round(it.ended_rate, 2),
            rejected_share=round(amounts["rejected"] / ended, 4) if ended >= 1 else None,
            unknown=round(amounts["unknown"]),
            failed=round(amounts["failed"]),
            expired=round(amounts["expired"]),
            waiting=it.waiting,
            oldest=it.oldest,
            since=instant(began) if began is not None and began > begin else None,
        )

    def stale(self) -> list[StaleDocument]:
        """What did not answer."""
        found = []
        reachability = self.kafka.reachability
        if reachability.away_since is not None:
            told = f"Kafka does not answer ({reachability.why}); what it says is as of then."
            found.append(StaleDocument("kafka", "kafka", told, instant(reachability.as_of)))
        if not self.control.caught_up:
            topic = self.settings.topics.control
            found.append(
                StaleDocument("control", topic, f"{topic} has not been read yet: who is paused is not known.", None)
            )
        for it in self.fleet.silent:
            told = f"Worker {it.key} does not answer: {it.error}. Figures are without it."
            found.append(StaleDocument("worker", it.key, told, instant(it.seen)))
        return found

    def kafka_document(self) -> KafkaDocument:
        """Whether Kafka answers."""
        it = self.kafka.reachability
        return KafkaDocument(it.away_since is None, instant(it.as_of), instant(it.away_since), it.why)
