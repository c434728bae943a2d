"""The protocol of aiohttp's connections, with a reader of replies of our own in it.

aiohttp opens, keeps and closes connections and writes requests. How a reply is read decides whether a batch is sent a
second time, so it is decided here and not by whichever parser a release of aiohttp brings. And a reply counts only from
the moment the request is written: what a connection brings before that answers nothing (`StrayBytesError`), it is
closed, and as nothing has left the request goes to another one.

tests/delivery/test_connections_contract.py holds each name of aiohttp that is relied on here.
"""

from __future__ import annotations

import asyncio
import functools
import select
import socket
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import HttpVersion11
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from multidict import CIMultiDict, CIMultiDictProxy

from connector.delivery.http.reply_parser import EXCESS_BYTES, ReplyParser

HESITATION_SECONDS: Final = 1.0
"""How long the body is waited for that a 204 announces though it may have none."""


TUNNEL_BYTES: Final = 65536

DISTRUST_SECONDS: Final = 600.0
"""How long no connection is kept to a provider that sent bytes nobody asked for."""

USUAL_ENDS: Final = (b"", b"HTTP/1.1 408", b"HTTP/1.0 408")
"""What many servers send to an idle connection before they close it, and no sign of a mix-up."""

log = structlog.get_logger(__name__)


class Trust:
    """Whether connections are kept. A stray reply that comes while a request is under way looks like its reply, so
    after a first one every request has a connection of its own for a while.

    Args:
        provider: for the log.
        now: monotonic seconds.
    """

    def __init__(self, provider: str, now: Callable[[], float]) -> None:
        self._provider = provider
        self._now = now
        self._lost_until = float("-inf")

    @property
    def kept(self) -> bool:
        return self._now() >= self._lost_until

    def stray(self, data: bytes) -> None:
        """These bytes came, and nobody had asked for them."""
        if bytes(data[:12]).strip() in USUAL_ENDS:
            return
        if self.kept:
            log.warning(
                "provider sent bytes nobody asked for: connections are not kept for a while",
                provider=self._provider,
                seconds=DISTRUST_SECONDS,
            )
        self._lost_until = self._now() + DISTRUST_SECONDS


class StrayBytesError(aiohttp.ClientError):
    """A connection brought bytes, or its end, before the request was written to it: nothing has been sent.

    Attributes:
        kept: it had served another request before. There may be a better one.
    """

    def __init__(self, *, kept: bool) -> None:
        self.kept = kept


class ReplyState(Enum):
    IDLE = auto()  # in the pool, or not asked anything yet
    ARMED = auto()  # a request is about to be written
    READING = auto()
    ANSWERED = auto()


class ReplyProtocol(ResponseHandler):
    """One connection.

    Args:
        loop: its event loop.
        trust: learns of bytes nobody asked for, and says whether connections are kept.

    Attributes:
        reply: of the request under way, as far as it has come.
        written: all of that request has been handed over.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, trust: Trust) -> None:
        super().__init__(loop)
        self._trust = trust
        self.reply = ReplyParser(0)
        self._state = ReplyState.IDLE
        self.written = True
        self._used = False
        self._encrypted = False
        self._news: asyncio.Future[None] | None = None
        self._hesitation: asyncio.TimerHandle | None = None
        self._readable: select.poll | None = None

    # ---- the request ------------------------------------------------------------------------------------------------

    def set_response_params(self, **_: Any) -> None:
        """A reply to CONNECT is wanted, which aiohttp itself writes and waits for. Other requests say so with `arm`."""
        self.reply = ReplyParser(0, head_only=True)
        self._state = ReplyState.READING

    def arm(self, limit: int) -> None:
        """A request is about to be written, whose reply is read up to `limit` bytes of body."""
        self.reply = ReplyParser(limit)
        self._state, self.written = ReplyState.ARMED, False

    def begin(self) -> None:
        """The request is written now.

        Raises:
            StrayBytesError: something has come already, be it unread in the socket, or the connection has ended.
        """
        if self._state is ReplyState.ARMED and self._has_unread():
            self._trust.stray(self._peek())
            self._stray()
        if self._exception is not None:
            raise StrayBytesError(kept=self._used)
        self._state = ReplyState.READING

    def write(self, data: bytes | memoryview) -> None:
        """Hand over a part of the request. What comes after the connection has ended goes nowhere."""
        if self.transport is not None:
            self.transport.write(data)

    def wrote(self) -> None:
        """All of the request has been handed over. A reply before that leaves the rest of it in the way."""
        self.written = True

    @property
    def answered(self) -> bool:
        """The reply is read to its end."""
        return self._state is ReplyState.ANSWERED

    async def news(self) -> None:
        """Wait until something changes: the reply is whole, the body is asked for, more of it can be written.

        Raises:
            aiohttp.ClientError, OSError: no more comes.
        """
        if self._exception is None:
            self._news = self._loop.create_future()
            try:
                await self._news
            finally:
                self._news = None
        if self._exception is not None:
            raise self._exception

    def _tell_news(self) -> None:
        news = self._news
        if news is not None and not news.done():
            news.set_result(None)

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """No more comes, and this is why."""
        super().set_exception(exc, *cause)
        self._tell_news()

    def resume_writing(self) -> None:
        """More of the request can be written."""
        super().resume_writing()
        self._tell_news()

    def give_up(self) -> None:
        """End the connection of a request without a usable reply: what is not written of it is not written any more."""
        if self.written:
            self.close()
        else:
            self.abort()

    # ---- what comes -------------------------------------------------------------------------------------------------

    @property
    def should_close(self) -> bool:
        """Whether this connection must not be kept."""
        unfit = self._state is not ReplyState.ANSWERED or not self.reply.reusable or not self._trust.kept
        return unfit or super().should_close

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):  # which Windows has not
            self._readable = select.poll()
            self._readable.register(sock.fileno(), select.POLLIN)
            self._encrypted = transport.get_extra_info("ssl_object") is not None

    def data_received(self, data: bytes) -> None:
        if self._state is not ReplyState.READING:
            self._trust.stray(data)
            self._stray()
            return
        self.reply.feed(data)
        if self.reply.done:
            self._answered()
            return
        if self.reply.continued:
            self._tell_news()
        if self.reply.hesitating and self._hesitation is None:
            self._hesitation = self._loop.call_later(HESITATION_SECONDS, self._hesitated)

    def eof_received(self) -> None:
        """The provider says no more; asyncio closes the connection."""
        super().eof_received()
        self._ended(clean=True)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._ended(clean=exc is None)
        super().connection_lost(exc)

    def _ended(self, *, clean: bool) -> None:
        if self._state is ReplyState.ARMED:
            self._stray()
        elif self._state is ReplyState.READING:
            self.reply.end(clean=clean)
            if self.reply.received:
                self._answered()

    # ---- what it means ----------------------------------------------------------------------------------------------

    def _has_unread(self) -> bool:
        """Whether bytes, or the end, lie in the socket: looked at by a system call of a microsecond.

        What lies there on a new TLS connection is the server's session tickets; later there is nothing of that kind.
        """
        if not self.is_connected():
            return True
        return self._readable is not None and (self._used or not self._encrypted) and bool(self._readable.poll(0))

    def _peek(self) -> bytes:
        """What lies unread in the socket; nothing where it is encrypted."""
        sock = None if self.transport is None else self.transport.get_extra_info("socket")
        if sock is None or self._encrypted:
            return b""
        with socket.fromfd(sock.fileno(), sock.family, sock.type) as same:
            try:
                return same.recv(EXCESS_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            except OSError:
                return b""

    def _stray(self) -> None:
        self.force_close()
        if self._state is ReplyState.ARMED:
            self.set_exception(StrayBytesError(kept=self._used))
        if self.transport is not None:
            self.transport.abort()

    def _hesitated(self) -> None:
        self.reply.end_without_body()
        self._answered()

    def _answered(self) -> None:
        if self._state is not ReplyState.READING:
            return
        self._state, self._used = ReplyState.ANSWERED, True
        if self._hesitation is not None:
            self._hesitation.cancel()
            self._hesitation = None
        reply = self.reply
        if reply.excess:
            self._trust.stray(reply.excess)
        if not self.written:
            reply.reusable = False
        if reply.head_only:
            self._tell_tunnel(reply)
        else:
            self._tell_news()

    def _tell_tunnel(self, reply: ReplyParser) -> None:
        """Let aiohttp have the answer to CONNECT.

        Behind it comes whatever the tunnel brings: a payload that has not ended, else aiohttp would give the connection
        back.
        """
        if reply.status is None:
            self.set_exception(aiohttp.ClientPayloadError(reply.fault))
            return
        payload = aiohttp.StreamReader(self, TUNNEL_BYTES, loop=self._loop)
        named = CIMultiDictProxy(CIMultiDict(reply.headers))
        message = RawResponseMessage(HttpVersion11, reply.status, "", named, (), False, None, False, False)
        self.feed_data((message, payload), 0)


class WireConnector(aiohttp.TCPConnector):
    """Opens connections with this protocol. `provider` is for the log."""

    def __init__(self, provider: str, **options: Any) -> None:
        super().__init__(**options)
        trust = Trust(provider, self._loop.time)
        factory: functools.partial[Any] = functools.partial(ReplyProtocol, loop=self._loop, trust=trust)
        self._factory = factory

    async def kept(self, key: ConnectionKey) -> Connection | None:
        """A connection that has served before, now taken; None where one has to be opened or waited for."""
        return await self._get(key, [])
