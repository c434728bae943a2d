"""OVHcloud SMS, POST /sms/{serviceName}/jobs (eu.api.ovh.com/1.0). Sources: API description, guides, clients."""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Any, Final

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs

SKEW_SECONDS = 120
PHONE = re.compile(r"(?:\+|00)[1-9][0-9]{6,14}")
CHOICES: Final = {
    "charset": ("UTF-8",),
    "class": ("flash", "phoneDisplay", "sim", "toolkit"),
    "coding": ("7bit", "8bit"),
    "priority": ("high", "low", "medium", "veryLow"),
}


class Ovh(Fake):
    """POST /1.0/sms/demo/jobs, signed (`$1$` and SHA-1 of secret, consumer key, method, URL, body and time).

    200 `{"ids", "validReceivers", "invalidReceivers", "totalCreditsRemoved"}`; `ids` has one of each valid receiver, in
    no documented order (here it is another one than that of `validReceivers`). Errors: `{"message", "errorCode"}`.
    The account is the service, the application key and the consumer key.
    """

    name = "ovh"
    about = "OVHcloud SMS jobs, $1$ signature"
    paths = ("/1.0/sms/demo/jobs",)
    options = AccountKnobs

    @route("POST", "/1.0/sms/(?P<service>[^/]+)/jobs")
    def send(self, call: Call, service: str) -> Answer:
        self._verify(call)
        if service != self.knobs.account:
            raise _error(404, "NOT_FOUND", "The requested object (serviceName) does not exist")
        try:
            fields = call.json()
        except ValueError as error:
            raise _error(400, "INVALID_ARGUMENT", "Invalid JSON") from error
        receivers = _check(fields)
        records: list[LogEntry] = [{"to": number, "text": fields["message"]} for number in receivers]
        if any(magic(each["to"]) is Magic.PERMANENT for each in records):
            raise _error(400, "INVALID_ARGUMENT", "[message] Given data is not valid", records)
        good = [each for each in records if PHONE.fullmatch(each["to"]) and magic(each["to"]) is not Magic.INVALID]
        bad = [each for each in records if each not in good]
        for record in good:
            record["id"] = str(self.number())
        frame = {
            "totalCreditsRemoved": len(good),
            "invalidReceivers": [each["to"] for each in bad],
            "ids": [int(each["id"]) for each in reversed(good)],
        }
        valid = [each["to"] for each in good if magic(each["to"]) is not Magic.SILENT]
        values = {name: value for name, value in fields.items() if name not in {"message", "receivers"}}
        return Answer(
            200, lambda valid: {**frame, "validReceivers": valid}, valid, taken=good, refused=bad, values=values
        )

    def _verify(self, call: Call) -> None:
        """Raises RefusedCall unless the request is signed for this application and consumer, just now."""
        given = {name: call.headers.get(f"X-Ovh-{name}", "") for name in ("Application", "Consumer", "Timestamp")}
        if given["Application"] != self.knobs.account:
            raise _error(403, "INVALID_KEY", "This application key is invalid")
        if given["Consumer"] != self.knobs.account:
            raise _error(403, "NOT_CREDENTIAL", "This credential does not exist")
        stamp = given["Timestamp"]
        if not stamp.isdecimal() or abs(int(stamp) - self.now()) > SKEW_SECONDS:
            raise _error(400, "QUERY_TIME_OUT", "Query out of time")
        fields = (self.knobs.secret, given["Consumer"], call.method, call.url, call.body.decode(), stamp)
        expected = "$1$" + hashlib.sha1("+".join(fields).encode()).hexdigest()  # noqa: S324  what OVH asks for
        if not hmac.compare_digest(expected, call.headers.get("X-Ovh-Signature", "")):
            raise _error(400, "INVALID_SIGNATURE", "Invalid signature")


def _check(fields: Any) -> list[str]:
    """The receivers of a request that is as the API's description asks for."""
    if not isinstance(fields, dict) or not isinstance(fields.get("message"), str) or not fields["message"]:
        raise _error(400, "INVALID_ARGUMENT", "Missing argument: message")
    receivers = fields.get("receivers")
    if not isinstance(receivers, list) or not receivers or not all(isinstance(each, str) for each in receivers):
        raise _error(400, "INVALID_ARGUMENT", "[receivers] is no list of numbers")
    for name, known in CHOICES.items():
        if fields.get(name, known[0]) not in known:
            raise _error(400, "INVALID_ARGUMENT", f"[{name}] is not one of {', '.join(known)}")
    if not fields.get("sender") and fields.get("senderForResponse") is not True:
        raise _error(400, "INVALID_ARGUMENT", "Missing argument: sender")
    return receivers


def _error(status: int, code: str, text: str, refused: list[LogEntry] | None = None) -> RefusedCall:
    phrase = {400: "Bad Request", 403: "Forbidden", 404: "Not Found"}[status]
    document = {"message": text, "httpCode": f"{status} {phrase}", "errorCode": code}
    return RefusedCall(Answer(status, document, refused=refused or []))
