"""What reads of the console take: every endpoint over HTTP, beside the looks at fifty workers, two hours of curves and
10,000 campaigns, all of which are rejected. No Kafka is needed: what it tells is put where the console keeps it, as
answers are made of memory.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp
import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from rich.table import Table

from connector.clock import ManualClock
from connector.health.status_report import MemoryReport, PartitionReport, WorkerReport, read_reports
from connector.kafka.reader import GroupMember, Members
from connector.model import Campaign, ProviderState
from connector.operating.audit_trail import AuditRecord, DeedState, encode_audit
from connector.operating.group_progress import GroupProgress, Oldest, Row
from connector.operating.worker_pages import WorkerAnswer
from connector.settings import Settings
from connector.settings.web import Web
from connector.stream.control.table import campaign_record, provider_record
from connector.web.console_view import ConsoleView
from connector.web.control_watch import KEPT_DEEDS
from connector.web.curves import FINE_POINTS, FINE_SECONDS
from connector.web.look_api import LookApi
from connector.web.recent_counts import Seen
from connector.web.serving import WebServer, bind
from tests.web.fleet import lane, worker

WORKERS, PROVIDERS, CAMPAIGNS, PARTITIONS = 50, 50, 10_000, 100
STATUSES = ("accepted", "rejected", "failed", "unknown")
READS = 60
MOST_SECONDS = 0.3
"""Of 95 in 100 reads."""
PATHS = (
    *("/api/me", "/api/overview", "/api/overview?range=24h", "/api/providers", "/api/providers/p07"),
    *("/api/workers", "/api/partitions", "/api/definitions", "/api/audit", "/api/audit?who=nobody"),
    *("/api/series?names=results&by=status", "/api/series?names=results&by=provider&range=24h"),
    *("/api/series?names=results&by=worker", "/api/series?names=waiting_messages&range=6h"),
)


@dataclass(frozen=True, slots=True)
class ReadTimes:
    """Seconds: of the half that is quicker, of 95 in 100, and CPU of one (client included); bytes of an answer."""

    p50: float
    p95: float
    cpu: float
    size: int


@dataclass(frozen=True, slots=True)
class ConsoleReads:
    """Everything that was measured.

    Attributes:
        reads: by path.
        look: CPU seconds of taking in one look at all workers, which comes every two seconds.
        draw: CPU seconds of adding to the curves, which comes every five.
    """

    reads: dict[str, ReadTimes]
    look: float
    draw: float

    @property
    def quick(self) -> bool:
        return all(it.p95 <= MOST_SECONDS for it in self.reads.values())


def measure() -> ConsoleReads:
    """Once."""
    return asyncio.run(_measure())


async def _measure() -> ConsoleReads:
    clock = ManualClock(wall=1_700_000_040.0)
    settings = Settings(web=Web(port=0))
    view = ConsoleView(settings, clock)
    _steer(view)
    looks, draws = [], []
    pages = _pages()
    for step in range(FINE_POINTS):
        if step >= FINE_POINTS - 20 or step < 2:
            began = time.process_time()
            view.fleet.note(
                [WorkerAnswer(f"http://10.0.0.{n}:8080", tuple(read_reports(p))) for n, p in enumerate(pages)]
            )
            looks.append(time.process_time() - began)
            pages = _pages(step)
        began = time.process_time()
        view.note_curves()
        draws.append(time.process_time() - began)
        clock.advance(FINE_SECONDS)
    _kafka(view, clock)
    server = WebServer(settings.web, bind(settings.web), chapters=[LookApi(view)], pages=["overview"], clock=clock)
    await server.start()
    try:
        reads = {path: await _read(server.url.rstrip("/") + path, clock) for path in PATHS}
    finally:
        await server.stop()
    return ConsoleReads(reads, statistics.median(looks), statistics.median(draws))


def table(found: ConsoleReads) -> Table:
    """For people."""
    made = Table("read", title=f"console: {WORKERS} workers, {PROVIDERS} providers, {CAMPAIGNS:,} campaigns")
    for column in ("half, ms", "95 %, ms", "CPU, ms", "bytes"):
        made.add_column(column, justify="right")
    for path, it in found.reads.items():
        made.add_row(path, f"{it.p50 * 1e3:.1f}", f"{it.p95 * 1e3:.1f}", f"{it.cpu * 1e3:.1f}", f"{it.size:,}")
    made.add_row("a look at all workers, every 2 s", "", "", f"{found.look * 1e3:.1f}", "")
    made.add_row("the curves, every 5 s", "", "", f"{found.draw * 1e3:.1f}", "")
    return made


async def _read(url: str, clock: ManualClock) -> ReadTimes:
    seconds, size = [], 0
    async with aiohttp.ClientSession() as session:
        cpu = time.process_time()
        for _ in range(READS):
            clock.advance(1)  # nothing is left of the read before
            began = time.perf_counter()
            async with session.get(url) as response:
                size = len(await response.read())
                assert response.status == 200, (url, response.status)
            seconds.append(time.perf_counter() - began)
        cpu = (time.process_time() - cpu) / READS
    ordered = sorted(seconds)
    return ReadTimes(statistics.median(ordered), ordered[int(READS * 0.95)], cpu, size)


def _pages(step: int = 0) -> list[bytes]:
    """What fifty workers answer."""
    return [msgspec.json.encode(report) for report in _reports(step)]


def _reports(step: int) -> Iterator[WorkerReport]:
    for number in range(WORKERS):
        lanes = {
            f"p{index:02}": lane(
                "open" if index % 10 == 7 else "sending",
                open=index,
                results={status: 1000 + step * 7 + place for place, status in enumerate(STATUSES)},
                requests=1000 + step,
            )
            for index in range(PROVIDERS)
        }
        owned = [PartitionReport("sms.messages", 2 * number + each, 100, 50, 40) for each in range(2)]
        made = worker(f"w{number:02}", lanes, owned=owned, partitions={"sms.messages": [2 * number, 2 * number + 1]})
        made.memory = MemoryReport(1000, 400_000, 10**6, 2**28, False, 2 * 10**8)
        yield made


def _steer(view: ConsoleView) -> None:
    """10,000 campaigns, and some providers that were paused and resumed."""
    topic = view.settings.topics.control
    records = [campaign_record(f"campaign-{n}", Campaign(provider="p01", total=n)) for n in range(CAMPAIGNS)]
    records += [provider_record(f"p{n:02}", ProviderState(paused=n % 2 == 0)) for n in range(0, PROVIDERS, 5)]
    view.control.note(_record(topic, offset, key, value) for offset, (key, value) in enumerate(records))
    view.control.caught_up = True
    deed = AuditRecord(
        at=view.now, who="arun", via="console", what="provider.pause", target="p00", state=DeedState.ASKED, request="r"
    )
    audit, value = view.settings.topics.audit, encode_audit(deed)
    view.control.note(_record(audit, offset, b"p00", value) for offset in range(KEPT_DEEDS))
    now, results = view.now.timestamp(), view.recent.results
    for minute in range(15):
        seen = [Seen(now - 60 * minute, "p01", "rejected", f"campaign-{n}", "4306") for n in range(CAMPAIGNS)]
        results.note(seen, 10 * len(seen), now)


def _record(topic: str, offset: int, key: bytes, value: bytes | None) -> ConsumerRecord:
    headers: Sequence[tuple[str, bytes]] = (("by", b"arun"), ("reason", b"under review"))
    found: Any = SimpleNamespace(
        topic=topic, partition=0, offset=offset, key=key, value=value, headers=headers, timestamp=1_700_000_000_000
    )
    return found


def _kafka(view: ConsoleView, clock: ManualClock) -> None:
    """What Kafka tells of the group."""
    each = tuple(
        GroupMember(f"member-w{n:02}", "c", "10.0.0.1", frozenset({TopicPartition("sms.messages", 2 * n)}))
        for n in range(WORKERS)
    )
    topics = ["sms.messages", *view.settings.topics.retry.values()]
    oldest = Oldest("m1", "p07", "campaign-1", 60.0, "provider p07 is open: HTTP 402 (0 of 4 requests under way)")
    rows = [Row(topic, n, 100, 200, 100, 0, oldest) for topic in topics for n in range(PARTITIONS)]
    state = view.kafka.state
    state.members = Members("Stable", WORKERS, each)
    state.quick = state.holds = GroupProgress(state.members, rows)
    view.kafka.reachability.answered(clock.wall())
