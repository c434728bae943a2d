"""A network that can be cut: forwards a port of a broker, until what is sent through it vanishes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from tests.kafka.ports import free_ports

READ_BYTES = 65_536

T = TypeVar("T")


class Proxy:
    """Forwards connections to a port of this host, on a thread of its own.

    Cut, it behaves as a firewall that drops: connections stay open, new ones are taken, and no byte passes, nor the
    news that a side has closed. Healed, the connections of before are reset, as their streams have holes.

    Attributes:
        port: where it listens.
    """

    def __init__(self) -> None:
        self.port = free_ports(1)[0]
        self._target = 0
        self._is_cut = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def start(self, target: int) -> None:
        """Forward to `target` from now on. Safe to repeat."""
        self._target = target
        if self._server is None:
            self._thread.start()
            self._server = self._call(asyncio.start_server(self._serve, "127.0.0.1", self.port))

    def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._call(self._close(self._server))
            self._server = None
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def cut(self) -> None:
        """Let nothing through."""
        self._is_cut = True

    def heal(self) -> None:
        """Let new connections through."""
        self._call(self._heal())

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        await self._reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _heal(self) -> None:
        # In one turn of the loop: a client that connects again between the two would be left alone for good.
        self._is_cut = False
        await self._reset()

    async def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self._is_cut:
            return  # taken, and left alone
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:  # the broker is away
            writer.transport.abort()
            return
        self._writers.add(far_writer)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(self._pump(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(READ_BYTES):
                if not self._is_cut:
                    sink.write(data)
                    await sink.drain()
        if not self._is_cut:
            sink.transport.abort()
            self._writers.discard(sink)
