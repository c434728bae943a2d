"""Requests written by hand from the providers' documentation: address, headers and body, field by field.

The fakes accept more than the documentation shows, and a definition could please its fake in a way the provider does
not know. Values are those of `shipped.message`.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connector.model import Batch, Request
from connector.request.renderer import compile_operation

from .shipped import NAMES, as_asked, header, message, shipped

HELLO, HINDI = "Hello Asha", "नमस्ते"
A, B = "919800000019", "919800000029"
ENTITY, TEMPLATE = "1101450000000054321", "1107160000000012345"
BATCH_ID = "0123456789abcdef" * 2
DEDUPLICATION = "335833560"  # stands for BATCH_ID: the provider takes 32-bit integers
BASIC = "Basic " + base64.b64encode(b"demo:demo-secret").decode()

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def exotel_message(number: int, to: str, text: str) -> list[tuple[str, str]]:
    return [
        (f"Messages[{number}][To]", f"+{to}"),
        (f"Messages[{number}][Body]", text),
        (f"Messages[{number}][DltTemplateId]", TEMPLATE),
    ]


def infobip_message(number: int, to: str, text: str) -> dict[str, Any]:
    return {
        "sender": "ACMEIN",
        "destinations": [{"to": to, "messageId": f"m{number}"}],
        "content": {"text": text},
        "options": {"regional": {"indiaDlt": {"contentTemplateId": TEMPLATE, "principalEntityId": ENTITY}}},
    }


# name of provider and operation → bodies of the messages, address, headers, body (JSON, pairs of a form, or text)
Golden = tuple[list[str], str, dict[str, str], Any]

GOLDEN: dict[str, Golden] = {
    "bulksms.send": (
        [HELLO, HINDI],
        f"https://api.bulksms.com/v1/messages?deduplication-id={DEDUPLICATION}",
        {"Authorization": BASIC, "Content-Type": JSON},
        [
            {"to": f"+{A}", "body": HELLO, "from": "ACMEIN", "encoding": "TEXT", "userSuppliedId": "m1"},
            {"to": f"+{B}", "body": HINDI, "from": "ACMEIN", "encoding": "UNICODE", "userSuppliedId": "m2"},
        ],
    ),
    "exotel.bulk": (
        [HINDI, HINDI + "!"],
        "https://api.exotel.com/v1/Accounts/demo/Sms/bulksend.json",
        {"Authorization": BASIC, "Content-Type": FORM},
        [
            ("From", "ACMEIN"),
            ("EncodingType", "unicode"),
            ("DltEntityId", ENTITY),
            *exotel_message(0, A, HINDI),
            *exotel_message(1, B, HINDI + "!"),
        ],
    ),
    "exotel.single": (
        [HELLO],
        "https://api.exotel.com/v1/Accounts/demo/Sms/send.json",
        {"Authorization": BASIC, "Content-Type": FORM},
        [
            ("From", "ACMEIN"),
            ("To", f"+{A}"),
            ("Body", HELLO),
            ("EncodingType", "plain"),
            ("DltEntityId", ENTITY),
            ("DltTemplateId", TEMPLATE),
        ],
    ),
    "msg91.send": (
        [HELLO, HELLO],
        "https://control.msg91.com/api/v5/flow",
        {"authkey": "demo-secret", "Content-Type": JSON},
        {
            "template_id": TEMPLATE,
            "sender": "ACMEIN",
            "short_url": "0",
            "recipients": [{"mobiles": A, "name": "Asha"}, {"mobiles": B, "name": "Asha"}],
        },
    ),
    "nimbus.send": (
        [HINDI, HINDI],
        "http://nimbusit.net/api/pushsms",
        {},
        [
            ("user", "demo"),
            ("authkey", "demo-secret"),
            ("sender", "ACMEIN"),
            ("mobile", f"{A},{B}"),
            ("text", HINDI),
            ("entityid", ENTITY),
            ("templateid", TEMPLATE),
            ("rpt", "1"),
            ("type", "1"),
            ("output", "json"),
        ],
    ),
    "nimbus-biz.send": (
        [HELLO, HELLO],
        "https://nimbusit.biz/api/SmsApi/SendBulkApi",
        {"Content-Type": FORM},
        [
            ("UserID", "demo"),
            ("Password", "demo-secret"),
            ("SenderID", "ACMEIN"),
            ("Phno", f"{A[2:]},{B[2:]}"),
            ("Msg", HELLO),
            ("EntityID", ENTITY),
            ("TemplateID", TEMPLATE),
            ("FlashMsg", "0"),
        ],
    ),
    "plivo.send": (
        [HELLO, HELLO],
        "https://api.plivo.com/v1/Account/demo/Message/",  # with its trailing slash
        {"Authorization": BASIC, "Content-Type": JSON},
        {
            "src": "ACMEIN",
            "dst": f"{A}<{B}",
            "text": HELLO,
            "dlt_entity_id": ENTITY,
            "dlt_template_id": TEMPLATE,
        },
    ),
    "smsindiahub.send": (
        [HINDI, HINDI + "!"],
        "https://cloud.smsindiahub.in/api/mt/SendSMS",
        {"Content-Type": JSON},
        {
            "Account": {
                "APIKey": "demo-secret",
                "SenderId": "ACMEIN",
                "Channel": "Trans",
                "DCS": 8,
                "FlashMessage": 0,
                "EntityId": ENTITY,
            },
            "Messages": [
                {"Number": A, "Text": HINDI, "DLTTemplateId": TEMPLATE},
                {"Number": B, "Text": HINDI + "!", "DLTTemplateId": TEMPLATE},
            ],
        },
    ),
    "smsindiahub-legacy.send": (
        [HELLO, HELLO],
        "https://cloud.smsindiahub.in/vendorsms/pushsms.aspx",
        {"Content-Type": FORM},
        [
            ("user", "demo"),
            ("password", "demo-secret"),
            ("msisdn", f"{A},{B}"),
            ("sid", "ACMEIN"),
            ("msg", HELLO),
            ("fl", "0"),
            ("dc", "0"),
            ("gwid", "2"),
            ("templateid", TEMPLATE),
            ("entityid", ENTITY),
        ],
    ),
    "textlocal.send": (
        ["100% & नम", HELLO],
        "https://api.textlocal.in/bulk_json/",
        {"Content-Type": FORM},
        [
            ("apikey", "demo-secret"),
            (
                "data",
                {
                    "sender": "ACMEIN",
                    "messages": [
                        # rawurlencode() inside the JSON, which the form encodes once more
                        {"number": 919800000019, "text": "100%25%20%26%20%E0%A4%A8%E0%A4%AE"},
                        {"number": 919800000029, "text": "Hello%20Asha"},
                    ],
                    "custom": BATCH_ID,
                },
            ),
        ],
    ),
    "aws-pinpoint.send": (
        [HELLO, HINDI],
        "https://pinpoint.ap-south-1.amazonaws.com/v1/apps/demo/messages",
        {"Content-Type": JSON},
        {
            "Addresses": {
                f"+{A}": {"ChannelType": "SMS", "BodyOverride": HELLO, "Substitutions": {"name": ["Asha"]}},
                f"+{B}": {"ChannelType": "SMS", "BodyOverride": HINDI, "Substitutions": {"name": ["Asha"]}},
            },
            "MessageConfiguration": {
                "SMSMessage": {
                    "MessageType": "TRANSACTIONAL",
                    "SenderId": "ACMEIN",
                    "EntityId": ENTITY,
                    "TemplateId": TEMPLATE,
                }
            },
            "TraceId": BATCH_ID,
        },
    ),
    "aws-eum.send": (
        [HELLO],
        "https://sms-voice.ap-south-1.amazonaws.com/",
        {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "PinpointSMSVoiceV2.SendTextMessage",
        },
        {
            "DestinationPhoneNumber": f"+{A}",
            "OriginationIdentity": "ACMEIN",
            "MessageBody": HELLO,
            "MessageType": "TRANSACTIONAL",
            "Context": {"message_id": "m1"},
            "DestinationCountryParameters": {"IN_TEMPLATE_ID": TEMPLATE, "IN_ENTITY_ID": ENTITY},
        },
    ),
    "twilio.send": (
        [HELLO],
        "https://api.twilio.com/2010-04-01/Accounts/demo/Messages.json",
        {"Authorization": BASIC, "Content-Type": FORM},
        [("To", f"+{A}"), ("From", "ACMEIN"), ("Body", HELLO)],
    ),
    "vonage.send": (
        [HINDI],
        "https://rest.nexmo.com/sms/json",
        {"Authorization": BASIC, "Content-Type": FORM},
        [
            ("to", A),
            ("from", "ACMEIN"),
            ("text", HINDI),
            ("type", "unicode"),
            ("client-ref", "m1"),
            ("entity-id", ENTITY),
            ("content-id", TEMPLATE),
        ],
    ),
    "infobip.send": (
        [HELLO, HINDI],
        "https://abc123.api.infobip.com/sms/3/messages",
        {"Authorization": "App demo-secret", "Content-Type": JSON},
        {"messages": [infobip_message(1, A, HELLO), infobip_message(2, B, HINDI)]},
    ),
    "aliyun.send": (
        [HELLO],
        "https://dysmsapi.aliyuncs.com/?Action=SendSms&Version=2017-05-25&Format=JSON",
        {"Content-Type": FORM},
        [
            ("PhoneNumbers", A),
            ("SignName", "ACMEIN"),
            ("TemplateCode", TEMPLATE),
            ("TemplateParam", {"name": "Asha"}),
            ("OutId", "m1"),
        ],
    ),
    "kannel.send": (
        [HINDI],
        "https://kannel.example.com:13013/cgi-bin/sendsms",
        {
            "Content-Type": "text/plain; charset=utf-8",
            "X-Kannel-Username": "demo",
            "X-Kannel-Password": "demo-secret",
            "X-Kannel-From": "ACMEIN",
            "X-Kannel-To": f"+{A}",
            "X-Kannel-Coding": "2",
        },
        HINDI,
    ),
    "tencent.send": (  # what is signed is added when it is sent: tests/request/test_signatures.py, test_sdk.py
        [HELLO, HELLO],
        "https://sms.tencentcloudapi.com/",
        {
            "Content-Type": JSON,
            "X-TC-Action": "SendSms",
            "X-TC-Version": "2021-01-11",
            "X-TC-Region": "ap-guangzhou",
        },
        {
            "PhoneNumberSet": [f"+{A}", f"+{B}"],
            "SmsSdkAppId": "1400006666",
            "SignName": "ACMEIN",
            "TemplateId": TEMPLATE,
            "TemplateParamSet": ["Asha"],
        },
    ),
    "ovh.send": (
        [HINDI, HINDI],
        "https://eu.api.ovh.com/1.0/sms/demo/jobs",
        {"Content-Type": JSON},
        {
            "sender": "ACMEIN",
            "message": HINDI,
            "charset": "UTF-8",
            "coding": "8bit",
            "noStopClause": True,
            "receivers": [f"+{A}", f"+{B}"],
        },
    ),
    "jasmin.send": (
        ["Hi {€}"],
        "https://jasmin.example.com:1401/send",
        {"Content-Type": FORM},
        [
            ("username", "demo"),
            ("password", "demo-secret"),
            ("to", A),
            ("from", "ACMEIN"),
            ("coding", "0"),
            ("hex-content", "4869201b281b651b29"),  # GSM 03.38: an escape before {, € and }
        ],
    ),
    "skebby.send": (
        [HELLO],
        "https://api.skebby.it/API/v1.0/REST/sms",
        {"Content-Type": JSON},
        {
            "message_type": "GP",
            "message": HELLO,
            "recipient": [f"+{A}"],
            "sender": "ACMEIN",
            "encoding": "gsm",
            "order_id": BATCH_ID,
            "returnCredits": False,
            "allowInvalidRecipients": False,
        },
    ),
    "speedsms.send": (
        [HELLO, HELLO],
        "https://api.speedsms.vn/index.php/sms/send",
        {"Authorization": "Basic " + base64.b64encode(b"demo-secret:x").decode(), "Content-Type": JSON},
        {"to": [A, B], "content": HELLO, "sms_type": 3, "sender": "ACMEIN"},
    ),
}

NEED_TEMPLATES = ("msg91.send", "tencent.send", "aliyun.send")


def rendered(golden: str, texts: list[str], **fields: Any) -> Request:
    name, _, operation = golden.partition(".")
    (way,) = [each for each in shipped(name).operations if each.name == operation]
    messages = as_asked(name, [message(number, body=text, **fields) for number, text in enumerate(texts, 1)])
    made = compile_operation(way).render(messages, Batch(BATCH_ID, 0.0))
    assert made.sent == list(range(len(texts)))
    assert made.request is not None
    return made.request


def fields_of(request: Request) -> list[tuple[str, Any]]:
    """The pairs of a query or a form; what is JSON inside one is read."""
    text = (request.body or b"").decode() or urlsplit(request.url).query
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    return [(name, json.loads(value) if value.startswith("{") else value) for name, value in pairs]


@pytest.mark.parametrize("golden", GOLDEN)
def test_a_request_is_what_the_documentation_shows(golden: str) -> None:
    """Order of fields included: maps are compared as the text they are sent as."""
    texts, address, headers, body = GOLDEN[golden]
    request = rendered(golden, texts)
    method = "GET" if golden == "nimbus.send" else "POST"
    url = request.url.partition("?")[0] if method == "GET" else request.url
    assert (request.method, url) == (method, address)
    assert {name: header(request, name) for name in headers} == headers
    if headers.get("Content-Type", "").startswith(FORM) or method == "GET":
        assert fields_of(request) == body
    elif isinstance(body, str):
        assert (request.body or b"").decode() == body
    else:
        assert (request.body or b"").decode() == json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def test_every_operation_has_a_golden_request() -> None:
    operations = {f"{name}.{operation.name}" for name in NAMES for operation in shipped(name).operations}
    assert operations == set(GOLDEN)


@pytest.mark.parametrize("golden", [golden for golden in GOLDEN if golden not in NEED_TEMPLATES])
def test_what_a_message_does_not_have_is_left_out(golden: str) -> None:
    """No template, no variables, no DLT entity: no field, no empty field, no null, no empty object."""
    texts = GOLDEN[golden][0]
    request = rendered(golden, texts, template_id=None, template_variables=None, custom={"sender": "ACMEIN"})
    text = f"{request.url} {(request.body or b'').decode()}"
    for trace in (TEMPLATE, ENTITY, "null", "{}", "[]", '""', "=&"):
        assert trace not in text, trace
    assert not text.endswith("=")
