"""A raw HTTP server that keeps what arrives, byte by byte as far as HTTP lets it, and answers as a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from tests.waiting import eventually


@dataclass(frozen=True)
class Arrived:
    """One callback. `target` is path and query as sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True, strict_parsing=bool(self.body)))

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Receiver:
    """`answer`: from what arrived to status and body."""

    answer: Callable[[Arrived], tuple[int, bytes]] = lambda _: (200, b"")
    arrived: list[Arrived] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._take), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._runner.cleanup()

    async def wait(self, count: int) -> list[Arrived]:
        """The callbacks, once there are so many."""
        await eventually(lambda: len(self.arrived) >= count, f"{count} callbacks", within=10)
        return self.arrived

    async def _take(self, request: web.BaseRequest) -> web.Response:
        arrived = Arrived(request.method, request.raw_path, request.headers, await request.read())
        self.arrived.append(arrived)
        status, body = self.answer(arrived)
        return web.Response(status=status, body=body)
