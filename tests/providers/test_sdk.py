"""What the providers' official clients send for a message, beside what the definitions send for the same one.

Both go over a socket to the same fake. Of a client's request everything is compared but what describes the client
itself (user agent and the like); where we leave out or add something it is named here. MSG91, Textlocal, BulkSMS,
SMSINDIAHUB, Nimbus, Skebby and SpeedSMS have no official client on PyPI, Exotel none with a wheel, Infobip's asks for
pydantic 1 and Alibaba's for two dozen packages; OVH's signature stands in its documentation (tests/request).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import botocore.session
import plivo
import requests
from botocore.awsrequest import AWSPreparedRequest
from requests.adapters import HTTPAdapter
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from vonage_http_client import Auth, HttpClient
from vonage_sms import Sms, SmsMessage

from connector.model import Message

from .shipped import Exchange, Provider, header, message, provided

HINDI = "नमस्ते Asha & co"
ENTITY, TEMPLATE = "1101450000000054321", "1107160000000012345"


@dataclass(frozen=True)
class Sent:
    """A request as a client made it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Turned(HTTPAdapter):
    """Sends what is meant for the provider to its fake, and remembers it as it was."""

    address: str
    sent: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        assert request.url is not None
        url = urlsplit(request.url)
        body = request.body or b""
        self.sent.append(Sent(url.path, dict(request.headers), body.encode() if isinstance(body, str) else body))
        request.url = f"{self.address}{url.path}" + (f"?{url.query}" if url.query else "")
        return super().send(request, *args, **kwargs)


async def both(
    provider: Provider, session: requests.Session, call: Callable[[], object], *messages: Message
) -> tuple[Sent, Exchange]:
    """What the client sends, and what the definition sends; the fake has taken the same from both."""
    adapter = Turned(f"{provider.simulator.url}/{provider.name}")
    session.mount("https://", adapter)
    await asyncio.to_thread(call)
    session.close()
    exchange = await provider.exchange(*messages)
    theirs, ours = provider.log()
    assert set(exchange.words) == {"accept"}
    assert told(theirs) == told(ours)
    (sent,) = adapter.sent
    assert sent.path == urlsplit(exchange.request.url).path.removeprefix(f"/{provider.name}")
    assert sent.headers["Authorization"] == header(exchange.request, "Authorization")
    assert sent.headers["Content-Type"] == header(exchange.request, "Content-Type")
    return sent, exchange


def told(entry: dict[str, Any]) -> list[tuple[str, str]]:
    """Recipients and texts as the fake understood them."""
    return [(record["to"], record["text"]) for record in entry["taken"]]


def form(exchange: Exchange) -> dict[str, str]:
    return dict(parse_qsl((exchange.request.body or b"").decode(), keep_blank_values=True))


async def test_plivo() -> None:
    """One text to two numbers, with DLT ids."""
    account = "MAXXXXXXXXXXXXXXXXXX"  # the client looks at its form
    async with provided("plivo", account) as provider:
        client = plivo.RestClient(account, "demo-secret")

        def call() -> object:
            return client.messages.create(
                src="ACMEIN",
                dst="919800000019<919800000029",
                text=HINDI,
                dlt_entity_id=ENTITY,
                dlt_template_id=TEMPLATE,
            )

        sent, exchange = await both(provider, client.session, call, *(message(n, body=HINDI) for n in (1, 2)))
        client.multipart_session.close()
    theirs, ours = json.loads(sent.body), json.loads(exchange.request.body or b"")
    assert theirs == {
        **ours,
        "type": "sms",
        "method": "POST",
        "log": "true",
        "trackable": False,
    }  # its defaults, written


async def test_twilio() -> None:
    async with provided("twilio") as provider:
        http = TwilioHttpClient()
        client = Client("demo", "demo-secret", http_client=http)

        def call() -> object:
            return client.messages.create(to="+919800000019", from_="ACMEIN", body=HINDI)

        assert http.session is not None
        sent, exchange = await both(provider, http.session, call, message(1, body=HINDI))
    assert sent.form == form(exchange)


async def test_twilio_with_a_messaging_service() -> None:
    async with provided("twilio") as provider:
        http = TwilioHttpClient()
        client = Client("demo", "demo-secret", http_client=http)

        def call() -> object:
            return client.messages.create(to="+919800000019", messaging_service_sid="MG1", body=HINDI)

        assert http.session is not None
        custom = {"messaging_service_sid": "MG1"}
        sent, exchange = await both(provider, http.session, call, message(1, body=HINDI, custom=custom))
    assert sent.form == form(exchange)


async def test_vonage() -> None:
    async with provided("vonage") as provider:
        http = HttpClient(Auth(api_key="demo", api_secret="demo-secret"))

        def call() -> object:
            given = SmsMessage(
                to="919800000019",
                from_="ACMEIN",
                text=HINDI,
                type="unicode",
                client_ref="m1",
                entity_id=ENTITY,
                content_id=TEMPLATE,
            )
            return Sms(http).send(given)

        sent, exchange = await both(provider, http._session, call, message(1, body=HINDI))
    assert sent.form == form(exchange)


async def aws(provider: Provider, service: str, operation: str, **arguments: Any) -> Sent:
    """The request of botocore's own client, signed by it and checked by the fake."""
    client = botocore.session.Session().create_client(
        service,
        region_name="ap-south-1",
        endpoint_url=f"{provider.simulator.url}/{provider.name}/",
        aws_access_key_id="demo",
        aws_secret_access_key="demo-secret",
    )
    sent: list[Sent] = []

    def remember(request: AWSPreparedRequest, **_: object) -> None:
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        sent.append(Sent(urlsplit(request.url).path, headers, request.body))

    client.meta.events.register("before-send", remember)
    await asyncio.to_thread(getattr(client, operation), **arguments)
    client.close()
    (request,) = sent
    return request


def scope(authorization: str | None) -> str:
    """Key id, region and service of a signature: `demo/20261122/ap-south-1/sms-voice/aws4_request`."""
    assert authorization is not None
    return authorization.partition("Credential=")[2].partition(",")[0]


async def test_aws_pinpoint() -> None:
    """Wire body, path, content type and the scope of the signature; each signature is verified by the fake."""
    messages = [message(n, body=f"Hi {{{{name}}}} {n}") for n in (1, 2)]
    async with provided("aws-pinpoint") as provider:
        batch = await provider.exchange(*messages)
        sms = {"MessageType": "TRANSACTIONAL", "SenderId": "ACMEIN", "EntityId": ENTITY, "TemplateId": TEMPLATE}
        addresses = {
            each.to: {"ChannelType": "SMS", "BodyOverride": each.body, "Substitutions": {"name": ["Asha"]}}
            for each in messages
        }
        ours = json.loads(batch.request.body or b"")
        given = {
            "Addresses": addresses,
            "MessageConfiguration": {"SMSMessage": sms},
            "TraceId": ours["TraceId"],
        }
        sent = await aws(provider, "pinpoint", "send_messages", ApplicationId="demo", MessageRequest=given)
        first, second = provider.log()
    assert json.loads(sent.body) == ours
    assert urlsplit(batch.request.url).path == sent.path
    assert sent.headers["Content-Type"] == header(batch.request, "Content-Type")
    assert told(first) == told(second) == [(each.to, f"Hi Asha {n}") for n, each in enumerate(messages, 1)]
    assert scope(sent.headers["Authorization"]).split("/")[2:] == ["ap-south-1", "mobiletargeting", "aws4_request"]


async def test_aws_eum() -> None:
    async with provided("aws-eum") as provider:
        one = await provider.exchange(message(1, body=HINDI))
        sent = await aws(
            provider,
            "pinpoint-sms-voice-v2",
            "send_text_message",
            DestinationPhoneNumber="+919800000019",
            OriginationIdentity="ACMEIN",
            MessageBody=HINDI,
            MessageType="TRANSACTIONAL",
            Context={"message_id": "m1"},
            DestinationCountryParameters={"IN_TEMPLATE_ID": TEMPLATE, "IN_ENTITY_ID": ENTITY},
        )
        first, second = provider.log()
    assert json.loads(sent.body) == json.loads(one.request.body or b"")
    assert urlsplit(one.request.url).path == sent.path
    for name in ("Content-Type", "X-Amz-Target"):
        assert sent.headers[name] == header(one.request, name)
    assert told(first) == told(second)
    assert first["values"] == second["values"]
    assert scope(sent.headers["Authorization"]).split("/")[2:] == ["ap-south-1", "sms-voice", "aws4_request"]


async def test_tencent() -> None:
    """Body and headers; the fake has verified both signatures, ours covers X-TC-Action as well."""
    messages = [message(n, template_variables={"name": HINDI}) for n in (1, 2)]
    async with provided("tencent") as provider:
        ours = await provider.exchange(*messages)
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http"))
        client = CommonClient("sms", "2021-01-11", Credential("demo", "demo-secret"), "ap-guangzhou", profile)
        adapter = Turned(f"{provider.simulator.url}/tencent")
        client.request.conn._session.mount("http://", adapter)
        given = {
            "PhoneNumberSet": [each.to for each in messages],
            "SmsSdkAppId": "1400006666",
            "SignName": "ACMEIN",
            "TemplateId": TEMPLATE,
            "TemplateParamSet": [HINDI],
        }
        reply = await asyncio.to_thread(client.call_json, "SendSms", given)
        client.request.conn._session.close()
        first, second = provider.log()
    assert set(ours.words) == {"accept"}
    assert [each["Code"] for each in reply["Response"]["SendStatusSet"]] == ["Ok", "Ok"]
    assert told(first) == told(second) == [(each.to, [HINDI]) for each in messages]
    assert first["values"] == second["values"]
    (sent,) = adapter.sent
    assert json.loads(sent.body) == json.loads(ours.request.body or b"")
    for name in ("Content-Type", "X-TC-Action", "X-TC-Version", "X-TC-Region"):
        assert sent.headers[name] == header(ours.request, name)
    assert sent.headers["Authorization"].startswith("TC3-HMAC-SHA256 Credential=demo/")
