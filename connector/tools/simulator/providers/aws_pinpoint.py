"""Amazon Pinpoint, SendMessages for SMS. Source: its service model in botocore."""

from __future__ import annotations

import re
from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.aws_callbacks import FirehoseCallbacks, FirehoseReceipts
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.signature import SignatureError, verify
from connector.tools.simulator.texts import E164

MAX_ADDRESSES = 100
MAX_BYTES = 7 * 1024 * 1024
MARK = re.compile(r"\{\{\s*([\w.-]+?)\s*\}\}")
STATUS = {
    Magic.INVALID: ("PERMANENT_FAILURE", 400, "Invalid phone number"),
    Magic.BLOCKED: ("OPT_OUT", 400, "Phone number is opted out"),
    Magic.THROTTLED: ("THROTTLED", 429, "Rate exceeded"),
    Magic.TEMPORARY: ("TEMPORARY_FAILURE", 500, "Temporary failure"),
    Magic.PERMANENT: ("PERMANENT_FAILURE", 400, "Permanent failure"),
    Magic.HOURS: ("UNKNOWN_FAILURE", 500, "Unknown failure"),
    Magic.CREDIT: ("DUPLICATE", 400, "Duplicate"),
}


class AwsPinpointOptions(AccountKnobs, frozen=True, kw_only=True):
    """`receipts.access_key`: see FirehoseReceipts."""

    receipts: FirehoseReceipts = FirehoseReceipts()


class AwsPinpoint(Fake):
    """POST /v1/apps/{id}/messages, SigV4 with signing name `mobiletargeting`; the body is the MessageRequest itself.

    200 with a map keyed by address: every DeliveryStatus stands inside it (CREDIT: DUPLICATE, HOURS: UNKNOWN_FAILURE).
    400 for a wrapped body, more than 100 addresses, or values of the wrong type; 403 for a wrong signature.
    """

    name = "aws-pinpoint"
    about = "Amazon Pinpoint SendMessages (SMS), SigV4"
    paths = ("/v1/apps/demo/messages",)
    options = AwsPinpointOptions
    reports = FirehoseCallbacks

    @route("POST", "/v1/apps/(?P<application>[^/]+)/messages")
    def send(self, call: Call, application: str) -> Answer:
        try:
            verify(call, service="mobiletargeting", key=self.knobs.account, secret=self.knobs.secret, now=self.now())
        except SignatureError as error:
            raise self._error(403, error.kind, str(error)) from error
        if len(call.body) > MAX_BYTES:
            raise self._error(413, "PayloadTooLargeException", "The payload is too large")
        addresses, sms = self._read(call)
        answer = Answer(200, None, [])
        request = self.uuid()
        results: list[tuple[str, dict[str, Any]]] = []
        for to, address in addresses.items():
            text = address.get("BodyOverride") or sms.get("Body", "")
            substitutions = {**sms.get("Substitutions", {}), **address.get("Substitutions", {})}
            record: LogEntry = {"to": to, "text": _fill(text, substitutions), "id": self.uuid()}
            status, code, message = STATUS.get(
                magic(to) or Magic.SILENT, ("SUCCESSFUL", 200, f"MessageId: {record['id']}")
            )
            entry = {"DeliveryStatus": status, "StatusCode": code, "StatusMessage": message}
            if code == 200:
                answer.taken.append(record)
                given = address.get("Context")
                context = given if isinstance(given, dict) else {}
                answer.sent.append(
                    SentMessage(to, record["id"], self.now(), sender=application, batch=request, context=context)
                )
                entry["MessageId"] = record["id"]
            else:
                answer.refused.append({**record, "code": status})
            if magic(to) is not Magic.SILENT:
                results.append((to, entry))
        answer.results = results
        answer.document = lambda results: {"ApplicationId": application, "RequestId": request, "Result": dict(results)}
        answer.values = {name: value for name, value in sms.items() if name != "Body"}
        return answer

    def _read(self, call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            document = call.json()
        except ValueError as error:
            raise self._bad("Could not parse the request body into JSON") from error
        if not isinstance(document, dict) or "MessageRequest" in document:
            raise self._bad("The body is the MessageRequest itself: MessageConfiguration is missing")
        configuration = document.get("MessageConfiguration")
        sms = configuration.get("SMSMessage") if isinstance(configuration, dict) else None
        if not isinstance(sms, dict):
            raise self._bad("MessageConfiguration.SMSMessage is missing")
        if sms.get("MessageType", "TRANSACTIONAL") not in {"TRANSACTIONAL", "PROMOTIONAL"}:
            raise self._bad("MessageType is none of TRANSACTIONAL, PROMOTIONAL")
        addresses = document.get("Addresses")
        if not isinstance(addresses, dict) or not addresses:
            raise self._bad("Addresses is missing")
        if len(addresses) > MAX_ADDRESSES:
            raise self._bad(f"{len(addresses)} addresses, at most {MAX_ADDRESSES}")
        for to, address in addresses.items():
            if not E164.fullmatch(to) or not isinstance(address, dict) or address.get("ChannelType") != "SMS":
                raise self._bad("an address is no phone number with ChannelType SMS")
            if not address.get("BodyOverride") and not sms.get("Body"):
                raise self._bad("a message has no body")
            self._check_substitutions(address.get("Substitutions", {}))
        self._check_substitutions(sms.get("Substitutions", {}))
        return addresses, sms

    def _check_substitutions(self, substitutions: Any) -> None:
        lists = isinstance(substitutions, dict) and all(
            isinstance(values, list) and all(isinstance(value, str) for value in values)
            for values in substitutions.values()
        )
        if not lists:
            raise self._bad("Substitutions is not a map of lists of text")

    def _bad(self, text: str) -> RefusedCall:
        return self._error(400, "BadRequestException", text)

    def _error(self, status: int, kind: str, text: str) -> RefusedCall:
        document = {"Message": text, "RequestID": self.uuid()}
        return RefusedCall(Answer(status, document, headers={"x-amzn-ErrorType": kind}))


def _fill(text: str, substitutions: dict[str, list[str]]) -> str:
    return MARK.sub(lambda mark: "".join(substitutions.get(mark[1], [])[:1]), text)
