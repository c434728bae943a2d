"""Skebby REST API v1.0 (api.skebby.it). Sources: its documentation, public clients."""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.texts import split_parts

QUALITIES = {"GP", "TI", "SI", "EE"}
PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
ORDER = re.compile(r"[A-Za-z0-9_.-]{1,32}")
ROOT = "/API/v1.0/REST"


class SkebbyOptions(AccountKnobs, frozen=True, kw_only=True):
    """`idle`: seconds after which a session that was not used has ended."""

    idle: Annotated[float, Meta(ge=0)] = 300.0


class Skebby(Fake):
    """GET /login (Basic, or in the query) answers `USER_KEY;SESSION_KEY`; POST /sms with both in headers.

    201 `{"result": "OK", "order_id", "total_sent"}`: how many were sent, not who. Where `allowInvalidRecipients` is not
    true, one wrong number refuses the request (400); else it is left out. 401: the session has ended, or never was.
    `POST /_control/skebby/forget` ends all sessions. SILENT is left out of the total.
    """

    name = "skebby"
    about = "Skebby REST v1.0, with a login"
    paths = (f"{ROOT}/login", f"{ROOT}/sms")
    options = SkebbyOptions

    def __init__(self, *given: object, **named: object) -> None:
        super().__init__(*given, **named)  # type: ignore[arg-type]
        self._sessions: dict[tuple[str, str], tuple[str, float]] = {}

    def action(self, name: str) -> bool:
        if name != "forget":
            return False
        self._sessions.clear()
        return True

    @route("GET", f"{ROOT}/login")
    def login(self, call: Call) -> Answer:
        given = call.basic or (call.query.get("username"), call.query.get("password"))
        if given != (self.knobs.account, self.knobs.secret):
            return Answer(401, "", media="text/plain")
        session = (f"USER{self.number()}", f"SESSION-{self.uuid()}")
        self._sessions[session] = self.knobs.secret, self.now()
        return Answer(200, ";".join(session), media="text/plain")

    @route("POST", f"{ROOT}/sms")
    def send(self, call: Call) -> Answer:
        self._authenticate(call)
        try:
            fields = call.json()
        except ValueError as error:
            raise _error("Malformed JSON") from error
        records = self._check(fields)
        invalid = [each for each in records if not PHONE.fullmatch(each["to"]) or magic(each["to"]) is Magic.INVALID]
        if invalid and fields.get("allowInvalidRecipients") is not True:
            raise _error("One or more recipients are invalid", records)
        if any(magic(each["to"]) is Magic.CREDIT for each in records):
            raise _error("Not enough credit", records)
        taken = [each for each in records if each not in invalid]
        order = fields.get("order_id") or f"{self.number():032x}"
        for record in taken:
            record["id"] = order
        counted = [each for each in taken if magic(each["to"]) is not Magic.SILENT]
        parts = len(split_parts(fields["message"])) if fields.get("returnCredits") is True else 1
        document = {"result": "OK", "order_id": order, "total_sent": len(counted) * parts}
        values = {name: fields.get(name) for name in ("message_type", "sender", "encoding")}
        return Answer(201, document, taken=taken, refused=invalid, values=values)

    def _authenticate(self, call: Call) -> None:
        session = (call.headers.get("user_key", ""), call.headers.get("Session_key", ""))
        secret, used = self._sessions.get(session, (None, 0.0))
        if secret != self.knobs.secret or self.now() - used > self.knobs.idle:
            raise RefusedCall(Answer(401, ""))
        self._sessions[session] = self.knobs.secret, self.now()

    def _check(self, fields: Any) -> list[LogEntry]:
        if not isinstance(fields, dict):
            raise _error("Malformed JSON")
        for name in ("message_type", "message", "recipient"):
            if not fields.get(name):
                raise _error(f"Missing value for parameter [{name}]")
        order = fields.get("order_id")
        fine = {
            "message_type": fields["message_type"] in QUALITIES,
            "message": isinstance(fields["message"], str),
            "recipient": isinstance(fields["recipient"], list),
            "encoding": fields.get("encoding", "gsm") in {"gsm", "ucs2"},
            "order_id": order is None or (isinstance(order, str) and bool(ORDER.fullmatch(order))),
        }
        for name, right in fine.items():
            if not right:
                raise _error(f"Invalid value for parameter [{name}]")
        return [{"to": str(number), "text": fields["message"]} for number in fields["recipient"]]


def _error(text: str, refused: list[LogEntry] | None = None) -> RefusedCall:
    return RefusedCall(Answer(400, {"result": "KO", "error_message": text}, refused=refused or []))
