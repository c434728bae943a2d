"""What sending one small request costs, without Kafka: microseconds of CPU per request, 64 of them at once.

`python -m bench.sending` measures `HttpTransport.send` beside aiohttp's own `session.post`, in turns and against the
same server, which runs in a process of its own. `--tls` encrypts, `--uvloop` uses its event loop where it is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import ssl
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import aiohttp

from connector.definition.tree import Definition, Http, Limits
from connector.delivery.http.client import HttpTransport
from connector.model import Request
from tests.kafka.certificates import make_certificates

SLOTS: Final = 64
REQUESTS: Final = 12_800
"""Per turn: some two seconds."""

TURNS: Final = 5

BODY: Final = b'{"to":"+919800000001","text":"Your code is 482913. It is valid for ten minutes.","ref":"m-000001"}'
REPLY_BODY: Final = b'{"status":"queued","id":"5f2b6c1e-7d7a-4c0e-9f55-0a8d0f8f6a11","segments":1}'
REPLY: Final = (
    b"HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 09:00:00 GMT\r\nServer: nginx\r\nContent-Type: application/json\r\n"
    b"X-Request-Id: 3a1c9b\r\nContent-Length: %d\r\n\r\n%b" % (len(REPLY_BODY), REPLY_BODY)
)
HEADERS: Final = (("Content-Type", "application/json"), ("Authorization", "Bearer 0123456789abcdef"))


class _Answering(asyncio.Protocol):
    """Answers each request, which comes in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(REPLY)


def _serve(ready: Connection, pem: Path | None) -> None:
    async def serve() -> None:
        context = None
        if pem is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
        listening = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0, ssl=context)
        ready.send(listening.sockets[0].getsockname()[1])
        await listening.serve_forever()

    asyncio.run(serve())


Post = Callable[[], Awaitable[bytes]]


async def _microseconds(post: Post) -> float:
    async def slot() -> None:
        for _ in range(REQUESTS // SLOTS):
            assert await post() == REPLY_BODY

    started = time.process_time()
    await asyncio.gather(*(slot() for _ in range(SLOTS)))
    return (time.process_time() - started) / REQUESTS * 1e6


async def _measure(url: str, ca: Path | None) -> dict[str, float]:
    http = Http(private_hosts=True, ca=None if ca is None else str(ca))
    transport = HttpTransport(Definition("acme", "acme.yaml", (), http=http, limits=Limits(concurrency=SLOTS)))
    context = None if ca is None else ssl.create_default_context(cafile=str(ca))
    connector = aiohttp.TCPConnector(limit=SLOTS, ssl=True if context is None else context)
    request = Request("POST", url, HEADERS, BODY)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ours() -> bytes:
            return (await transport.send(request)).body

        async def bare() -> bytes:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                return await response.read()

        best: dict[str, float] = {}
        for _ in range(TURNS):
            for name, post in (("HttpTransport.send", ours), ("session.post", bare)):
                best[name] = min(best.get(name, float("inf")), await _microseconds(post))
    await transport.close()
    return best


def main() -> None:
    """Measure, and print a line per way to send."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--tls", action="store_true")
    options.add_argument("--uvloop", action="store_true")
    chosen = options.parse_args()
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if chosen.uvloop:
        import uvloop  # type: ignore[import-not-found]

        factory = uvloop.new_event_loop
    with tempfile.TemporaryDirectory() as folder:
        certificates = make_certificates(Path(folder)) if chosen.tls else None
        ours, theirs = multiprocessing.Pipe()
        pem = None if certificates is None else certificates.server
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, pem), daemon=True)
        server.start()
        try:
            scheme = "https" if chosen.tls else "http"
            url = f"{scheme}://127.0.0.1:{ours.recv()}/send"
            with asyncio.Runner(loop_factory=factory) as runner:
                figures = runner.run(_measure(url, None if certificates is None else certificates.ca))
        finally:
            server.kill()
            server.join()
    for name, microseconds in figures.items():
        sys.stdout.write(f"{name:20} {microseconds:6.1f} µs of CPU per request\n")


if __name__ == "__main__":
    main()
