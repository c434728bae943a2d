"""One aiohttp app on one port: `/metrics`, `/health/live`, `/health/ready`, `/status`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from connector.clock import SystemClock
from connector.errors import Problem, SettingsError
from connector.health.loop_lag import LoopLag
from connector.health.metrics import registry
from connector.health.status_page import identity, report
from connector.health.status_report import Readiness, WorkerReport
from connector.settings.model import Health

if TYPE_CHECKING:
    from connector.stream.process import StatusSource

log = structlog.get_logger(__name__)

PageHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CLOSE_SECONDS = 1.0
"""A scraper that hangs does not keep a worker from ending."""


def listen(settings: Health) -> socket.socket | None:
    """Take the port, before anything else is done; None where nothing is to be served.

    Raises:
        SettingsError: it cannot be had.
    """
    if settings.port is None:
        return None
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        remedy = "set health.port to a free one, 0 for any, or null for none"
        raise SettingsError([Problem(f"cannot listen on {place}: {error.strerror}", remedy, path="health")]) from error


def listen_unix(path: Path) -> socket.socket:
    """Take a path in the file system: a worker's place to be asked by its parent."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    return made


class Server:
    """Serves pages on a socket. Must be started and stopped on one loop."""

    def __init__(self, place: socket.socket, pages: Mapping[str, PageHandler]) -> None:
        self._place = place
        self._app = web.Application()
        for path, handler in pages.items():
            self._app.router.add_get(path, handler)
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
        await self._runner.setup()
        await web.SockSite(self._runner, self._place).start()
        if self._place.family != socket.AF_UNIX:
            host, port = self._place.getsockname()[:2]
            log.info("health", url=f"http://{f'[{host}]' if ':' in host else host}:{port}")

    async def stop(self) -> None:
        """Close the socket and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._place.close()


class HealthServer:
    """The pages of one worker: an attendant of its process.

    Args:
        places: sockets to serve on: the port, or the path at which a parent asks.
    """

    def __init__(self, *places: socket.socket) -> None:
        pages: dict[str, PageHandler] = {
            "/metrics": self._metrics,
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/status": self._report,
        }
        self._servers = [Server(place, pages) for place in places]
        self._clock = SystemClock()
        self._identity = identity(self._clock)
        self._lag = LoopLag(self._clock)
        self._status: StatusSource = lambda: None
        self._registry = CollectorRegistry()
        self._measuring: asyncio.Task[None] | None = None

    async def start(self, status: StatusSource) -> None:
        """Serve what `status` says from now on."""
        self._status = status
        self._registry = registry(status, self._lag.worst)
        self._measuring = asyncio.create_task(self._lag.run())
        for server in self._servers:
            await server.start()

    async def stop(self) -> None:
        """Serve no more."""
        if self._measuring is not None:
            self._measuring.cancel()
        for server in self._servers:
            await server.stop()

    async def _metrics(self, _: web.Request) -> web.Response:
        return exposition(self._registry)

    async def _live(self, _: web.Request) -> web.Response:
        """The loop answers. A broker that is away changes nothing: a restart would not bring it back, and a worker that
        is stuck ends itself (exit code 71).
        """
        return web.Response(text="alive\n")

    async def _ready(self, _: web.Request) -> web.Response:
        return readiness([self._now()])

    async def _report(self, _: web.Request) -> web.Response:
        return encoded(self._now())

    def _now(self) -> WorkerReport:
        return report(self._status(), self._identity, wall=self._clock.wall(), loop_lag=self._lag.worst())


def encoded(document: object) -> web.Response:
    """JSON."""
    return web.Response(body=msgspec.json.encode(document), content_type="application/json")


def exposition(metrics: CollectorRegistry) -> web.Response:
    """The page that Prometheus reads."""
    return web.Response(body=generate_latest(metrics), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def readiness(reports: Sequence[WorkerReport | Readiness]) -> web.Response:
    """200 when every worker takes events; else 503 and why not."""
    reasons = [it.reason for it in reports if not it.ready]
    if reasons or not reports:
        return web.Response(status=503, text=f"not ready: {'; '.join(reasons) or 'no worker'}\n")
    return web.Response(text="ready\n")
