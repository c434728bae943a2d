"""A provider and a token endpoint that do everything wrong in turn, on a raw socket: no HTTP library would let it."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from tests import marked

Writer = asyncio.StreamWriter

TOKEN: Final = f"{marked.SECRET}-access-token"


def _reply(body: bytes, *headers: str, status: str = "200 OK", media: str = "application/json") -> bytes:
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", f"Content-Type: {media}", *headers))
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def _write(writer: Writer, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _regex(writer: Writer, _request: bytes) -> None:
    """Against `^(a+)+$`, which takes a backtracking engine 2^41 steps."""
    await _write(writer, _reply(b"a" * 41 + b"!", media="text/plain"))


async def _floats(writer: Writer, _request: bytes) -> None:
    await _write(writer, _reply(b"[" + b",".join([b"1e300"] * 650_000) + b"]"))


async def _long_numbers(writer: Writer, _request: bytes) -> None:
    await _write(writer, _reply(b'{"results":[' + b",".join([b'{"id":' + b"7" * 4000 + b"}"] * 900) + b"]}"))


async def _nested(writer: Writer, _request: bytes) -> None:
    await _write(writer, _reply(b'{"results":' + b"[" * 500_000 + b"]" * 500_000 + b"}"))


async def _attributes(writer: Writer, _request: bytes) -> None:
    attributes = b" ".join(b'a%d="1"' % number for number in range(200_000))
    await _write(writer, _reply(b"<r " + attributes + b"/>", media="text/xml"))


async def _bomb(writer: Writer, _request: bytes) -> None:
    await _write(writer, _reply(gzip.compress(bytes(64 << 20), 9), "Content-Encoding: gzip"))


async def _echo(writer: Writer, request: bytes) -> None:
    told = {"error": {"code": request.decode(errors="replace")[:300], "message": request.decode(errors="replace")}}
    await _write(writer, _reply(json.dumps(told).encode(), status="400 Bad Request"))


async def _reset(writer: Writer, _request: bytes) -> None:
    await _write(writer, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    writer.transport.abort()


async def _stray(writer: Writer, _request: bytes) -> None:
    """Two replies to one request: the second answers nobody."""
    await _write(writer, _reply(b'{"results":[]}') + _reply(b'{"results":[{"id":"stray","status":"queued"}]}'))


async def _garbage(writer: Writer, _request: bytes) -> None:
    await _write(writer, bytes(range(256)) * 40)
    writer.close()


async def _headers(writer: Writer, _request: bytes) -> None:
    await _write(writer, _reply(b"{}", *(f"X-{number}: {'h' * 4000}" for number in range(400))))


async def _refused(writer: Writer, _request: bytes) -> None:
    """Which makes the lane fetch another token."""
    await _write(writer, _reply(b"{}", status="401 Unauthorized"))


DEEDS: Final[tuple[Callable[[Writer, bytes], Awaitable[None]], ...]] = (
    _regex, _floats, _long_numbers, _nested, _attributes, _bomb, _echo, _reset, _stray, _garbage, _headers, _refused,
)  # fmt: skip

TOKENS: Final = (
    f'{{"access_token":"{TOKEN}","expires_in":{"9" * 401}}}',
    f'{{"access_token":"{TOKEN}","expires_in":-1e400}}',
    "[" * 100_000,
    f'\ufeff{{"access_token":"{TOKEN}","token_type":"bearer","expires_in":"NaN"}}',
    '{"access_token":{"deep":[1e300]}}',
    f'{{"access_token":"{TOKEN}","expires_in":null}}',
)


class Hostile:
    """Serves it on a port of 127.0.0.1, from a thread of its own; a context manager.

    Attributes:
        deeds: how often each was done.
    """

    def __init__(self) -> None:
        self.deeds: Counter[str] = Counter()
        self._turns, self._tokens = itertools.count(), itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(it.split(b":")[1]) for it in head.lower().split(b"\r\n") if b"content-length" in it), 0
                )
                body = await reader.readexactly(length)
                if head.startswith(b"POST /token"):
                    await _write(writer, _reply(TOKENS[next(self._tokens) % len(TOKENS)].encode()))
                    continue
                deed = DEEDS[next(self._turns) % len(DEEDS)]
                self.deeds[deed.__name__.strip("_")] += 1
                await deed(writer, head + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
