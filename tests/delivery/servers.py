"""Servers on loopback that behave and misbehave byte by byte."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connector.definition.tree import Definition, Http, Limits
from connector.delivery.http.client import HttpTransport
from connector.model import Request

from .world import operation


def reply(body: bytes = b"{}", status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


@dataclass
class Server:
    """Every connection is given to `behave`; what it read is kept."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/send"

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """One request, head and body; b"" when the client has gone."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request


Behaviour = Callable[[Server, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(scheme="https" if tls else "http")
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await behave(server, reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(*answers: bytes) -> Behaviour:
    """Answers the requests of a connection in turn, the last answer for ever."""

    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 0
        while await server.read(reader):
            writer.write(answers[min(count, len(answers) - 1)])
            await writer.drain()
            count += 1

    return behave


@asynccontextmanager
async def transport(**http: object) -> AsyncIterator[HttpTransport]:
    options: dict[str, object] = {"private_hosts": True, **http}
    definition = Definition(
        "acme",
        "acme.yaml",
        (operation(),),
        http=Http(**options),  # type: ignore[arg-type]
        limits=Limits(concurrency=4),
    )
    made = HttpTransport(definition)
    try:
        yield made
    finally:
        await made.close()


def post(url: str, body: bytes | None = b'{"to":"1"}', **headers: str) -> Request:
    return Request("POST", url, tuple(headers.items()), body)


def get(url: str) -> Request:
    return Request("GET", url)


def server_context(pem: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
