"""APIs the language was not written for: each fits in one file, and its replies are read. From general knowledge.

The files stand in `fixtures/elsewhere`. They show what the language can say; they are not contract-tested definitions.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition, OAuth2
from connector.model import Batch, Message, Reply, Request
from connector.request.renderer import Renderer, compile_operation
from connector.response.reply_reader import compile_response

from .write import FIXTURES

ELSEWHERE = FIXTURES / "elsewhere"
NAMES = sorted(file.stem for file in ELSEWHERE.glob("*.yaml"))
NOW = 1_700_000_000.0
A, B, C = "+919800000001", "+919800000002", "+919800000003"
BATCH = "0123456789abcdef0123456789abcdef"


@cache
def definition(name: str) -> Definition:
    return load(ELSEWHERE / f"{name}.yaml", environment=Environment.placeholders())


@cache
def renderer(name: str, operation: str = "send") -> Renderer:
    return compile_operation(next(each for each in definition(name).operations if each.name == operation))


def messages(*phones: str, **fields: Any) -> list[Message]:
    fields = {"body": "Hi & <you>", "custom": {"sender": "ACME"}, **fields}
    return [Message(message_id=f"m-{phone[-1]}", to=phone, **fields) for phone in phones]


def sent(name: str, given: list[Message], operation: str = "send") -> Request:
    by = renderer(name, operation)
    assert len({by.batch_key(message) for message in given}) == 1
    rendered = by.render(given, Batch(BATCH, NOW))
    assert not rendered.invalid
    assert rendered.request is not None
    assert len(rendered.sent) == len(given)
    return rendered.request


def pairs(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode() if request.body else urlsplit(request.url).query))


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_without_a_warning(name: str) -> None:
    assert not definition(name).warnings


# ---- requests -------------------------------------------------------------------------------------------------------


def test_kannel_numbers_joined_with_a_space_and_marks_that_stay() -> None:
    given = pairs(sent("kannel", messages(A, B)))
    assert given["to"] == f"{A} {B}"
    assert given["dlr-url"] == f"https://dlr.example.com/k?batch={BATCH}&to=%p&status=%d"
    assert given["coding"] == "0"


def test_africas_talking_and_46elks_numbers_joined_with_a_comma() -> None:
    assert pairs(sent("africastalking", messages(A, B)))["to"] == f"{A},{B}"
    assert pairs(sent("elks46", messages(A[1:], B)))["to"] == f"{A},{B}"


def test_value_first_records_are_elements_of_xml_in_a_form() -> None:
    given = pairs(sent("valuefirst", messages(A, B)))
    assert given["action"] == "send"
    assert given["data"].count("<SMS ") == 2
    assert 'TEXT="Hi &amp; &lt;you&gt;" PROPERTY="0" ID="2"><ADDRESS FROM="ACME" TO="919800000002"' in given["data"]


def test_sinch_one_text_and_a_map_of_values_by_mark_and_number() -> None:
    text = {"body": "Hello ${name}"}
    given = [
        *messages(A, template_variables={"name": "Asha", "code": 1}, **text),
        *messages(B, template_variables={"name": "Ravi"}, **text),
        *messages(C, **text),
    ]
    assert json.loads(sent("sinch", given).body or b"") == {
        "from": "ACME",
        "to": [A, B, C],
        "body": "Hello ${name}",
        "parameters": {"name": {A: "Asha", B: "Ravi"}, "code": {A: 1}},
        "client_reference": BATCH,
    }


def test_orange_the_number_stands_in_prefixed_text_and_the_secret_in_a_header() -> None:
    request = sent("orange", messages(A))
    assert json.loads(request.body or b"")["outboundSMSMessageRequest"]["address"] == f"tel:{A}"
    auth = definition("orange").operations[0].auth
    assert isinstance(auth, OAuth2)
    assert auth.send == "basic"


def test_jasmin_globals_stand_outside_the_records_and_one_message_goes_its_own_way() -> None:
    batch = json.loads(sent("jasmin", messages(A, B), "batch").body or b"")
    assert batch["globals"]["from"] == "ACME"
    assert batch["messages"] == [{"to": [A[1:]], "content": "Hi & <you>"}, {"to": [B[1:]], "content": "Hi & <you>"}]
    assert renderer("jasmin", "batch").min_records == 2
    single = json.loads(sent("jasmin", messages(A, body="नमस्ते"), "single").body or b"")
    assert single == {"to": A[1:], "from": "ACME", "content": "नमस्ते", "coding": 8}


# ---- replies --------------------------------------------------------------------------------------------------------


def clicksend(*said: tuple[str, str]) -> dict[str, Any]:
    entries = [{"custom_string": ref, "message_id": f"id-{ref}", "status": status} for ref, status in said]
    return {"http_code": 200, "response_code": "SUCCESS", "data": {"messages": entries}}


def talking(*said: tuple[str, int]) -> dict[str, Any]:
    entries = [{"number": to, "statusCode": code, "status": "words", "messageId": f"AT{to[-1]}"} for to, code in said]
    return {"SMSMessageData": {"Message": "Sent to 1/2", "Recipients": entries}}


def vonage(*said: tuple[str, str]) -> dict[str, Any]:
    entries = [
        {"to": A[1:], "message-id": f"V{i}", "status": status, "error-text": text}
        for i, (status, text) in enumerate(said)
    ]
    return {"message-count": str(len(said)), "messages": entries}


def acknowledged(*guids: str) -> str:
    return f'<?xml version="1.0" encoding="ISO-8859-1"?>\n<MESSAGEACK>{"".join(guids)}</MESSAGEACK>'


def guid(position: int, code: int | None = None) -> str:
    error = f'<ERROR SEQ="1" CODE="{code}"/>' if code else ""
    return f'<GUID GUID="kb{position}" SUBMITDATE="2026-01-01 12:59:03" ID="{position}">{error}</GUID>'


RECIPIENT = {"status": "created", "direction": "outgoing", "parts": 1}
ORANGE_ID = "0123abcd-0123-0123-0123-0123456789ab"

# provider.operation, status, body, phones → what it means for each, ids of each, id of the batch
ROWS: list[tuple[str, int, Any, tuple[str, ...], list[str], list[str | None], str | None]] = [
    ("kannel", 202, "0: Accepted for delivery", (A, B), ["accept"] * 2, [None] * 2, None),
    ("kannel", 202, "3: Queued for later delivery", (A,), ["accept"], [None], None),
    ("kannel", 503, "Temporal failure, try again later.", (A, B), ["retry"] * 2, [None] * 2, None),
    ("kannel", 403, "Authorization failed for sendsms", (A, B), ["pause"] * 2, [None] * 2, None),
    ("kannel", 400, "4: Not routable. Do not try again.", (A, B), ["reject"] * 2, [None] * 2, None),
    ("kannel", 202, "Sent.", (A,), ["unknown"], [None], None),
    ("africastalking", 201, talking((B, 403), (A, 101)), (A, B), ["accept", "reject"], ["AT1", "AT2"], None),
    ("africastalking", 201, talking((A, 405), (B, 500)), (A, B), ["pause", "retry"], ["AT1", "AT2"], None),
    ("africastalking", 201, talking((A, 101)), (A, B), ["accept", "unknown"], ["AT1", None], None),
    (
        "africastalking",
        201,
        {"SMSMessageData": {"Message": "InsufficientBalance", "Recipients": []}},
        (A, B),
        ["pause"] * 2,
        [None] * 2,
        None,
    ),
    ("africastalking", 401, "The supplied authentication is invalid", (A,), ["pause"], [None], None),
    (
        "clicksend",
        200,
        clicksend(("m-2", "INVALID_RECIPIENT"), ("m-1", "SUCCESS"), ("m-3", "NEW")),
        (A, B, C),
        ["accept", "reject", "unknown"],
        ["id-m-1", "id-m-2", None],
        None,
    ),
    (
        "clicksend",
        200,
        clicksend(("m-1", "THROTTLED"), ("m-2", "INSUFFICIENT_CREDIT")),
        (A, B),
        ["throttle", "pause"],
        ["id-m-1", "id-m-2"],
        None,
    ),
    ("clicksend", 401, {"http_code": 401, "response_code": "UNAUTHORIZED"}, (A, B), ["pause"] * 2, [None] * 2, None),
    ("clicksend", 400, {"http_code": 400, "response_code": "BAD_REQUEST"}, (A, B), ["split"] * 2, [None] * 2, None),
    ("valuefirst", 200, acknowledged(guid(2, 28682), guid(1)), (A, B), ["accept", "reject"], ["kb1", "kb2"], None),
    ("valuefirst", 200, acknowledged(guid(1)), (A,), ["accept"], ["kb1"], None),
    ("valuefirst", 200, acknowledged(guid(1, 28999), guid(7)), (A, B), ["unknown", "unknown"], ["kb1", None], None),
    (
        "valuefirst",
        200,
        acknowledged('<Err Code="52992" Desc="Username / Password incorrect"/>'),
        (A, B),
        ["pause"] * 2,
        [None] * 2,
        None,
    ),
    (
        "valuefirst",
        200,
        acknowledged('<Err Code="65535" Desc="does not conform"/>'),
        (A, B),
        ["reject"] * 2,
        [None] * 2,
        None,
    ),
    ("sinch", 201, {"id": "01FC", "to": [A[1:], B[1:]]}, (A, B), ["accept"] * 2, [None] * 2, "01FC"),
    (
        "sinch",
        400,
        {"code": "syntax_invalid_parameter_format", "text": "words"},
        (A, B),
        ["split"] * 2,
        [None] * 2,
        None,
    ),
    ("sinch", 403, {"code": "forbidden", "text": "words"}, (A, B), ["pause"] * 2, [None] * 2, None),
    (
        "gupshup",
        200,
        "success | 919800000002 | 35-2\nsuccess | 919800000001 | 35-1",
        (A, B),
        ["accept"] * 2,
        ["35-1", "35-2"],
        None,
    ),
    (
        "gupshup",
        200,
        "success | 919800000002 | 35-2\nerror | 105 | 919800000001 | not a valid phone",
        (A, B),
        ["reject", "accept"],
        [None, "35-2"],
        None,
    ),
    (
        "gupshup",
        200,
        "error | 102 | Authentication failed due to invalid userId",
        (A, B),
        ["pause"] * 2,
        [None] * 2,
        None,
    ),
    ("gupshup", 200, "error | 107 | The specified version is invalid", (A, B), ["split"] * 2, [None] * 2, None),
    ("gupshup", 200, "success | 919800000002 | 35-2\nsucc", (A, B), ["unknown", "accept"], [None, "35-2"], None),
    ("vonage", 200, vonage(("0", ""), ("0", "")), (A,), ["accept"], ["V0"], None),
    ("vonage", 200, vonage(("1", "Throughput Rate Exceeded")), (A,), ["throttle"], [None], None),
    ("vonage", 200, vonage(("9", "Partner quota exceeded")), (A,), ["pause"], [None], None),
    ("vonage", 200, vonage(("0", ""), ("6", "Unroutable")), (A,), ["reject"], [None], None),
    (
        "vonage",
        200,
        {"message-count": "1", "messages": [{"status": "2", "error-text": "Missing to param"}]},
        (A,),
        ["reject"],
        [None],
        None,
    ),
    ("elks46", 200, {**RECIPIENT, "to": A, "id": "s1"}, (A,), ["accept"], ["s1"], None),
    (
        "elks46",
        200,
        [{**RECIPIENT, "to": B, "id": "s2"}, {**RECIPIENT, "to": A, "status": "failed", "id": "s1"}],
        (A, B),
        ["reject", "accept"],
        ["s1", "s2"],
        None,
    ),
    ("elks46", 403, "Not enough credits", (A,), ["pause"], [None], None),
    ("elks46", 400, "Missing key from", (A, B), ["split"] * 2, [None] * 2, None),
    (
        "orange",
        201,
        {"outboundSMSMessageRequest": {"resourceURL": f"https://api.orange.com/x/requests/{ORANGE_ID}"}},
        (A,),
        ["accept"],
        [ORANGE_ID],
        None,
    ),
    (
        "orange",
        403,
        {"requestError": {"policyException": {"messageId": "POL1009", "text": "User not provisioned"}}},
        (A,),
        ["pause"],
        [None],
        None,
    ),
    (
        "orange",
        400,
        {"requestError": {"serviceException": {"messageId": "SVC0004", "text": "No valid addresses"}}},
        (A,),
        ["reject"],
        [None],
        None,
    ),
    (
        "telnyx",
        200,
        {"data": {"id": "4031", "to": [{"phone_number": A, "status": "queued"}]}},
        (A,),
        ["accept"],
        ["4031"],
        None,
    ),
    (
        "telnyx",
        422,
        {"errors": [{"code": "40310", "title": "Invalid", "detail": "words"}]},
        (A,),
        ["reject"],
        [None],
        None,
    ),
    ("telnyx", 403, {"errors": [{"code": "20100", "detail": "credit"}]}, (A,), ["pause"], [None], None),
    ("telnyx", 429, {"errors": [{"code": "10011", "detail": "slow"}]}, (A,), ["throttle"], [None], None),
    (
        "jasmin.batch",
        200,
        {"data": {"batchId": "af26", "messageCount": 2, "errorCount": 0}},
        (A, B),
        ["accept"] * 2,
        [None] * 2,
        "af26",
    ),
    (
        "jasmin.batch",
        200,
        {"data": {"batchId": "af26", "messageCount": 1, "errorCount": 1}},
        (A, B),
        ["split"] * 2,
        [None] * 2,
        None,
    ),
    ("jasmin.single", 200, {"data": 'Success "c723d42a"'}, (A,), ["accept"], ["c723d42a"], None),
    ("jasmin.single", 400, {"message": 'Error "No route found"'}, (A,), ["reject"], [None], None),
]


@pytest.mark.parametrize(
    ("name", "status", "body", "phones", "thens", "ids", "batch_id"),
    ROWS,
    ids=[f"{row[0]}-{index}" for index, row in enumerate(ROWS)],
)
def test_a_reply_means(
    name: str,
    status: int,
    body: Any,
    phones: tuple[str, ...],
    thens: list[str],
    ids: list[str | None],
    batch_id: str | None,
) -> None:
    provider, _, operation = name.partition(".")
    by = next(each for each in definition(provider).operations if each.name == (operation or "send"))
    reader = compile_response(by)
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    reading = reader.read(Reply(status, {}, raw), messages(*phones), Batch(BATCH, NOW), NOW)
    assert [outcome.then for outcome in reading.outcomes] == thens
    assert [outcome.provider_message_id for outcome in reading.outcomes] == ids
    assert {outcome.provider_batch_id for outcome in reading.outcomes} == {batch_id}


def test_every_one_has_replies() -> None:
    assert {row[0].split(".")[0] for row in ROWS} == set(NAMES)
