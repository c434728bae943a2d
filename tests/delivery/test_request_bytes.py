"""What is written for a request, byte for byte: as aiohttp's session writes it, and nothing that must not be."""

import asyncio
from collections.abc import Sequence

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from yarl import URL

from connector.delivery.http.destinations import MOST_KEPT, Destinations
from connector.delivery.http.private_networks import PrivateAddressError
from connector.delivery.http.request_head import ACCEPT_ENCODING, USER_AGENT, HeadError, RequestHeads
from connector.errors import Phase, RequestError
from connector.model import Request
from tests.waiting import eventually

from .servers import Server, answering, get, post, reply, serving, transport

JSON = (("Content-Type", "application/json"),)

START = f"Host: h\r\nUser-Agent: {USER_AGENT}\r\nAccept-Encoding: gzip, deflate\r\n"


def written(method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes = b"") -> str:
    return RequestHeads("h").head(method, target, tuple(headers), body).written.decode()


@pytest.mark.parametrize(
    ("method", "headers", "body", "lines"),
    [
        ("POST", JSON, b"{}", START + "Content-Type: application/json\r\nAccept: */*\r\nContent-Length: 2\r\n\r\n"),
        ("POST", (), b"", START + "Accept: */*\r\nContent-Length: 0\r\n\r\n"),
        ("PUT", (), b"", START + "Accept: */*\r\nContent-Length: 0\r\n\r\n"),
        ("GET", (), b"", START + "Accept: */*\r\n\r\n"),
        ("GET", (), b"{}", START + "Accept: */*\r\nContent-Length: 2\r\n\r\n"),
        ("GET", [("accept", "a/b")], b"", START + "accept: a/b\r\n\r\n"),
        ("GET", [("X-A", "1"), ("X-B", "2"), ("X-A", "3")], b"",
         START + "X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nAccept: */*\r\n\r\n"),
        ("GET", [("X-A", "Jörg €")], b"", START + "X-A: Jörg €\r\nAccept: */*\r\n\r\n"),
        ("GET", [("Host", "other")], b"", START.replace(": h", ": other") + "Accept: */*\r\n\r\n"),
        ("GET", [("user-agent", "me")], b"",
         START.replace(f"User-Agent: {USER_AGENT}", "user-agent: me") + "Accept: */*\r\n\r\n"),
    ],
)  # fmt: skip
def test_what_is_written(method: str, headers: Sequence[tuple[str, str]], body: bytes, lines: str) -> None:
    heads = RequestHeads("h")
    for _ in range(2):  # made, and kept
        assert heads.head(method, "/a?b", tuple(headers), body).written.decode() == f"{method} /a?b HTTP/1.1\r\n{lines}"


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST", "/", [("X", "a\r\nTo: b")]),
        ("POST", "/", [("X", "a\nTo: b")]),
        ("POST", "/", [("X", "a\rTo: b")]),
        ("POST", "/", [("X", "a\0")]),
        ("POST", "/", [("X", "a\x7f")]),
        ("POST", "/", [("X", "a\ud800")]),
        ("POST", "/", [("X\r\nTo", "b")]),
        ("POST", "/", [("Host", "a\r\nTo: b")]),
        ("POST", "/\r\nTo: b", []),
        ("POST", "/\0", []),
        ("POST", "/\ud800", []),
        ("GET / HTTP/1.1\r\nX:", "/", []),
        ("GÉT", "/", []),
        ("", "/", []),
        ("POST", "/", [("Transfer-Encoding", "chunked")]),
        ("POST", "/", [("content-length", "2")]),
        ("POST", "/", [("Content-Length", "+1")]),
        ("POST", "/", [("Content-Length", "1"), ("Content-Length", "2")]),
    ],
)
def test_what_must_not_be_written_is_refused(method: str, target: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(HeadError):
        written(method, target, headers, b"x")


def test_a_user_in_the_url_and_a_header_that_authorizes_contradict_each_other() -> None:
    heads = RequestHeads("h", "Basic dTpw")
    assert b"Authorization: Basic dTpw\r\n" in heads.head("GET", "/", (), b"").written
    with pytest.raises(HeadError):
        heads.head("GET", "/", (("authorization", "Bearer x"),), b"")


def test_headers_of_single_messages_are_not_collected() -> None:
    heads = RequestHeads("h")
    for number in range(1000):
        heads.head("GET", "/", (("X-Id", str(number)),), b"")
    assert len(heads._kept) <= 16


NAMES = st.sampled_from(
    ["X-A", "x-a", "Accept", "accept", "User-Agent", "user-agent", "Accept-Encoding", "Content-Type", "Cookie", "X"]
)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH"]),
    headers=st.lists(st.tuples(NAMES, VALUES), max_size=6),
    body=st.binary(max_size=3),
    path=st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
def test_it_is_what_aiohttps_session_writes(
    method: str, headers: list[tuple[str, str]], body: bytes, path: str
) -> None:
    """Or both refuse it."""
    url = f"http://sms.example.com/{path}"

    async def theirs() -> bytes | None:
        try:
            return await _by_aiohttp(method, url, headers, body)
        except ValueError:
            return None

    async def ours() -> bytes | None:
        destinations = Destinations(None, private_hosts=True)
        destinations.find("http://sms.example.com/")  # known: found by the quicker way from now on
        try:
            destination, target = destinations.find(url)
            return destination.heads.head(method, target, tuple(headers), body).written + body
        except ValueError:
            return None

    assert asyncio.run(ours()) == asyncio.run(theirs())


async def _by_aiohttp(method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    """What a session of aiohttp writes, with the options this connector's sessions once had."""
    session = aiohttp.ClientSession(
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING}, skip_auto_headers=("Content-Type",)
    )
    try:
        request = aiohttp.ClientRequest(
            method,
            URL(url, encoded=True),
            headers=session._prepare_headers(CIMultiDict(headers)),
            skip_auto_headers=("Content-Type",),
            data=body or None,
            loop=asyncio.get_running_loop(),
        )
        line = f"{request.method} {request.url.raw_path_qs} HTTP/1.1"
        return aiohttp.http_writer._serialize_headers(line, request.headers) + body
    finally:
        await session.close()


# ---- where it goes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        ("http://h", "/", "h"),
        ("http://h?a=/b", "/?a=/b", "h"),
        ("http://h/a?b=1#c/d", "/a?b=1", "h"),
        ("http://h/a?", "/a", "h"),
        ("http://h//a/../b", "//a/../b", "h"),
        ("http://h/a b", "/a b", "h"),
        ("http://h/ä?€", "/ä?€", "h"),
        ("HTTP://h:80/a", "/a", "h"),
        ("http://h:080/a", "/a", "h"),
        ("http://h:8080/a", "/a", "h:8080"),
        ("http://h./a", "/a", "h"),
        ("https://h:443/a", "/a", "h"),
        ("https://h:80/a", "/a", "h:80"),
        ("http://[2606:4700::1]:8080/a", "/a", "[2606:4700::1]:8080"),
        ("http://us:p%40@h/a", "/a", "h"),
    ],
)
async def test_request_line_and_host_of_a_url(url: str, target: str, host: str) -> None:
    destinations = Destinations(None, private_hosts=True)
    for _ in range(2):  # seen for the first time, and known
        destination, found = destinations.find(url)
        assert found == target
        assert f"\r\nHost: {host}\r\n".encode() in destination.heads.head("GET", found, (), b"").written


@pytest.mark.parametrize(
    "url",
    ["", "/a", "//h/a", "http:///a", "ftp://h/a", "ws://h/a", "http://h:99999/a", "http://h:x/a", "http://[::1/a"],
)
async def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    destinations = Destinations(None, private_hosts=True)
    destinations.find("http://h/")
    with pytest.raises(ValueError):  # noqa: PT011 yarl's, or aiohttp's
        destinations.find(url)
    async with transport() as client:
        with pytest.raises(RequestError, match="the URL is not one of HTTP") as caught:
            await client.send(get(url))
        assert (caught.value.phase, caught.value.uncertain) == (Phase.CONNECT, False)


async def test_urls_of_one_host_share_its_connections_and_others_do_not() -> None:
    destinations = Destinations(None, private_hosts=True)
    same = ["http://h/", "http://h:80/a", "http://h?b", "HTTP://h/c", "http://u:p@h/d"]
    assert len({destinations.find(url)[0].key for url in same}) == 1
    others = ["http://h/", "https://h/", "http://h:81/", "http://g/", "https://h:444/"]
    assert len({destinations.find(url)[0].key for url in others}) == len(others)


async def test_destinations_are_bounded_and_each_is_looked_at() -> None:
    destinations = Destinations(None, private_hosts=False)
    for number in range(1000):
        destinations.find(f"http://h{number}.example.com/")
    assert len(destinations._known) <= MOST_KEPT
    for _ in range(2):
        with pytest.raises(PrivateAddressError):
            destinations.find("http://10.0.0.1/")


@pytest.mark.parametrize("user", ["", "us%40er:pw@"])
async def test_a_proxy_gets_the_request_as_it_is_and_its_own_user(user: str) -> None:
    async with (
        serving(answering(reply())) as proxy,
        transport(private_hosts=False, proxy=f"http://{user}127.0.0.1:{proxy.port}") as client,
    ):
        for _ in range(2):
            await client.send(post("http://u:p@sms.example.com:8080/send?a=%2b", b"x"))
        assert proxy.connections == 1
        for request in proxy.requests:
            assert request.startswith(b"POST http://sms.example.com:8080/send?a=%2b HTTP/1.1\r\n")
            assert (b"Proxy-Authorization: Basic dXNAZXI6cHc=\r\n" in request) is bool(user)
            assert b"Authorization: Basic dTpw\r\n" in request
            assert b"Host: sms.example.com:8080\r\n" in request


# ---- bodies ---------------------------------------------------------------------------------------------------------


async def test_a_large_body_is_written_as_it_is_taken() -> None:
    """No more of it is in memory twice than a piece or two."""
    body = bytes(range(256)) * 40_000
    async with serving(answering(reply())) as server, transport() as client:
        assert (await client.send(post(server.url, body))).status == 200
        assert server.requests[0].endswith(b"\r\n\r\n" + body)
        await client.send(post(server.url))
        assert server.connections == 1


async def test_a_body_waits_where_a_header_says_so() -> None:
    heads: list[bytes] = []

    async def careful(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            heads.append(head)
            assert not reader._buffer  # type: ignore[attr-defined]
            if b"refuse" in head:
                writer.write(reply(status="417 Expectation Failed"))
            else:
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                server.requests.append(await reader.readexactly(5))
                writer.write(reply())

    async with serving(careful) as server, transport() as client:
        for _ in range(2):
            assert (await client.send(post(server.url, b"hello", Expect="100-continue"))).status == 200
        assert (server.requests, server.connections) == ([b"hello", b"hello"], 1)
        refused = await client.send(post(server.url, b"hello", Expect="100-Continue", To="refuse"))
        assert (refused.status, len(server.requests)) == (417, 2)
        await client.send(post(server.url, b"hello", Expect="100-continue"))
        assert server.connections == 2, "the body that was not written is not waited for"


# ---- the end of it --------------------------------------------------------------------------------------------------


async def test_a_request_that_is_cancelled_ends_its_connection() -> None:
    closed = asyncio.Event()

    async def silent(server: Server, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read(reader)
        assert await reader.read() == b""
        closed.set()

    async with serving(silent) as server, transport() as client:
        sending = asyncio.create_task(client.send(post(server.url)))
        await eventually(lambda: len(server.requests) == 1, "the request")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        async with asyncio.timeout(10):
            await closed.wait()


async def test_requests_under_way_end_uncertain_when_the_transport_is_closed() -> None:
    async def silent(server: Server, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read(reader)
        await reader.read()

    async with serving(silent) as server, transport() as client:
        sending = [asyncio.create_task(client.send(post(server.url))) for _ in range(3)]
        await eventually(lambda: len(server.requests) == 3, "the requests")
        await client.close()
        for error in await asyncio.gather(*sending, return_exceptions=True):
            assert isinstance(error, RequestError)
            assert error.uncertain


async def test_each_request_has_its_own_time_limit() -> None:
    """One timer looks after all of them."""

    async def slow(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await server.read(reader):
            if b"/quick" in request:
                writer.write(reply())

    async with serving(slow) as server, transport(total=0.2) as client:
        base = f"http://127.0.0.1:{server.port}"
        ends = await asyncio.gather(
            *(client.send(get(base + path)) for path in ("/", "/quick", "/", "/quick")), return_exceptions=True
        )
        assert [getattr(end, "timed_out", None) for end in ends] == [True, None, True, None]
        assert (await client.send(get(base + "/quick"))).status == 200
        with pytest.raises(RequestError, match="no complete reply"):
            await client.send(Request("GET", base + "/"))
