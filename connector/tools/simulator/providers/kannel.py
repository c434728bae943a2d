"""Kannel's smsbox, sendsms. Sources: user guide 1.4, and Debian's Kannel 1.4.5 as it answers (tests/gateway)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from connector.tools.simulator.call import Answer, Call, LogEntry
from connector.tools.simulator.callbacks.kannel_callbacks import KannelCallbacks, wanted
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import first_parts

FIELDS = ("username", "password", "from", "to", "text", "charset", "coding", "dlr-url", "dlr-mask")
_number = re.compile(r"[0-9+-]+").fullmatch
_whole = re.compile(r"\s*([+-]?[0-9]+)").match

ACCEPTED = "0: Accepted for delivery"
QUEUED = "3: Queued for later delivery"
FAILED = "Temporal failure, try again later."
UNROUTABLE = "Not routable. Do not try again."
DENIED = "Number(s) has/have been denied by white- and/or black-lists."


class KannelOptions(AccountKnobs, frozen=True, kw_only=True):
    """Settings of kannel.conf, and the state of its SMSC.

    Attributes:
        max_messages: so many SMS of a text are sent; what is left of it is cut off, and nobody is told.
        concatenation: whether phones join the parts of a text.
        immediate: immediate-sendsms-reply: answers before its queue has taken the message.
        away: no SMSC is connected; messages wait in the queue.
        queue: sms-outgoing-queue-limit: so many messages wait, and no more are taken.
        global_sender: what a message without `from` comes from.
    """

    max_messages: Annotated[int, Meta(ge=1)] = 1
    concatenation: bool = False
    immediate: bool = False
    away: bool = False
    queue: Annotated[int, Meta(ge=0)] | None = None
    global_sender: str | None = None


class Kannel(Fake):
    """GET /cgi-bin/sendsms with a query, or POST of a text/plain body with X-Kannel headers; plain text replies.

    202 for what it took, 400 for what is wrong with the request, 403 for credentials and for what has no route, 503 for
    what it does not take now. Of several numbers (spaces between) the reply is that of the first; those that are denied
    are left out, and the reply says nothing of them.
    """

    name = "kannel"
    about = "Kannel 1.4, sendsms"
    paths = ("/cgi-bin/sendsms",)
    options = KannelOptions
    reports = KannelCallbacks

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]
        self._waiting = 0

    @route("GET", "/cgi-bin/sendsms")
    def get(self, call: Call) -> Answer:
        return self._send(call.query)

    @route("POST", "/cgi-bin/sendsms")
    def post(self, call: Call) -> Answer:
        if call.media not in {"text/plain", "application/octet-stream"}:
            return _text(400, "Invalid content-type")
        given = {name: call.headers.get(f"X-Kannel-{name}") for name in FIELDS}
        fields = {name: value.strip() for name, value in given.items() if value is not None}
        return self._send({**fields, "text": call.body.decode("utf-8", "replace")}, posted=True)

    def stray(self, call: Call, status: int) -> Answer:
        """Any other path; its HTTP server knows no methods."""
        del call, status
        return _text(404, "Unknown request.")

    def _send(self, fields: Mapping[str, str], *, posted: bool = False) -> Answer:
        if (fields.get("username"), fields.get("password")) != (self.knobs.account, self.knobs.secret):
            return _text(403, "Authorization failed for sendsms")
        if "to" not in fields:
            receiver = "receiver(s) number(s)" if posted else "receiver number"
            return _text(400, f"Missing {receiver}, rejected")
        if not fields["to"]:
            return _text(400, "Empty receiver number not allowed, rejected")
        records: list[LogEntry] = [{"to": number, "text": self._cut(fields)} for number in fields["to"].split()]
        denied = [record for record in records if not _allowed(record["to"])]
        allowed = [record for record in records if record not in denied]
        if not allowed:
            return _text(400, DENIED, denied)
        if wrong := self._wrong(fields):
            return _text(400, wrong, records)
        answers = [self._route(record) for record in allowed]
        taken = [record for record in allowed if "id" in record]
        status, words = (202, "Sent.") if self.knobs.immediate else answers[0]
        refused = [record for record in records if record not in taken]
        values = {"from": fields.get("from"), "coding": fields.get("coding")}
        sent = [self._sent(record, fields) for record in taken]
        return Answer(status, words, media="text/html", taken=taken, refused=refused, values=values, sent=sent)

    def _sent(self, record: LogEntry, fields: Mapping[str, str]) -> SentMessage:
        sender = fields.get("from") or self.knobs.global_sender or ""
        mask = wanted(fields.get("dlr-mask", ""))
        return SentMessage(record["to"], record["id"], self.now(), url=fields.get("dlr-url"), sender=sender, wants=mask)

    def _wrong(self, fields: Mapping[str, str]) -> str:
        """What it finds wrong with the request, in the order in which it looks; empty where nothing is."""
        if not fields.get("from") and self.knobs.global_sender is None:
            return "Sender missing and no global set, rejected"
        url = fields.get("dlr-url", "")
        if url and not re.match("https?://.", url, re.IGNORECASE):
            return "DLR-URL field misformed, rejected"
        coding = _whole(fields.get("coding", "0"))
        if coding and not -1 <= int(coding[1]) <= 2:
            return "Coding field misformed, rejected"
        return ""

    def _cut(self, fields: Mapping[str, str]) -> str:
        """What of the text is sent."""
        knobs, coding = self.knobs, _whole(fields.get("coding", "0"))
        seven_bit = coding is None or int(coding[1]) != 2
        return first_parts(fields.get("text", ""), knobs.max_messages, seven_bit=seven_bit, joined=knobs.concatenation)

    def _route(self, record: LogEntry) -> tuple[int, str]:
        """What becomes of one message."""
        outcome = magic(record["to"])
        if outcome is Magic.PERMANENT:
            return 403, UNROUTABLE
        if outcome is Magic.THROTTLED:
            return 503, FAILED
        if self.knobs.away:
            if self.knobs.queue is not None and self._waiting >= self.knobs.queue:
                return 503, FAILED
            self._waiting += 1
        record["id"] = self.uuid()
        return 202, QUEUED if self.knobs.away else ACCEPTED


def _allowed(number: str) -> bool:
    return _number(number) is not None and magic(number) not in {Magic.INVALID, Magic.BLOCKED}


def _text(status: int, words: str, refused: list[LogEntry] | None = None) -> Answer:
    return Answer(status, words, media="text/html", refused=[{**each, "code": words} for each in refused or ()])
