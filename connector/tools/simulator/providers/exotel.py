"""Exotel SMS API v1. Sources: developer.exotel.com and Exotel's own client; where they conflict there is a knob."""

from __future__ import annotations

import re
import time
from typing import Any, Literal
from xml.sax.saxutils import escape

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.exotel_callbacks import ExotelCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import E164, national

MAX_MESSAGES = 100
MAX_BODY = 2000
CHOICES = {
    "EncodingType": {"plain", "unicode"},
    "Priority": {"normal", "high"},
    "SmsType": {"transactional", "transactional_opt_in", "promotional"},
}
INDEXED_TO = re.compile(r"To\[(\d*)\]")
RETRY = {"Retry-After": "1", "X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"}
REFUSED = {
    Magic.INVALID: (400, "Bad Request - 'To' is not a valid number", 34001),
    Magic.PERMANENT: (403, "Your account is not yet KYC compliant", 340030),
    Magic.THROTTLED: (429, "Too Many Requests", 34029),
    Magic.TEMPORARY: (503, "Service Unavailable; ", 35008),
    Magic.CREDIT: (402, "Payment Required - insufficient balance", 34002),
}


class ExotelOptions(AccountKnobs, frozen=True, kw_only=True):
    """Where the sources conflict.

    Attributes:
        records_field: `Messages[0][To]` (documentation) or `Message[0][To]` (Exotel's client).
        bulk_shape: a top-level array of SMSMessage (client), or `SMSMessages` (newer pages).
        code_as_text: DetailedStatusCode as text; captures show both.
    """

    records_field: Literal["Messages", "Message"] = "Messages"
    bulk_shape: Literal["array", "SMSMessages"] = "array"
    code_as_text: bool = False


class Exotel(Fake):
    """POST /v1/Accounts/{sid}/Sms/send[.json] (one, or the same text to `To[0]`…) and /Sms/bulksend[.json]; HTTP Basic.

    JSON with `.json`, XML without. `To` comes back as 0 and the national number. In a bulk reply a refused message is a
    RestException in its place; over 100 messages are 400; BLOCKED is a message with Status `failed`.
    """

    name = "exotel"
    about = "Exotel SMS v1, single and bulk"
    paths = ("/v1/Accounts/demo/Sms/send.json", "/v1/Accounts/demo/Sms/bulksend.json")
    options = ExotelOptions
    reports = ExotelCallbacks

    @route("POST", r"/v1/Accounts/(?P<sid>[^/]+)/Sms/send(?P<suffix>\.json)?")
    def send(self, call: Call, sid: str, suffix: str | None) -> Answer:
        json = bool(suffix)
        self._authenticate(call, sid, json=json)
        form = call.form
        many = [
            (int(found[1] or n), value)
            for n, (name, value) in enumerate(form.items())
            if (found := INDEXED_TO.fullmatch(name))
        ]
        if not many:
            record = self._record(form, form, json=json)
            if refused := _refusal(magic(record["to"]), [record]):
                raise _rest_exception(*refused, json=json)
            return self._answer([record], form, json=json, sid=sid, bulk=False)
        records = [self._record({**form, "To": to}, form, json=json) for _, to in sorted(many)]
        return self._bulk(records, form, sid, json=json)

    @route("POST", r"/v1/Accounts/(?P<sid>[^/]+)/Sms/bulksend(?P<suffix>\.json)?")
    def bulk_send(self, call: Call, sid: str, suffix: str | None) -> Answer:
        json = bool(suffix)
        self._authenticate(call, sid, json=json)
        pattern = re.compile(rf"{self.knobs.records_field}\[(\d+)\]\[(\w+)\]")
        messages: dict[int, dict[str, str]] = {}
        for name, value in call.form.items():
            if found := pattern.fullmatch(name):
                messages.setdefault(int(found[1]), {})[found[2]] = value
        if not messages:
            raise _rest_exception(400, f"Missing {self.knobs.records_field}", 34000, [], json=json)
        records = [self._record(message, call.form, json=json) for _, message in sorted(messages.items())]
        return self._bulk(records, call.form, sid, json=json)

    def _bulk(self, records: list[LogEntry], form: dict[str, str], sid: str, *, json: bool) -> Answer:
        if len(records) > MAX_MESSAGES:
            raise _rest_exception(400, f"{len(records)} messages, at most {MAX_MESSAGES}", 34000, records, json=json)
        for outcome in (Magic.CREDIT, Magic.THROTTLED):
            if any(magic(record["to"]) is outcome for record in records):
                status, message, code = REFUSED[outcome]
                raise _rest_exception(status, message, code, records, json=json)
        return self._answer(records, form, json=json, sid=sid, bulk=True)

    def _answer(self, records: list[LogEntry], form: dict[str, str], *, json: bool, sid: str, bulk: bool) -> Answer:
        answer = Answer(200, None, [], media="application/json" if json else "application/xml")
        results: list[Any] = []
        for record in records:
            outcome = magic(record["to"])
            if outcome in REFUSED:
                status, message, code = REFUSED[outcome]
                record["code"] = code
                answer.refused.append(record)
                results.append({"RestException": {"Status": status, "Message": message, "Code": code}})
                continue
            record["id"] = f"{self.number():032x}"
            (answer.refused if outcome is Magic.BLOCKED else answer.taken).append(record)
            if outcome is not Magic.BLOCKED:
                answer.sent.append(self._sent(record, form))
            if outcome is not Magic.SILENT or not bulk:
                results.append({"SMSMessage": self._message(record, sid, blocked=outcome is Magic.BLOCKED)})
        answer.results = results
        answer.document = _Document(json=json, bulk=bulk, wrapped=self.knobs.bulk_shape == "SMSMessages")
        return answer

    def _sent(self, record: LogEntry, form: dict[str, str]) -> SentMessage:
        """URL and CustomField are those of the request, also in a bulk request."""
        return SentMessage(
            record["to"],
            record["id"],
            self.now(),
            url=form.get("StatusCallback"),
            ref=form.get("CustomField"),
            sender=record["from"],
            media=form.get("StatusCallbackContentType", ""),
        )

    def _message(self, record: LogEntry, sid: str, *, blocked: bool) -> dict[str, Any]:
        code = 23005 if blocked else 21010
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.now()))
        return {
            "Sid": record["id"],
            "AccountSid": sid,
            "From": record["from"],
            "To": national(record["to"]),
            "DateCreated": now,
            "DateUpdated": now,
            "DateSent": None,
            "Body": record["text"],
            "Direction": "outbound-api",
            "Uri": f"/v1/Accounts/{sid}/SMS/Messages/{record['id']}.json",
            "ApiVersion": None,
            "Price": None,
            "Status": "failed" if blocked else "queued",
            "DetailedStatusCode": str(code) if self.knobs.code_as_text else code,
            "DetailedStatus": "FAILED_DND" if blocked else "PENDING_TO_OPERATOR",
            "SmsUnits": None,
        }

    def _authenticate(self, call: Call, sid: str, *, json: bool) -> None:
        if call.basic != (self.knobs.account, self.knobs.secret):
            raise _rest_exception(401, "Authentication failed", 34010, [], json=json)
        if sid != self.knobs.account:
            raise _rest_exception(404, "Account not found", 34004, [], json=json)

    def _record(self, message: dict[str, str], form: dict[str, str], *, json: bool) -> LogEntry:
        """One message as it would be sent; the request's own fields stand in for what a message leaves out."""
        to, body, sender = message.get("To"), message.get("Body"), message.get("From") or form.get("From")
        for name, value in (("From", sender), ("To", to), ("Body", body)):
            if not value:
                raise _rest_exception(400, f"Mandatory parameter missing: {name}", 34000, [], json=json)
        assert to is not None
        assert body is not None
        if not E164.fullmatch(to.lstrip("0")):
            raise _rest_exception(400, "Bad Request - 'To' is not a valid number", 34001, [], json=json)
        if len(body) > MAX_BODY:
            raise _rest_exception(400, f"Body is longer than {MAX_BODY} characters", 34005, [], json=json)
        for name, allowed in CHOICES.items():
            value = message.get(name) or form.get(name)
            if value and value not in allowed:
                raise _rest_exception(400, f"{name} is none of {', '.join(sorted(allowed))}", 34000, [], json=json)
        return {"to": to, "ref": message.get("CustomField"), "text": body, "from": sender}


class _Document:
    """Makes the reply's body from its results: JSON, or XML as the API answers without `.json`."""

    def __init__(self, *, json: bool, bulk: bool, wrapped: bool) -> None:
        self._json, self._bulk, self._wrapped = json, bulk, wrapped

    def __call__(self, results: list[Any]) -> Any:
        if not self._json:
            return _xml("".join(_element(result) for result in results))
        if not self._bulk:
            return results[0]
        if self._wrapped:
            return {"SMSMessages": [result.get("SMSMessage", result) for result in results]}
        return results


def _refusal(outcome: Magic | None, records: list[LogEntry]) -> tuple[int, str, int, list[LogEntry]] | None:
    return (*REFUSED[outcome], records) if outcome in REFUSED else None


def _rest_exception(status: int, message: str, code: int, refused: list[LogEntry], *, json: bool) -> RefusedCall:
    fields = {"Status": status, "Message": message, "Code": code}
    headers = RETRY if status == 429 else {}
    if json:
        return RefusedCall(Answer(status, {"RestException": fields}, headers=headers, refused=refused))
    shown = {name: fields[name] for name in ("Status", "Message")}
    body = _xml(_element({"RestException": shown}))
    return RefusedCall(Answer(status, body, media="application/xml", headers=headers, refused=refused))


def _xml(inside: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<TwilioResponse>{inside}</TwilioResponse>\n'


def _element(value: dict[str, Any]) -> str:
    return "".join(f"<{name}>{_content(inner)}</{name}>" for name, inner in value.items())


def _content(value: Any) -> str:
    if isinstance(value, dict):
        return _element(value)
    return "" if value is None else escape(str(value))
