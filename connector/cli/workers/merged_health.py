"""The pages of the parent: asks its workers, and answers for all of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry

from connector.health.merged import MergedCollector
from connector.health.server import Server, encoded, exposition, readiness
from connector.health.status_page import report
from connector.health.status_report import Readiness

ASK_SECONDS = 2.0
"""A worker that does not answer in time is left out of the page; Prometheus waits for ten seconds."""


class ParentConsole:
    """Serves what the workers say, merged.

    Args:
        folder: where the workers' sockets are, named by their numbers.
        restarts: by worker.
        names: of them, by number: `0`, `1`, …, and what runs beside them.
    """

    def __init__(self, folder: Path, restarts: Mapping[int, int], names: Sequence[str]) -> None:
        self._folder = folder
        self._names = names
        self._restarts = restarts
        self._server: Server | None = None

    async def start(self, place: socket.socket) -> None:
        """Serve."""
        pages = {
            "/metrics": self._metrics,
            "/health/live": self._live,
            "/health/ready": self._ready,
            "/status": self._status,
        }
        self._server = Server(place, pages)
        await self._server.start()

    async def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            await self._server.stop()

    async def _metrics(self, _: web.Request) -> web.Response:
        registry = CollectorRegistry(auto_describe=False)
        pages = {self._names[number]: page for number, page in (await self._ask_all("/metrics")).items()}
        registry.register(MergedCollector(pages, {self._names[it]: times for it, times in self._restarts.items()}))
        return exposition(registry)

    async def _live(self, _: web.Request) -> web.Response:
        """A worker that ended is started again; for that no one has to restart the parent."""
        return web.Response(text="alive\n")

    async def _ready(self, _: web.Request) -> web.Response:
        return readiness([msgspec.json.decode(page, type=Readiness) for _, page in await self._reports()])

    async def _status(self, _: web.Request) -> web.Response:
        reports = await self._reports()
        beside = {name: found for name, found in reports if not name.isdecimal()}
        return encoded({"workers": [found for name, found in reports if name.isdecimal()], **beside})

    async def _reports(self) -> list[tuple[str, msgspec.Raw]]:
        """What each says, with its name; one that does not answer says what one says that is not there yet."""
        pages = await self._ask_all("/status")
        absent = msgspec.json.encode(report(None))
        return [(self._names[it], msgspec.Raw(pages[it].encode() if it in pages else absent)) for it in self._restarts]

    async def _ask_all(self, path: str) -> dict[int, str]:
        pages = await asyncio.gather(*(self._ask(worker, path) for worker in self._restarts))
        return {worker: page for worker, page in zip(self._restarts, pages, strict=True) if page is not None}

    async def _ask(self, worker: int, path: str) -> str | None:
        connector = aiohttp.UnixConnector(str(self._folder / str(worker)))
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=ASK_SECONDS)) as session,
                session.get(f"http://worker{path}") as response,
            ):
                return await response.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
