"""One request and its reply, on one connection of aiohttp's pool."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import ClientTimeout
from aiohttp.connector import Connection

from connector.delivery.http.connections import ReplyProtocol, WireConnector
from connector.delivery.http.deadlines import Deadlines
from connector.delivery.http.destinations import Destination
from connector.delivery.http.reply_parser import ReplyParser
from connector.delivery.http.request_errors import PROGRESS, DepartureGuard, RequestProgress
from connector.delivery.http.request_head import RequestHead
from connector.delivery.http.transport import MayLeave, always
from connector.errors import Phase, WithheldError

PIECE_BYTES: Final = 64 * 1024
"""Of a body; the next one is written when the provider has taken most of those before. What is smaller goes in one."""


class Exchanges:
    """Takes connections, and sends requests on them.

    Args:
        connector: opens and keeps them.
        connect: seconds for a new connection, and for the wait for a free one.
        guard: asked when a connection stands, right before a request is written; without one they always may be.
    """

    def __init__(self, connector: WireConnector, *, connect: float, guard: DepartureGuard | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._connector = connector
        self._connect_within = ClientTimeout(total=None, connect=connect)
        self._guard = guard
        self._deadlines = Deadlines(self._loop)

    async def run(
        self,
        destination: Destination,
        head: RequestHead,
        body: bytes,
        progress: RequestProgress,
        until: float,
        *,
        may_leave: MayLeave = always,
    ) -> ReplyParser:
        """The reply, read to its end or to what its parser calls a fault.

        Args:
            destination: where it goes.
            head: of the request.
            body: of it; may be empty.
            progress: is told how far it comes.
            until: when all of it has to be over, by the loop's clock.
            may_leave: asked when the connection stands.

        Raises:
            StrayBytesError: another connection is to be taken: nothing was sent.
            WithheldError: nothing may be sent any more.
            aiohttp.ClientError, OSError: there is no reply, or not all of it.
        """
        connection = await self._connector.kept(destination.key) or await self._connect(destination, progress, until)
        protocol = connection.protocol
        assert isinstance(protocol, ReplyProtocol), "connections of WireConnector have one"
        self._deadlines.add(protocol, until)
        try:
            if (self._guard is not None and not self._guard.may_leave_now()) or not may_leave():
                raise WithheldError
            protocol.arm(progress.limit)
            protocol.begin()
            progress.phase, progress.reply = Phase.WRITE, protocol.reply
            if len(body) <= PIECE_BYTES and not head.expects:
                protocol.write(head.written + body)
                protocol.wrote()
            else:
                await _write_in_pieces(protocol, head, body)
            progress.phase = Phase.READ
            while not protocol.answered:
                await protocol.news()
        except BaseException:
            protocol.give_up()
            connection.close()
            raise
        finally:
            self._deadlines.remove(protocol)
        if not protocol.written:
            protocol.abort()
        connection.release()
        return protocol.reply

    async def _connect(self, destination: Destination, progress: RequestProgress, until: float) -> Connection:
        following = PROGRESS.set(progress)
        try:
            async with asyncio.timeout_at(until):
                return await self._connector.connect(destination.opening, [], self._connect_within)
        finally:
            PROGRESS.reset(following)

    async def close(self) -> None:
        """Close all connections. Requests under way end without a reply."""
        self._deadlines.close()
        await self._connector.close()


async def _write_in_pieces(protocol: ReplyProtocol, head: RequestHead, body: bytes) -> None:
    """Write what may not fit, or may not be wanted. Ends early where a reply comes first."""
    protocol.write(head.written)
    while head.expects and not (protocol.answered or protocol.reply.continued):
        await protocol.news()
    view = memoryview(body)
    for start in range(0, len(body), PIECE_BYTES):
        if protocol.answered:
            return
        protocol.write(view[start : start + PIECE_BYTES])
        while protocol.writing_paused and not protocol.answered:
            await protocol.news()
    if not protocol.answered:
        protocol.wrote()
