"""The definitions written for real providers, against the replies those providers give."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.model import Batch, Message, Reply
from connector.response.reply_reader import ReplyReader, ReplyReading, compile_response

from .build import NOW

FIXTURES = Path(__file__).parent.parent / "definition" / "fixtures"

A, B, C = "+919800000001", "+919800000002", "+919800000003"


@cache
def readers(name: str) -> dict[str, ReplyReader]:
    definition = load(FIXTURES / f"{name}.yaml", environment=Environment.placeholders())
    return {operation.name: compile_response(operation) for operation in definition.operations}


def read(name: str, status: int, body: Any, phones: tuple[str, ...], **headers: str) -> ReplyReading:
    provider, _, operation = name.partition(".")
    given = [Message(message_id=f"m-{phone[-1]}", to=phone, body="hi") for phone in phones]
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    to = Reply(status, {key.replace("_", "-"): value for key, value in headers.items()}, raw)
    return readers(provider)[operation or "send"].read(to, given, Batch("0" * 32, NOW), NOW)


def bulksms(ref: str, kind: str, number: int) -> dict[str, Any]:
    """One message as BulkSMS answers it; ids are ours only where they were written into the request."""
    status = {"id": f"{kind}.null", "type": kind, "subtype": "BLOCKED" if kind == "FAILED" else None}
    return {"id": f"b{number}", "type": "SENT", "to": "27..", "status": status, "userSuppliedId": ref}


def pinpoint(**statuses: str) -> dict[str, Any]:
    phones = {"a": A, "b": B, "c": C}
    return {
        "ApplicationId": "app",
        "RequestId": "r",
        "Result": {
            phones[name]: {
                "DeliveryStatus": status,
                "StatusCode": 200 if status == "SUCCESSFUL" else 400,
                "StatusMessage": f"words of {name}",
                "MessageId": f"id-{name}",
            }
            for name, status in statuses.items()
        },
    }


def exotel(to: str, status: str = "queued", sid: str | None = "6dbf") -> dict[str, Any]:
    said = {
        "Sid": sid,
        "To": to,
        "Status": status,
        "DetailedStatusCode": 21010,
        "DetailedStatus": "PENDING_TO_OPERATOR",
    }
    return {"SMSMessage": said}


def rest_exception(status: int, code: int) -> dict[str, Any]:
    return {"RestException": {"Status": status, "Message": "words", "Code": code}}


def textlocal(*sent: str, failed: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "balance_pre_send": 12346,
        "messages": [
            {"balance": 1, "batch_id": 5, "messages": [{"id": f"t{phone[-1]}", "recipient": int(phone)}]}
            for phone in sent
        ],
        "messages_not_sent": [
            {
                "unique_id": "u",
                "number": phone[1:],
                "message": "hi",
                "error": {"code": 51, "message": "No valid numbers"},
            }
            for phone in failed
        ],
        "status": "success",
    }


def textlocal_error(code: int) -> dict[str, Any]:
    return {"errors": [{"code": code, "message": "words"}], "warnings": [{"code": 3}], "status": "failure"}


def smsindiahub(code: str, *phones: str, **more: Any) -> dict[str, Any]:
    data = [{"Number": phone[1:], "MessageId": f"mv{phone[-1]}"} for phone in phones] or None
    return {"ErrorCode": code, "ErrorMessage": "words", "JobId": "20047" if data else None, "MessageData": data, **more}


# provider[.operation], status, body, phones, then per message, ids per message, id of the batch
Row = tuple[str, int, Any, tuple[str, ...], list[str], list[str | None], str | None]

ENTRIES: list[Row] = [
    # BulkSMS: by our own id, in any order; a type that is not documented is unknown
    (
        "bulksms",
        201,
        [bulksms("m-2", "FAILED", 2), bulksms("m-1", "ACCEPTED", 1), bulksms("m-3", "UNKNOWN", 3)],
        (A, B, C),
        ["accept", "reject", "unknown"],
        ["b1", "b2", None],
        None,
    ),
    ("bulksms", 201, [bulksms("m-1", "SENT", 1)], (A,), ["accept"], ["b1"], None),
    ("bulksms", 201, [bulksms("m-1", "SENT", 1), bulksms("m-1", "SENT", 9)], (A,), ["accept"], ["b1"], None),
    ("bulksms", 201, [{**bulksms("", "SENT", 1), "userSuppliedId": None}], (A,), ["unknown"], [None], None),
    ("bulksms", 201, [], (A, B), ["unknown"] * 2, [None] * 2, None),
    # Exotel, bulk: `To` comes back as 0 and the national number
    (
        "exotel.bulk",
        200,
        [exotel("09800000002", sid="s2"), exotel("09800000001", sid="s1")],
        (A, B),
        ["accept", "accept"],
        ["s1", "s2"],
        None,
    ),
    (
        "exotel.bulk",
        200,
        [exotel("09800000001", "failed"), rest_exception(400, 34001), exotel("09800000003")],
        (A, B, C),
        ["reject", "reject", "accept"],
        [None, None, "6dbf"],
        None,
    ),
    (
        "exotel.bulk",
        200,
        [rest_exception(400, 34001), exotel("09800000003")],
        (A, B, C),
        ["unknown", "unknown", "accept"],
        [None, None, "6dbf"],
        None,
    ),
    ("exotel.bulk", 200, [exotel("09800000001", sid=None)], (A, B), ["unknown"] * 2, [None] * 2, None),
    ("exotel.bulk", 200, {"SMSMessages": [{"Sid": "s", "To": "09800000001"}]}, (A,), ["unknown"], [None], None),
    # Plivo: invalid numbers by number, the others by count
    (
        "plivo",
        202,
        {
            "api_id": "j",
            "message": "message(s) queued",
            "message_uuid": ["u1", "u2"],
            "invalid_number": ["919800000002"],
        },
        (A, B, C),
        ["accept", "reject", "accept"],
        [None, None, None],
        "j",
    ),
    ("plivo", 202, {"api_id": "j", "message_uuid": ["u1"]}, (A,), ["accept"], [None], "j"),
    ("plivo", 202, {"api_id": "j", "message_uuid": ["u1", "u2"]}, (A, B, C), ["unknown"] * 3, [None] * 3, "j"),
    (
        "plivo",
        202,
        {"api_id": "j", "message_uuid": ["u1", "u2"], "invalid_number": ["jsgf3dsjh28372"]},
        (A, B, C),
        ["unknown"] * 3,
        [None] * 3,
        "j",
    ),
    # SMSINDIAHUB: by number; the legacy form nests its ids in parts
    ("smsindiahub", 200, smsindiahub("000", B, A), (A, B), ["accept"] * 2, ["mv1", "mv2"], "20047"),
    ("smsindiahub", 200, smsindiahub("0", A), (A, B), ["accept", "unknown"], ["mv1", None], "20047"),
    (
        "smsindiahub",
        200,
        smsindiahub("000", MessageData=[{"Number": A[1:], "MessageParts": [{"MsgId": "p1"}, {"MsgId": "p2"}]}]),
        (A,),
        ["accept"],
        ["p1"],
        None,
    ),
    # Textlocal: two lists; recipients are JSON numbers
    ("textlocal", 200, textlocal(B, A), (A, B), ["accept"] * 2, ["t1", "t2"], None),
    ("textlocal", 200, textlocal(A, failed=(B,)), (A, B, C), ["accept", "reject", "unknown"], ["t1", None, None], None),
    ("textlocal", 200, textlocal(A, failed=(A,)), (A,), ["unknown"], [None], None),
    # Pinpoint: a map by phone number
    (
        "aws-pinpoint",
        200,
        pinpoint(c="PERMANENT_FAILURE", a="SUCCESSFUL", b="THROTTLED"),
        (A, B, C),
        ["accept", "throttle", "reject"],
        ["id-a", "id-b", "id-c"],
        None,
    ),
    (
        "aws-pinpoint",
        200,
        pinpoint(a="TEMPORARY_FAILURE", b="UNKNOWN_FAILURE", c="OPT_OUT"),
        (A, B, C),
        ["retry", "unknown", "reject"],
        ["id-a", None, "id-c"],
        None,
    ),
    ("aws-pinpoint", 200, pinpoint(a="DUPLICATE"), (A, B), ["accept", "unknown"], ["id-a", None], None),
]


@pytest.mark.parametrize(("name", "status", "body", "phones", "thens", "ids", "batch_id"), ENTRIES)
def test_replies_that_speak_of_each_message(
    name: str,
    status: int,
    body: Any,
    phones: tuple[str, ...],
    thens: list[str],
    ids: list[str | None],
    batch_id: str | None,
) -> None:
    reading = read(name, status, body, phones)
    assert reading.whole is None
    assert [outcome.then for outcome in reading.outcomes] == thens
    assert [outcome.provider_message_id for outcome in reading.outcomes] == ids
    assert [outcome.provider_batch_id for outcome in reading.outcomes] == [batch_id] * len(phones)


NINE_IN_INDIA = 1_700_019_000.0  # the next one after NOW

MSG91_401 = {"status": "fail", "hasError": True, "errors": "Unauthorized", "code": "401", "apiError": "418"}


@pytest.mark.parametrize(
    ("name", "status", "body", "then", "code"),
    [
        ("bulksms", 403, {"type": "https://x/errors#insufficient-credits", "status": 403}, "pause", "https://x/errors#insufficient-credits"),
        ("bulksms", 403, {"type": "https://x/errors#forbidden"}, "pause", None),
        ("bulksms", 400, {"type": "https://x/errors#invalid", "detail": "words"}, "split", "https://x/errors#invalid"),
        ("bulksms", 401, "", "pause", None),
        ("bulksms", 200, [bulksms("m-1", "SENT", 1)], "unknown", None),
        ("bulksms", 503, "<html>Service Unavailable</html>", "uncertain", None),
        ("exotel.single", 200, exotel("09800000001"), "accept", None),
        ("exotel.single", 200, exotel("09800000001", "failed"), "reject", "21010"),
        ("exotel.single", 403, rest_exception(403, 340030), "pause", "340030"),
        ("exotel.single", 503, rest_exception(503, 35008), "retry", "35008"),
        ("exotel.bulk", 503, rest_exception(503, 35008), "retry", "35008"),
        ("exotel.bulk", 402, rest_exception(402, 1), "pause", "1"),
        ("exotel.bulk", 400, "<TwilioResponse><RestException/></TwilioResponse>", "split", None),
        ("msg91", 200, {"message": "5762846b4f8d285d378b4567", "type": "success"}, "accept", None),
        ("msg91", 200, {"type": "error", "message": "Missing Authentication Key", "code": "106"}, "pause", "106"),
        ("msg91", 200, {"type": "error", "message": "route", "code": "306"}, "defer", "306"),
        ("msg91", 200, {"type": "error", "message": "again", "code": "311"}, "unknown", "311"),
        ("msg91", 200, {"type": "error", "message": "mobile", "code": "202"}, "split", "202"),
        ("msg91", 400, {"type": "error", "message": "template"}, "reject", None),
        ("msg91", 401, MSG91_401, "pause", "418"),
        ("msg91", 502, "<html>", "uncertain", None),
        ("nimbus", 200, {"STATUS": "OK", "RESPONSE": {"CODE": "100", "INFO": "sent", "UID": "u7"}}, "accept", None),
        ("nimbus", 200, {"STATUS": "ERROR", "RESPONSE": {"CODE": "104", "INFO": "words"}}, "reject", "104"),
        ("nimbus", 200, "12345\n", "accept", None),
        ("nimbus", 200, "Invalid user", "unknown", None),
        ("nimbus", 200, "", "unknown", None),
        ("plivo", 400, {"api_id": "a", "error": "no valid number"}, "split", None),
        ("plivo", 401, {"api_id": "a", "error": "auth"}, "pause", None),
        ("plivo", 429, {"error": "slow"}, "throttle", None),
        ("smsindiahub", 200, smsindiahub("13"), "split", "13"),
        ("smsindiahub", 200, smsindiahub("013"), "split", "013"),
        ("smsindiahub", 200, smsindiahub("006"), "retry", "006"),
        ("smsindiahub", 200, smsindiahub("021"), "pause", "021"),
        ("smsindiahub", 200, smsindiahub("024"), "reject", "024"),
        ("smsindiahub", 200, "Failed#Invalid template", "reject", None),
        ("smsindiahub", 301, "", "pause", None),
        ("textlocal", 200, textlocal_error(192), "defer", "192"),
        ("textlocal", 200, textlocal_error(7), "pause", "7"),
        ("textlocal", 200, textlocal_error(51), "split", "51"),
        ("textlocal", 200, textlocal_error(43), "reject", "43"),
        ("textlocal", 200, "<html>", "unknown", None),
        ("aws-pinpoint", 400, {"Message": "words", "RequestID": "r"}, "split", None),
        ("aws-pinpoint", 403, {"Message": "words"}, "pause", None),
        ("aws-pinpoint", 413, {"Message": "words"}, "split", None),
        ("aws-pinpoint", 429, {"Message": "words"}, "throttle", None),
        ("aws-pinpoint", 500, {"Message": "words"}, "uncertain", None),
        ("seed-batched", 200, "anything", "accept", None),
        ("seed-single", 201, "", "accept", None),
    ],
)  # fmt: skip
def test_replies_that_speak_of_the_whole_request(
    name: str, status: int, body: Any, then: str, code: str | None
) -> None:
    single = name in ("exotel.single", "seed-single")
    reading = read(name, status, body, (A,) if single else (A, B))
    assert reading.whole is not None
    assert all(outcome is reading.whole for outcome in reading.outcomes)
    assert (reading.whole.then, reading.whole.code) == (then, code)
    assert reading.whole.until == (NINE_IN_INDIA if then == "defer" else None)


@pytest.mark.parametrize(
    ("name", "body", "message_id", "batch_id"),
    [
        ("msg91", {"message": "5762846b", "type": "success"}, None, "5762846b"),
        ("nimbus", {"STATUS": "OK", "RESPONSE": {"UID": "u7"}}, None, "u7"),
        ("nimbus", " 12345 ", None, "12345"),
        ("exotel.single", exotel("09800000001"), "6dbf", None),
    ],
)
def test_one_id_for_a_whole_request(name: str, body: Any, message_id: str | None, batch_id: str | None) -> None:
    outcome = read(name, 200, body, (A,)).outcomes[0]
    assert (outcome.provider_message_id, outcome.provider_batch_id) == (message_id, batch_id)


def test_no_definition_asks_what_a_good_reply_cannot_answer() -> None:
    """An expression that fails on a provider's own replies hides the day it fails for another reason."""
    for name, status, body, phones, *_ in ENTRIES:
        provider, _, operation = name.partition(".")
        reader = readers(provider)[operation or "send"]
        reader.faults.clear()
        read(name, status, body, phones)
        assert not reader.faults, name
