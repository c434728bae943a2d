"""What somebody who has proved nothing may cost: connections, time, bytes, and words in the log."""

from __future__ import annotations

import asyncio
import gzip
import io
import logging
from collections.abc import Iterator

import pytest

from connector import bounded_http, logs
from connector.settings.model import Log
from connector.web import serving as serving_module
from connector.web import web_app
from connector.web.session_api import SIGN_IN_BYTES
from tests.web.serving import Asker, served, with_tokens

ROOM = 5.0
"""Seconds after which a test that waits has failed."""
SIGN_IN = (
    b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nX-Console: 1\r\nSec-Fetch-Site: same-origin\r\n"
    b"Content-Type: application/json\r\n"
)


async def raw(ask: Asker, data: bytes) -> bytes:
    """Bytes as they are sent, and all that comes until the console closes."""
    host, _, port = ask.url.removeprefix("http://").rstrip("/").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    try:
        async with asyncio.timeout(ROOM):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """The log as it is configured."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(Log(), stream=stream)
    yield stream
    root.handlers[:], root.level = handlers, level


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer hunter2-token\x01\r\n\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: localhost\r\nCookie: __Host-console=hunter2\x02\r\n\r\n",
        b"GET /x?hunter2=+919812345671 12 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"hunter2" * 2000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"hunter2 \r\n\r\n",
    ],
    ids=["a header", "a cookie", "a path", "a long path", "no HTTP"],
)
async def test_a_request_that_cannot_be_read_is_neither_logged_nor_quoted(
    request_bytes: bytes, lines: io.StringIO
) -> None:
    async with served(with_tokens()) as ask:
        answer = await raw(ask, request_bytes)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert answer.endswith(b"\r\n\r\nbad request\n")
    assert b"aiohttp" not in answer
    assert "hunter2" not in lines.getvalue()
    assert "Traceback" not in lines.getvalue()


async def test_headers_that_do_not_end_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "KEEP_ALIVE_SECONDS", 0.1)
    async with served(with_tokens()) as ask:
        assert await raw(ask, b"GET /api/me HTTP/1.1\r\nHost: localhost\r\nX: ") == b""


async def test_a_body_that_does_not_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "ARRIVAL_SECONDS", 0.1)
    monkeypatch.setattr(bounded_http, "KEEP_ALIVE_SECONDS", 0.1)
    monkeypatch.setattr(serving_module, "LINGERING_SECONDS", 0.1)
    async with served(with_tokens()) as ask:
        answer = await raw(ask, SIGN_IN + b"Content-Length: 100\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("how", ["chunked", "compressed"])
async def test_a_body_without_a_declared_size_is_held_up_to_the_bytes_of_its_endpoint(how: str) -> None:
    large = b'"' + b"a" * 10 * SIGN_IN_BYTES + b'"'
    if how == "chunked":
        sent = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(large), large)
    else:
        packed = gzip.compress(large)
        assert len(packed) < SIGN_IN_BYTES
        sent = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(packed), packed)
    async with served(with_tokens()) as ask:
        answer = await raw(ask, SIGN_IN + b"Connection: close\r\n" + sent)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"more than 4096 bytes" in answer


async def test_a_connection_too_many_is_closed_and_room_is_made_when_one_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "MOST_CONNECTIONS", 2)
    whole = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with served(with_tokens()) as ask:
        host, _, port = ask.url.removeprefix("http://").rstrip("/").partition(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        for reader, writer in held:  # it is known to be open once it has been answered
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert await raw(ask, whole) == b""
        held[0][1].close()
        async with asyncio.timeout(ROOM):
            while not (await raw(ask, whole)).startswith(b"HTTP/1.1 200 "):
                pass
        held[1][1].close()


async def test_bodies_under_way_have_a_budget_together_which_they_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_app, "BYTES_UNDER_WAY", 10)
    refused = SIGN_IN + b'Connection: close\r\nContent-Length: 15\r\n\r\n{"token": "xy"}'
    taken = SIGN_IN + b"Connection: close\r\nContent-Length: 2\r\n\r\n{}"
    async with served(with_tokens()) as ask:
        answer = await raw(ask, refused)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 5" in answer
        for _ in range(10):
            assert (await raw(ask, taken)).startswith(b"HTTP/1.1 422 ")
