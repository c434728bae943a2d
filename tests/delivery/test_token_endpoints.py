"""Token endpoints as they are on the wire: slow, endless, packed, elsewhere. The message is not sent, and not lost."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from connector.definition.tree import Definition, Http, Limits, OAuth2
from connector.delivery.http.client import TOKEN_REPLY_BYTES, HttpTransport
from connector.errors import Phase, RequestError

from .servers import Behaviour, Server, answering, post, reply, serving
from .world import operation

TOTAL = 1.0
TOKEN = b'{"access_token":"t-1","expires_in":3600}'
PADDED = b'{"access_token":"t-1","padding":"' + b"x" * (10 << 20) + b'"}'


def after(*pieces: bytes, every: float = 0.0, endless: bytes = b"", close: bool = False) -> Behaviour:
    """Writes the pieces, a while apart, then the endless one for as long as it is read."""

    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await server.read(reader):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(every)
            while endless:
                writer.write(endless)
                await writer.drain()
            if close:
                return

    return behave


def packed(body: bytes) -> bytes:
    return reply(gzip.compress(body), headers="Content-Encoding: gzip\r\n")


@asynccontextmanager
async def transport(**http: object) -> AsyncIterator[HttpTransport]:
    options: dict[str, object] = {"private_hosts": True, "total": TOTAL, **http}
    made = HttpTransport(
        Definition("acme", "acme.yaml", (operation(),), http=Http(**options), limits=Limits(concurrency=4))  # type: ignore[arg-type]
    )
    try:
        yield made
    finally:
        await made.close()


async def ask(token_url: str, **http: object) -> tuple[RequestError | None, list[bytes]]:
    """How a request ends whose token comes from there, and what the provider got."""
    async with serving(answering(reply())) as provider, transport(**http) as client:
        url = provider.url if http.get("private_hosts", True) else "https://sms.example.com/send"
        try:
            await client.send(post(url), OAuth2(token_url, "me", "hunter2-secret"))
        except RequestError as error:
            return error, provider.requests
        return None, provider.requests


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"

FAILING = {
    "it never answers": (after(b"", every=30.0), "no complete reply within"),
    "it answers a byte at a time": (
        after(*[HEAD[i : i + 1] for i in range(len(HEAD))], every=0.2),
        "no complete reply",
    ),
    "its body comes a byte at a time": (after(HEAD, *[b"x"] * 40, every=0.2), ""),
    "it closes at once": (after(b"", close=True), "closed"),
    "it answers in the middle of nowhere": (after(b"220 smtp ready\r\n", close=True), ""),
    "10 MB": (answering(reply(PADDED)), "200 without a token (it is too long)"),
    "chunks for ever": (after(CHUNKED, endless=b"1000\r\n" + b" " * 4096 + b"\r\n"), "200 without a token"),
    "a chunk for ever": (after(CHUNKED + b"ffffffff\r\n", endless=b" " * 4096), "200 without a token"),
    "headers for ever": (after(b"HTTP/1.1 200 OK\r\n", endless=b"X-More: " + b"x" * 4000 + b"\r\n"), ""),
    "a bomb": (answering(packed(b'{"access_token":"t","p":"' + b" " * (100 << 20) + b'"}')), "200 without a token"),
    "a bomb in a bomb": (
        answering(
            reply(
                gzip.compress(gzip.compress(b" " * (100 << 20))),
                headers="Content-Encoding: gzip, gzip\r\n",
            )
        ),
        "200 without a token",
    ),
    "a redirect": (answering(reply(TOKEN, "302 Found", "Location: /elsewhere\r\n")), "redirects are not followed"),
    "a redirect that keeps the method": (
        answering(reply(b"", "307 Temporary Redirect", "Location: http://169.254.169.254/\r\n")),
        "redirects are not followed",
    ),
    "a line break in the token": (answering(reply(b'{"access_token":"t\\nX: 1"}')), "a line break"),
    "a NUL in the token": (answering(reply(b'{"access_token":"t\\u0000"}')), "a control character"),
    "a letter beyond ASCII": (answering(reply(json.dumps({"access_token": "tök"}).encode())), "beyond ASCII"),
}


@pytest.mark.parametrize("shape", FAILING)
async def test_without_a_token_nothing_is_sent_and_the_reason_is_told(shape: str) -> None:
    behave, told = FAILING[shape]
    async with serving(behave) as endpoint:
        async with asyncio.timeout(20):
            error, sent = await ask(endpoint.url)
        assert error is not None
        assert (error.phase, error.uncertain) == (Phase.AUTH, False)
        assert error.reason.startswith("token endpoint")
        assert told in error.reason
        assert "hunter2" not in error.reason
        assert sent == []
        assert len(endpoint.requests) == 1


TAKEN = {
    "as it should": answering(reply(TOKEN)),
    "packed": answering(packed(TOKEN)),
    "in chunks": after(CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(TOKEN), TOKEN)),
    "with its body in pieces": after(HEAD, TOKEN[:7], TOKEN[7:], every=0.02),
    "until the end of the connection": after(b"HTTP/1.0 200 OK\r\n\r\n" + TOKEN, close=True),
    "as large as is read": answering(reply(TOKEN + b" " * (TOKEN_REPLY_BYTES - len(TOKEN)))),
    "lives for ever": answering(reply(b'{"access_token":"t-1","expires_in":1e400}')),
    "lives for less than nothing": answering(reply(b'{"access_token":"t-1","expires_in":-5}')),
}


@pytest.mark.parametrize("shape", TAKEN)
async def test_a_token_is_taken_however_it_comes(shape: str) -> None:
    async with serving(TAKEN[shape]) as endpoint:
        error, sent = await ask(endpoint.url)
        assert error is None
        assert len(sent) == 1
        assert b"Authorization: Bearer t-1\r\n" in sent[0]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.1", "2130706433", "0177.0.0.1", "0x7f.1", "0", "[::1]", "[::ffff:127.0.0.1]"),
        *("[64:ff9b::7f00:1]", "localhost", "10.0.0.1", "169.254.169.254", "[fd00::1]", "100.64.0.1"),
    ],
)
async def test_a_token_endpoint_at_a_private_address_is_not_asked_unless_that_is_allowed(host: str) -> None:
    async with serving(answering(reply(TOKEN))) as endpoint:
        error, sent = await ask(f"http://{host}:{endpoint.port}/token", private_hosts=False)
        assert error is not None
        assert (error.phase, error.uncertain) == (Phase.AUTH, False)
        assert "private address" in error.reason
        assert endpoint.connections == 0
        assert sent == []
