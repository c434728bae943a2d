"""What connector/delivery/http/connections.py and request_errors.py use of aiohttp beyond its documentation."""

import asyncio
import inspect

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD
from multidict import CIMultiDict, CIMultiDictProxy

from connector.delivery.http import request_errors
from connector.delivery.http.connections import ReplyProtocol, WireConnector
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
    names = ["version", "code", "reason", "headers", "raw_headers", "should_close", "compression", "upgrade", "chunked"]
    values = [aiohttp.HttpVersion11, 200, "", CIMultiDictProxy(CIMultiDict()), (), False, None, False, False]
    made = RawResponseMessage(*values)
    assert [getattr(made, name) for name in names] == values
    called = []
    EMPTY_PAYLOAD.on_eof(lambda: called.append(True))
    assert called, "a reply without a payload of aiohttp's ends at once"


def test_bodies_are_written_by_this_method() -> None:
    parameters = list(inspect.signature(aiohttp.ClientRequest.write_bytes).parameters)
    assert parameters[:4] == ["self", "writer", "conn", "content_length"] or parameters[:3] == [
        "self",
        "writer",
        "conn",
    ]


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
        assert order[:2] == ["set_response_params", "arm"]
        assert order[2 : first + 1] == ["begin", order[first]]


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


def test_requests_are_of_our_class() -> None:
    assert "request_class" in inspect.signature(aiohttp.ClientSession.__init__).parameters
    assert issubclass(request_errors.FollowedRequest, aiohttp.ClientRequest)
