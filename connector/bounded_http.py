"""What every port of ours does with HTTP before anybody has proved who they are: bounds, and silence.

Bounded are connections, the time that headers and a body may take, and their size. Requests that cannot be read are
neither logged nor quoted in the answer: their paths and headers hold secrets.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from aiohttp.web_exceptions import HTTPException

ARRIVAL_SECONDS = 10.0
"""A body, or a handshake of TLS, that takes longer is not waited for."""
KEEP_ALIVE_SECONDS = 30.0
"""For how long a connection may bring no request: none at all, or one whose headers do not end."""
HEADER_BYTES = 8190
"""Of a line; of headers there may be 128."""
BACKLOG = 1024

# aiohttp's log of requests it cannot read quotes them.
_SILENT = logging.getLogger("connector.http.unreadable")
_SILENT.disabled = True


class BodyError(Exception):
    """A body is not read.

    Attributes:
        status: 400, 408 or 413.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class BoundedConnection(web.RequestHandler):
    """aiohttp's, within the bounds; says of a request that it cannot read no more than that."""

    __slots__ = ()

    def __init__(self, server: web.Server, *, lingering: float = 0.0) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # none, as aiohttp allows
            logger=_SILENT,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            lingering_time=lingering,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
        )

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        plain = "bad request\n" if status < 500 else "it could not be answered\n"
        found = super().handle_error(request, status, exc, None if message is None else plain)
        answer = web.Response(status=found.status, text=plain)
        answer.headers["Server"] = "sms-connector"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.force_close()
        return answer


class FullConnection(asyncio.Protocol):
    """One connection too many: closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def read_body(request: web.BaseRequest, most: int) -> bytes:
    """The body, decompressed, never more than `most` bytes of it held. Raises BodyError."""
    if not request.body_exists:
        return b""
    if (request.content_length or 0) > most:
        raise BodyError(413)
    try:
        if request.content.is_eof():  # it is all there: nothing is waited for
            return await _pieces(request, most)
        async with asyncio.timeout(ARRIVAL_SECONDS):
            return await _pieces(request, most)
    except TimeoutError:
        raise BodyError(408) from None
    except (HTTPException, web.RequestPayloadError, OSError, ValueError):
        raise BodyError(400) from None


async def _pieces(request: web.BaseRequest, most: int) -> bytes:
    body = bytearray()
    while piece := await request.content.readany():
        body += piece
        if len(body) > most:
            raise BodyError(413)
    return bytes(body)


def most_of(request: web.BaseRequest, most: int) -> int:
    """The bytes that a body may turn out to have: what is not said beforehand is taken for the most."""
    declared = request.content_length
    if not request.body_exists:
        return 0
    return most if declared is None or "Content-Encoding" in request.headers else min(declared, most)
