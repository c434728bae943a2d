"""Alibaba Cloud SMS, SendSms (2017-05-25). Source: its documentation of SendSms, of errors and of signature V1."""

from __future__ import annotations

import base64
import calendar
import hmac
import json
import re
import time
from urllib.parse import quote

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.china_callbacks import AliyunCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage

PHONE = re.compile(r"(\+|00)?[1-9][0-9]{5,18}")
TIME = "%Y-%m-%dT%H:%M:%SZ"
SKEW_SECONDS = 900.0
NONCES = 10_000
PUBLIC = (
    "Action",
    "Version",
    "AccessKeyId",
    "SignatureMethod",
    "SignatureVersion",
    "SignatureNonce",
    "Timestamp",
    "Signature",
)

# Errors of the service come with HTTP 200, those of its gateway with another status.
REFUSED: dict[Magic, tuple[int, str]] = {
    Magic.INVALID: (200, "isv.MOBILE_NUMBER_ILLEGAL"),
    Magic.BLOCKED: (200, "isv.BUSINESS_LIMIT_CONTROL"),
    Magic.THROTTLED: (400, "Throttling.User"),
    Magic.TEMPORARY: (200, "isp.SYSTEM_ERROR"),
    Magic.PERMANENT: (200, "isv.SMS_TEMPLATE_ILLEGAL"),
    Magic.CREDIT: (200, "isv.AMOUNT_NOT_ENOUGH"),
}


class Aliyun(Fake):
    """GET, POST / with `Action=SendSms`: all parameters of query and form signed, HMAC-SHA1 under the secret and `&`.

    200 `{"Code": "OK", "BizId", …}`. A template is mandatory, and its parameters are JSON text.
    """

    name = "aliyun"
    about = "Alibaba Cloud SMS SendSms, signature V1"
    paths = ("/",)
    options = AccountKnobs
    reports = AliyunCallbacks

    def __init__(self, *args: object, **names: object) -> None:
        super().__init__(*args, **names)  # type: ignore[arg-type]
        self._nonces: dict[str, None] = {}

    @route("GET|POST", "/")
    def send(self, call: Call) -> Answer:
        fields = call.pairs
        self._authenticate(call.method, fields)
        if fields["Action"] != "SendSms" or fields["Version"] != "2017-05-25":
            raise self._error(404, "InvalidAction.NotFound")
        for name in ("PhoneNumbers", "SignName", "TemplateCode"):
            if not fields.get(name):
                raise self._error(400, f"Missing{name}")
        record: LogEntry = {"to": fields["PhoneNumbers"], "ref": fields.get("OutId")}
        record["text"] = self._parameters(fields.get("TemplateParam"))
        if not PHONE.fullmatch(record["to"]):
            raise self._error(200, "isv.MOBILE_NUMBER_ILLEGAL", record)
        outcome = magic(record["to"])
        if outcome in REFUSED:
            raise self._error(*REFUSED[outcome], record)
        record["id"] = f"{self.number()}^0"
        document = {"Code": "OK", "Message": "OK", "BizId": record["id"], "RequestId": self.uuid().upper()}
        values = {name: fields[name] for name in ("SignName", "TemplateCode")}
        sent = SentMessage(
            record["to"], record["id"], self.now(), ref=record["ref"], sender=fields["SignName"], batch=record["id"]
        )
        return Answer(200, document, taken=[record], values=values, sent=[sent])

    def _authenticate(self, method: str, fields: dict[str, str]) -> None:
        for name in PUBLIC:
            if not fields.get(name):
                raise self._error(400, f"Missing{name}")
        if fields["AccessKeyId"] != self.knobs.account:
            raise self._error(404, "InvalidAccessKeyId.NotFound")
        try:
            sent = calendar.timegm(time.strptime(fields["Timestamp"], TIME))
        except ValueError as error:
            raise self._error(400, "InvalidTimeStamp.Format") from error
        if abs(sent - self.now()) > SKEW_SECONDS:
            raise self._error(400, "InvalidTimeStamp.Expired")
        signed = sorted((name, value) for name, value in fields.items() if name != "Signature")
        joined = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in signed)
        text = f"{method}&{_encoded('/')}&{_encoded(joined)}"
        digest = hmac.digest(f"{self.knobs.secret}&".encode(), text.encode(), "sha1")
        if fields["SignatureMethod"] != "HMAC-SHA1" or not hmac.compare_digest(
            fields["Signature"].encode(), base64.b64encode(digest)
        ):
            raise self._error(400, "SignatureDoesNotMatch")
        if fields["SignatureNonce"] in self._nonces:
            raise self._error(400, "SignatureNonceUsed")
        while len(self._nonces) >= NONCES:
            del self._nonces[next(iter(self._nonces))]
        self._nonces[fields["SignatureNonce"]] = None

    def _parameters(self, text: str | None) -> object:
        if text is None:
            return None
        try:
            parameters = json.loads(text)
        except ValueError as error:
            raise self._error(200, "isv.INVALID_JSON_PARAM") from error
        if not isinstance(parameters, dict):
            raise self._error(200, "isv.INVALID_JSON_PARAM")
        return parameters

    def _error(self, status: int, code: str, record: LogEntry | None = None) -> RefusedCall:
        document = {"Code": code, "Message": f"{code}: refused", "RequestId": self.uuid().upper()}
        refused = [] if record is None else [{**record, "code": code}]
        return RefusedCall(Answer(status, document, refused=refused))


def _encoded(text: str) -> str:
    return quote(text, safe="~")
