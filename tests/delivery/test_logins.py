"""Logins that are not OAuth2: where tokens come from, how they are used, and when they are asked for anew."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.clock import ManualClock
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition, Login
from connector.delivery.http.client import HttpTransport
from connector.errors import Phase, RequestError
from connector.model import Reply, Request

from .servers import Server, reply, serving

ENVIRONMENT = {"SMS_USER": "me", "SMS_PASSWORD": "hunter2 & more=ü"}
WALL = 1_767_323_045.0

HEAD = """
method: POST
url: http://127.0.0.1:PORT/send
http: {private_hosts: true, total: 2s}
parameters: {json: {to: $$To, text: $$Body}}
auth:
  login:
    request:
      url: http://127.0.0.1:PORT/login
"""
JSON = '      json: {user: "${SMS_USER}", password: "${SMS_PASSWORD}"}\n'
BEARER = '    use: {headers: {Authorization: "Bearer $$token"}}\n'
USUAL = f"{HEAD}{JSON}    token: data.token\n{BEARER}"


@dataclass
class Provider:
    """`/login` answers what `logins` says, the last for ever; `/send` what `sends` says, else 200."""

    logins: list[bytes] = field(default_factory=list)
    sends: list[bytes] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    hold: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def behave(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while raw := await server.read(reader):
            if b"/login" in raw.split(b"\r\n")[0]:
                self.asked.append(raw)
                self.reached.set()
                if self.hold is not None:
                    await self.hold.wait()
                writer.write(self.logins.pop(0) if len(self.logins) > 1 else self.logins[0])
            else:
                self.sent.append(raw)
                writer.write(self.sends.pop(0) if self.sends else reply())
            await writer.drain()


@dataclass
class Setup:
    provider: Provider
    definition: Definition
    client: HttpTransport
    clock: ManualClock
    url: str

    async def send(self, body: bytes = b'{"to":"1"}') -> Reply:
        headers = (("Content-Type", "application/json"),)
        return await self.client.send(Request("POST", self.url, headers, body), self.definition.operations[0].auth)


@asynccontextmanager
async def setup(text: str, folder: Path, *logins: bytes, sends: tuple[bytes, ...] = ()) -> AsyncIterator[Setup]:
    provider = Provider(list(logins), list(sends))
    async with serving(provider.behave) as server:
        (folder / "acme.yaml").write_text(text.replace("PORT", str(server.port)))
        definition = load(folder / "acme.yaml", environment=Environment(ENVIRONMENT))
        clock = ManualClock(wall=WALL)
        client = HttpTransport(definition, clock=clock)
        try:
            yield Setup(provider, definition, client, clock, server.url)
        finally:
            await client.close()


def token(name: str = "t-1", **more: object) -> bytes:
    return reply(json.dumps({"data": {"token": name, **more}}).encode())


def header(raw: bytes, name: str) -> str | None:
    for line in raw.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]:
        known, _, value = line.partition(":")
        if known.lower() == name.lower():
            return value.strip()
    return None


# ---- the request for it ---------------------------------------------------------------------------------------------


async def test_a_json_login_brings_a_token_that_serves_many_requests(tmp_path: Path) -> None:
    async with setup(USUAL, tmp_path, token()) as s:
        assert [r.status for r in await asyncio.gather(*(s.send() for _ in range(5)))] == [200] * 5
        (asked,) = s.provider.asked
        assert asked.startswith(b"POST /login HTTP/1.1\r\n")
        assert header(asked, "Content-Type") == "application/json"
        assert json.loads(asked.partition(b"\r\n\r\n")[2]) == {"user": "me", "password": "hunter2 & more=ü"}
        assert {header(sent, "Authorization") for sent in s.provider.sent} == {"Bearer t-1"}
        assert s.client.token_refreshes == 1


async def test_a_form_a_query_and_headers(tmp_path: Path) -> None:
    text = HEAD + (
        '      query: {v: "2", user: "${SMS_USER}"}\n      headers: {X-Client: "${SMS_USER}"}\n'
        '      pairs: {password: "${SMS_PASSWORD}"}\n    token: data.token\n'
    )
    async with setup(text + BEARER, tmp_path, token()) as s:
        await s.send()
        (asked,) = s.provider.asked
        head, _, body = asked.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /login?v=2&user=me ")
        assert header(asked, "X-Client") == "me"
        assert parse_qs(body.decode()) == {"password": ["hunter2 & more=ü"]}


async def test_values_of_the_login_are_made_when_it_is_asked(tmp_path: Path) -> None:
    """A digest of the password with a time, signed over the body: both at once."""
    text = HEAD + (
        '      values: {word: "${SMS_PASSWORD}", time: "$${now()}", text: "$$word$$time"}\n'
        '      json: {user: "${SMS_USER}", time: $$time, password: "$${text|md5}"}\n'
        '      sign: {values: {key: "${SMS_PASSWORD}"}, headers: {X-Signature: "$${body()|hmac(key)}"}}\n'
        "    token: data.token\n"
    )
    async with setup(text + BEARER, tmp_path, token()) as s:
        await s.send()
        (asked,) = s.provider.asked
        body = asked.partition(b"\r\n\r\n")[2]
        word = ENVIRONMENT["SMS_PASSWORD"]
        digest = hashlib.md5(f"{word}{int(WALL)}".encode()).hexdigest()
        assert json.loads(body) == {"user": "me", "time": int(WALL), "password": digest}
        assert header(asked, "X-Signature") == hmac.digest(word.encode(), body, "sha256").hex()


# ---- where it stands in the reply -----------------------------------------------------------------------------------

TWO = "    use: {headers: {user_key: $$key, Session_key: $$session}}\n"

FOUND = {
    "json, any 2xx": ("    token: data.token\n" + BEARER, reply(b'{"data":{"token":"t-1"}}', "201 Created")),
    "json of another shape": ("    token: '[0]'\n" + BEARER, reply(b'["t-1"]')),
    "a bare text of json": ("    token: '@'\n" + BEARER, reply(b'"t-1"')),
    "xml": ("    token: auth.token\n    decode: xml\n" + BEARER, reply(b"<auth><token>t-1</token></auth>")),
    "text": ("    text: '^OK (?P<token>\\S+)$'\n" + BEARER, reply(b"OK t-1\r\n")),
    "a header": ("    header: {X-Auth-Token: '(?P<token>.+)'}\n" + BEARER, reply(b"", headers="X-Auth-Token: t-1\r\n")),
    "two values": ("    text: '^(?P<key>[^;]+);(?P<session>.+)$'\n" + TWO, reply(b"k-1;s-1")),
    "two values of json": ("    token: {key: a, session: b.c}\n" + TWO, reply(b'{"a":"k-1","b":{"c":"s-1"}}')),
}


@pytest.mark.parametrize("shape", FOUND)
async def test_tokens_are_found_wherever_a_reply_holds_them(shape: str, tmp_path: Path) -> None:
    text, login = FOUND[shape]
    async with setup(HEAD + JSON + text, tmp_path, login) as s:
        assert (await s.send()).status == 200
        (sent,) = s.provider.sent
        if "two" in shape:
            assert (header(sent, "user_key"), header(sent, "Session_key")) == ("k-1", "s-1")
        else:
            assert header(sent, "Authorization") == "Bearer t-1"


async def test_a_token_goes_where_it_is_written(tmp_path: Path) -> None:
    text = HEAD + JSON + '    token: {token: t, n: n}\n    use: {query: {sid: "$$token"}, json: {auth: {id: "$$n"}}}\n'
    async with setup(text, tmp_path, reply(b'{"t":"a&b","n":42}')) as s:
        await s.send()
        (sent,) = s.provider.sent
        target = sent.split(b" ")[1].decode()
        assert parse_qs(urlsplit(target).query) == {"sid": ["a&b"]}
        assert json.loads(sent.partition(b"\r\n\r\n")[2]) == {"to": "1", "auth": {"id": "42"}}


async def test_a_token_may_be_the_key_of_a_signature(tmp_path: Path) -> None:
    text = (
        HEAD
        + JSON
        + '    token: data.token\n    use: {headers: {X-Sign: "$${body()|hmac(token)}", X-T: "$${now()}"}}\n'
    )
    async with setup(text, tmp_path, token("hunter2-session")) as s:
        answer = await s.send()
        (sent,) = s.provider.sent
        signature = hmac.digest(b"hunter2-session", b'{"to":"1"}', "sha256").hex()
        assert header(sent, "X-Sign") == signature
        assert answer.credentials == ("hunter2-session", signature)


USELESS = [
    (reply(b'{"data":{}}'), "200 without a token"),
    (reply(b'{"data":{"token":""}}'), "200 without a token"),
    (reply(b'{"data":{"token":["hunter2"]}}'), "200 without a token"),
    (reply(b"<html>hunter2</html>"), "200 without a token (the reply is not JSON)"),
    (reply(b'{"data":{"token":"t"}}', "401 Unauthorized"), "401 without a token"),
    (reply(b'{"error":"hunter2"}', "403 Forbidden"), "403 without a token"),
    (reply(b"", "302 Found", "Location: /x\r\n"), "write its final address in auth.login.request.url"),
    (reply(b'{"data":{"token":"a\\nb"}}'), "a token that holds a line break"),
    (reply(json.dumps({"data": {"token": "t" * 20_000}}).encode()), "a token of 20000 characters"),
    (b"220 smtp ready\r\n", ""),
]


@pytest.mark.parametrize(("answer", "told"), USELESS)
async def test_without_a_token_nothing_is_sent_and_the_reason_is_told(answer: bytes, told: str, tmp_path: Path) -> None:
    async with setup(USUAL, tmp_path, answer) as s:
        with pytest.raises(RequestError) as caught:
            await s.send()
        assert (caught.value.phase, caught.value.uncertain) == (Phase.AUTH, False)
        assert told in caught.value.reason
        assert "hunter2" not in str(caught.value)
        assert s.provider.sent == []


# ---- how long it lives ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expires", "value", "seconds"),
    [
        ("data.ttl", 3600, 3540),
        ("data.ttl", "3600", 3540),
        ("data.ttl", 100, 90),
        ("data.ttl", WALL + 3600, 3540),
        ("data.ttl", str(int(WALL + 3600)), 3540),
        ("data.ttl", (WALL + 3600) * 1000, 3540),
        ("data.ttl", "2026-01-02T04:04:05Z", 3540),
        ("data.ttl", "2026-01-02T09:34:05+05:30", 3540),
        ("data.ttl", "Fri, 02 Jan 2026 04:04:05 GMT", 3540),
        ("data.ttl", WALL - 3600, 540),  # a clock that is wrong says nothing
        ("data.ttl", 1e300, 86_340),
        ("data.ttl", "soon", 540),
        ("data.ttl", None, 540),
        ("data.nobody", 3600, 540),
        ("30m", 3600, 1740),
        ("7d", 3600, 7 * 86_400 - 60),
        (None, 3600, 540),
    ],
)
async def test_a_token_lives_as_long_as_is_said(
    expires: str | None, value: object, seconds: float, tmp_path: Path
) -> None:
    text = USUAL if expires is None else USUAL.replace("    use:", f"    expires: {expires}\n    use:")
    async with setup(text, tmp_path, token("t-1", ttl=value), token("t-2", ttl=value)) as s:
        await s.send()
        s.clock.advance(seconds - 1)
        await s.send()
        assert len(s.provider.asked) == 1
        s.clock.advance(2)
        await s.send()
        assert [header(sent, "Authorization") for sent in s.provider.sent] == ["Bearer t-1", "Bearer t-1", "Bearer t-2"]


# ---- renewing -------------------------------------------------------------------------------------------------------

EXPIRED = reply(b'{"code":"token_expired"}')
RENEW = "    renew: [{status: 401}, {status: 200, when: \"code == 'token_expired'\"}, {header: {X-Auth: 'stale'}}]\n"


@pytest.mark.parametrize(
    ("renew", "refusal"),
    [
        ("", reply(b"{}", "401 Unauthorized")),
        ("", reply(b"{}", "403 Forbidden")),
        (RENEW, reply(b"{}", "401 Unauthorized")),
        (RENEW, EXPIRED),
        (RENEW, reply(b"{}", "400 Bad Request", "X-Auth: stale\r\n")),
        ("    renew: {text: 'session (gone|expired)'}\n", reply(b"ERR 9: session gone")),
    ],
)
async def test_a_reply_that_asks_for_it_renews_the_token_and_the_request_is_sent_once_more(
    renew: str, refusal: bytes, tmp_path: Path
) -> None:
    async with setup(USUAL + renew, tmp_path, token(), token("t-2"), sends=(refusal,)) as s:
        answer = await s.send()
        assert answer.status == 200
        assert answer.body == b"{}"
        assert [header(sent, "Authorization") for sent in s.provider.sent] == ["Bearer t-1", "Bearer t-2"]
        assert answer.credentials == ("t-2", "t-1")


@pytest.mark.parametrize(
    "refusal",
    [reply(b"{}", "403 Forbidden"), reply(b'{"code":"no_credit"}'), reply(b"not json"), reply(b"{}", "500 No")],
)
async def test_other_replies_renew_nothing(refusal: bytes, tmp_path: Path) -> None:
    async with setup(USUAL + RENEW, tmp_path, token(), sends=(refusal,)) as s:
        await s.send()
        assert (len(s.provider.asked), len(s.provider.sent)) == (1, 1)


async def test_a_refusal_that_stays_one_is_the_reply_and_renews_nothing_for_a_while(tmp_path: Path) -> None:
    async with setup(USUAL + RENEW, tmp_path, token(), sends=(EXPIRED,) * 9) as s:
        assert (await s.send()).body == b'{"code":"token_expired"}'
        assert (len(s.provider.asked), len(s.provider.sent)) == (2, 2)
        await s.send()
        assert (len(s.provider.asked), len(s.provider.sent)) == (2, 3)
        s.clock.advance(3)
        await s.send()
        assert (len(s.provider.asked), len(s.provider.sent)) == (3, 5)


async def test_requests_refused_together_log_in_once(tmp_path: Path) -> None:
    async with setup(USUAL, tmp_path, token(), token("t-2")) as s:
        await s.send()
        s.provider.sends = [reply(b"{}", "401 Unauthorized")] * 3
        assert [r.status for r in await asyncio.gather(*(s.send() for _ in range(3)))] == [200] * 3
        assert len(s.provider.asked) == 2


async def test_one_login_fails_for_all_who_waited_for_it(tmp_path: Path) -> None:
    async with setup(USUAL, tmp_path, reply(b"{}", "500 No")) as s:
        s.provider.hold = asyncio.Event()
        waiting = [asyncio.create_task(s.send()) for _ in range(4)]
        await s.provider.reached.wait()
        s.provider.hold.set()
        ended = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(each, RequestError) and each.phase is Phase.AUTH for each in ended)
        assert len(s.provider.asked) == 1
        assert s.provider.sent == []


async def test_a_login_that_is_away_after_a_refusal_leaves_nothing_uncertain(tmp_path: Path) -> None:
    async with setup(USUAL, tmp_path, token(), reply(b"{}", "503 No")) as s:
        await s.send()
        s.provider.sends = [reply(b"{}", "401 Unauthorized")]
        with pytest.raises(RequestError) as caught:
            await s.send()
        assert (caught.value.phase, caught.value.uncertain) == (Phase.AUTH, False)


async def test_operations_that_write_the_same_login_have_it_together(tmp_path: Path) -> None:
    text = USUAL + "operations: [{name: a, when: \"custom.a == 'b'\"}, {name: b}]\n"
    async with setup(text, tmp_path, token()) as s:
        a, b = (operation.auth for operation in s.definition.operations)
        assert isinstance(a, Login)
        assert a is not b
        for auth in (a, b):
            await s.client.send(Request("POST", s.url, (), b"{}"), auth)
        assert len(s.provider.asked) == 1


# ---- OAuth2 as a preset ---------------------------------------------------------------------------------------------

OAUTH = """
method: POST
url: http://127.0.0.1:PORT/send
http: {private_hosts: true}
parameters: {json: {to: $$To, text: $$Body}}
auth: {oauth2: {url: 'http://127.0.0.1:PORT/login', client_id: id, secret: "${SMS_PASSWORD}", MORE}}
"""
GRANTED = reply(b'{"access_token":"t-1"}')


async def test_the_grant_of_a_user(tmp_path: Path) -> None:
    text = OAUTH.replace("MORE", 'username: "${SMS_USER}", password: "${SMS_PASSWORD}"')
    async with setup(text, tmp_path, GRANTED) as s:
        await s.send()
        word = ENVIRONMENT["SMS_PASSWORD"]
        assert parse_qs(s.provider.asked[0].partition(b"\r\n\r\n")[2].decode()) == {
            "grant_type": ["password"],
            "username": ["me"],
            "password": [word],
            "client_id": ["id"],
            "client_secret": [word],
        }
        assert header(s.provider.sent[0], "Authorization") == "Bearer t-1"


async def test_headers_and_a_json_request_of_its_own(tmp_path: Path) -> None:
    text = OAUTH.replace("MORE", "send: json, headers: {X-Tenant: acme}, pairs: {scope: sms}")
    async with setup(text, tmp_path, GRANTED) as s:
        await s.send()
        (asked,) = s.provider.asked
        assert (header(asked, "X-Tenant"), header(asked, "Content-Type")) == ("acme", "application/json")
        assert json.loads(asked.partition(b"\r\n\r\n")[2]) == {
            "grant_type": "client_credentials",
            "scope": "sms",
            "client_id": "id",
            "client_secret": ENVIRONMENT["SMS_PASSWORD"],
        }
