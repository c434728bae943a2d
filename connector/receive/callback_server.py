"""HTTP, within bounds: aiohttp's low-level server, without routes, sessions or an access log (paths hold secrets).

Bounded are connections; the time that a handshake, headers and a body may take to arrive; the size of headers and of a
body, also of one that expands; the bytes of all bodies that are not answered; and, by the handler, how many are under
way. What a client sends ahead of its answers waits in its own connection: aiohttp stops reading after a few requests.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress

import structlog
from aiohttp import web

from connector.bounded_http import (
    ARRIVAL_SECONDS,
    BACKLOG,
    BodyError,
    BoundedConnection,
    FullConnection,
    most_of,
    read_body,
)
from connector.clock import Clock
from connector.receipts.callback import Callback, CallbackAnswer
from connector.receive.callback_routing import Routing
from connector.receive.handler import AGAIN, NOT_FOUND, Handler
from connector.receive.per_second import PerSecond
from connector.settings.way_back import Receive

log = structlog.get_logger(__name__)

SPARE_CONNECTIONS = 500
"""Beyond those that may have a request under way: connections that are kept open. Further ones are closed."""

TOO_LARGE = CallbackAnswer(413, b"too large\n")
UNREAD = {
    400: CallbackAnswer(400, b"bad request\n"),
    408: CallbackAnswer(408, b"too slow\n"),
    413: TOO_LARGE,
}
WRONG_METHOD = CallbackAnswer(405, b"GET, HEAD or POST\n")
METHODS = frozenset({"GET", "HEAD", "POST"})


class _CountingServer(web.Server):
    """aiohttp's, which also knows how many connections there are without listing them.

    Attributes:
        open: connections.
    """

    open = 0

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self.open += 1
        super().connection_made(handler, transport)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        self.open -= 1
        super().connection_lost(handler, exc)


class CallbackServer:
    """Serves on a socket.

    Args:
        place: bound, not necessarily listening.
        tls: for new connections.

    Attributes:
        stopping: everything is answered 503.
        bytes: of bodies that are read, or may be, and not answered.
    """

    def __init__(
        self,
        place: socket.socket,
        handler: Handler,
        *,
        routing: Routing,
        receive: Receive,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.stopping = False
        self.bytes = 0
        self._place = place
        self._handler = handler
        self._routing = routing
        self._receive = receive
        self._clock = clock
        self._tls = tls
        self._most = receive.waiting + SPARE_CONNECTIONS
        self._told = PerSecond(1)
        self._http: _CountingServer | None = None
        self._listening: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to serve."""
        self._http = _CountingServer(self._answer, request_factory=self._request)
        seconds = None if self._tls is None else ARRIVAL_SECONDS
        self._listening = await asyncio.get_running_loop().create_server(
            self._connection, sock=self._place, ssl=self._tls, ssl_handshake_timeout=seconds, backlog=BACKLOG
        )

    async def stop(self, seconds: float) -> None:
        """Take no more connections, answer 503 to new requests, wait for those under way, close."""
        self.stopping = True
        if self._listening is not None:
            self._listening.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._handler.idle()
        if self._http is not None:
            self._http.pre_shutdown()
            await self._http.shutdown(1.0)  # answers that are being written
        self._place.close()

    @property
    def connections(self) -> int:
        return 0 if self._http is None else self._http.open

    def _connection(self) -> asyncio.Protocol:
        assert self._http is not None
        return FullConnection() if self.connections >= self._most else BoundedConnection(self._http)

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
        if self.stopping or answer.status in {400, 408, 413} or self.connections > self._receive.waiting:
            response.force_close()
        return response

    async def _decide(self, request: web.BaseRequest) -> CallbackAnswer:
        path, _, query = _target(request.raw_path).partition("?")
        if self.stopping:
            return AGAIN
        counts = self._handler.counts
        found = self._routing.find(path)
        if found is None:
            counts.requests["", "malformed"] += 1
            return NOT_FOUND
        name = found.definition
        if name not in self._handler.readers:
            if not self._routing.is_ours(found):
                counts.requests["", "malformed"] += 1
                return NOT_FOUND
            counts.requests["", "undefined"] += 1
            if self._told.may(self._clock.monotonic()):
                log.warning("no such definition here; its callback is answered 503 and comes again", provider=name)
            return AGAIN
        if request.method not in METHODS:
            counts.requests[name, "malformed"] += 1
            return WRONG_METHOD
        if (request.content_length or 0) > self._receive.body:
            counts.requests[name, "malformed"] += 1
            return TOO_LARGE
        most = most_of(request, self._receive.body)
        if self.bytes + most > self._receive.bytes:
            counts.requests[name, "busy"] += 1
            return AGAIN
        return await self._taken(request, name, path, query, most)

    async def _taken(self, request: web.BaseRequest, name: str, path: str, query: str, most: int) -> CallbackAnswer:
        """Read it and have it answered; its bytes count until then."""
        self.bytes += most
        try:
            try:
                body = await read_body(request, self._receive.body)
            except BodyError as error:
                self._handler.counts.requests[name, "malformed"] += 1
                return UNREAD[error.status]
            callback = Callback(request.method, path, query, _headers(request), body, self._clock.wall())
            return await self._handler.answer(name, callback)
        finally:
            self.bytes -= most


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
