"""What connector/delivery/http uses of aiohttp beyond its documentation."""

import asyncio
import inspect
from unittest.mock import Mock

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from connector.delivery.http.connections import ReplyProtocol, WireConnector
from connector.delivery.http.destinations import Destinations
from connector.delivery.http.request_head import USER_AGENT
from tests.kafka.certificates import make_certificates

from .servers import Server, answering, get, post, reply, server_context, serving, transport


async def test_the_connector_makes_its_protocols_by_this_attribute() -> None:
    async with aiohttp.TCPConnector() as plain:
        assert isinstance(plain._factory(), ResponseHandler)
    async with WireConnector("acme") as ours:
        assert isinstance(ours._factory(), ReplyProtocol)


async def test_what_the_protocol_overrides_and_uses_is_there() -> None:
    for name in ("set_response_params", "data_received", "eof_received", "connection_lost", "connection_made"):
        assert inspect.isfunction(getattr(ResponseHandler, name))
    assert isinstance(ResponseHandler.should_close, property)
    protocol = ResponseHandler(asyncio.get_running_loop())
    assert protocol._exception is None
    assert not protocol.is_connected()
    assert not protocol.should_close
    protocol.force_close()
    assert protocol.should_close
    protocol.feed_data(("message", "payload"), 0)
    assert await protocol.read() == ("message", "payload")
    error = aiohttp.ClientError()
    protocol.set_exception(error)
    assert protocol._exception is error


def test_a_message_has_these_fields_in_this_order() -> None:
    """What aiohttp is told of the answer to CONNECT."""
    names = ["version", "code", "reason", "headers", "raw_headers", "should_close", "compression", "upgrade", "chunked"]
    values = [aiohttp.HttpVersion11, 200, "", CIMultiDictProxy(CIMultiDict()), (), False, None, False, False]
    made = RawResponseMessage(*values)
    assert [getattr(made, name) for name in names] == values


async def test_whoever_writes_learns_when_more_can_be_written_and_when_no_more_comes() -> None:
    protocol = ResponseHandler(asyncio.get_running_loop())
    assert not protocol.writing_paused
    protocol.pause_writing()
    assert protocol.writing_paused
    protocol.resume_writing()
    assert not protocol.writing_paused
    told: list[BaseException] = []

    class Listening(ResponseHandler):
        def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
            told.append(exc)
            super().set_exception(exc, *cause)

    for lost in (None, OSError(104, "reset")):
        Listening(asyncio.get_running_loop()).connection_lost(lost)
    assert [type(error) for error in told] == [aiohttp.ServerDisconnectedError, aiohttp.ClientOSError]


async def test_a_connection_is_closed_at_once_or_when_all_is_written() -> None:
    for end in ("close", "abort"):
        protocol = ResponseHandler(asyncio.get_running_loop())
        transport_of_it = Mock(asyncio.Transport)
        protocol.transport = transport_of_it
        protocol.set_exception(error := aiohttp.ClientError())
        assert protocol._exception is error
        getattr(protocol, end)()
        assert getattr(transport_of_it, end).called
        assert protocol.transport is None
        assert protocol._exception is None


async def test_connections_are_kept_by_the_key_of_a_request_that_is_never_written() -> None:
    """`_get` takes one without waiting; `connect` opens or waits for one, by a request; `release` gives it back."""
    async with serving(answering(reply())) as server, aiohttp.TCPConnector() as connector:
        url = URL(server.url)
        opening = aiohttp.ClientRequest("GET", url, loop=asyncio.get_running_loop())
        assert await connector._get(opening.connection_key, []) is None
        opened = await connector.connect(opening, [], aiohttp.ClientTimeout(total=None, connect=1))
        protocol = opened.protocol
        opened.release()
        taken = await connector._get(opening.connection_key, [])
        assert taken is not None
        assert taken.protocol is protocol
        assert await connector._get(opening.connection_key, []) is None
        taken.close()
        assert not protocol.is_connected()
        other = aiohttp.ClientRequest("GET", url / "other?a=1", loop=asyncio.get_running_loop())
        assert other.connection_key == opening.connection_key


async def test_the_key_does_not_change_when_the_proxy_is_connected_to() -> None:
    """aiohttp writes Host into the proxy's headers then, and these are a part of the key."""
    proxy = URL("http://us:pw@127.0.0.1:3128")
    for url in ("http://sms.example.com/", "https://sms.example.com/"):
        destination, _ = Destinations(proxy, private_hosts=False).find(url)
        async with aiohttp.TCPConnector() as connector:
            tunnel = connector._update_proxy_auth_header_and_build_proxy_req(destination.opening)
        assert destination.opening.connection_key == destination.key
        assert tunnel.headers["Host"] == "sms.example.com"
        assert tunnel.headers["User-Agent"] == USER_AGENT


async def test_users_of_urls_become_this_header() -> None:
    asked = aiohttp.ClientRequest("GET", URL("http://us%40:pw@sms.example.com/"), loop=asyncio.get_running_loop())
    assert asked.headers["Authorization"] == "Basic dXNAOnB3"
    assert aiohttp.ClientRequest("GET", URL("https://sms.example.com/"), loop=asyncio.get_running_loop()).is_ssl()


async def test_a_request_is_armed_and_begun_before_its_first_byte_is_written(monkeypatch) -> None:
    """With a body and without; and nothing else has its turn between `begin` and the first byte."""
    for request_of in (post, get):
        order: list[str] = []

        def note(name: str, owner: type, order=order) -> None:
            method = getattr(owner, name)

            def noted(*args, **kwargs):
                order.append(name)
                if name == "begin":
                    asyncio.get_running_loop().call_soon(order.append, "another turn")
                return method(*args, **kwargs)

            monkeypatch.setattr(owner, name, noted)

        async with serving(answering(reply())) as server, transport() as client:
            await client.send(request_of(server.url))
            with monkeypatch.context():
                for name in ("set_response_params", "arm", "begin", "wrote"):
                    note(name, ReplyProtocol)
                writing = asyncio.selector_events._SelectorSocketTransport  # type: ignore[attr-defined]
                for name in ("write", "writelines"):
                    note(name, writing)
                await client.send(request_of(server.url))
            monkeypatch.undo()
        first = next(index for index, name in enumerate(order) if name.startswith("write"))
        assert order[: first + 1] == ["arm", "begin", order[first]]


async def test_connect_is_answered_before_anything_is_armed(tmp_path) -> None:
    """Through a proxy: the tunnel's own request is aiohttp's, what goes through it is ours."""
    certificates = make_certificates(tmp_path)

    async def tunnel(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await server.read(reader)
        host, _, port = head.split()[1].decode().partition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")

        async def pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                to.write(data)
                await to.drain()
            to.close()

        try:
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        finally:
            far_writer.close()

    async with (
        serving(answering(reply(b'{"id":1}')), server_context(certificates.server)) as far,
        serving(tunnel) as proxy,
        transport(ca=str(certificates.ca), proxy=f"http://127.0.0.1:{proxy.port}") as client,
    ):
        for _ in range(2):
            assert (await client.send(post(far.url))).body == b'{"id":1}'
        assert (far.connections, len(far.requests), proxy.connections) == (1, 2, 1)
