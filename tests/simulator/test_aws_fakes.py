"""The AWS fakes: signatures are made again from what arrived; Pinpoint answers a map, End User Messaging one id."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connector.tools.simulator import Simulator
from connector.tools.simulator.fake import Magic
from connector.tools.simulator.providers.aws_eum import TARGET

PINPOINT = "/aws-pinpoint/v1/apps/demo/messages"
JSON = {"Content-Type": "application/json"}
EUM = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": TARGET}
KEYS = Credentials("demo", "demo-secret")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(["aws-pinpoint", "aws-eum"]) as simulator:
        yield simulator


async def send(
    simulator: Simulator,
    path: str,
    document: Any,
    headers: dict[str, str],
    *,
    service: str,
    keys: Credentials = KEYS,
    change: Any = None,
) -> tuple[int, Any]:
    body = orjson.dumps(document)
    request = AWSRequest("POST", simulator.url + path, headers=headers, data=body)
    SigV4Auth(keys, service, "ap-south-1").add_auth(request)
    signed = dict(request.headers)
    if change is not None:
        body = change(signed, body)
    async with (
        aiohttp.ClientSession() as client,
        client.post(simulator.url + path, data=body, headers=signed) as reply,
    ):
        return reply.status, orjson.loads(await reply.read())


async def pinpoint(simulator: Simulator, document: Any, **more: Any) -> tuple[int, Any]:
    return await send(simulator, PINPOINT, document, JSON, **{"service": "mobiletargeting", **more})


async def eum(simulator: Simulator, headers: dict[str, str] = EUM, **fields: Any) -> tuple[int, Any]:
    document = {"DestinationPhoneNumber": "+919810012345", "MessageBody": "Hi", **fields}
    return await send(simulator, "/aws-eum/", document, headers, service="sms-voice")


def message(*phones: str, sms: dict[str, Any] | None = None, **address: Any) -> dict[str, Any]:
    return {
        "Addresses": {phone: {"ChannelType": "SMS", **address} for phone in phones},
        "MessageConfiguration": {"SMSMessage": {"Body": "Hi {{name}}", "MessageType": "TRANSACTIONAL", **(sms or {})}},
    }


async def test_pinpoint_answers_a_map_with_every_status_inside_a_200(simulator: Simulator) -> None:
    phones = {
        "+919810012345": "SUCCESSFUL",
        f"+919810{Magic.THROTTLED}": "THROTTLED",
        f"+919810{Magic.TEMPORARY}": "TEMPORARY_FAILURE",
        f"+919810{Magic.INVALID}": "PERMANENT_FAILURE",
        f"+919810{Magic.BLOCKED}": "OPT_OUT",
        f"+919810{Magic.CREDIT}": "DUPLICATE",
        f"+919810{Magic.HOURS}": "UNKNOWN_FAILURE",
    }
    status, document = await pinpoint(simulator, message(*phones, Substitutions={"name": ["Zoë"]}))
    assert status == 200
    assert {phone: entry["DeliveryStatus"] for phone, entry in document["Result"].items()} == phones
    [entry] = simulator.log.entries()
    [taken] = entry["taken"]
    assert (taken["to"], taken["text"]) == ("+919810012345", "Hi Zoë")
    assert taken["id"] == document["Result"]["+919810012345"]["MessageId"]


@pytest.mark.parametrize(
    "document",
    [
        {"MessageRequest": message("+919810012345")},
        {"Addresses": {}, "MessageConfiguration": {"SMSMessage": {"Body": "a"}}},
        {"Addresses": {"+919810012345": {"ChannelType": "SMS"}}},
        message("+919810012345", sms={"MessageType": "BULK"}),
        message("+919810012345", sms={"Body": ""}),
        message("+919810012345", ChannelType="VOICE"),
        message("+919810012345", Substitutions={"name": "Zoë"}),
        message("9198 1001 2345"),
        message(*[f"+9198100{n:05d}" for n in range(101)]),
    ],
)
async def test_pinpoint_refuses_a_wrong_body(simulator: Simulator, document: Any) -> None:
    status, answer = await pinpoint(simulator, document)
    assert (status, set(answer)) == (400, {"Message", "RequestID"})
    assert simulator.log.counters["aws-pinpoint"]["taken"] == 0


def spoil_body(headers: dict[str, str], body: bytes) -> bytes:
    return body.replace(b"Hi", b"Ho")


def drop_signature(headers: dict[str, str], body: bytes) -> bytes:
    del headers["Authorization"]
    return body


def unsigned_host(headers: dict[str, str], body: bytes) -> bytes:
    headers["Authorization"] = headers["Authorization"].replace("content-type;host;", "content-type;")
    return body


@pytest.mark.parametrize(
    "more",
    [
        {"keys": Credentials("demo", "wrong")},
        {"keys": Credentials("other", "demo-secret")},
        {"service": "sms-voice"},
        {"change": spoil_body},
        {"change": drop_signature},
        {"change": unsigned_host},
    ],
)
async def test_a_wrong_signature_is_403_and_nothing_is_taken(simulator: Simulator, more: dict[str, Any]) -> None:
    status, _ = await pinpoint(simulator, message("+919810012345"), **more)
    assert status == 403
    assert simulator.log.counters["aws-pinpoint"]["taken"] == 0


async def test_an_old_signature_is_refused(simulator: Simulator) -> None:
    simulator.fakes["aws-pinpoint"].now = lambda: 4_000_000_000.0
    status, answer = await pinpoint(simulator, message("+919810012345"))
    assert status == 403
    assert "expired" in answer["Message"]


async def test_a_session_token_belongs_to_what_is_signed(simulator: Simulator) -> None:
    keys = Credentials("demo", "demo-secret", "token/with+signs=")
    assert (await pinpoint(simulator, message("+919810012345"), keys=keys))[0] == 200


async def test_eum_answers_one_id(simulator: Simulator) -> None:
    status, document = await eum(simulator, Context={"message_id": "m1"})
    assert status == 200
    [entry] = simulator.log.entries()
    assert (entry["taken"][0]["id"], entry["taken"][0]["ref"]) == (document["MessageId"], "m1")


async def test_eum_takes_nothing_in_a_dry_run(simulator: Simulator) -> None:
    assert (await eum(simulator, DryRun=True))[0] == 200
    assert simulator.log.counters["aws-eum"]["taken"] == 0


@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"DestinationPhoneNumber": f"+919810{Magic.THROTTLED}"}, 400, "ThrottlingException"),
        ({"DestinationPhoneNumber": f"+919810{Magic.BLOCKED}"}, 400, "ConflictException"),
        ({"DestinationPhoneNumber": f"+919810{Magic.CREDIT}"}, 400, "ServiceQuotaExceededException"),
        ({"DestinationPhoneNumber": f"+919810{Magic.TEMPORARY}"}, 500, "InternalServerException"),
        ({"DestinationPhoneNumber": ["+919810012345"]}, 400, "ValidationException"),
        ({"MessageBody": "x" * 1601}, 400, "ValidationException"),
        ({"TimeToLive": 1}, 400, "ValidationException"),
        ({"Context": {str(n): "x" for n in range(6)}}, 400, "ValidationException"),
    ],
)
async def test_eum_names_its_errors_in_type(
    simulator: Simulator, fields: dict[str, Any], status: int, kind: str
) -> None:
    answered, document = await eum(simulator, **fields)
    assert (answered, document["__type"]) == (status, kind)
    assert simulator.log.counters["aws-eum"]["taken"] == 0


async def test_eum_wants_its_target_and_its_media_type(simulator: Simulator) -> None:
    assert (await eum(simulator, {"Content-Type": EUM["Content-Type"]}))[1]["__type"] == "UnknownOperationException"
    assert (await eum(simulator, {**EUM, "Content-Type": "application/json"}))[1]["__type"] == "SerializationException"
