"""The pages of `receipts run`: `/metrics`, `/health/live`, `/health/ready`, `/status`."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Callable, Iterable
from typing import TypedDict

from aiohttp import web
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from connector import __version__
from connector.clock import SystemClock
from connector.health.families import JOIN_METRICS, Page
from connector.health.loop_lag import LoopLag
from connector.health.server import Server, exposition
from connector.receipts.callback import Why
from connector.stream.process import Attendant
from connector.stream.receipts.index_status import IndexStatus
from connector.stream.receipts.join_status import JoinStatus

JoinSource = Callable[[], JoinStatus | None]

_UNMATCHED = frozenset(why.value for why in Why)
NOT_THERE = "it waits for its broker"


class JoinReport(TypedDict):
    """One process. `reason`: why it is not ready. `unused`: where definitions on disk are wrong."""

    ready: bool
    reason: str
    definitions: list[str]
    unused: list[str]
    partitions: list[int]


class JoinCollector(Collector):
    """The families of one process.

    Args:
        status: what it is doing; None before there is anything.
        loop_lag: seconds the event loop was late.
    """

    def __init__(self, status: JoinSource, loop_lag: Callable[[], float]) -> None:
        self._status = status
        self._loop_lag = loop_lag

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        page, status = Page(JOIN_METRICS), self._status()
        page.add("build_info", 1, __version__)
        page.add("loop_lag_seconds", self._loop_lag())
        for generation, collected in enumerate(gc.get_stats()):
            page.add("gc_collections", collected["collections"], str(generation))
        page.add("receipts_ready", status is not None and status.ready)
        if status is not None:
            _add(page, status)
        return page.families()


def _add(page: Page, status: JoinStatus) -> None:
    counts = status.counts
    page.add("definitions_unused", bool(status.unused))
    unmatched = counts.unmatched.copy()
    if status.index is not None:
        unmatched.update({key: it for key, it in status.index.counts.looked_up.items() if key[1] in _UNMATCHED})
    for name, numbers in (
        ("receipts", counts.written),
        ("receipts_dropped", counts.dropped),
        ("receipts_unmatched", unmatched),
        ("opt_outs", counts.opt_outs),
    ):
        for (provider, what), number in numbers.items():
            page.add(name, number, provider, what)
    for provider, number in counts.contradictions.items():
        page.add("receipts_contradicting", number, provider)
    for provider, histogram in counts.reported.items():
        page.add_histogram("receipt_report_seconds", histogram, provider)
    page.add_histogram("receipt_durable_seconds", counts.durable)
    page.add_histogram("opt_out_listed_seconds", counts.listed)
    page.add("replies_lag", sum(it.lag for it in status.replies))
    page.add("receipts_settled", counts.settled)
    page.add("receipts_lag", sum(it.lag for it in status.partitions))
    page.add("receipt_partitions", len(status.partitions))
    page.add("receipt_state_bytes", status.state_bytes)
    page.add("receipt_restore_seconds", status.restore_seconds)
    page.add("receipt_restored_records", status.restored)
    if status.index is not None:
        _add_index(page, status.index)
    for (topic, reason), number in status.skipped.items():
        page.add("records_skipped", number, topic, reason.value)
    page.add("rebalances", status.epochs.opened)
    page.add_histogram("drain_duration_seconds", status.epochs.drains)


def _add_index(page: Page, index: IndexStatus) -> None:
    for (provider, outcome), number in index.counts.looked_up.items():
        page.add("receipts_looked_up", number, provider, outcome)
    page.add("receipts_waiting", index.waiting)
    page.add("receipts_indexed", index.counts.indexed)
    if index.lag is not None:
        page.add("receipts_index_lag_seconds", index.lag)
    page.add("receipt_index_bytes", index.bytes)


class JoinHealth(Attendant[JoinStatus]):
    """The pages of one process: an attendant of it.

    Args:
        place: the port, or the path at which a parent asks.
    """

    def __init__(self, place: socket.socket) -> None:
        pages = {
            "/metrics": self._metrics,
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/status": self._report,
        }
        self._server = Server(place, pages)
        self._lag = LoopLag(SystemClock())
        self._registry = CollectorRegistry(auto_describe=False)
        self._status: JoinSource = lambda: None
        self._measuring: asyncio.Task[None] | None = None

    async def start(self, status: JoinSource) -> None:
        """Serve what `status` says from now on."""
        self._status = status
        ProcessCollector(namespace="sms_connector", registry=self._registry)
        self._registry.register(JoinCollector(status, self._lag.worst))
        self._measuring = asyncio.create_task(self._lag.run())
        await self._server.start()

    async def stop(self) -> None:
        """Serve no more."""
        if self._measuring is not None:
            self._measuring.cancel()
        await self._server.stop()

    async def _metrics(self, _: web.Request) -> web.Response:
        return exposition(self._registry)

    async def _live(self, _: web.Request) -> web.Response:
        """The loop answers. A process that is stuck ends itself (exit code 71)."""
        return web.Response(text="alive\n")

    async def _ready(self, _: web.Request) -> web.Response:
        now = self._now()
        if now["ready"]:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"not ready: {now['reason']}\n")

    async def _report(self, _: web.Request) -> web.Response:
        return web.json_response(self._now())

    def _now(self) -> JoinReport:
        status = self._status()
        if status is None:
            return JoinReport(ready=False, reason=NOT_THERE, definitions=[], unused=[], partitions=[])
        return JoinReport(
            ready=status.ready,
            reason=status.reason,
            definitions=list(status.definitions),
            unused=list(status.unused),
            partitions=sorted(it.partition for it in status.partitions),
        )
