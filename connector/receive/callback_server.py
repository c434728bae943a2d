"""HTTP, within bounds: aiohttp's low-level server, without routes, sessions or an access log (paths hold secrets).

Bounded are the size of a body, also of one that expands; the bytes of all bodies that are not answered; the time that a
request may take to arrive; and, by the handler, how many are under way.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import structlog
from aiohttp import web
from aiohttp.web_exceptions import HTTPException

from connector.clock import Clock
from connector.receipts.callback import Callback, CallbackAnswer
from connector.receive.handler import AGAIN, NOT_FOUND, Handler
from connector.settings.way_back import Receive

log = structlog.get_logger(__name__)

ARRIVAL_SECONDS = 10.0
"""A body that takes longer is not waited for; nor are headers, for three times as long."""
KEEP_ALIVE_SECONDS = 30.0
SPARE_CONNECTIONS = 500
"""Beyond those that may have a request under way: they get an answer. Further ones are closed."""

TOO_LARGE = CallbackAnswer(413, b"too large\n")
TOO_SLOW = CallbackAnswer(408, b"too slow\n")
UNREADABLE = CallbackAnswer(400, b"bad request\n")
WRONG_METHOD = CallbackAnswer(405, b"GET, HEAD or POST\n")
METHODS = frozenset({"GET", "HEAD", "POST"})

# aiohttp's log of requests it cannot read quotes them: their paths hold secrets.
_SILENT = logging.getLogger("connector.receive.http")
_SILENT.disabled = True

Route = Callable[[str], str | None]
"""The name of the definition that a path is for."""


class CallbackServer:
    """Serves on a socket.

    Args:
        route: a path without its query → the definition's name; None where it is none of ours.
    """

    def __init__(
        self,
        place: socket.socket,
        handler: Handler,
        *,
        route: Route,
        receive: Receive,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.stopping = False
        self._place = place
        self._handler = handler
        self._route = route
        self._receive = receive
        self._clock = clock
        self._tls = tls
        self._reading = 0
        self._server: web.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._site: web.SockSite | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self._server = web.Server(
            self._answer,
            request_factory=self._request,
            access_log=None,
            logger=_SILENT,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=0.0,
            read_bufsize=2**16,
        )
        self._runner = web.ServerRunner(self._server)
        await self._runner.setup()
        self._site = web.SockSite(self._runner, self._place, ssl_context=self._tls)
        await self._site.start()

    async def stop(self, seconds: float) -> None:
        """Take no more connections, answer 503 to new requests, wait for those under way, close."""
        self.stopping = True
        if self._site is not None and self._runner is not None and self._site in self._runner.sites:
            await self._site.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._handler.idle()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def connections(self) -> int:
        return 0 if self._server is None else len(self._server.connections)

    def _request(self, message, payload, protocol, writer, task):  # type: ignore[no-untyped-def]  # aiohttp's own
        return web.BaseRequest(
            message,
            payload,
            protocol,
            writer,
            task,
            asyncio.get_running_loop(),
            client_max_size=self._receive.body,
        )

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = await self._decide(request)
        response = web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))
        response.headers["Content-Type"] = answer.type
        response.headers["Server"] = "sms-connector"
        if self.stopping or answer.status in {408, 413} or self.connections > self._receive.waiting:
            response.force_close()
        return response

    async def _decide(self, request: web.BaseRequest) -> CallbackAnswer:
        path, _, query = _target(request.raw_path).partition("?")
        if self.stopping or self.connections > self._receive.waiting + SPARE_CONNECTIONS:
            return AGAIN
        if request.method not in METHODS:
            return WRONG_METHOD
        name = self._route(path)
        if name is None:
            return NOT_FOUND
        # What is not said beforehand is taken for the most it may be.
        declared, most = request.content_length, self._receive.body
        if declared is not None and declared > most:
            return TOO_LARGE
        if not request.body_exists:
            most = 0
        elif declared is not None and "Content-Encoding" not in request.headers:
            most = declared
        if self._reading + most > self._receive.bytes:
            return AGAIN
        return await self._taken(request, name, path, query, most)

    async def _taken(self, request: web.BaseRequest, name: str, path: str, query: str, most: int) -> CallbackAnswer:
        """Read it and have it answered; its bytes count until then."""
        self._reading += most
        try:
            body = await _body(request)
            if isinstance(body, CallbackAnswer):
                return body
            callback = Callback(request.method, path, query, _headers(request), body, self._clock.wall())
            return await self._handler.answer(name, callback)
        finally:
            self._reading -= most


async def _body(request: web.BaseRequest) -> bytes | CallbackAnswer:
    """The body, decompressed; or why it is not read."""
    try:
        async with asyncio.timeout(ARRIVAL_SECONDS):
            return await request.read()
    except TimeoutError:
        return TOO_SLOW
    except web.HTTPRequestEntityTooLarge:
        return TOO_LARGE
    except (HTTPException, web.RequestPayloadError, OSError, ValueError):
        return UNREADABLE


def _headers(request: web.BaseRequest) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        lower = name.lower()
        headers[lower] = f"{headers[lower]},{value}" if lower in headers else value
    return headers


def _target(raw: str) -> str:
    """A request's target as path and query; a proxy may have written the whole URL."""
    if raw.startswith("/"):
        return raw
    _, scheme, rest = raw.partition("://")
    return "/" + rest.partition("/")[2] if scheme else raw
