"""Signed requests on the wire, against a provider that makes each signature anew from what arrived."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from connector.clock import ManualClock
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.delivery.http.client import SIGNED_IN_A_THREAD, HttpTransport
from connector.errors import Phase, RequestError
from connector.model import Batch, Message, Reply, Request
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response
from tests.request.signing import DEFINITIONS

from .servers import Server, reply, serving

SECRET = "hunter2/of+the=provider"
NUMBER, TEXT = "+919812345678", "Grüße & 50% = नमस्ते"
MESSAGE = Message(
    "m1",
    NUMBER,
    body=TEXT,
    template_id="1107",
    template_variables={"a": "b"},
    custom={"sender": "ACME", "sign": "测试"},
)


@dataclass
class Arrived:
    """One request, parsed by hand."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, raw: bytes) -> Arrived:
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        return cls(method, target, {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}, body)

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def chained(secret: str, *steps: str) -> bytes:
    key = secret.encode()
    for step in steps:
        key = hmac.digest(key, step.encode(), "sha256")
    return key


def canonical(arrived: Arrived, signed: str, query: str, *, lower: bool = False) -> str:
    lines = [f"{n}:{arrived.headers[n].lower() if lower else arrived.headers[n]}" for n in signed.split(";")]
    path = arrived.target.partition("?")[0]
    return "\n".join([arrived.method, path, query, *lines, "", signed, sha256(arrived.body)])


def authorization(arrived: Arrived) -> dict[str, str]:
    fields = arrived.headers["authorization"].partition(" ")[2].replace(", ", ",")
    return dict(re.findall(r"(\w+)=([^,]+?)(?:,|$)", fields))


def is_aliyun(arrived: Arrived) -> bool:
    params = {**arrived.query, **arrived.form}
    signature = params.pop("Signature")
    joined = "&".join(f"{quote(k, safe='~')}={quote(params[k], safe='~')}" for k in sorted(params))
    text = f"{arrived.method}&%2F&{quote(joined, safe='~')}".encode()
    return base64.b64decode(signature) == hmac.digest(f"{SECRET}&".encode(), text, "sha1")


def is_tencent(arrived: Arrived) -> bool:
    found = authorization(arrived)
    day, service, end = found["Credential"].split("/")[1:]
    text = "\n".join(
        [
            "TC3-HMAC-SHA256",
            arrived.headers["x-tc-timestamp"],
            f"{day}/{service}/{end}",
            sha256(canonical(arrived, found["SignedHeaders"], "", lower=True).encode()),
        ]
    )
    return found["Signature"] == hmac.digest(chained(f"TC3{SECRET}", day, service, end), text.encode(), "sha256").hex()


def is_ovh(arrived: Arrived) -> bool:
    url = f"http://{arrived.headers['host']}{arrived.target}"
    time = arrived.headers["x-ovh-timestamp"]
    text = f"{SECRET}+consumer+{arrived.method}+{url}+{arrived.body.decode()}+{time}"
    return arrived.headers["x-ovh-signature"] == "$1$" + hashlib.sha1(text.encode()).hexdigest()


def is_wsse(arrived: Arrived) -> bool:
    found = dict(re.findall(r'(\w+)="([^"]*)"', arrived.headers["x-wsse"]))
    digest = hashlib.sha1(base64.b64decode(found["Nonce"]) + found["Created"].encode() + SECRET.encode()).digest()
    return found["PasswordDigest"] == base64.b64encode(digest).decode()


def is_vonage(arrived: Arrived) -> bool:
    fields = arrived.form
    signature = fields.pop("sig")
    clean = {name: value.replace("&", "_").replace("=", "_") for name, value in fields.items()}
    text = "".join(f"&{name}={clean[name]}" for name in sorted(clean))
    return signature == hmac.digest(SECRET.encode(), text.encode(), "sha256").hex()


def is_pair(arrived: Arrived) -> bool:
    body = json.loads(arrived.body)
    return body["pwd"] == hashlib.md5(f"user{SECRET}{body['timestamp']}".encode()).hexdigest()


VERIFIED: dict[str, tuple[Callable[[Arrived], bool], dict[str, str]]] = {
    "aliyun": (is_aliyun, {"ALIYUN_ACCESS_KEY_ID": "id", "ALIYUN_ACCESS_KEY_SECRET": SECRET}),
    "tencent": (is_tencent, {"TENCENT_SECRET_ID": "id", "TENCENT_SECRET_KEY": SECRET, "TENCENT_SMS_APP": "14"}),
    "ovh": (
        is_ovh,
        {"OVH_APP_KEY": "a", "OVH_APP_SECRET": SECRET, "OVH_CONSUMER_KEY": "consumer", "OVH_SERVICE": "sms-1"},
    ),
    "wsse": (is_wsse, {"WSSE_USER": "bob", "WSSE_SECRET": SECRET}),
    "vonage-signed": (is_vonage, {"VONAGE_API_KEY": "k", "VONAGE_SIGNATURE_SECRET": SECRET}),
    "pair": (is_pair, {"SMS_USER": "user", "SMS_PASSWORD": SECRET}),
}


COVERS = {
    "aliyun": ("body",),
    "tencent": ("body", "target"),
    "ovh": ("body", "target"),
    "wsse": (),
    "vonage-signed": ("body",),
    "pair": (),
}
"""What a change of these parts makes a signature wrong."""


@dataclass
class Provider:
    """Verifies what arrives and answers 401 to what is not signed right; at most so many times `answers` first."""

    verify: Callable[[Arrived], bool]
    answers: list[bytes] = field(default_factory=list)
    arrived: list[Arrived] = field(default_factory=list)
    port: int = 0

    async def behave(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while raw := await server.read(reader):
            self.arrived.append(Arrived.of(raw))
            usual = reply() if self.verify(self.arrived[-1]) else reply(b"{}", "401 Unauthorized")
            writer.write(self.answers.pop(0) if self.answers else usual)
            await writer.drain()


def defined(name: str, folder: Path, port: int) -> Definition:
    """A definition of the page, at this server. It keeps its path: paths are signed."""
    text, environment = DEFINITIONS[name], VERIFIED[name][1]
    text = re.sub(r'^url: ("?)https://[^/"]+', rf"url: \1http://127.0.0.1:{port}", text, count=1, flags=re.MULTILINE)
    file = folder / f"{name}.yaml"
    file.write_text(text + "http: {private_hosts: true}\n")
    return load(file, environment=Environment(environment))


@asynccontextmanager
async def provider(name: str, folder: Path) -> AsyncIterator[tuple[Provider, Definition, HttpTransport]]:
    fake = Provider(VERIFIED[name][0])
    async with serving(fake.behave) as server:
        definition = defined(name, folder, server.port)
        transport = HttpTransport(definition, clock=ManualClock(wall=1_767_323_045.5))
        try:
            yield fake, definition, transport
        finally:
            await transport.close()


async def send(definition: Definition, transport: HttpTransport, request: Request | None = None) -> Reply:
    (operation,) = definition.operations
    request = request or rendered(definition)
    return await transport.send(request, operation.auth)


def rendered(definition: Definition, batch: str = "ab" * 16) -> Request:
    request = compile_operation(definition.operations[0]).render([MESSAGE], Batch(batch, 0.0)).request
    assert request is not None
    return request


@pytest.mark.parametrize("name", VERIFIED)
async def test_a_provider_finds_every_signature_right_and_no_wrong_one(name: str, tmp_path: Path) -> None:
    async with provider(name, tmp_path) as (fake, definition, transport):
        assert (await send(definition, transport)).status == 200
        assert (await send(definition, transport)).status == 200
        first, second = fake.arrived
        for changed in (
            replace(first, body=first.body.replace(b"A", b"B")),
            replace(first, target=first.target.replace("/", "/x", 1)),
        ):
            covered = [getattr(changed, part) != getattr(first, part) for part in COVERS[name]]
            assert fake.verify(changed) is not any(covered)
        assert first.method == second.method


@pytest.mark.parametrize("name", ["aliyun", "wsse"])
async def test_every_attempt_has_a_signature_of_its_own(name: str, tmp_path: Path) -> None:
    """A rendered request that is repeated as it was, as under `idempotent`, is signed anew."""
    async with provider(name, tmp_path) as (fake, definition, transport):
        request = rendered(definition)
        for _ in range(2):
            assert (await send(definition, transport, request)).status == 200
        first, second = fake.arrived
        assert (first.target, first.headers) != (second.target, second.headers)
        assert first.body == second.body


async def test_an_id_of_the_batch_stays_while_nonces_change(tmp_path: Path) -> None:
    """What a provider deduplicates by stays the same when a request is repeated under `idempotent`."""
    async with provider("wsse", tmp_path) as (fake, definition, transport):
        file = tmp_path / "wsse.yaml"
        place = "    headers:\n      X-WSSE"
        assert place in file.read_text()
        also = place.replace("X-WSSE", "X-Request-Id: $${batch_id()|uuid}\n      X-WSSE")
        file.write_text(file.read_text().replace(place, also) + "idempotent: 1h\n")
        definition = load(file, environment=Environment(VERIFIED["wsse"][1]))  # noqa: PLW2901
        request = rendered(definition)
        for one in (request, request, rendered(definition, "cd" * 16)):
            assert (await send(definition, transport, one)).status == 200
        ids = [arrived.headers["x-request-id"] for arrived in fake.arrived]
        assert ids == ["abababab-abab-abab-abab-abababababab"] * 2 + ["cdcdcdcd-cdcd-cdcd-cdcd-cdcdcdcdcdcd"]
        assert len({arrived.headers["x-wsse"] for arrived in fake.arrived}) == 3


async def test_large_bodies_are_signed_too(tmp_path: Path) -> None:
    async with provider("ovh", tmp_path) as (fake, definition, transport):
        request = rendered(definition)
        large = Request(request.method, request.url, request.headers, b'"' + b"x" * SIGNED_IN_A_THREAD + b'"')
        assert (await send(definition, transport, large)).status == 200
        assert len(fake.arrived[0].body) > SIGNED_IN_A_THREAD


async def test_host_and_port_are_signed_as_they_are_sent(tmp_path: Path) -> None:
    """The header `Host` is the client's: what `host()` says must be what it writes."""
    text = """
method: POST
url: http://LocalHost:%d/a?b=%%20c
auth: {sign: {headers: {X-Host: "$${host()}", X-Url: "$${url()}", X-Target: "$${target()}"}}}
parameters: {pairs: {to: $$To, text: $$Body}}
http: {private_hosts: true}
"""
    fake = Provider(lambda arrived: True)
    async with serving(fake.behave) as server:
        (tmp_path / "host.yaml").write_text(text % server.port)
        definition = load(tmp_path / "host.yaml", environment=Environment({}))
        transport = HttpTransport(definition)
        await send(definition, transport)
        await transport.close()
        headers = fake.arrived[0].headers
        assert headers["x-host"] == headers["host"]
        assert headers["x-target"] == fake.arrived[0].target == "/a?b=%20c"
        assert headers["x-url"] == f"http://LocalHost:{server.port}/a?b=%20c"


async def test_a_signature_that_cannot_be_made_is_this_providers_outage(tmp_path: Path) -> None:
    async with provider("pair", tmp_path) as (fake, definition, transport):
        request = rendered(definition)
        with pytest.raises(RequestError) as caught:
            await send(definition, transport, Request(request.method, request.url, request.headers, b"[]"))
        assert (caught.value.phase, caught.value.uncertain) == (Phase.AUTH, False)
        assert SECRET not in str(caught.value)
        assert fake.arrived == []


@pytest.mark.parametrize("name", VERIFIED)
async def test_no_word_of_a_result_holds_a_secret_or_a_signature_that_the_provider_echoes(
    name: str, tmp_path: Path
) -> None:
    """Codes, reasons and ids, in whatever encoding they come back."""
    async with provider(name, tmp_path) as (fake, definition, transport):
        answer = await send(definition, transport)
        (sent,) = fake.arrived
        echoed = json.dumps([sent.target, sent.headers, sent.body.decode("latin-1")])
        body = json.dumps({"code": echoed, "why": f"bad: {echoed} {quote(echoed)}", "id": sent.target}).encode()
        file = tmp_path / f"{name}.yaml"
        rules = "response: {rules: [{status: 400, then: reject, code: code, reason: why, id: id}]}\n"
        file.write_text(re.sub(r"(?m)^response:\n(?: .*\n)+", "", file.read_text()) + rules)
        (operation,) = load(file, environment=Environment(VERIFIED[name][1])).operations
        answer = Reply(400, {}, body, credentials=answer.credentials)
        reading = compile_response(operation, definition.secrets).read(answer, [MESSAGE], Batch("ab" * 16, 0.0), 0.0)
        assert reading.whole is not None
        words = f"{reading.whole.code} {reading.whole.reason} {reading.whole.provider_message_id}"
        assert answer.credentials
        for made in (SECRET, *answer.credentials):
            for form in (made, quote(made, safe=""), base64.b64encode(made.encode()).decode().rstrip("=")[:-1]):
                assert form not in words
