"""BulkSMS, JSON REST API v1 (api.bulksms.com). Source: its OpenAPI document."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.bulksms_callbacks import BulkSmsCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import NetworkState, SentMessage
from connector.tools.simulator.texts import E164, digits

MAX_MESSAGES = 30_000
MAX_REFERENCE = 20
DEDUPLICATION_SECONDS = 12 * 3600.0
MAX_REMEMBERED = 1000  # replies kept for repeated submissions; each may be megabytes
ERRORS = "https://developer.bulksms.com/json/v1/errors#"
CHOICES = {
    "encoding": {"TEXT", "UNICODE", "BINARY"},
    "deliveryReports": {"ALL", "ERRORS", "NONE"},
    "routingGroup": {"ECONOMY", "STANDARD", "PREMIUM"},
}
WANTED = {
    "ALL": None,
    "ERRORS": frozenset({NetworkState.UNDELIVERED, NetworkState.EXPIRED, NetworkState.BLOCKED}),
    "NONE": frozenset[NetworkState](),
}
"""What `deliveryReports` asks for."""
FIELD_MARK = re.compile(r"\{F(\d+)#*\}")
FAILED = {Magic.BLOCKED: "BLOCKED", Magic.PERMANENT: "NOT_SENT"}


class BulkSms(Fake):
    """POST /v1/messages (JSON object or array, or a form) and GET /v1/messages/send; HTTP Basic.

    201 with an array, one Message per recipient; problem JSON else. A batch with an INVALID number or a wrong field is
    refused as a whole (400), CREDIT is 403. BLOCKED and PERMANENT come back with status FAILED. A repeated
    `deduplication-id` gets the first reply again and nothing is taken.
    """

    name = "bulksms"
    about = "BulkSMS JSON REST v1"
    paths = ("/v1/messages", "/v1/messages/send")
    options = AccountKnobs
    reports = BulkSmsCallbacks

    def __init__(self, *args: object, **names: object) -> None:
        super().__init__(*args, **names)  # type: ignore[arg-type]
        self._replies: dict[int, tuple[float, bytes]] = {}

    @route("GET", "/v1/messages/send")
    def send_simply(self, call: Call) -> Answer:
        self._authenticate(call)
        return self._send([{name: call.query[name] for name in ("to", "body") if name in call.query}], call)

    @route("POST", "/v1/messages")
    def send(self, call: Call) -> Answer:
        self._authenticate(call)
        if call.media == "application/x-www-form-urlencoded":
            return self._send([{name: call.form[name] for name in ("to", "body") if name in call.form}], call)
        try:
            document = call.json()
        except ValueError as error:
            raise _problem(400, "bad-request", "The content or structure is invalid", str(error)) from error
        return self._send(document if isinstance(document, list) else [document], call)

    def _send(self, messages: list[Any], call: Call) -> Answer:
        repeat = self._deduplication(call)
        if repeat is not None and repeat in self._replies:
            until, body = self._replies[repeat]
            if until > self.now():
                return Answer(201, body, values={"deduplication-id": repeat, "repeated": True})
        found = [pair for message in messages for pair in _recipients(message)]
        if not 1 <= len(found) <= MAX_MESSAGES:
            raise _problem(400, "bad-request", "Bad Request", f"{len(found)} messages, 1 to {MAX_MESSAGES} are allowed")
        if any(magic(to) is Magic.CREDIT for to, _ in found):
            refused: list[LogEntry] = [{"to": to, "ref": message.get("userSuppliedId")} for to, message in found]
            raise _problem(403, "insufficient-credits", "Insufficient Credits", "You need more credits", refused)
        answer = Answer(201, lambda results: results, [], values={"deduplication-id": repeat} if repeat else {})
        submission = f"2-{self.number():020d}"
        answer.results = [entry for to, message in found if (entry := self._entry(to, message, submission, answer))]
        if repeat is not None:
            while len(self._replies) >= MAX_REMEMBERED:
                del self._replies[next(iter(self._replies))]
            self._replies[repeat] = (self.now() + DEDUPLICATION_SECONDS, answer.encode())
        return answer

    def _entry(self, to: str, message: dict[str, Any], submission: str, answer: Answer) -> dict[str, Any] | None:
        outcome = magic(to)
        record: LogEntry = {
            "to": to,
            "ref": message.get("userSuppliedId"),
            "text": message["body"],
            "id": str(self.number()),
        }
        failed = FAILED.get(outcome) if outcome else None
        if failed:
            record["code"] = failed
        (answer.refused if failed else answer.taken).append(record)
        if not failed:
            answer.sent.append(self._sent(record, message, submission))
        if outcome is Magic.SILENT:
            return None
        kind = "FAILED" if failed else "ACCEPTED"
        return {
            "id": record["id"],
            "type": "SENT",
            "from": message.get("from"),
            "to": digits(to),
            "body": message["body"],
            "encoding": message.get("encoding", "TEXT"),
            "protocolId": 0,
            "messageClass": 0,
            "numberOfParts": None,
            "creditCost": None,
            "submission": {"id": submission, "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now()))},
            "status": {"id": f"{kind}.{failed or 'null'}", "type": kind, "subtype": failed},
            "relatedSentMessageId": None,
            "userSuppliedId": message.get("userSuppliedId"),
        }

    def _sent(self, record: LogEntry, message: dict[str, Any], submission: str) -> SentMessage:
        return SentMessage(
            record["to"],
            record["id"],
            self.now(),
            ref=record["ref"],
            sender=str(message.get("from") or ""),
            text=record["text"],
            batch=submission,
            wants=WANTED[message.get("deliveryReports", "ALL")],
        )

    def _authenticate(self, call: Call) -> None:
        if call.basic != (self.knobs.account, self.knobs.secret):
            raise _problem(401, "authentication-failed", "Authentication Failed", "Wrong user name, token or password")

    def _deduplication(self, call: Call) -> int | None:
        text = call.query.get("deduplication-id")
        if text is None:
            return None
        try:
            number = int(text)
        except ValueError:
            number = 2**31
        if not -(2**31) <= number < 2**31:
            raise _problem(400, "bad-request", "Bad Request", "deduplication-id is not a 32-bit integer")
        return number


def _recipients(message: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every recipient of one submitted message, with the message as that recipient gets it."""
    if not isinstance(message, dict):
        raise _problem(400, "bad-request", "Bad Request", "a message is not an object")
    body, reference = message.get("body"), message.get("userSuppliedId")
    if not isinstance(body, str) or not body:
        raise _problem(400, "bad-request", "Bad Request", "body is required and must be text")
    if reference is not None and (not isinstance(reference, str) or len(reference) > MAX_REFERENCE):
        raise _problem(400, "bad-request", "Bad Request", f"userSuppliedId is longer than {MAX_REFERENCE} characters")
    for name, allowed in CHOICES.items():
        if message.get(name, next(iter(allowed))) not in allowed:
            raise _problem(400, "bad-request", "Bad Request", f"{name} is none of {', '.join(sorted(allowed))}")
    to = message.get("to")
    for one in to if isinstance(to, list) else [to]:
        fields: list[Any] = []
        if isinstance(one, dict):
            address, fields = one.get("address"), one.get("fields") or []
        else:
            address = one
        if not isinstance(address, str) or not E164.fullmatch(address) or magic(address) is Magic.INVALID:
            raise _problem(400, "bad-request", "Bad Request", "to is not a valid number")
        yield address, {**message, "body": _fill(body, fields)}


def _fill(body: str, fields: list[Any]) -> str:
    """The text with `{F0###}` and so on replaced by the recipient's fields."""
    return FIELD_MARK.sub(lambda mark: str(fields[int(mark[1])]) if int(mark[1]) < len(fields) else "", body)


def _problem(status: int, kind: str, title: str, detail: str, refused: list[LogEntry] | None = None) -> RefusedCall:
    document = {"type": ERRORS + kind, "title": title, "status": status, "detail": detail}
    return RefusedCall(Answer(status, document, media="application/problem+json", refused=refused or []))
