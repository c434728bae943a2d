"""The workers, as they answered last: asked every two seconds, all at once; who does not answer is listed as silent.

Counters of workers become totals of the whole group that only grow, whoever is restarted, and rates of the last while.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from connector.clock import Clock
from connector.health.status_report import WorkerReport
from connector.kafka.reader import GroupMember
from connector.operating.worker_pages import WorkerAnswer, addresses, ask_all, open_session
from connector.settings import Settings
from connector.web.curve_marks import DefinitionChanges
from connector.web.provider_figures import replies_within

log = structlog.get_logger(__name__)

LOOK_SECONDS = 2.0
RATE_SECONDS = 10.0
"""Rates are of the last while: of one look they would jump."""
SILENT_SECONDS = 3600.0
"""A worker that has been silent for so long, and is no member of the group, is no longer listed."""

MOST_TOTALS = 20_000
"""Providers and statuses that are counted: more are no providers, but names that whoever answers makes up."""

Totals = Mapping[tuple[str, str], float]
"""By provider and status."""


@dataclass(slots=True)
class SeenWorker:
    """One worker.

    Attributes:
        key: what it is listed under: its id, its member's id, or its address.
        report: what it said last; None where it has never answered.
        seen: when that was, wall seconds.
        error: why it does not answer; empty where it did at the last look.
    """

    key: str
    url: str
    report: WorkerReport | None = None
    seen: float | None = None
    error: str = ""

    @property
    def silent(self) -> bool:
        """It did not answer at the last look."""
        return bool(self.error)


@dataclass(frozen=True, slots=True)
class _Before:
    """The counters of a worker at its last look."""

    started: object
    results: Mapping[tuple[str, str], int]
    requests: Mapping[str, Sequence[int]]


@dataclass(slots=True)
class _Look:
    at: float
    results: dict[tuple[str, str], float]
    requests: dict[str, list[float]] = field(default_factory=dict)
    workers: dict[str, float] = field(default_factory=dict)


class FleetWatch:
    """Asks the workers.

    Attributes:
        workers: all that are known, by key.
        second_bounds: of the histograms of seconds.
        definitions: when they were changed.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.workers: dict[str, SeenWorker] = {}
        self.second_bounds: list[float] = []
        self._members: Sequence[GroupMember] = ()
        self._before: dict[str, _Before] = {}
        self._totals: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._requests: dict[str, list[float]] = {}
        self._by_worker: defaultdict[str, float] = defaultdict(float)
        self._looks: deque[_Look] = deque()
        self.looked_at: float | None = None
        self.definitions = DefinitionChanges()

    def told_members(self, members: Sequence[GroupMember]) -> None:
        """The group's members: where workers answer, and who of them should."""
        self._members = members

    async def run(self) -> None:
        """Ask for ever."""
        async with open_session() as session:
            while True:
                try:
                    urls = await addresses(self._settings, self._members)
                    self.note(await ask_all(session, urls))
                except OSError as error:  # a name that leads nowhere just now
                    log.warning(
                        "workers cannot be found", error=type(error).__name__, workers=self._settings.web.workers
                    )
                    self.note([])
                await asyncio.sleep(LOOK_SECONDS)

    def note(self, answered: Iterable[WorkerAnswer]) -> None:
        """One look: what each address said."""
        now = self._clock.wall()
        heard: set[str] = set()
        failed: dict[str, str] = {}
        for answer in answered:
            if answer.error:
                failed[answer.url] = answer.error
            for report in answer.reports:
                key = report.id or report.member or answer.url
                heard.add(key)
                self.workers[key] = SeenWorker(key, answer.url, report, now)
                self._count(key, report)
        members = {it.id for it in self._members}
        self._silence(heard, failed, members, now)
        self.looked_at = now
        # Of silent workers as well: who answers again has changed nothing.
        told = [it.report for it in self.workers.values() if it.report is not None]
        digests = [(name, lane.digest) for report in told for name, lane in report.lanes.items()]
        self.definitions.note(datetime.fromtimestamp(now, UTC), digests)
        self._looks.append(_Look(now, dict(self._totals), _copied(self._requests), dict(self._by_worker)))
        while len(self._looks) > 2 and self._looks[1].at <= now - RATE_SECONDS:
            self._looks.popleft()

    def _silence(self, heard: set[str], failed: Mapping[str, str], members: set[str], now: float) -> None:
        """Who did not answer: known ones, addresses that nobody was ever heard at, and members nobody speaks for."""
        at_url = {it.url for key, it in self.workers.items() if key in heard}
        for key, it in list(self.workers.items()):
            if key in heard:
                continue
            member = "" if it.report is None else it.report.member
            gone = it.seen is None or now - it.seen > SILENT_SECONDS
            left = bool(members) and member not in members
            replaced = it.url in at_url or it.report is None
            if replaced or (left and it.report is not None and it.report.stopping) or (gone and left):
                self._forget(key)
            else:
                it.error = failed.get(it.url) or ("it has left the group" if left else "it is not found any more")
        known_urls = {it.url for it in self.workers.values()}
        for url, error in failed.items():
            if url not in known_urls:
                self.workers[url] = SeenWorker(url, url, error=error)
        spoken = {it.report.member for it in self.workers.values() if it.report is not None}
        if any(it.report is not None and not it.report.member for it in self.workers.values()):
            return  # one has just begun, or is of a release that does not say which member it is
        for each in self._members:
            if each.id not in spoken and not any(f"//{each.host}:" in url for url in failed):
                where = f"{each.host} ({each.client})"
                self.workers[each.id] = SeenWorker(each.id, where, error="a member of the group that does not answer")

    def _forget(self, key: str) -> None:
        del self.workers[key]
        self._before.pop(key, None)
        self._by_worker.pop(key, None)

    def _count(self, key: str, report: WorkerReport) -> None:
        """Add what has come since the last look; a worker that was restarted counts from zero."""
        if report.second_bounds:
            self.second_bounds = report.second_bounds
        results = {
            (name, status): number
            for name, lane in report.lanes.items()
            for status, number in lane.counters.results.items()
        }
        results |= {("", status): number for status, number in report.other_results.items()}
        buckets = len(report.second_bounds) + 1
        requests = {name: replies_within(lane, buckets) for name, lane in report.lanes.items()}
        before = self._before.get(key)
        self._before[key] = _Before(report.started, results, requests)
        if before is None:
            return  # what it did before it was seen first is nobody's rate
        same = before.started == report.started
        for place, number in results.items():
            if place not in self._totals and len(self._totals) >= MOST_TOTALS:
                continue
            grown = max(0, number - (before.results.get(place, 0) if same else 0))
            self._totals[place] += grown
            self._by_worker[key] += grown
        for name, counts in requests.items():
            if name not in self._requests and len(self._requests) >= MOST_TOTALS:
                continue
            old = before.requests.get(name, ()) if same else ()
            sums = self._requests.setdefault(name, [0.0] * len(counts))
            for index, number in enumerate(counts[: len(sums)]):
                sums[index] += max(0, number - (old[index] if index < len(old) else 0))

    # ---- what is asked of it ----------------------------------------------------------------------------------------

    @property
    def reports(self) -> list[WorkerReport]:
        """Of the workers that answered at the last look."""
        return [it.report for it in self.workers.values() if it.report is not None and not it.silent]

    @property
    def silent(self) -> list[SeenWorker]:
        """Those that did not."""
        return [it for it in self.workers.values() if it.silent]

    @property
    def totals(self) -> Totals:
        """Results since the console began, by provider and status."""
        return self._totals

    def rates(self) -> dict[tuple[str, str], float]:
        """Results a second, of the last while, by provider and status."""
        if len(self._looks) < 2:
            return {}
        first, last = self._looks[0], self._looks[-1]
        seconds = max(last.at - first.at, 1e-3)
        return {key: (number - first.results.get(key, 0.0)) / seconds for key, number in last.results.items()}

    def worker_rates(self) -> dict[str, float]:
        """Results a second, of the last while, by worker."""
        if len(self._looks) < 2:
            return {}
        first, last = self._looks[0], self._looks[-1]
        seconds = max(last.at - first.at, 1e-3)
        return {key: max(0.0, number - first.workers.get(key, 0.0)) / seconds for key, number in last.workers.items()}

    def reply_seconds(self, provider: str, share: float) -> float | None:
        """The bound below which this share of the replies of the last while came; None where there were none."""
        if len(self._looks) < 2 or provider not in self._looks[-1].requests:
            return None
        last = self._looks[-1].requests[provider]
        first = self._looks[0].requests.get(provider, [0.0] * len(last))
        counts = [new - old for new, old in zip(last, first, strict=True)]
        return quantile(counts, self.second_bounds, share)


def quantile(counts: Sequence[float], bounds: Sequence[float], share: float) -> float | None:
    """As Prometheus estimates it: linear within the bucket; None where nothing was counted."""
    total = sum(counts)
    if total <= 0 or not bounds:
        return None
    wanted, seen, below = total * share, 0.0, 0.0
    for count, bound in zip(counts, bounds, strict=False):
        if count and seen + count >= wanted:
            return round(below + (bound - below) * (wanted - seen) / count, 4)
        seen, below = seen + count, bound
    return float(bounds[-1])


def _copied(lists: Mapping[str, list[float]]) -> dict[str, list[float]]:
    return {name: list(values) for name, values in lists.items()}
