"""The pages of a receiver: `/metrics`, `/health/live`, `/health/ready`, `/status`."""

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
from connector.health.families import CALLBACK_METRICS, Page
from connector.health.loop_lag import LoopLag
from connector.health.server import Server, exposition
from connector.receive.receiver_status import ReceiverStatus

ReceiverSource = Callable[[], ReceiverStatus]


class ReceiverReport(TypedDict):
    """One receiver. `reason`: why no callbacks are wanted now. `unused`: where definitions on disk are wrong."""

    ready: bool
    reason: str
    definitions: list[str]
    unused: list[str]
    waiting: int
    connections: int


class ReceiverCollector(Collector):
    """The families of one receiver."""

    def __init__(self, status: ReceiverSource, loop_lag: Callable[[], float]) -> None:
        self._status = status
        self._loop_lag = loop_lag

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        page, status = Page(CALLBACK_METRICS), self._status()
        page.add("build_info", 1, __version__)
        page.add("receiver_ready", status.ready)
        page.add("loop_lag_seconds", self._loop_lag())
        for generation, collected in enumerate(gc.get_stats()):
            page.add("gc_collections", collected["collections"], str(generation))
        page.add("definitions_unused", bool(status.unused))
        counts = status.counts
        for name, numbers in (
            ("callbacks", counts.requests),
            ("callbacks_refused", counts.refused),
            ("callback_entries", counts.entries),
            ("callback_entries_unmatched", counts.unmatched),
        ):
            for (provider, what), number in numbers.items():
                page.add(name, number, provider, str(what))
        for provider, histogram in counts.seconds.items():
            page.add_histogram("callback_answer_seconds", histogram, provider)
        page.add("callbacks_waiting", status.waiting)
        page.add("callbacks_waiting_limit", status.waiting_limit)
        page.add("callback_bytes", status.bytes)
        page.add("callback_bytes_limit", status.bytes_limit)
        page.add("callback_connections", status.connections)
        page.add("callback_unacknowledged_seconds", status.unacknowledged_for)
        return page.families()


class ReceiverHealth:
    """The pages of one receiver: an attendant of its process.

    Args:
        place: the port, or the path at which a parent asks.
    """

    def __init__(self, place: socket.socket) -> None:
        self._server = Server(
            place,
            {
                "/metrics": self._metrics,
                "/health/live": self._live,
                "/health/ready": self._ready,
                "/status": self._report,
            },
        )
        self._lag = LoopLag(SystemClock())
        self._registry = CollectorRegistry(auto_describe=False)
        self._status: ReceiverSource | None = None
        self._measuring: asyncio.Task[None] | None = None

    async def start(self, status: ReceiverSource) -> None:
        """Serve what `status` says from now on."""
        self._status = status
        ProcessCollector(namespace="sms_connector", registry=self._registry)
        self._registry.register(ReceiverCollector(status, self._lag.worst))
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
        """The loop answers. A restart would not bring Kafka back."""
        return web.Response(text="alive\n")

    async def _ready(self, _: web.Request) -> web.Response:
        """503 while callbacks would be answered 503: the balancer tries another receiver, then the provider repeats."""
        reason = self._now()["reason"]
        return web.Response(status=503, text=f"not ready: {reason}\n") if reason else web.Response(text="ready\n")

    async def _report(self, _: web.Request) -> web.Response:
        return web.json_response(self._now())

    def _now(self) -> ReceiverReport:
        assert self._status is not None
        status = self._status()
        return ReceiverReport(
            ready=status.ready,
            reason=status.reason,
            definitions=list(status.definitions),
            unused=list(status.unused),
            waiting=status.waiting,
            connections=status.connections,
        )
