"""Bytes nobody asked for never answer a request: not on a kept connection, not on a new one, at no moment."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from connector.delivery.http.connections import ReplyProtocol
from connector.errors import Phase, RequestError
from tests.kafka.certificates import Certificates, make_certificates
from tests.waiting import eventually

from .raw_provider import RawLane
from .servers import Behaviour, Server, get, post, reply, server_context, serving, transport

STRAY = reply(b'{"status":"ok","id":"stray"}')
MESSAGES = [f"m{number}" for number in range(8)]


def own(server: Server) -> bytes:
    return reply(json.dumps({"status": "ok", "id": f"own-{len(server.requests)}"}).encode())


def answering_and(stray: Callable[[Server, asyncio.StreamWriter], object], done: list[int]) -> Behaviour:
    """Answers each request with a reply of its own, then does `stray`, and notes it."""

    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await server.read(reader):
            result = stray(server, writer)
            if asyncio.iscoroutine(result):
                await result
            done.append(len(server.requests))

    return behave


async def later(server: Server, writer: asyncio.StreamWriter, extra: bytes, *, close: bool = False) -> None:
    writer.write(own(server))
    await writer.drain()
    await asyncio.sleep(0.01)
    writer.write(extra)
    if close:
        writer.close()


TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "stray",
    [
        pytest.param(lambda s, w: w.write(own(s) + STRAY), id="two replies in one write"),
        pytest.param(lambda s, w: w.writelines((own(s), STRAY)), id="two replies"),
        pytest.param(lambda s, w: w.write(own(s) + b"garbage"), id="bytes after the body"),
        pytest.param(lambda s, w: w.write(own(s) + b"\r\n"), id="a line break after the body"),
        pytest.param(lambda s, w: w.write(own(s) + STRAY[:9]), id="a part of a reply"),
        pytest.param(lambda s, w: w.write(own(s) + b"HTTP/1.1 100 Continue\r\n\r\n"), id="an interim reply"),
        pytest.param(lambda s, w: later(s, w, STRAY), id="a reply some time later"),
        pytest.param(lambda s, w: later(s, w, TIMEOUT), id="408"),
        pytest.param(lambda s, w: later(s, w, TIMEOUT, close=True), id="408 and the end"),
        pytest.param(lambda s, w: later(s, w, b"", close=True), id="the end"),
    ],
)
async def test_each_message_is_answered_by_its_own_reply_and_sent_once(tmp_path: Path, stray) -> None:
    done: list[int] = []
    async with serving(answering_and(stray, done)) as server:
        lane = RawLane(tmp_path, server.port, total="10s")
        for number, message_id in enumerate(MESSAGES, 1):
            result = (await lane.send(message_id))[message_id]
            assert (result.status, result.provider_message_id) == ("accepted", f"own-{number}")
            await eventually(lambda number=number: number in done, "the stray")
        await lane.close()
        assert len(server.requests) == len(MESSAGES)


async def test_after_a_stray_reply_no_connection_is_kept(tmp_path: Path) -> None:
    """One that comes while a request is under way cannot be told from its reply. It is the last one that can."""
    held = Held()
    async with serving(held.behave) as server, transport() as client:
        await client.send(post(server.url))
        await client.send(post(server.url))
        assert server.connections == 1
        held.writers[0].write(STRAY)
        for count in (2, 3, 4):
            assert b"own" in (await client.send(post(server.url))).body
            assert server.connections == count


@pytest.mark.parametrize("extra", [TIMEOUT, b"", b"\r\n"], ids=["408", "the end", "a line break"])
async def test_what_ends_idle_connections_everywhere_is_no_reason_not_to_keep_others(extra: bytes) -> None:
    held = Held()
    async with serving(held.behave) as server, transport() as client:
        await client.send(post(server.url))
        held.writers[0].write(extra)
        held.writers[0].write_eof()
        for _ in range(3):
            await client.send(post(server.url))
        assert server.connections == 2


class Held:
    """A server whose connections the test writes to."""

    def __init__(self) -> None:
        self.writers: list[asyncio.StreamWriter] = []

    async def behave(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while await server.read(reader):
            writer.write(own(server))
            await writer.drain()


@pytest.mark.parametrize("request_of", [post, get], ids=["with a body", "without"])
@pytest.mark.parametrize("end", [False, True], ids=["a reply", "the end"])
async def test_what_comes_between_release_and_reuse_answers_nothing(request_of, end: bool) -> None:
    """Unread in the socket when the next request sets out."""
    held = Held()
    async with serving(held.behave) as server, transport() as client:
        await client.send(request_of(server.url))
        if end:
            held.writers[0].write_eof()
        else:
            held.writers[0].write(STRAY)
        assert json.loads((await client.send(request_of(server.url))).body)["id"] == "own-2"
        assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize("request_of", [post, get], ids=["with a body", "without"])
@pytest.mark.parametrize("end", [False, True], ids=["a reply", "the end"])
async def test_what_lies_unread_in_the_socket_when_a_request_is_written_answers_nothing(
    monkeypatch, request_of, end: bool
) -> None:
    """The moment itself: the stray comes after everything else was looked at."""
    held = Held()
    begin = ReplyProtocol.begin

    def stray_and_begin(self: ReplyProtocol) -> None:
        if len(held.writers) == 1:
            held.writers[0].write(b"" if end else STRAY)
            held.writers[0].write_eof()
        begin(self)

    async with serving(held.behave) as server, transport() as client:
        await client.send(request_of(server.url))
        monkeypatch.setattr(ReplyProtocol, "begin", stray_and_begin)
        assert json.loads((await client.send(request_of(server.url))).body)["id"] == "own-2"
        assert (server.connections, len(server.requests)) == (2, 2)


async def test_all_kept_connections_may_be_stale() -> None:
    held = Held()
    async with serving(held.behave) as server, transport() as client:
        await asyncio.gather(*(client.send(post(server.url)) for _ in range(4)))
        assert server.connections == 4
        for writer in held.writers:
            writer.write(STRAY)
        got = await asyncio.gather(*(client.send(post(server.url)) for _ in range(4)))
        assert len({reply.body for reply in got}) == 4
        assert b"stray" not in b"".join(reply.body for reply in got)
        assert len(server.requests) == 8


async def test_a_server_that_speaks_first_is_not_sent_to() -> None:
    async def banner(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(STRAY)
        await server.read(reader)

    async with serving(banner) as server, transport() as client:
        connect = aiohttp.TCPConnector._create_connection

        async def connect_and_wait(self, *args):
            protocol = await connect(self, *args)
            await eventually(lambda: not protocol.is_connected() or protocol._has_unread(), "the banner")
            return protocol

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aiohttp.TCPConnector, "_create_connection", connect_and_wait)
            with pytest.raises(RequestError) as caught:
                await client.send(post(server.url))
        assert (caught.value.phase, caught.value.uncertain) == (Phase.CONNECT, False)
        assert (server.connections, server.requests) == (1, [])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


async def test_with_tls_connections_are_kept_and_strays_answer_nothing(certificates: Certificates) -> None:
    """A new connection brings session tickets, which are no stray bytes."""
    held = Held()
    async with (
        serving(held.behave, server_context(certificates.server)) as server,
        transport(ca=str(certificates.ca)) as client,
    ):
        for _ in range(3):
            await client.send(post(server.url))
        assert server.connections == 1
        held.writers[0].write(STRAY)
        assert json.loads((await client.send(post(server.url))).body)["id"] == "own-4"
        assert (server.connections, len(server.requests)) == (2, 4)


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_a_reply_before_the_request_was_written_whole_ends_the_connection() -> None:
    """413 in the middle of an upload: the rest of the body would be read as the next request."""

    async def early(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        server.requests.append(b"")
        writer.write(reply(status="413 Content Too Large"))
        await writer.drain()
        await reader.read()

    async with serving(early) as server, transport() as client:
        for count in (1, 2):
            assert (await client.send(post(server.url, b"x" * 20_000_000))).status == 413
            assert (server.connections, len(server.requests)) == (count, count)
