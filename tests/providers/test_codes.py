"""Every documented or observed code of every provider: what it means, and that result and reason carry its words.

Bodies are written from the providers' documents and captured replies. All of them are decided by a rule of the
definition: a built-in rule would lose the provider's code and words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from connector.model import Batch, Outcome, Reply
from connector.response.reply_reader import compile_response

from .shipped import message, shipped

Row = tuple[str, int, Any, str, str | None, str | None]
"""Provider and operation, HTTP status, body, then, code, reason."""

PROBLEM = "https://developer.bulksms.com/json/v1/errors#"


def bulksms() -> Iterator[Row]:
    for status, kind, then in (
        (400, "bad-request", "split"),
        (401, "authentication-failed", "pause"),
        (403, "insufficient-credits", "pause"),
        (403, "forbidden", "pause"),
        (429, "too-many-requests", "throttle"),
    ):
        body = {"type": PROBLEM + kind, "title": "Title", "status": status, "detail": "words"}
        yield "bulksms.send", status, body, then, PROBLEM + kind, "words"


def exotel() -> Iterator[Row]:
    for status, code, then in (
        (400, 34001, "split"),
        (401, 34010, "pause"),
        (402, 34002, "pause"),
        (403, 340030, "pause"),  # not yet KYC compliant
        (404, 34004, "pause"),
        (429, 34029, "throttle"),
        (503, 35008, "retry"),
    ):
        body = {"RestException": {"Status": status, "Message": "words", "Code": code}}
        yield "exotel.bulk", status, body, then, str(code), "words"
        single = "reject" if then == "split" else then
        yield "exotel.single", status, body, single, str(code), "words"
    # In a bulk reply, in place of a message.
    for status, then in (
        (400, "reject"),
        (401, "pause"),
        (402, "pause"),
        (403, "reject"),
        (429, "throttle"),
        (503, "retry"),
    ):
        element = {"RestException": {"Status": str(status), "Message": "words", "Code": 1}}
        yield "exotel.bulk", 200, [element, element], then, "1", "words"
    failed = {"Sid": "s", "Status": "failed", "DetailedStatusCode": 23005, "DetailedStatus": "FAILED_DND"}
    yield "exotel.single", 200, {"SMSMessage": failed}, "reject", "23005", "FAILED_DND"


def msg91() -> Iterator[Row]:
    meanings = {
        "pause": (105, 106, 207, 208, 301, 302, 303),
        "split": (101, 202),
        "defer": (306,),
        "unknown": (311,),
        "reject": (102, 103, 107, 203, 307, 308, 309, 310, 400),
    }
    for then, codes in meanings.items():
        for code in codes:
            for status, written in ((200, str(code)), (400, code)):
                body = {"type": "error", "message": "words", "code": written}
                yield "msg91.send", status, body, then, str(code), "words"
    for api_error in ("201", "418"):  # no key; address not allowed
        body = {"status": "fail", "hasError": True, "errors": "Unauthorized", "code": "401", "apiError": api_error}
        yield "msg91.send", 401, body, "pause", api_error, "Unauthorized"


def nimbus() -> Iterator[Row]:
    for text, then in (
        ("INVALID USER OR AUTHKEY", "pause"),
        ("INSUFFICIENT CREDIT", "pause"),
        ("LOW BALANCE", "pause"),
        ("INVALID MOBILE", "reject"),
        ("TEMPLATE MISMATCH", "reject"),
    ):
        body = {"STATUS": "ERROR", "RESPONSE": {"CODE": "105", "INFO": text}}
        yield "nimbus.send", 200, body, then, "105", text
    for text, then in (
        ("Invalid UserID And Password!", "pause"),
        ("Insufficient Credit!", "pause"),
        ("Invalid Mobile Number!", "reject"),
        ("SenderID is required!", "reject"),
    ):
        yield "nimbus-biz.send", 200, {"Response": {"Message": text}, "Status": "WARNING"}, then, None, text


def plivo() -> Iterator[Row]:
    for status, then in ((400, "split"), (401, "pause"), (402, "pause"), (404, "pause"), (429, "throttle")):
        yield "plivo.send", status, {"api_id": "a", "error": "words"}, then, None, "words"


def smsindiahub() -> Iterator[Row]:
    account, shared = {1, 2, 7, 8, 9, 10, 11, 16, 21}, {3, 5, 15, 17, 18, 19, 22}
    for code in range(1, 37):
        for written in (f"{code:03d}", str(code)):
            body = {"ErrorCode": written, "ErrorMessage": "words", "JobId": None, "MessageData": None}
            then = "pause" if code in account else "retry" if code == 6 else "reject" if code in shared else "split"
            yield "smsindiahub.send", 200, body, then, written, "words"
            then = "reject" if then == "split" and code != 13 else then  # text and sender are those of all
            yield "smsindiahub-legacy.send", 200, body, then, written, "words"
    for name in ("smsindiahub.send", "smsindiahub-legacy.send"):
        yield name, 200, "Failed#Invalid Login", "pause", None, "Invalid Login"
        yield name, 200, "Failed#mobile numbers not valid", "split", None, "mobile numbers not valid"


def textlocal() -> Iterator[Row]:
    meanings = {"pause": (3, 7), "split": (5, 6, 32, 51), "defer": (192,), "reject": (1, 2, 4, 43, 44)}
    for then, codes in meanings.items():
        for code in codes:
            body = {"errors": [{"code": code, "message": "words"}], "warnings": [{"code": 3}], "status": "failure"}
            yield "textlocal.send", 200, body, then, str(code), "words"


def aws() -> Iterator[Row]:
    for status, then in (
        (400, "split"),
        (401, "pause"),
        (403, "pause"),
        (404, "pause"),
        (413, "split"),
        (429, "throttle"),
    ):
        yield "aws-pinpoint.send", status, {"Message": "words", "RequestID": "r"}, then, None, "words"
    for delivery, then in (
        ("THROTTLED", "throttle"),
        ("TEMPORARY_FAILURE", "retry"),
        ("PERMANENT_FAILURE", "reject"),
        ("OPT_OUT", "reject"),
        ("UNKNOWN_FAILURE", "unknown"),
        ("TIMEOUT", "unknown"),
        ("DUPLICATE", "unknown"),
    ):
        entry = {"DeliveryStatus": delivery, "StatusCode": 500, "StatusMessage": "words"}
        body = {"ApplicationId": "demo", "RequestId": "r", "Result": {message(n).to: entry for n in range(2)}}
        yield "aws-pinpoint.send", 200, body, then, delivery, "words"
    for status, kind, then in (
        (400, "ThrottlingException", "throttle"),
        (400, "ServiceQuotaExceededException", "pause"),
        (400, "AccessDeniedException", "pause"),
        (400, "ExpiredTokenException", "pause"),
        (400, "UnrecognizedClientException", "pause"),
        (400, "InvalidSignatureException", "pause"),
        (400, "ValidationException", "reject"),
        (400, "ResourceNotFoundException", "reject"),
        (500, "InternalServerException", "uncertain"),
    ):
        body = {"__type": kind, "Message": "words"}
        yield "aws-eum.send", status, body, then, kind, "words"
    opted_out = {"__type": "ConflictException", "Message": "w", "Reason": "DESTINATION_PHONE_NUMBER_OPTED_OUT"}
    yield "aws-eum.send", 400, opted_out, "reject", "DESTINATION_PHONE_NUMBER_OPTED_OUT", "w"


def single() -> Iterator[Row]:
    for status, code, then in (
        (400, 21211, "reject"),
        (400, 21610, "reject"),
        (401, 20003, "pause"),
        (403, 20003, "pause"),
        (404, 20404, "pause"),
        (429, 20429, "throttle"),
        (500, 20500, "uncertain"),
    ):
        body = {"code": code, "message": "words", "more_info": "url", "status": status}
        yield "twilio.send", status, body, then, str(code), "words"
    failed = {"sid": "SM1", "status": "failed", "error_code": 30007, "error_message": "words"}
    yield "twilio.send", 201, failed, "reject", "30007", "words"
    meanings = {"throttle": (1, 10), "retry": (5,), "pause": (4, 8, 9, 14), "reject": (2, 3, 6, 7, 11, 15, 22, 29)}
    for then, codes in meanings.items():
        for number in codes:
            body = {"message-count": "1", "messages": [{"status": str(number), "error-text": "words"}]}
            yield "vonage.send", 200, body, then, str(number), "words"
    parts = {"message-count": "2", "messages": [{"status": "0", "message-id": "a"}, {"status": "5"}]}
    yield "vonage.send", 200, parts, "unknown", "5", "only some parts were taken"


def infobip() -> Iterator[Row]:
    for status, kind, then in (
        (400, "BAD_REQUEST", "split"),
        (401, "UNAUTHORIZED", "pause"),
        (403, "FORBIDDEN", "pause"),
        (429, "TOO_MANY_REQUESTS", "throttle"),
        (500, "GENERAL_ERROR", "uncertain"),
    ):
        body = {"requestError": {"serviceException": {"messageId": kind, "text": "words"}}}
        yield "infobip.send", status, body, then, kind, "words"
    for group, name, then in (
        (2, "UNDELIVERABLE_REJECTED_OPERATOR", "reject"),
        (4, "EXPIRED_EXPIRED", "reject"),
        (5, "REJECTED_DESTINATION", "reject"),
        (5, "REJECTED_NOT_ENOUGH_CREDITS", "pause"),
    ):
        status_of = {"groupId": group, "groupName": "G", "id": 1, "name": name, "description": "words"}
        entries = [{"messageId": f"m{n}", "destination": "91", "status": status_of} for n in range(2)]
        yield "infobip.send", 200, {"bulkId": "b", "messages": entries}, then, name, "words"


def aliyun() -> Iterator[Row]:
    """Codes of SendSms and of its gateway, from the documentation."""
    for status, code, then in (
        (200, "OK", "accept"),
        (200, "isv.MOBILE_NUMBER_ILLEGAL", "reject"),
        (200, "isv.BUSINESS_LIMIT_CONTROL", "reject"),
        (200, "isv.SMS_SIGNATURE_ILLEGAL", "reject"),
        (200, "isv.SMS_TEMPLATE_ILLEGAL", "reject"),
        (200, "isv.TEMPLATE_MISSING_PARAMETERS", "reject"),
        (200, "isv.AMOUNT_NOT_ENOUGH", "pause"),
        (200, "isv.OUT_OF_SERVICE", "pause"),
        (200, "isv.DAY_LIMIT_CONTROL", "pause"),
        (200, "isp.RAM_PERMISSION_DENY", "pause"),
        (200, "isp.SYSTEM_ERROR", "uncertain"),
        (400, "Throttling.User", "throttle"),
        (503, "Throttling", "throttle"),
        (400, "SignatureDoesNotMatch", "pause"),
        (400, "SignatureNonceUsed", "unknown"),
        (400, "InvalidTimeStamp.Expired", "pause"),
        (404, "InvalidAccessKeyId.NotFound", "pause"),
        (403, "Forbidden.RAM", "pause"),
        (500, "InternalError", "uncertain"),
        (503, "ServiceUnavailable", "uncertain"),
        (400, "MissingSignName", "reject"),
    ):
        body = {"Code": code, "Message": "words", "RequestId": "r"}
        accepted = then == "accept"
        yield "aliyun.send", status, body, then, None if accepted else code, None if accepted else "words"


def kannel() -> Iterator[Row]:
    for status, words, then, code, told in (
        (202, "0: Accepted for delivery", "accept", None, False),
        (202, "3: Queued for later delivery", "accept", "3", False),
        (202, "Sent.", "accept", None, False),
        (202, "Sent. Message splits: 3", "accept", None, False),
        (503, "Temporal failure, try again later.", "throttle", None, True),
        (403, "Not routable. Do not try again.", "reject", None, True),
        (403, "Authorization failed for sendsms", "pause", None, True),
        (400, "Sender missing and no global set, rejected", "pause", None, True),
        (400, "Charset or body misformed, rejected", "reject", None, True),
        (400, "Number(s) has/have been denied by white- and/or black-lists.", "reject", None, True),
    ):
        yield "kannel.send", status, words, then, code, words if told else None


def tencent() -> Iterator[Row]:
    whole = {
        "throttle": ("RequestLimitExceeded", "RequestLimitExceeded.UinLimitExceeded"),
        "pause": (
            *("AuthFailure.SignatureFailure", "AuthFailure.SecretIdNotFound", "AuthFailure.SignatureExpire"),
            *("UnauthorizedOperation.RequestIpNotInWhitelist", "UnauthorizedOperation.SerivceSuspendDueToArrears"),
            *("UnauthorizedOperation.SmsSdkAppIdVerifyFail", "IpNotInWhitelist", "InvalidAction", "NoSuchVersion"),
            *("InvalidParameterValue.SdkAppIdNotExist", "FailedOperation.InsufficientBalanceInSmsPackage"),
            *("LimitExceeded.AppDailyLimit", "InternalError.RequestTimeException", "InternalError.SigVerificationFail"),
        ),
        "defer": ("FailedOperation.MarketingSendTimeConstraint",),
        "uncertain": ("InternalError", "InternalError.Timeout", "InternalError.SendAndRecvFail"),
        "reject": ("FailedOperation.TemplateIncorrectOrUnapproved", "FailedOperation.ContainSensitiveWord"),
        "split": (
            *("InvalidParameterValue.IncorrectPhoneNumber", "LimitExceeded.PhoneNumberCountLimit", "MissingParameter"),
            "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber",
        ),
    }
    for then, codes in whole.items():
        for code in codes:
            body = {"Response": {"Error": {"Code": code, "Message": "words"}, "RequestId": "r"}}
            yield "tencent.send", 200, body, then, code, "words"
    each = {
        "retry": ("LimitExceeded.PhoneNumberThirtySecondLimit",),
        "pause": ("FailedOperation.InsufficientBalanceInSmsPackage", "UnauthorizedOperation.SdkAppIdIsDisabled"),
        "defer": ("FailedOperation.MarketingSendTimeConstraint",),
        "uncertain": ("InternalError.Timeout", "InternalError.OtherError"),
        "reject": (
            *("InvalidParameterValue.IncorrectPhoneNumber", "FailedOperation.PhoneNumberInBlacklist"),
            *("LimitExceeded.PhoneNumberDailyLimit", "LimitExceeded.DeliveryFrequencyLimit"),
            *("InvalidParameterValue.TemplateParameterFormatError", "UnsupportedOperation.UnsuportedRegion"),
            "UnauthorizedOperation.IndividualUserMarketingSmsPermissionDeny",
        ),
    }
    for then, codes in each.items():
        for code in codes:
            entries = [
                {"SerialNo": "", "PhoneNumber": message(n).to, "Fee": 0, "Code": code, "Message": "words"}
                for n in range(2)
            ]
            yield "tencent.send", 200, {"Response": {"SendStatusSet": entries, "RequestId": "r"}}, then, code, "words"


def european() -> Iterator[Row]:
    for status, code, then in (
        (400, "QUERY_TIME_OUT", "pause"),
        (400, "INVALID_SIGNATURE", "pause"),
        (400, "INVALID_ARGUMENT", "split"),
        (401, "NOT_CREDENTIAL", "pause"),
        (403, "NOT_CREDENTIAL", "pause"),
        (403, "INVALID_KEY", "pause"),
        (403, "NOT_GRANTED_CALL", "pause"),
        (404, "NOT_FOUND", "pause"),
        (429, "TOO_MANY", "throttle"),
    ):
        yield "ovh.send", status, {"message": "words", "errorCode": code}, then, code, "words"
    for status, words, then in (
        (400, "Invalid value for parameter [sender]", "reject"),
        (400, "Not enough credits", "pause"),
        (401, "words", "pause"),
        (404, "words", "pause"),
        (429, "words", "throttle"),
    ):
        yield "skebby.send", status, {"result": "KO", "error_message": words}, then, None, words
        yield "skebby.send", status, {"result": words}, then, None, words


def jasmin() -> Iterator[Row]:
    for status, words, then in (
        (400, "Argument [to] has an invalid value: [x].", "reject"),
        (403, "Authentication failure for username:demo", "pause"),
        (403, "Authorization failed for username:demo", "pause"),
        (403, "Cannot charge submit_sm, check RouterPB log file for details", "pause"),
        (403, "User throughput exceeded", "throttle"),
        (412, "No route found", "reject"),
        (412, "Failover route has no bound connectors", "retry"),
        (500, "Cannot send submit_sm, check SMPPClientManagerPB log file for details", "uncertain"),
        (500, "Unknown error: 'NoneType' object", "uncertain"),
        (503, "InterceptorPB not connected !", "retry"),
    ):
        yield "jasmin.send", status, f'Error "{words}"', then, None, words


def speedsms() -> Iterator[Row]:
    meanings = {"pause": ("007", "008", "009", "300"), "retry": ("500",), "split": ("101", "105")}
    for then, codes in {**meanings, "reject": ("110", "113")}.items():
        for code in codes:
            yield "speedsms.send", 200, {"status": "error", "code": code, "message": "words"}, then, code, "words"
    for status, then in ((401, "pause"), (429, "throttle")):
        body = {"name": "Name", "message": "words", "code": 0, "status": status}
        yield "speedsms.send", status, body, then, None, "words"


ROWS = [
    row
    for rows in (
        *(bulksms, exotel, msg91, nimbus, plivo, smsindiahub, textlocal, aws, single, infobip, kannel, tencent, aliyun),
        *(european, jasmin, speedsms),
    )
    for row in rows()
]


def outcomes(provider: str, status: int, body: Any) -> list[Outcome]:
    """What a reply means for two messages, or for one where requests have one."""
    name, _, operation = provider.partition(".")
    (way,) = [each for each in shipped(name).operations if each.name == operation]
    messages = [message(n) for n in range(2 if way.batching else 1)]
    raw = body if isinstance(body, str) else json.dumps(body)
    return list(
        compile_response(way).read(Reply(status, {}, raw.encode()), messages, Batch("0" * 32, 0.0), 0.0).outcomes
    )


@pytest.mark.parametrize(("provider", "status", "body", "then", "code", "reason"), ROWS)
def test_a_code_means_what_the_provider_says(
    provider: str, status: int, body: Any, then: str, code: str | None, reason: str | None
) -> None:
    for outcome in outcomes(provider, status, body):
        assert (outcome.then, outcome.code, outcome.reason) == (then, code, reason)
        assert not outcome.rule.startswith("built-in")
