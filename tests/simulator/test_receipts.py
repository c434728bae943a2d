"""What of each fake arrives at a raw server: one row per fake; and what happens where the server does not take it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import ANY
from urllib.parse import quote
from uuid import uuid4

import aiohttp
import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from connector.tools.simulator import Simulator
from tests.simulator.receiver import Arrived, Receiver
from tests.waiting import eventually

BASIC = {"Authorization": "Basic " + base64.b64encode(b"demo:demo-secret").decode()}
QUICK = {"delay": [0, 0], "retry_scale": 0.001}
MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(simulator.url) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


async def control(client: aiohttp.ClientSession, provider: str, **receipts: Any) -> None:
    async with client.put(f"/_control/{provider}", json={"receipts": {**QUICK, **receipts}}) as reply:
        assert reply.status == 200, await reply.text()


@dataclass(frozen=True)
class Row:
    """One request, and the callbacks it leads to, in order; `HERE` in the request is the receiver's URL.

    Attributes:
        read: what of a callback is compared.
        registered: knobs with the receiver's URL; empty: the request names it.
    """

    path: str
    expected: list[Any]
    read: Callable[[Arrived], Any]
    form: Mapping[str, str] | Callable[[], Mapping[str, str]] | None = None
    json: Any = None
    headers: Mapping[str, str] | Callable[[bytes], Mapping[str, str]] = field(default_factory=lambda: BASIC)
    method: str = "POST"
    registered: bool = False
    knobs: Mapping[str, Any] | None = None
    aws: str = ""


def form_of(*names: str) -> Callable[[Arrived], Any]:
    return lambda arrived: (arrived.method, *(arrived.form.get(name) for name in names))


def query_of(*names: str) -> Callable[[Arrived], Any]:
    return lambda arrived: (arrived.method, *(arrived.query.get(name) for name in names))


def document(arrived: Arrived) -> Any:
    assert arrived.headers["Content-Type"] == "application/json"
    return arrived.json


def firehose(arrived: Arrived) -> Any:
    assert arrived.headers["X-Amz-Firehose-Access-Key"] == "demo-access-key"
    events = [orjson.loads(base64.b64decode(record["data"])) for record in arrived.json["records"]]
    names = ("message_id", "record_status", "customer_context")
    return [(event["event_type"], *(event["attributes"].get(name) for name in names)) for event in events]


def sns(arrived: Arrived) -> Any:
    event = orjson.loads(arrived.json["Message"])
    return event["eventType"], event["isFinal"], event["context"], event["destinationPhoneNumber"]


TO = "+919810012345"
MSG91_REPORT = {
    "date": ANY,
    "amount": "0.01",
    "clientid": "",
    "INMSID": "0",
    "CRQID": "crq-1",
    "ctCode": "900",
    "number": "919810012345",
    "credit": "1",
    "status": "1",
    "desc": "DELIVERED",
    "failedReason": "",
}
MSG91 = {"template_id": "t", "CRQID": "crq-1", "sender": "ABC", "recipients": [{"mobiles": "919810012345"}]}
INFOBIP = {
    "sender": "InfoSMS",
    "destinations": [{"to": "41793026727", "messageId": "m-1"}],
    "content": {"text": "Hi"},
    "webhooks": {"delivery": {"url": "HERE/m/x"}, "callbackData": "token"},
}
ROWS: dict[str, list[Row]] = {
    "json": [
        Row(
            "/json/send",
            [
                [
                    {
                        "event": "delivered",
                        "data": [
                            {"ts": ANY, "meta": f"meta-{n}", "description": "Delivered to handset"} for n in (1, 2)
                        ],
                    },
                    {
                        "event": "failed",
                        "data": [{"ts": ANY, "meta": "meta-3", "description": "number is blacklisted", "code": "903"}],
                    },
                ]
            ],
            lambda arrived: [
                {**event, "data": sorted(event["data"], key=lambda it: it["meta"])} for event in document(arrived)
            ],
            json={
                "msgs": [
                    {"to": to, "mid": f"meta-{n}"}
                    for n, to in ((1, "+919810012345"), (2, "+919810012346"), (3, "+919810000742"))
                ]
            },
            registered=True,
        )
    ],
    "generic": [
        Row(
            "/generic/any",
            [[{"event": "delivered", "data": [{"ts": ANY, "meta": "9.1", "description": "Delivered to handset"}]}]],
            document,
            json={"messages": [{"phone": TO, "mid": "9.1"}]},
            registered=True,
        )
    ],
    "bulksms": [
        Row(
            "/bulksms/v1/messages",
            [
                [],
                [
                    {
                        "id": ANY,
                        "type": "SENT",
                        "from": None,
                        "to": "919810012345",
                        "body": "Hi",
                        "encoding": "TEXT",
                        "protocolId": 0,
                        "messageClass": 0,
                        "numberOfParts": 1,
                        "creditCost": 1.0,
                        "submission": {"id": ANY, "date": ANY},
                        "status": {"id": f"{word}.null", "type": word, "subtype": None},
                        "relatedSentMessageId": None,
                        "userSuppliedId": "ref-1",
                    }
                    for word in ("SENT", "DELIVERED")
                ],
            ],
            document,
            json={"to": TO, "body": "Hi", "userSuppliedId": "ref-1"},
            registered=True,
        )
    ],
    "exotel": [
        Row(
            "/exotel/v1/Accounts/demo/Sms/send.json",
            [("POST", ANY, "09810012345", "sent", "1", "DELIVERED_TO_HANDSET", "20005", "m-1")],
            form_of("SmsSid", "To", "Status", "SmsUnits", "DetailedStatus", "DetailedStatusCode", "CustomField"),
            form={"From": "x", "To": TO, "Body": "Hi", "CustomField": "m-1", "StatusCallback": "HERE/m/x"},
        ),
        Row(
            "/exotel/v1/Accounts/demo/Sms/send.json",
            [
                {
                    "SmsSid": ANY,
                    "To": "09810012345",
                    "Status": "sent",
                    "SmsUnits": "1",
                    "DetailedStatus": "DELIVERED_TO_HANDSET",
                    "DetailedStatusCode": "20005",
                    "DateSent": ANY,
                }
            ],
            document,
            form={
                "From": "x",
                "To": TO,
                "Body": "Hi",
                "StatusCallback": "HERE/m/x",
                "StatusCallbackContentType": "application/json",
            },
        ),
    ],
    "msg91": [
        Row(
            "/msg91/api/v5/flow",
            [
                [
                    {
                        "senderId": "ABC",
                        "requestId": ANY,
                        "report": [MSG91_REPORT],
                        "userId": "27000",
                        "campaignName": "Sendhttp",
                    }
                ]
            ],
            lambda arrived: orjson.loads(arrived.form["data"]),
            json=MSG91,
            headers={"authkey": "demo-secret"},
            registered=True,
        ),
        Row(
            "/msg91/api/v5/flow",
            [
                {
                    **{
                        name: MSG91_REPORT[name]
                        for name in MSG91_REPORT.keys() - {"clientid", "ctCode", "failedReason"}
                    },
                    "senderId": "ABC",
                    "requestId": ANY,
                    "userId": "27000",
                    "campaignName": "Sendhttp",
                }
            ],
            document,
            json=MSG91,
            headers={"authkey": "demo-secret"},
            registered=True,
            knobs={"version": "v3"},
        ),
        Row(
            "/msg91/api/v5/flow",
            [
                [
                    {
                        "data": [{"meta": "crq-1", "INMSID": "0", "description": "DELIVERED", "ts": ANY}],
                        "event": "delivered",
                    }
                ]
            ],
            document,
            json=MSG91,
            headers={"authkey": "demo-secret"},
            registered=True,
            knobs={"version": "v4"},
        ),
    ],
    "nimbus-biz": [
        Row(
            "/nimbus-biz/api/SmsApi/SendSingleApi?UserID=demo&Password=demo-secret&SenderID=x&Phno=9810012345&Msg=Hi"
            "&DlrUrl=HERE%2Fm%2Fx%3FMsgID%3D%2523MESSAGEID%2523%26Phno%3D%2523PHNO%2523%26Status%3D%23STATUS%23",
            [("GET", ANY, "9810012345", "DELIVRD")],
            query_of("MsgID", "Phno", "Status"),
            method="GET",
        )
    ],
    "plivo": [
        Row(
            "/plivo/v1/Account/demo/Message/",
            [
                ("POST", ANY, "919810012345", "15550000001", status, "000", str(number))
                for number, status in enumerate(("queued", "sent", "delivered"), 1)
            ],
            form_of("MessageUUID", "To", "From", "Status", "ErrorCode", "Sequence"),
            json={"src": "+15550000001", "dst": TO, "text": "Hi", "url": "HERE/m/x"},
        ),
        Row(
            "/plivo/v1/Account/demo/Message/",
            [("GET", "7", "queued", "000"), ("GET", "7", "sent", "000"), ("GET", "7", "undelivered", "420")],
            query_of("own", "Status", "ErrorCode"),
            json={"src": "1", "dst": "+919810000242", "text": "Hi", "url": "HERE/m/x?own=7", "method": "GET"},
        ),
    ],
    "smsindiahub": [
        Row(
            "/smsindiahub/api/mt/SendSMS?APIKey=demo-secret&senderid=x&number=919810012345&text=Hi",
            [("GET", ANY, "919810012345", status, ANY) for status in ("Sent", "Delivered")],
            query_of("MessageId", "MobileNo", "Status", "DoneDate"),
            method="GET",
            registered=True,
        )
    ],
    "textlocal": [
        Row(
            "/textlocal/send/",
            [("POST", "919810012345", "D", "m-1", ANY)],
            form_of("number", "status", "customID", "datetime"),
            form={
                "apikey": "demo-secret",
                "numbers": "919810012345",
                "message": "Hi",
                "custom": "m-1",
                "receipt_url": "HERE/m/x",
            },
        )
    ],
    "twilio": [
        Row(
            "/twilio/2010-04-01/Accounts/demo/Messages.json",
            [("POST", ANY, TO, "+15550000001", "demo", status, None) for status in ("queued", "sent", "delivered")],
            form_of("MessageSid", "To", "From", "AccountSid", "MessageStatus", "ErrorCode"),
            form={"From": "+15550000001", "To": TO, "Body": "Hi", "StatusCallback": "HERE/m/x?a=1#rc=5&rp=all"},
        )
    ],
    "vonage": [
        Row(
            "/vonage/sms/json",
            [
                ("POST", "919810012345", "AcmeInc", status, "ref-1", "0")
                for status in ("accepted", "buffered", "delivered")
            ],
            form_of("msisdn", "to", "status", "client-ref", "err-code"),
            json={"from": "AcmeInc", "to": "919810012345", "text": "Hi", "client-ref": "ref-1", "callback": "HERE/m/x"},
        ),
        Row(
            "/vonage/sms/json",
            [("rejected", "9")],
            lambda arrived: (document(arrived)["status"], arrived.json["err-code"]),
            json={"from": "AcmeInc", "to": "919810000742", "text": "Hi"},
            registered=True,
            knobs={"method": "JSON"},
        ),
    ],
    "infobip": [
        Row(
            "/infobip/sms/3/messages",
            [
                {
                    "results": [
                        {
                            "bulkId": "BULK",
                            "messageId": "m-1",
                            "to": "41793026727",
                            "sender": "InfoSMS",
                            "sentAt": ANY,
                            "doneAt": ANY,
                            "messageCount": 1,
                            "mccMnc": "22801",
                            "callbackData": "token",
                            "price": {"pricePerMessage": 0.01, "currency": "EUR"},
                            "status": {
                                "groupId": 3,
                                "groupName": "DELIVERED",
                                "id": 5,
                                "name": "DELIVERED_TO_HANDSET",
                                "description": ANY,
                            },
                            "error": {
                                "groupId": 0,
                                "groupName": "OK",
                                "id": 0,
                                "name": "NO_ERROR",
                                "description": "No Error",
                                "permanent": False,
                            },
                        }
                    ]
                }
            ],
            document,
            json={"bulkId": "BULK", "messages": [INFOBIP]},
            headers={"Authorization": "App demo-secret"},
        ),
        Row(
            "/infobip/sms/2/text/advanced",
            [("application/xml", True)],
            lambda arrived: (arrived.headers["Content-Type"], b"<messageId>m-1</messageId>" in arrived.body),
            json={
                "messages": [
                    {
                        "destinations": [{"to": "41793026727", "messageId": "m-1"}],
                        "text": "Hi",
                        "notifyUrl": "HERE/m/x",
                        "notifyContentType": "application/xml",
                    }
                ]
            },
            headers={"Authorization": "App demo-secret"},
        ),
    ],
    "kannel": [
        Row(
            "/kannel/cgi-bin/sendsms?username=demo&password=demo-secret&from=me&to=919810012345&text=Hi&dlr-mask=31"
            "&dlr-url=HERE%2Fm%2Fx%3Fd%3D%25d%26to%3D%25P%26from%3D%25p%26id%3D%25F%26a%3D%2525",
            [("GET", value, "919810012345", "me", ANY, "%") for value in ("4", "8", "1")],
            query_of("d", "to", "from", "id", "a"),
            method="GET",
        ),
        Row(
            "/kannel/cgi-bin/sendsms?username=demo&password=demo-secret&from=me&to=919810000242&text=Hi&dlr-mask=3"
            "&dlr-url=HERE%2Fm%2Fx%3Fd%3D%25d",
            [("GET", "2")],
            query_of("d"),
            method="GET",
        ),
    ],
    "aws-pinpoint": [
        Row(
            "/aws-pinpoint/v1/apps/demo/messages",
            [[("_SMS.BUFFERED", ANY, "PENDING", '{"ref":"m-1"}'), ("_SMS.SUCCESS", ANY, "DELIVERED", '{"ref":"m-1"}')]],
            firehose,
            json={
                "Addresses": {TO: {"ChannelType": "SMS", "Context": {"ref": "m-1"}}},
                "MessageConfiguration": {"SMSMessage": {"Body": "Hi"}},
            },
            registered=True,
            aws="mobiletargeting",
        )
    ],
    "aws-eum": [
        Row(
            "/aws-eum/",
            [
                ("TEXT_QUEUED", False, {"ref": "m-1"}, TO),
                ("TEXT_SUCCESSFUL", True, {"ref": "m-1"}, TO),
                ("TEXT_DELIVERED", True, {"ref": "m-1"}, TO),
            ],
            sns,
            json={
                "DestinationPhoneNumber": TO,
                "MessageBody": "Hi",
                "Context": {"ref": "m-1"},
                "ConfigurationSetName": "receipts",
            },
            headers={
                "Content-Type": "application/x-amz-json-1.0",
                "X-Amz-Target": "PinpointSMSVoiceV2.SendTextMessage",
            },
            registered=True,
            knobs={"confirmed": True},
            aws="sms-voice",
        )
    ],
}


def aliyun_form() -> dict[str, str]:
    """SendSms, signed as signature V1 says."""
    fields = {
        "Action": "SendSms",
        "Version": "2017-05-25",
        "AccessKeyId": "demo",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": uuid4().hex,
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "PhoneNumbers": "8613811112222",
        "SignName": "Acme",
        "TemplateCode": "SMS_1",
        "OutId": "out-1",
    }
    joined = "&".join(f"{quote(name, safe='~')}={quote(fields[name], safe='~')}" for name in sorted(fields))
    text = f"POST&%2F&{quote(joined, safe='~')}"
    digest = hmac.digest(b"demo-secret&", text.encode(), "sha1")
    return {**fields, "Signature": base64.b64encode(digest).decode()}


def tencent_headers(body: bytes) -> dict[str, str]:
    """SendSms, signed as TC3-HMAC-SHA256 says; Host may be anything the fake is reached by."""
    stamp, key = str(int(time.time())), b"TC3demo-secret"
    day = time.strftime("%Y-%m-%d", time.gmtime(int(stamp)))
    host = "sms.tencentcloudapi.com"
    lines = f"content-type:application/json\nhost:{host}\n"
    canonical = f"POST\n/\n\n{lines}\ncontent-type;host\n{hashlib.sha256(body).hexdigest()}"
    text = f"TC3-HMAC-SHA256\n{stamp}\n{day}/sms/tc3_request\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    for step in (day, "sms", "tc3_request"):
        key = hmac.digest(key, step.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    scope = f"Credential=demo/{day}/sms/tc3_request, SignedHeaders=content-type;host"
    return {
        "Content-Type": "application/json",
        "Host": host,
        "X-TC-Action": "SendSms",
        "X-TC-Version": "2021-01-11",
        "X-TC-Region": "ap-guangzhou",
        "X-TC-Timestamp": stamp,
        "Authorization": f"TC3-HMAC-SHA256 {scope}, Signature={signature}",
    }


ROWS["aliyun"] = [
    Row(
        "/aliyun/",
        [
            [
                {
                    "phone_number": "13811112222",
                    "send_time": ANY,
                    "report_time": ANY,
                    "success": True,
                    "err_code": "DELIVERED",
                    "err_msg": "delivered",
                    "sms_size": "1",
                    "biz_id": ANY,
                    "out_id": "out-1",
                }
            ]
        ],
        document,
        form=aliyun_form,
        headers={},
        registered=True,
    )
]
ROWS["tencent"] = [
    Row(
        "/tencent/",
        [
            [
                {
                    "user_receive_time": ANY,
                    "nationcode": country,
                    "mobile": mobile,
                    "report_status": status,
                    "errmsg": code,
                    "description": ANY,
                    "sid": ANY,
                }
                for country, mobile, status, code in (
                    ("91", "9810012345", "SUCCESS", "DELIVRD"),
                    ("852", "60000742", "FAIL", "REJECTD"),
                )
            ]
        ],
        lambda arrived: sorted(document(arrived), key=lambda report: -len(report["mobile"])),
        json={
            "SmsSdkAppId": "1",
            "TemplateId": "1",
            "SignName": "Acme",
            "PhoneNumberSet": [TO, "+85260000742"],
        },
        headers=tencent_headers,
        registered=True,
    )
]
ROWS["jasmin"] = [
    Row(
        "/jasmin/send",
        [
            ("POST", ANY, "1", "ESME_ROK", None, None),
            ("POST", ANY, "2", "DELIVRD", "001", "000"),
        ],
        form_of("id", "level", "message_status", "dlvrd", "err"),
        form={
            "username": "demo",
            "password": "demo-secret",
            "to": TO,
            "content": "Hi",
            "dlr": "yes",
            "dlr-url": "HERE/m/x",
            "dlr-level": "3",
        },
        headers={},
    ),
    Row(
        "/jasmin/send?username=demo&password=demo-secret&to=919810000242&content=Hi&dlr=yes&dlr-url=HERE/m/x&dlr-level=2&dlr-method=GET",
        [("GET", ANY, "2", "UNDELIV", "000", "001")],
        query_of("id", "level", "message_status", "dlvrd", "err"),
        headers={},
        method="GET",
    ),
]
ANSWERS: dict[str, bytes] = {
    "aliyun": b'{"code": 0}',
    "tencent": b'{"result": 0, "errmsg": "OK"}',
    "jasmin": b"ACK/Jasmin",
}
"""What some want to hear."""
CASES = [(name, index) for name, rows in ROWS.items() for index in range(len(rows))]


async def send(client: aiohttp.ClientSession, row: Row, here: str) -> int:
    """Make the row's request; returns the reply's status."""
    url = row.path.replace("HERE", here.replace(":", "%3A").replace("/", "%2F"))
    form = row.form() if callable(row.form) else row.form
    data = None if form is None else {name: value.replace("HERE", here) for name, value in form.items()}
    body = orjson.dumps(row.json).replace(b"HERE", here.encode()) if row.json is not None else None
    headers = dict(row.headers(body or b"") if callable(row.headers) else row.headers)
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    if row.aws:
        request = AWSRequest("POST", f"{client._base_url}".rstrip("/") + url, headers=headers, data=body)
        SigV4Auth(Credentials("demo", "demo-secret"), row.aws, "us-east-1").add_auth(request)
        headers = dict(request.headers)
    from yarl import URL

    target = URL(f"{client._base_url}".rstrip("/") + url, encoded=True)
    async with client.request(row.method, target, data=data or body, headers=headers) as reply:
        await reply.read()
        return reply.status


@pytest.mark.parametrize(("name", "index"), CASES)
async def test_what_arrives_is_what_the_provider_sends(
    simulator: Simulator, client: aiohttp.ClientSession, receiver: Receiver, name: str, index: int
) -> None:
    row = ROWS[name][index]
    if name == "aws-pinpoint":
        receiver.answer = lambda arrived: (200, orjson.dumps({"requestId": arrived.json["requestId"], "timestamp": 1}))
    if name in ANSWERS:
        receiver.answer = lambda _: (200, ANSWERS[name])
    own = {"url": f"{receiver.url}/r/x"} if row.registered else {}
    await control(client, name, delay=[0.01, 0.01], **own, **(row.knobs or {}))
    if name == "bulksms":
        await receiver.wait(1)  # its first callback, when the URL is registered
    assert await send(client, row, receiver.url) in {200, 201, 202}
    arrived = await receiver.wait(len(row.expected))
    assert [row.read(each) for each in arrived] == row.expected
    await eventually(lambda: simulator._courier.counts() == {}, "nothing that waits", within=10)
    outcomes = [entry["outcome"] for entry in simulator.callbacks.entries(name)]
    assert outcomes == ["taken"] * len(row.expected)


def test_every_fake_that_reports_has_a_row() -> None:
    alike = {"single", "pairs", "text", "smsindiahub-legacy"}  # as `json`, as `smsindiahub`
    reporting = {name for name, fake in Simulator().fakes.items() if fake.reporter is not None}
    assert reporting - alike == ROWS.keys()


@pytest.mark.parametrize(
    ("path", "meta"),
    [("/pairs/send?to=919810012345&text=a&mid=m-1", "m-1"), ("/text/send?to=919810012345&text=a&ref=m-2", "m-2")],
)
async def test_the_other_generic_fakes_send_clevertaps_format(
    client: aiohttp.ClientSession, receiver: Receiver, path: str, meta: str
) -> None:
    name = path.split("/")[1]
    await control(client, name, url=f"{receiver.url}/r/x")
    async with client.get(path) as reply:
        assert reply.status == 200
    [arrived] = await receiver.wait(1)
    assert [event["data"][0]["meta"] for event in arrived.json] == [meta]


async def send_twilio(client: aiohttp.ClientSession, callback: str, to: str = TO) -> None:
    fields = {"From": "+15550000001", "To": to, "Body": "Hi", "StatusCallback": callback}
    async with client.post("/twilio/2010-04-01/Accounts/demo/Messages.json", data=fields, headers=BASIC) as reply:
        assert reply.status == 201


async def test_a_receipt_before_the_reply_has_been_answered_when_the_reply_comes(
    client: aiohttp.ClientSession, receiver: Receiver
) -> None:
    await control(client, "twilio", delay=[60, 60])
    await send_twilio(client, receiver.url, "+919810000542")
    assert [arrived.form["MessageStatus"] for arrived in receiver.arrived] == ["queued"]


async def test_what_is_not_taken_comes_again_until_it_is_and_every_attempt_is_written_down(
    simulator: Simulator, client: aiohttp.ClientSession, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.answer = lambda _: (503 if len(receiver.arrived) < 4 else 200, b"")
    await control(client, "bulksms", url=receiver.url)
    await receiver.wait(4)
    entries = await eventually(
        lambda: found if len(found := list(simulator.callbacks.entries())) == 4 else None, "4 attempts"
    )
    assert [(it["attempt"], it["status"], it["outcome"], it["kind"]) for it in entries] == [
        (1, 503, "again", "probe"),
        (2, 503, "again", "probe"),
        (3, 503, "again", "probe"),
        (4, 200, "taken", "probe"),
    ]
    async with client.get("/_receipts?provider=bulksms") as reply:
        assert len((await reply.read()).splitlines()) == 4
    async with client.get("/_stats") as reply:
        assert (await reply.json())["receipts"]["bulksms"]["attempts"] == 4
    async with client.delete("/_receipts") as reply:
        assert reply.status == 204
    assert simulator.callbacks.lines() == b""


@pytest.mark.parametrize(
    ("name", "status", "times", "outcome"),
    [("bulksms", 404, 1, "discarded"), ("plivo", 500, 4, "given up"), ("textlocal", 500, 1, "given up")],
)
async def test_it_gives_up_as_its_provider_does(
    simulator: Simulator,
    client: aiohttp.ClientSession,
    receiver: Receiver,
    name: str,
    status: int,
    times: int,
    outcome: str,
) -> None:
    receiver.answer = lambda arrived: (200 if arrived.body == b"[]" else status, b"")
    await control(client, name, **({"url": receiver.url} if name == "bulksms" else {}))
    await send(client, ROWS[name][0], receiver.url)

    def last() -> list[dict[str, Any]]:
        news = [entry for entry in simulator.callbacks.entries(name) if entry["news"]]
        states = {each["state"] for entry in news for each in entry["news"]}
        return [entry for entry in news if entry["outcome"] == outcome and len(states) >= 1]

    entries = await eventually(last, "the end of it", within=10)
    assert {entry["attempt"] for entry in entries} == {times}


async def test_a_url_of_another_machine_is_not_called_and_the_log_says_so(
    simulator: Simulator, client: aiohttp.ClientSession
) -> None:
    await control(client, "twilio")
    await send_twilio(client, "https://sms.example.com/m/x/token")
    entries = await eventually(lambda: list(simulator.callbacks.entries()), "a line", within=10)
    assert (entries[0]["outcome"], entries[0]["status"]) == ("not called", None)
    assert "via" in entries[0]["error"]


async def test_via_connects_elsewhere_and_leaves_url_host_and_signature_alone(
    client: aiohttp.ClientSession, receiver: Receiver
) -> None:
    from twilio.request_validator import RequestValidator

    url = "https://sms.example.com/m/x/to%20ken?a=%2B"
    await control(client, "twilio", via=receiver.url)
    await send_twilio(client, f"{url}#rc=5")
    arrived = (await receiver.wait(1))[0]
    assert (arrived.target, arrived.headers["Host"]) == ("/m/x/to%20ken?a=%2B", "sms.example.com")
    assert RequestValidator("demo-secret").validate(url, arrived.form, arrived.headers["X-Twilio-Signature"])


async def test_sns_sends_nothing_before_its_subscription_is_confirmed(
    simulator: Simulator, client: aiohttp.ClientSession, receiver: Receiver
) -> None:
    row = ROWS["aws-eum"][0]
    await control(client, "aws-eum", url=receiver.url, sns_url=f"{simulator.url}/aws-eum")
    [confirmation] = await receiver.wait(1)
    assert confirmation.headers["x-amz-sns-message-type"] == "SubscriptionConfirmation"
    early = {**row.json, "DestinationPhoneNumber": "+919810000242"}  # would end undelivered
    await send(client, Row(row.path, [], sns, json=early, headers=row.headers, aws=row.aws), receiver.url)
    for url, status in ((confirmation.json["SubscribeURL"] + "x", 400), (confirmation.json["SubscribeURL"], 200)):
        async with client.get(url) as reply:
            assert reply.status == status
    async with client.get(confirmation.json["SigningCertURL"]) as reply:
        assert (await reply.read()).startswith(b"-----BEGIN CERTIFICATE-----")
    await send(client, row, receiver.url)
    arrived = await receiver.wait(4)
    assert [sns(each)[0] for each in arrived[1:]] == ["TEXT_QUEUED", "TEXT_SUCCESSFUL", "TEXT_DELIVERED"]


async def test_without_a_configuration_set_nobody_is_told(
    simulator: Simulator, client: aiohttp.ClientSession, receiver: Receiver
) -> None:
    row = ROWS["aws-eum"][0]
    await control(client, "aws-eum", url=receiver.url, confirmed=True)
    plain = {name: value for name, value in row.json.items() if name != "ConfigurationSetName"}
    assert await send(client, Row(row.path, [], sns, json=plain, headers=row.headers, aws=row.aws), receiver.url) == 200
    assert simulator._courier.counts() == {}


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("twilio", lambda it: (it.form["Body"], it.form["From"], it.form["OptOutType"])),
        ("plivo", lambda it: (it.form["Text"], f"+{it.form['From']}", it.form["MessageIntent"].upper()[3:])),
        ("json", lambda it: (it.json[0]["data"][0]["incomingText"], "+919810000842", it.json[0]["event"])),
    ],
)
async def test_a_reply_goes_to_the_registered_url(
    client: aiohttp.ClientSession, receiver: Receiver, name: str, read: Callable[[Arrived], Any]
) -> None:
    await control(client, name, inbound=f"{receiver.url}/inbound", url=f"{receiver.url}/r")
    row = ROWS[name][0]
    number = "+919810000842"
    fields = {**(row.form or {}), "To": number} if row.form else None
    document = {"msgs": [{"to": number, "mid": "m"}]} if name == "json" else {**(row.json or {}), "dst": number}
    changed = Row(row.path, [], read, form=fields, json=None if fields else document)
    await send(client, changed, receiver.url)
    reply = await eventually(lambda: [it for it in receiver.arrived if it.target == "/inbound"], "a reply", within=10)
    assert read(reply[0]) in {
        ("STOP", number, "STOP"),
        ("STOP", number, "OUT"),
        ("STOP", number, "replied"),
    }


async def test_a_forged_callback_is_marked_in_the_log_and_never_repeated(
    simulator: Simulator, client: aiohttp.ClientSession, receiver: Receiver
) -> None:
    receiver.answer = lambda _: (403, b"")
    await control(client, "plivo", bad_signature=1.0)
    await send(client, ROWS["plivo"][0], receiver.url)
    await receiver.wait(13)  # three receipts four times each, and the forged one once
    entries = await eventually(
        lambda: found if len(found := list(simulator.callbacks.entries())) == 13 else None, "13 attempts"
    )
    forged = [(it["news"][0]["state"], it["outcome"]) for it in entries if it["forged"]]
    assert forged == [("undelivered", "given up")]


async def test_no_more_callbacks_at_once_than_allowed_and_stopping_ends_them(tmp_path: Path) -> None:
    import asyncio

    hold, open_now, most = asyncio.Event(), [0], [0]

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now[0] += 1
        most[0] = max(most[0], open_now[0])
        await hold.wait()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        Simulator(["json"], receipt_log=tmp_path / "receipts.jsonl") as simulator,
        aiohttp.ClientSession(simulator.url) as client,
    ):
        await control(client, "json", url=f"http://127.0.0.1:{port}/", concurrency=3, split=1)
        messages = [{"to": f"+9198100{n:05d}", "mid": f"m{n}"} for n in range(20000, 20010)]
        async with client.post("/json/send", json={"msgs": messages}) as reply:
            assert reply.status == 200
        await eventually(lambda: open_now[0] == 3, "three callbacks", within=10)
        assert simulator._courier.counts()["json"] == {"waiting": 10, "forgotten": 0}
    assert most[0] == 3
    hold.set()
    server.close()
    await server.wait_closed()


async def test_a_fake_whose_provider_has_no_receipts_says_so(client: aiohttp.ClientSession) -> None:
    async with client.put("/_control/nimbus", json={"receipts": {"url": "http://127.0.0.1:1/"}}) as reply:
        assert reply.status == 400
        assert "nimbus sends none" in (await reply.json())["error"]


@pytest.mark.parametrize(
    "wrong", [{"url": "ftp://x"}, {"delay": [-1, 2]}, {"drop": 2}, {"via": "http://x/path"}, {"colour": "red"}]
)
async def test_wrong_knobs_are_refused(client: aiohttp.ClientSession, wrong: dict[str, Any]) -> None:
    async with client.put("/_control/twilio", json={"receipts": wrong}) as reply:
        assert reply.status == 400
