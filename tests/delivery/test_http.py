"""HTTP against real sockets: what is sent, what is read, and how far a request had come when it failed."""

import asyncio
import gzip
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import aiohttp
import msgspec
import pytest

from connector.definition.tree import Definition, Http, Method
from connector.delivery.http import private_networks
from connector.delivery.http.client import HttpTransport
from connector.delivery.http.reply_parser import ReplyParser
from connector.errors import DefinitionError, Phase, RequestError, WithheldError
from tests.kafka.certificates import Certificates, make_certificates

from .servers import Server, answering, get, post, reply, server_context, serving, transport
from .world import operation


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("tls"))


async def failure(url: str, *, method: str = "POST", **http: object) -> RequestError:
    """The error of one request."""
    async with transport(**http) as client:
        with pytest.raises(RequestError) as caught:
            await client.send(post(url) if method == "POST" else get(url))
    return caught.value


# ---- what is sent and read ------------------------------------------------------------------------------------------


async def test_the_url_is_sent_as_it_is() -> None:
    async with serving(answering(reply())) as server, transport() as client:
        target = "/a%2fb/~x?to=%2b9198,%2B91+99&text=%E2%82%AC%20%7e&empty=&k"
        await client.send(get(f"http://127.0.0.1:{server.port}{target}"))
        assert server.requests[0].split(b"\r\n")[0] == f"GET {target} HTTP/1.1".encode()


async def test_headers_and_body_are_those_of_the_request() -> None:
    async with serving(answering(reply())) as server, transport() as client:
        await client.send(post(server.url, b"hello", **{"X-Key": "v1", "Content-Type": "text/x-sms"}))
        head, _, body = server.requests[0].partition(b"\r\n\r\n")
        assert body == b"hello"
        assert b"X-Key: v1" in head
        assert b"Content-Type: text/x-sms" in head
        assert b"User-Agent: kafka-sms-connector/" in head


async def test_nothing_is_added_that_could_change_a_requests_meaning() -> None:
    """No content type of aiohttp's own, no cookies."""
    cookie = "Set-Cookie: session=1; Path=/\r\n"
    async with serving(answering(reply(headers=cookie))) as server, transport() as client:
        named = f"http://localhost:{server.port}/"  # aiohttp's own jar takes no cookies from addresses
        await client.send(post(named, None))
        await client.send(post(named, b"x"))
        assert len(server.requests) == 2
        assert all(b"Content-Type" not in request for request in server.requests)
        assert all(b"Cookie" not in request for request in server.requests)


async def test_a_reply_has_status_lower_case_headers_and_body() -> None:
    answer = reply(b'{"id":7}', "418 Teapot", "X-Request-ID: a\r\nX-Request-ID: b\r\n")
    async with serving(answering(answer)) as server, transport() as client:
        got = await client.send(post(server.url))
        assert (got.status, got.body, got.truncated) == (418, b'{"id":7}', False)
        assert got.headers["x-request-id"] == "b"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_redirects_are_never_followed(status: str) -> None:
    async with serving(answering(reply())) as other:
        answer = reply(status=status, headers=f"Location: {other.url}\r\n")
        async with serving(answering(answer)) as server, transport() as client:
            assert (await client.send(post(server.url))).status == int(status[:3])
            assert other.connections == 0


async def test_a_compressed_reply_is_read() -> None:
    answer = reply(gzip.compress(b'{"id":7}'), headers="Content-Encoding: gzip\r\n")
    async with serving(answering(answer)) as server, transport() as client:
        assert (await client.send(post(server.url))).body == b'{"id":7}'


@pytest.mark.parametrize("packed", [False, True])
async def test_a_reply_is_read_to_its_limit(packed: bool) -> None:
    body = b"x" * 5_000_000
    answer = reply(gzip.compress(body), headers="Content-Encoding: gzip\r\n") if packed else reply(body)
    async with serving(answering(answer)) as server, transport(reply_bytes=1000) as client:
        got = await client.send(post(server.url))
        assert (len(got.body), got.truncated) == (1000, True)
        await client.send(post(server.url))
        assert server.connections == 2  # what was not read cannot be mistaken for the next reply


@pytest.mark.parametrize("kept", [False, True])
async def test_nothing_is_written_where_it_may_not_leave_any_more(kept: bool) -> None:
    """Asked when the connection stands, new or kept: to get it may have taken a while."""
    allowed = kept
    definition = Definition("acme", "acme.yaml", (operation(),), http=Http(private_hosts=True))
    client = HttpTransport(definition, guard=SimpleNamespace(may_leave_now=lambda: allowed))
    async with serving(answering(reply())) as server:
        try:
            if kept:
                await client.send(post(server.url))
                allowed = False
            with pytest.raises(WithheldError):
                await client.send(post(server.url))
            assert len(server.requests) == kept
            allowed = True
            assert (await client.send(post(server.url))).status == 200
        finally:
            await client.close()


async def test_connections_are_kept() -> None:
    async with serving(answering(reply())) as server, transport() as client:
        for _ in range(3):
            await client.send(post(server.url))
        assert server.connections == 1


# ---- failures before anything was sent: safe ------------------------------------------------------------------------


async def test_a_refused_connection_is_safe() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await failure(f"http://127.0.0.1:{port}/?key=hunter2")
    assert (error.phase, error.uncertain) == (Phase.CONNECT, False)
    assert "hunter2" not in str(error)


async def test_a_name_that_does_not_resolve_is_safe() -> None:
    error = await failure("http://sms.invalid/")
    assert (error.phase, error.uncertain) == (Phase.DNS, False)


async def test_a_request_that_must_not_be_written_is_safe_and_told_without_its_url() -> None:
    async with serving(answering(reply())) as server, transport() as client:
        request = post(f"http://user:hunter2@127.0.0.1:{server.port}/", Authorization="Basic xyz")
        with pytest.raises(RequestError) as caught:
            await client.send(request)
        assert (caught.value.phase, caught.value.uncertain) == (Phase.CONNECT, False)
        assert "hunter2" not in str(caught.value)
        assert server.requests == []


async def test_a_header_that_must_not_be_written_is_safe() -> None:
    async with serving(answering(reply())) as server, transport() as client:
        with pytest.raises(RequestError) as caught:
            await client.send(post(server.url, **{"X-Id": "a\r\nTo: b"}))
        assert (caught.value.phase, caught.value.uncertain) == (Phase.CONNECT, False)
        assert server.requests == []


async def test_a_lookup_that_hangs_ends_at_the_connect_limit_and_is_safe(monkeypatch) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(private_networks.DefaultResolver, "resolve", hang)
    error = await failure("http://sms.example.com/", connect=0.05)
    assert (error.phase, error.uncertain, error.timed_out) == (Phase.DNS, False, True)


async def test_a_tls_handshake_that_hangs_ends_at_the_connect_limit_and_is_safe() -> None:
    async def silent(server: Server, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as server:
        error = await failure(f"https://127.0.0.1:{server.port}/", connect=0.05)
        assert (error.phase, error.uncertain, error.timed_out) == (Phase.CONNECT, False, True)


async def test_a_certificate_of_an_unknown_authority_is_refused(certificates: Certificates) -> None:
    async with serving(answering(reply()), server_context(certificates.server)) as server:
        error = await failure(server.url)
        assert (error.phase, error.uncertain) == (Phase.TLS, False)
        assert server.requests == []


async def test_a_certificate_for_another_name_is_refused(certificates: Certificates, monkeypatch) -> None:
    async def loopback(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        entry = {"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [entry]

    monkeypatch.setattr(private_networks.DefaultResolver, "resolve", loopback)
    async with serving(answering(reply()), server_context(certificates.server)) as server:
        url = f"https://sms.example.com:{server.port}/"
        error = await failure(url, ca=str(certificates.ca))
        assert error.phase is Phase.TLS


async def test_the_definitions_own_authority_and_client_certificate_are_used(certificates: Certificates) -> None:
    context = server_context(certificates.server, certificates.ca)
    async with serving(answering(reply()), context) as server:
        options = {
            "ca": str(certificates.ca),
            "certificate": str(certificates.client_certificate),
            "key": str(certificates.client_key),
        }
        async with transport(**options) as client:
            assert (await client.send(post(server.url))).status == 200


async def test_the_usual_authorities_are_read_once_and_used_where_nothing_is_said(certificates: Certificates) -> None:
    async with (
        transport() as one,
        transport() as another,
        transport(verify=False) as careless,
        transport(ca=str(certificates.ca)) as own,
    ):
        assert one._ssl is another._ssl
        assert len({id(it._ssl) for it in (one, careless, own)}) == 3


async def test_verification_can_be_switched_off(certificates: Certificates) -> None:
    context = server_context(certificates.server)
    async with serving(answering(reply()), context) as server, transport(verify=False) as client:
        assert (await client.send(post(server.url))).status == 200


async def test_unusable_certificate_files_are_all_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with pytest.raises(DefinitionError) as caught:
        async with transport(ca=str(tmp_path / "none.pem"), certificate=str(empty)):
            pass
    assert [problem.path for problem in caught.value.problems] == ["http.ca", "http.certificate"]
    assert all(problem.file == "acme.yaml" for problem in caught.value.problems)


# ---- failures after the connection stood: uncertain -----------------------------------------------------------------


async def drop_after_reading(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await server.read(reader)


async def drop_in_the_head(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await server.read(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()


async def drop_in_the_body(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await server.read(reader)
    writer.write(reply(b"{}" * 50)[:-10])
    await writer.drain()


async def answer_nonsense(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await server.read(reader)
    writer.write(b"220 smtp.example.com ESMTP\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("behave", "answered"), [(drop_after_reading, False), (answer_nonsense, True)])
async def test_once_written_a_failure_is_uncertain_and_nothing_is_sent_twice(
    behave, answered: bool, method: str
) -> None:
    async with serving(behave) as server:
        error = await failure(server.url, method=method)
        assert (error.uncertain, error.answered, error.timed_out) == (True, answered, False)
        assert (server.connections, len(server.requests)) == (1, 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("behave", [drop_in_the_head, drop_in_the_body])
async def test_a_reply_that_breaks_off_has_its_status_and_a_fault(behave, method: str) -> None:
    async with serving(behave) as server, transport() as client:
        got = await client.send(post(server.url) if method == "POST" else get(server.url))
        assert (got.status, got.body, got.fault) == (200, b"", "the connection was closed before a complete reply")
        assert (server.connections, len(server.requests)) == (1, 1)


@pytest.mark.parametrize("method", get_args(Method))
async def test_a_kept_connection_that_closes_is_uncertain_and_nothing_is_sent_twice(method: str) -> None:
    async def answer_once(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)
        writer.write(reply())
        await writer.drain()
        await server.read(reader)  # and close

    async with serving(answer_once) as server, transport() as client:
        request = get(server.url) if method == "GET" else msgspec.structs.replace(post(server.url), method=method)
        await client.send(request)
        with pytest.raises(RequestError) as caught:
            await client.send(request)
        assert caught.value.uncertain
        assert (server.connections, len(server.requests)) == (1, 2)


@pytest.mark.parametrize(
    "fault", [ValueError("x"), UnicodeDecodeError("ascii", b"x", 0, 1, "x"), aiohttp.InvalidURL("x")]
)
async def test_an_error_of_our_own_while_a_reply_is_read_never_says_that_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def broken(self: ReplyParser, data: bytes) -> None:
        raise fault

    async with serving(answering(reply())) as server, transport() as client:
        monkeypatch.setattr(ReplyParser, "feed", broken)
        with pytest.raises(RequestError) as caught:
            await client.send(post(server.url))
        assert (caught.value.uncertain, len(server.requests)) == (True, 1)


async def test_a_reply_that_takes_too_long_is_uncertain_and_timed_out() -> None:
    async def silent(server: Server, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read(reader)
        await reader.read()

    async with serving(silent) as server:
        error = await failure(server.url, total=0.05)
        assert (error.phase, error.uncertain, error.timed_out) == (Phase.READ, True, True)


async def test_what_a_definition_does_not_say_is_the_setting() -> None:
    async def silent(server: Server, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read(reader)
        await reader.read()

    async with serving(silent) as server:
        definition = Definition("acme", "acme.yaml", (), http=Http(private_hosts=True))
        client = HttpTransport(definition, total=0.05)
        with pytest.raises(RequestError, match=r"no complete reply within 0\.05s"):
            await client.send(post(server.url))
        await client.close()


async def test_a_reply_that_drips_ends_at_the_total_limit() -> None:
    async def drip(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(drip) as server, transport(total=0.5) as client:
        got = await client.send(post(server.url))
        assert (got.status, got.fault) == (200, "no complete reply within 0.5s")


# ---- where it may go ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.1]", "[fd00::1]", "0.0.0.0"],
)
async def test_private_addresses_are_refused(host: str) -> None:
    async with serving(answering(reply())) as server:
        error = await failure(f"http://{host}:{server.port}/", private_hosts=False)
        assert (error.phase, error.uncertain) == (Phase.DNS, False)
        assert "http.private_hosts" in error.reason
        assert server.connections == 0


@pytest.mark.parametrize(
    "written",
    ["2130706433", "127.1", "0x7f000001", "0177.0.0.1", "0x7f.1", "0", "127.0.0.1.", "[::ffff:7f00:1]", "[::]"],
)
async def test_other_writings_of_a_private_address_are_refused(written: str) -> None:
    async with serving(answering(reply())) as server:
        error = await failure(f"http://{written}:{server.port}/", private_hosts=False)
        assert not error.uncertain
        assert server.connections == 0


async def test_a_name_that_comes_to_resolve_to_a_private_address_is_refused(monkeypatch) -> None:
    """Rebinding: the check is on what will be connected to, each time it is resolved."""

    async def rebound(self: object, host: str, port: int = 0, family: int = 0) -> list[dict[str, object]]:
        shared = {"hostname": host, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [{**shared, "host": "93.184.216.34"}, {**shared, "host": "127.0.0.1"}]

    monkeypatch.setattr(private_networks.DefaultResolver, "resolve", rebound)
    async with serving(answering(reply())) as server:
        error = await failure(f"http://sms.example.com:{server.port}/", private_hosts=False)
        assert "private address" in error.reason
        assert server.connections == 0


async def test_the_address_that_is_looked_at_is_the_one_that_is_connected_to(monkeypatch) -> None:
    """Whatever else resolves or parses a host, or forgets to look: the socket is not made."""
    monkeypatch.setattr(
        "connector.delivery.http.client.PublicResolver", lambda exempt: private_networks.DefaultResolver()
    )
    monkeypatch.setattr("connector.delivery.http.destinations.refuse_private_literal", lambda host: None)
    async with serving(answering(reply())) as server:
        for host in ("localhost", "127.0.0.1", "127.1", "[::ffff:127.0.0.1]"):
            error = await failure(f"http://{host}:{server.port}/", private_hosts=False)
            assert not error.uncertain
        assert server.connections == 0


async def test_proxies_of_the_environment_are_not_used(monkeypatch) -> None:
    async with serving(answering(reply())) as proxy, serving(answering(reply())) as server, transport() as client:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        await client.send(post(server.url))
        assert (proxy.connections, server.connections) == (0, 1)


async def test_the_definitions_proxy_is_used_and_may_be_private() -> None:
    async with serving(answering(reply())) as proxy:
        options = {"private_hosts": False, "proxy": f"http://localhost:{proxy.port}"}
        async with transport(**options) as client:
            await client.send(get("http://sms.example.com/send?a=%2b"))
        assert proxy.requests[0].startswith(b"GET http://sms.example.com/send?a=%2b HTTP/1.1\r\n")


async def test_a_proxy_that_refuses_the_tunnel_is_safe() -> None:
    async with serving(answering(reply(status="407 Proxy Authentication Required"))) as proxy:
        error = await failure("https://sms.example.com/", proxy=f"http://127.0.0.1:{proxy.port}")
        assert (error.phase, error.uncertain) == (Phase.CONNECT, False)
        assert "407" in error.reason
