"""A provider that writes raw bytes, a real lane in front of it, and how messages end and how often they are sent."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import msgspec

from connector.clock import SystemClock
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.delivery.http.client import HttpTransport
from connector.delivery.lane import Lane
from connector.delivery.limits.circuit_breaker import BreakerSettings
from connector.delivery.limits.lane_settings import LaneSettings
from connector.delivery.queue.item import Item
from connector.model import Message, Result

from .hosts import FakeHost
from .servers import Behaviour, Server, serving

DEFINITION = """
name: acme
method: POST
url: http://127.0.0.1:{port}/send
parameters: {{json: {{to: $$To, text: $$Body}}}}
http: {{private_hosts: true, total: {total}, reply: 100KiB}}
retry: {{attempts: 2, base: 10ms, cap: 10ms}}
limits: {{concurrency: 1}}
response:
  rules:
    - {{when: "status == 'ok'", then: accept, id: id}}
    - {{when: "status == 'no'", then: reject, code: code}}
"""

OK = b'{"status":"ok","id":"x1"}'

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


def bytes_then(*pieces: bytes, end: str = "keep") -> Write:
    """Writes the pieces one by one. Then: `keep` the connection open, `close` it, `reset` it, or `half` close it."""

    async def write(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.005)  # a segment of its own
        if end == "close":
            writer.close()
        elif end == "half":
            writer.write_eof()
        elif end == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    return write


def always(write: Write) -> Behaviour:
    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await server.read(reader):
            await write(writer)

    return behave


class RawLane:
    """A lane to a server that behaves as told."""

    def __init__(self, folder: Path, port: int, *, total: str, definition: str = DEFINITION) -> None:
        file = folder / "acme.yaml"
        file.write_text(definition.format(port=port, total=total))
        self.definition = load(file, environment=Environment({}))
        self.transport = HttpTransport(self.definition)
        self.results: dict[str, Result] = {}
        self._settled = asyncio.Event()
        self._offset = 0
        self.lane = Lane(
            self.definition,
            host=FakeHost(self._take),
            transport=self.transport,
            clock=SystemClock(),
            settings=LaneSettings(wait=0.0, breaker=BreakerSettings(window=0.1, delay=0.01, cap=0.02)),
        )

    def _take(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        for result in results:
            assert result.message_id is not None
            assert result.message_id not in self.results
            self.results[result.message_id] = result
        self._settled.set()

    async def send(self, *ids: str) -> dict[str, Result]:
        """The results of these messages, offered together."""
        self._settled.clear()
        for message_id in ids:
            self._offset += 1
            message = Message(message_id=message_id, to="+919800000001", provider="acme", body="Hello")
            raw = json.dumps(msgspec.to_builtins(message)).encode()
            origin = SimpleNamespace(topic="sms.messages", partition=0)
            self.lane.offer(Item(raw, origin, self._offset, None, datetime.now(UTC)), message)
        self.lane.wake()
        running = asyncio.create_task(self.lane.run())
        async with asyncio.timeout(20):
            while not all(message_id in self.results for message_id in ids):
                self._settled.clear()
                await self._settled.wait()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return {message_id: self.results[message_id] for message_id in ids}

    async def close(self) -> None:
        await self.transport.close()


async def outcome(folder: Path, write: Write, *, total: str) -> tuple[str, int]:
    """What one message ends as, and how many requests were made for it."""
    async with serving(always(write)) as server:
        lane = RawLane(folder, server.port, total=total)
        try:
            results = await lane.send("m1")
        finally:
            await lane.close()
        return str(results["m1"].status), len(server.requests)
