"""Looking: overview, providers, workers, partitions, definitions, curves, what people did."""

from __future__ import annotations

import re
from collections import defaultdict

from connector.operating.group_progress import Row
from connector.web.api_documents import (
    CurveDocument,
    DeedsDocument,
    DeployedDocument,
    DeployedOther,
    MarkDocument,
    OldestDocument,
    OneProviderDocument,
    OverviewDocument,
    PartitionDocument,
    PartitionsDocument,
    ProviderDocument,
    ProvidersDocument,
    SeriesDocument,
    WorkerDocument,
    WorkerMemory,
    WorkersDocument,
)
from connector.web.console_view import ConsoleView, instant
from connector.web.curves import step_of
from connector.web.endpoints import ApiCall, Endpoint, QueryParameter
from connector.web.fleet_watch import SeenWorker
from connector.web.problems import HttpProblemError
from connector.web.web_app import Tagged

RANGE = re.compile(r"([1-9][0-9]{0,3})([mhd])")
RANGE_UNITS = {"m": 60, "h": 3600, "d": 86400}
LONGEST_SECONDS = 2 * 86400
NAMES = (
    *("results", "lane_open_messages", "requests_in_flight", "request_slots"),
    *("unread_messages", "retry_backlog_messages", "waiting_messages"),
)
LABELS = ("", "provider", "status", "worker", "topic")
PAGE_DEEDS = 100
MOST_MARKS = 50
NAME_CHARACTERS = 64

RANGE_PARAMETER = QueryParameter(
    "range", "How far back, up to 2d.", {"type": "string", "pattern": RANGE.pattern, "default": "1h"}
)


class LookApi:
    """The endpoints."""

    def __init__(self, view: ConsoleView) -> None:
        self._view = view

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        names = QueryParameter(
            "names",
            "Of curves, separated by commas.",
            {"type": "array", "items": {"type": "string", "enum": list(NAMES)}},
            required=True,
        )
        by = QueryParameter("by", "A line for each of these; without it one.", {"enum": list(LABELS[1:])})
        return [
            Endpoint(
                "overview",
                "GET",
                "/api/overview",
                self._overview,
                "Is it working: the sentence, the figures, and what needs attention.",
                gives=OverviewDocument,
                parameters=(RANGE_PARAMETER,),
            ),
            Endpoint(
                "series",
                "GET",
                "/api/series",
                self._series,
                "Curves from memory: two hours at five seconds, two days at a minute.",
                gives=SeriesDocument,
                parameters=(names, by, RANGE_PARAMETER),
                statuses=(400,),
            ),
            Endpoint("providers", "GET", "/api/providers", self._providers, "All providers.", gives=ProvidersDocument),
            Endpoint(
                "provider",
                "GET",
                "/api/providers/{name}",
                self._provider,
                "One provider.",
                gives=OneProviderDocument,
                statuses=(404,),
            ),
            Endpoint(
                "definitions",
                "GET",
                "/api/definitions",
                self._definitions,
                "What workers have loaded, by name and digest; which workers differ.",
                gives=list[DeployedDocument],
            ),
            Endpoint(
                "workers",
                "GET",
                "/api/workers",
                self._workers,
                "All workers: those that answer, and those that should.",
                gives=WorkersDocument,
            ),
            Endpoint(
                "partitions",
                "GET",
                "/api/partitions",
                self._partitions,
                "How far each partition is, who has it, its oldest open event and what holds it.",
                gives=PartitionsDocument,
            ),
            Endpoint(
                "audit",
                "GET",
                "/api/audit",
                self._audit,
                "What people did, the newest first.",
                gives=DeedsDocument,
                parameters=(
                    QueryParameter("who", "A person."),
                    QueryParameter("what", "A deed, or how its name begins."),
                    QueryParameter("target", "What it was done to."),
                    QueryParameter("cursor", "From an earlier answer's `next`."),
                ),
                statuses=(400,),
            ),
        ]

    async def _overview(self, call: ApiCall) -> OverviewDocument:
        return self._view.overview(range_seconds(call))

    async def _providers(self, _: ApiCall) -> ProvidersDocument:
        view = self._view
        return ProvidersDocument(view.providers(), view.now, view.stale(), view.kafka_document())

    async def _provider(self, call: ApiCall) -> Tagged:
        view = self._view
        found = view.provider(call.path["name"][:NAME_CHARACTERS])
        if found is None:
            raise HttpProblemError(404, "no worker that answers has this provider, and nobody has paused it")
        fields = {field: getattr(found, field) for field in ProviderDocument.__struct_fields__}
        return Tagged(OneProviderDocument(**fields, stale=view.stale(), kafka=view.kafka_document()), found.etag)

    async def _series(self, call: ApiCall) -> SeriesDocument:
        names, by = call.query_list("names"), call.query("by")
        if not names or not set(names) <= set(NAMES):
            raise HttpProblemError(400, f"names: write some of {', '.join(NAMES)}")
        if by not in LABELS:
            raise HttpProblemError(400, f"by: write one of {', '.join(LABELS[1:])}, or leave it out")
        seconds = range_seconds(call)
        step = step_of(seconds)
        end = int(self._view.now.timestamp()) // step * step
        begin = end - int(seconds) // step * step
        found = self._view.curves.select(names, by, begin, end, step)
        moments = sorted([*self._view.control.marks, *self._view.fleet.definitions.marks], key=lambda it: it.at)
        marks = [MarkDocument(it.at, it.sentence) for it in moments if it.at.timestamp() >= begin]
        return SeriesDocument(
            start=begin,
            step=step,
            began=self._view.curves.began,
            series=[CurveDocument(it.name, dict(it.labels), it.values) for it in found],
            marks=marks[-MOST_MARKS:],
        )

    async def _definitions(self, _: ApiCall) -> list[DeployedDocument]:
        having: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        reports = self._view.fleet.reports
        for report in reports:
            for name, lane in report.lanes.items():
                having[name][lane.digest].append(report.id)
        unused = sorted({place for report in reports for place in report.unused})
        found = []
        for name, digests in sorted(having.items()):
            most = max(digests, key=lambda digest: (len(digests[digest]), digest))
            others = [DeployedOther(digest, ids) for digest, ids in sorted(digests.items()) if digest != most]
            found.append(DeployedDocument(name, most, len(digests[most]), len(reports), others, unused))
        return found

    async def _workers(self, _: ApiCall) -> WorkersDocument:
        view = self._view
        rates = view.fleet.worker_rates()
        newest = self._newest()
        items = [_worker(it, rates.get(key), newest) for key, it in view.fleet.workers.items()]
        return WorkersDocument(
            items=sorted(items, key=lambda it: (not it.silent, it.id)),
            members=view.members,
            group=view.settings.group,
            group_state=view.kafka.state.members.state,
            at=view.now,
            kafka=view.kafka_document(),
        )

    def _newest(self) -> dict[str, int]:
        """Of the control topic, what a worker has taken in that obeys."""
        found: dict[str, int] = {}
        for change in self._view.control.changes.values():
            key = str(change.partition)
            found[key] = max(found.get(key, -1), change.offset)
        return found

    async def _partitions(self, _: ApiCall) -> PartitionsDocument:
        view = self._view
        view.kafka.want_holds()
        state = view.kafka.state
        owners = {(tp.topic, tp.partition): member.id for member in state.members.each for tp in member.partitions}
        speaking = {it.report.member: it.key for it in view.fleet.workers.values() if it.report is not None}
        held = {} if state.holds is None else {(row.topic, row.partition): row for row in state.holds.rows}
        quick = [] if state.quick is None else state.quick.rows
        sources = set(view.settings.topics.source_names)
        first = next(iter(view.settings.topics.source_names))
        items = []
        for row in quick:
            member = owners.get((row.topic if row.topic in sources else first, row.partition))
            owner = None if member is None else speaking.get(member, member)
            items.append(_partition(row, held.get((row.topic, row.partition)), owner))
        return PartitionsDocument(items, state.holds is not None, view.kafka_document())

    async def _audit(self, call: ApiCall) -> DeedsDocument:
        who, what, target, cursor = (call.query(name) for name in ("who", "what", "target", "cursor"))
        if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
            raise HttpProblemError(400, "cursor: write the one that an earlier answer gave")
        below = int(cursor) if cursor else None
        found = [
            (offset, it)
            for _, offset, it in reversed(self._view.control.deeds)
            if (below is None or offset < below)
            and who in ("", it.who)
            and target in ("", it.target)
            and it.what.startswith(what)
        ]
        page = found[:PAGE_DEEDS]
        more = str(page[-1][0]) if len(found) > len(page) else None
        items, recorded = self._view.deeds(it for _, it in page), self._view.control.audit_there
        return DeedsDocument(items, more, recorded, self._view.kafka_document())


def range_seconds(call: ApiCall) -> float:
    """Seconds of the query's `range`. Raises HttpProblemError."""
    found = RANGE.fullmatch(call.query("range", "1h"))
    seconds = 0 if found is None else int(found[1]) * RANGE_UNITS[found[2]]
    if not 0 < seconds <= LONGEST_SECONDS:
        raise HttpProblemError(400, "range: write 15m, 1h, 6h or the like, up to 2d")
    return float(seconds)


def _worker(it: SeenWorker, rate: float | None, newest: dict[str, int]) -> WorkerDocument:
    report = it.report
    if report is None:
        return WorkerDocument(
            it.key, it.url, True, it.error, None, None, None, None, "", None, None, None, None, None, None, None, None
        )
    memory = report.memory
    return WorkerDocument(
        id=it.key,
        address=it.url,
        silent=it.silent,
        error=it.error,
        seen=instant(it.seen),
        version=report.version or None,
        started=report.started,
        ready=None if it.silent else report.ready,
        reason=report.reason,
        partitions=report.partitions,
        lag=sum(one.lag for one in report.owned),
        rate=None if it.silent or rate is None else round(rate, 2),
        memory=WorkerMemory(
            memory.messages, memory.messages_limit, memory.bytes, memory.bytes_limit, memory.resident, memory.blocked
        ),
        loop_lag=report.loop_lag,
        definitions={name: lane.digest for name, lane in report.lanes.items()},
        obeys=None if it.silent else all(report.control.get(key, -1) >= offset for key, offset in newest.items()),
        rebalances=report.rebalances,
    )


def _partition(row: Row, held: Row | None, owner: str | None) -> PartitionDocument:
    oldest = None
    # What holds it is of an earlier look: only where nothing has been committed since.
    if held is not None and held.oldest is not None and row.lag and held.committed == row.committed:
        one = held.oldest
        oldest = OldestDocument(
            one.age, _short(one.provider), _short(one.campaign_id), _short(one.message_id), one.holds
        )
    return PartitionDocument(
        row.topic,
        row.partition,
        row.committed,
        row.end,
        row.lag,
        0 if held is None else held.undecided,
        owner,
        oldest,
    )


def _short(text: str | None) -> str | None:
    return None if text is None else text[:128]
