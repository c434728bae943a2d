"""Tencent Cloud SMS, SendSms 2021-01-11 (sms.tencentcloudapi.com). Sources: its API reference, error codes, TC3."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.china_callbacks import TencentCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage

AUTHORIZATION = re.compile(
    r"TC3-HMAC-SHA256 Credential=(?P<id>[^/]+)/(?P<day>\d{4}-\d\d-\d\d)/(?P<service>\w+)/tc3_request, "
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)
SKEW_SECONDS = 300
MAX_NUMBERS = 200
PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
REFUSED = {
    Magic.INVALID: ("InvalidParameterValue.IncorrectPhoneNumber", "incorrect phone number"),
    Magic.BLOCKED: ("FailedOperation.PhoneNumberInBlacklist", "phone number is in the blacklist"),
    Magic.THROTTLED: (
        "LimitExceeded.PhoneNumberThirtySecondLimit",
        "the number of sms messages sent from a single mobile number within 30 seconds exceeds the upper limit",
    ),
    Magic.TEMPORARY: ("InternalError.Timeout", "request timeout"),
    Magic.PERMANENT: (
        "LimitExceeded.PhoneNumberSameContentDailyLimit",
        "the number of the same sms messages sent from a single mobile number exceeds the upper limit",
    ),
}
REFUSED_TOGETHER = {
    Magic.CREDIT: ("FailedOperation.InsufficientBalanceInSmsPackage", "insufficient balance in SMS package"),
    Magic.HOURS: ("FailedOperation.MarketingSendTimeConstraint", "marketing messages are sent from 8:00 to 22:00"),
}


class Tencent(Fake):
    """POST / with `X-TC-Action: SendSms`, TC3-HMAC-SHA256; a template, its parameters in order, up to 200 numbers.

    Always 200. What is wrong with the request stands in `Response.Error`; what became of a number in
    `Response.SendStatusSet`, whose `Code` is `Ok` where it was taken.
    """

    name = "tencent"
    about = "Tencent Cloud SMS SendSms, TC3 signature"
    paths = ("/",)
    options = AccountKnobs
    reports = TencentCallbacks

    @route("POST", "/")
    def send(self, call: Call) -> Answer:
        self._verify(call)
        if call.headers.get("X-TC-Action") != "SendSms":
            raise self._error("InvalidAction", "The request is not a valid action.")
        if call.headers.get("X-TC-Version") != "2021-01-11":
            raise self._error("NoSuchVersion", "The version is not supported.")
        if not call.headers.get("X-TC-Region"):
            raise self._error("MissingParameter", "The request is missing a required parameter `Region`.")
        try:
            fields = call.json()
        except ValueError as error:
            raise self._error("FailedOperation.JsonParseFail", "parsing of the body failed") from error
        numbers = self._check(fields)
        outcomes = {magic(number) for number in numbers}
        together = next((REFUSED_TOGETHER[each] for each in REFUSED_TOGETHER if each in outcomes), None)
        answer, results = Answer(200, None, []), []
        for number in numbers:
            record: LogEntry = {"to": number, "text": fields.get("TemplateParamSet")}
            outcome = magic(number)
            refused = together or (REFUSED.get(outcome) if outcome else None)
            if refused is None:
                record["id"] = f"5000:{self.number()}"
                answer.taken.append(record)
            else:
                answer.refused.append({**record, "code": refused[0]})
            if outcome is not Magic.SILENT:
                results.append(self._status(record, *(refused or ("Ok", "send success"))))
        answer.results = results
        answer.document = lambda results: {"Response": {"SendStatusSet": results, "RequestId": self.uuid()}}
        names = ("SmsSdkAppId", "SignName", "TemplateId", "SenderId")
        answer.values = {name: fields[name] for name in names if name in fields}
        answer.sent = [
            SentMessage(each["to"], each["id"], self.now(), sender=fields.get("SignName", "")) for each in answer.taken
        ]
        return answer

    def _status(self, record: LogEntry, code: str, text: str) -> dict[str, Any]:
        taken = "id" in record
        return {
            "SerialNo": record.get("id", ""),
            "PhoneNumber": record["to"],
            "Fee": int(taken),
            "SessionContext": "",
            "Code": code,
            "Message": text,
            "IsoCode": "IN" if taken else "",
        }

    def _check(self, fields: Any) -> list[str]:
        """The numbers of a request that is as the reference asks for."""
        if not isinstance(fields, dict):
            raise self._error("InvalidParameter", "The body is no object.")
        for name in ("SmsSdkAppId", "TemplateId", "PhoneNumberSet"):
            if not fields.get(name):
                raise self._error("MissingParameter", f"The request is missing a required parameter `{name}`.")
        for name in ("SmsSdkAppId", "TemplateId", "SignName", "SenderId", "SessionContext"):
            if not isinstance(fields.get(name, ""), str):
                raise self._error("InvalidParameter", f"The parameter `{name}` should be of type `string`.")
        for name in ("PhoneNumberSet", "TemplateParamSet"):
            values = fields.get(name, [])
            if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
                raise self._error("InvalidParameter", f"The parameter `{name}` should be a list of strings.")
        numbers: list[str] = fields["PhoneNumberSet"]
        if len(numbers) > MAX_NUMBERS:
            raise self._error("LimitExceeded.PhoneNumberCountLimit", "more than 200 phone numbers")
        if not all(map(PHONE.fullmatch, numbers)):
            raise self._error("InvalidParameterValue.IncorrectPhoneNumber", "incorrect phone number")
        if len({number.startswith("+86") for number in numbers}) > 1:
            code = "UnsupportedOperation.ContainDomesticAndInternationalPhoneNumber"
            raise self._error(code, "both domestic and international phone numbers")
        return numbers

    def _verify(self, call: Call) -> None:
        """Raises RefusedCall unless the request is signed with TC3, by this account, not long ago."""
        found = AUTHORIZATION.fullmatch(call.headers.get("Authorization", ""))
        if found is None:
            raise self._error("AuthFailure.InvalidAuthorization", "The Authorization header is not valid.")
        if found["id"] != self.knobs.account:
            raise self._error("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
        stamp = call.headers.get("X-TC-Timestamp", "")
        if not stamp.isdecimal() or abs(int(stamp) - self.now()) > SKEW_SECONDS:
            raise self._error("AuthFailure.SignatureExpire", "The provided credentials have expired.")
        signed = found["signed"].split(";")
        day = datetime.fromtimestamp(int(stamp), UTC).strftime("%Y-%m-%d")
        fine = {"content-type", "host"} <= set(signed) and (found["service"], found["day"]) == ("sms", day)
        if not fine or not hmac.compare_digest(self._signature(call, signed, stamp, day), found["signature"]):
            text = "The provided credentials could not be validated. Please check your signature is correct."
            raise self._error("AuthFailure.SignatureFailure", text)

    def _signature(self, call: Call, signed: list[str], stamp: str, day: str) -> str:
        """Values of signed headers are in lower case; path and query of a POST are fixed."""
        lines = "".join([f"{name}:{call.headers.get(name, '').strip().lower()}\n" for name in signed])
        payload = hashlib.sha256(call.body).hexdigest()
        canonical = f"POST\n/\n\n{lines}\n{';'.join(signed)}\n{payload}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"TC3-HMAC-SHA256\n{stamp}\n{day}/sms/tc3_request\n{digest}"
        key = f"TC3{self.knobs.secret}".encode()
        for step in (day, "sms", "tc3_request"):
            key = hmac.digest(key, step.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()

    def _error(self, code: str, text: str) -> RefusedCall:
        document = {"Response": {"Error": {"Code": code, "Message": text}, "RequestId": self.uuid()}}
        return RefusedCall(Answer(200, document))
