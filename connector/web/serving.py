"""The port of the console, and what answers there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import structlog
from aiohttp import web

from connector.bounded_http import BACKLOG, BoundedConnection, FullConnection
from connector.clock import Clock
from connector.errors import Problem, SettingsError
from connector.settings.web import Web
from connector.web.endpoints import Endpoint
from connector.web.guard import HostNames
from connector.web.session_api import SessionApi, Surroundings
from connector.web.sign_in import sign_in
from connector.web.static_files import StaticFiles
from connector.web.web_app import build_app

log = structlog.get_logger(__name__)

MOST_CONNECTIONS = 512
"""Open at once; further ones are closed."""
LINGERING_SECONDS = 2.0
"""How long the rest of a body that was refused is taken in, so that its sender reads why."""
CLOSE_SECONDS = 1.0
"""What is being answered at a stop; streams end at once."""


class Chapter(Protocol):
    """A part of the API.

    Implemented by `SessionApi` (connector/web/session_api.py), put in place in `connector/web/serving.py`.
    Implemented by `StudioApi` (connector/web/studio_api.py), put in place in `connector/web/console_process.py`.
    Implemented by `FirstMessageApi` (connector/web/first_message_api.py), put in place in
    `connector/web/console_process.py`.
    """

    def endpoints(self) -> list[Endpoint]:
        """All of it."""


def bind(settings: Web) -> socket.socket:
    """Take the port, before anything else is done.

    Raises:
        SettingsError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        message = f"cannot listen on {settings.host}:{settings.port}: {error.strerror or type(error).__name__}"
        remedy = "set web.port to a free one, or 0 for any"
        raise SettingsError([Problem(message, remedy, path="web")]) from error


class WebServer:
    """Serves chapters and pages on a socket. Made, started and stopped on one loop.

    Args:
        place: from `bind`.
        chapters: of the API, beside signing in.
        pages: names of the pages there are, for the navigation.
    """

    def __init__(
        self,
        settings: Web,
        place: socket.socket,
        *,
        chapters: Sequence[Chapter],
        pages: Sequence[str],
        clock: Clock,
        load_files: Callable[[], StaticFiles] = StaticFiles,
    ) -> None:
        self._place = place
        signing = sign_in(settings, clock)
        definitions: Literal["read-only", "folder"] = "read-only" if settings.definitions_folder is None else "folder"
        surroundings = Surroundings(settings.environment, settings.time_zone, pages, definitions)
        session = SessionApi(signing, surroundings)
        self.endpoints = [endpoint for chapter in (session, *chapters) for endpoint in chapter.endpoints()]
        self._app = build_app(
            self.endpoints,
            hosts=HostNames.of(settings),
            sign_in=signing,
            files=load_files(),
        )
        self._runner: web.AppRunner | None = None
        self._listening: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it is, as this machine reaches it."""
        host, port = self._place.getsockname()[:2]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  where it listens, not where it is
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    async def start(self) -> None:
        """Begin to serve."""
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=CLOSE_SECONDS)
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listening = await loop.create_server(self._connection, sock=self._place, backlog=BACKLOG)

    def _connection(self) -> asyncio.Protocol:
        assert self._runner is not None
        server = self._runner.server
        if server is None or len(server.connections) >= MOST_CONNECTIONS:
            return FullConnection()
        return BoundedConnection(server, lingering=LINGERING_SECONDS)

    async def stop(self) -> None:
        """Close the socket and every connection."""
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        self._place.close()
