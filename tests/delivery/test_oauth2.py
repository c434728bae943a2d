"""Tokens: fetched once, renewed in time, replayed once; a token endpoint that fails never makes a message uncertain."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from connector.clock import ManualClock
from connector.definition.tree import Definition, Http, OAuth2, SigV4
from connector.delivery.http.client import HttpTransport
from connector.errors import Phase, RequestError, WithheldError

from .servers import Server, post, serving
from .world import operation

SECRET = "hunter2-of-the-client"


@dataclass
class Provider:
    """A provider with a token endpoint. `valid` are the tokens it takes now."""

    token_requests: list[tuple[dict[str, list[str]], str | None]] = field(default_factory=list)
    sends: list[str | None] = field(default_factory=list)
    valid: set[str] = field(default_factory=set)
    token_reply: object = None
    token_status: int = 200
    expires_in: object = 3600
    refusal: int = 401
    url: str = ""

    async def token(self, request: web.Request) -> web.Response:
        self.token_requests.append((parse_qs(await request.text()), request.headers.get("Authorization")))
        await asyncio.sleep(0)
        name = f"token-{len(self.token_requests)}"
        self.valid = {name}
        document = {"access_token": name, "token_type": "Bearer", "expires_in": self.expires_in}
        return web.json_response(document if self.token_reply is None else self.token_reply, status=self.token_status)

    async def send(self, request: web.Request) -> web.Response:
        header = request.headers.get("Authorization")
        self.sends.append(header)
        known = header is not None and header.removeprefix("Bearer ") in self.valid
        return web.json_response({}, status=200 if known else self.refusal)


@dataclass
class Setup:
    provider: Provider
    client: HttpTransport
    clock: ManualClock
    auth: OAuth2


@asynccontextmanager
async def setup(**auth: object) -> AsyncIterator[Setup]:
    provider = Provider()
    app = web.Application()
    app.add_routes([web.post("/token", provider.token), web.post("/send", provider.send)])
    async with TestServer(app) as server:
        provider.url = str(server.make_url("/send"))
        options: dict[str, object] = {
            "url": str(server.make_url("/token")),
            "client_id": "me",
            "secret": SECRET,
            **auth,
        }
        credentials = OAuth2(**options)  # type: ignore[arg-type]
        clock = ManualClock()
        definition = Definition("acme", "a.yaml", (operation(auth=credentials),), http=Http(private_hosts=True))
        client = HttpTransport(definition, clock=clock)
        try:
            yield Setup(provider, client, clock, credentials)
        finally:
            await client.close()


async def test_one_token_serves_many_requests() -> None:
    async with setup() as s:
        replies = await asyncio.gather(*(s.client.send(post(s.provider.url), s.auth) for _ in range(5)))
        assert [reply.status for reply in replies] == [200] * 5
        assert len(s.provider.token_requests) == 1
        assert s.provider.sends == ["Bearer token-1"] * 5


async def test_who_opts_out_while_a_token_is_fetched_is_not_texted() -> None:
    """The token may take as long as the request: what it waited for has changed, or has not, when it leaves."""
    async with setup() as s:
        with pytest.raises(WithheldError):
            await s.client.send(post(s.provider.url), s.auth, lambda: not s.provider.token_requests)
        assert (len(s.provider.token_requests), s.provider.sends) == (1, [])
        assert (await s.client.send(post(s.provider.url), s.auth)).status == 200


async def test_credentials_in_the_body_with_extra_pairs() -> None:
    async with setup(pairs={"scope": "sms send", "audience": "a&b"}) as s:
        await s.client.send(post(s.provider.url), s.auth)
        pairs, authorization = s.provider.token_requests[0]
        assert pairs == {
            "grant_type": ["client_credentials"],
            "scope": ["sms send"],
            "audience": ["a&b"],
            "client_id": ["me"],
            "client_secret": [SECRET],
        }
        assert authorization is None


async def test_credentials_in_a_basic_header() -> None:
    async with setup(send="basic") as s:
        await s.client.send(post(s.provider.url), s.auth)
        pairs, authorization = s.provider.token_requests[0]
        assert pairs == {"grant_type": ["client_credentials"]}
        assert authorization == "Basic " + base64.b64encode(f"me:{SECRET}".encode()).decode()


async def test_operations_with_different_credentials_have_tokens_of_their_own() -> None:
    async with setup() as s:
        other = OAuth2(s.auth.url, "other", SECRET, send="basic")
        for auth in (s.auth, other, s.auth, other):
            await s.client.send(post(s.provider.url), auth)
            s.provider.valid |= {"token-1"}  # a new one of another client ends none
        await s.client.send(post(s.provider.url, Authorization="Basic bWU6cHc="))  # basic stands in the request itself
        assert [authorization for _, authorization in s.provider.token_requests] == [
            None,
            "Basic " + base64.b64encode(f"other:{SECRET}".encode()).decode(),
        ]
        assert s.provider.sends == [
            "Bearer token-1",
            "Bearer token-2",
            "Bearer token-1",
            "Bearer token-2",
            "Basic bWU6cHc=",
        ]


@pytest.mark.parametrize(
    ("expires_in", "fresh_after", "renewed_after"),
    [(3600, 3530, 20), ("3600", 3530, 20), (100, 85, 10), (None, 535, 10), ("soon", 535, 10), (0, 535, 10)],
)
async def test_a_token_is_renewed_before_it_expires(expires_in: object, fresh_after: int, renewed_after: int) -> None:
    async with setup() as s:
        s.provider.expires_in = expires_in
        await s.client.send(post(s.provider.url), s.auth)
        s.clock.advance(fresh_after)
        await s.client.send(post(s.provider.url), s.auth)
        assert len(s.provider.token_requests) == 1
        s.clock.advance(renewed_after)
        await s.client.send(post(s.provider.url), s.auth)
        assert len(s.provider.token_requests) == 2


async def test_a_reply_names_the_tokens_it_may_echo() -> None:
    """So that whoever reads it can hide them: the one of now, and the one before it."""
    async with setup() as s:
        assert (await s.client.send(post(s.provider.url), s.auth)).credentials == ("token-1",)
        s.provider.valid.clear()
        assert (await s.client.send(post(s.provider.url), s.auth)).credentials == ("token-2", "token-1")


@pytest.mark.parametrize("reply", [{"error": "hunter_of_the_client"}, {"access_token": "t", "token_type": "hunter2"}])
async def test_words_of_a_token_endpoint_are_not_shown(reply: object) -> None:
    async with setup() as s:
        s.provider.token_reply = reply
        with pytest.raises(RequestError) as caught:
            await s.client.send(post(s.provider.url), s.auth)
    assert "hunter" not in caught.value.reason


async def test_a_revoked_token_is_replaced_and_the_request_replayed_once() -> None:
    async with setup() as s:
        await s.client.send(post(s.provider.url), s.auth)
        s.provider.valid.clear()
        assert (await s.client.send(post(s.provider.url), s.auth)).status == 200
        assert s.provider.sends == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]


async def test_requests_refused_together_renew_once() -> None:
    async with setup() as s:
        await s.client.send(post(s.provider.url), s.auth)
        s.provider.valid.clear()
        replies = await asyncio.gather(*(s.client.send(post(s.provider.url), s.auth) for _ in range(4)))
        assert [reply.status for reply in replies] == [200] * 4
        assert len(s.provider.token_requests) == 2


async def test_a_second_401_is_the_reply() -> None:
    async with setup() as s:
        s.provider.token_reply = {"access_token": "hunter2-worthless"}
        assert (await s.client.send(post(s.provider.url), s.auth)).status == 401
        assert len(s.provider.sends) == 2


@pytest.mark.parametrize(
    ("status", "reply", "told"),
    [
        (401, {"error": "invalid_client"}, "401 without a token (invalid_client)"),
        (400, {"error": SECRET + " is wrong"}, "400 without a token"),
        (500, {}, "500 without a token"),
        (200, {"token": "x"}, "200 without a token"),
        (200, ["access_token"], "200 without a token"),
    ],
)
async def test_no_token_means_nothing_was_sent(status: int, reply: object, told: str) -> None:
    async with setup() as s:
        s.provider.token_status, s.provider.token_reply = status, reply
        with pytest.raises(RequestError) as caught:
            await s.client.send(post(s.provider.url), s.auth)
        assert (caught.value.phase, caught.value.uncertain) == (Phase.AUTH, False)
        assert caught.value.reason.endswith(told)
        assert SECRET not in str(caught.value)
        assert s.provider.sends == []


async def test_a_token_endpoint_that_is_down_is_safe_even_when_the_request_was_refused_before() -> None:
    async with setup() as s:
        await s.client.send(post(s.provider.url), s.auth)
        s.provider.valid.clear()
        s.provider.token_status, s.provider.token_reply = 503, {}
        with pytest.raises(RequestError) as caught:
            await s.client.send(post(s.provider.url), s.auth)
        assert (caught.value.phase, caught.value.uncertain) == (Phase.AUTH, False)


async def test_a_token_endpoint_that_hangs_is_what_the_error_names() -> None:
    async def silent(server: Server, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await server.read(reader)
        await reader.read()

    async with serving(silent) as endpoint, setup() as s:
        auth = OAuth2(endpoint.url, "me", SECRET)
        options = Http(private_hosts=True, total=0.2)
        client = HttpTransport(Definition("acme", "a.yaml", (operation(auth=auth),), http=options))
        with pytest.raises(RequestError) as caught:
            await client.send(post(s.provider.url), auth)
        await client.close()
        assert (caught.value.phase, caught.value.uncertain) == (Phase.AUTH, False)
        assert s.provider.sends == []


async def test_a_token_endpoint_at_a_private_address_is_refused() -> None:
    async with setup() as s:
        definition = Definition("acme", "a.yaml", (operation(auth=s.auth),))
        client = HttpTransport(definition)
        with pytest.raises(RequestError) as caught:
            await client.send(post("http://192.0.2.1/"), s.auth)
        await client.close()
        assert not caught.value.uncertain
        assert s.provider.token_requests == []


async def test_an_aws_request_is_signed_when_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    async with setup() as s:
        await s.client.send(post(s.provider.url), SigV4("mobiletargeting", "us-east-1"))
        header = s.provider.sends[0] or ""
        assert header.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert "/us-east-1/mobiletargeting/aws4_request" in header
