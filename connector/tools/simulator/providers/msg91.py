"""MSG91, flow API v5 (control.msg91.com). Sources: its documentation; error shapes as observed in clients."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from msgspec import Meta

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.msg91_callbacks import Msg91Callbacks, Msg91Receipts
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import INTERNATIONAL

WHOLE = {
    Magic.CREDIT: (301, "Insufficient balance to send SMS"),
    Magic.HOURS: (306, "This route can only be used between 9AM and 9PM"),
}
MAX_REMEMBERED = 10_000


class Msg91Options(AccountKnobs, frozen=True, kw_only=True):
    """What the documentation leaves open.

    Attributes:
        error_status: HTTP status of `{"type": "error"}`.
        repeat_seconds: an identical request within so many seconds is refused with 311, as legacy routes do; 0 never.
        receipts: with `version`, see Msg91Receipts.
    """

    error_status: int = 400
    repeat_seconds: Annotated[float, Meta(ge=0)] = 0.0
    receipts: Msg91Receipts = Msg91Receipts()


class Msg91(Fake):
    """POST /api/v5/flow[/] with header `authkey`: template id and variables for a list of recipients.

    200 `{"message": REQUEST_ID, "type": "success"}`: one id for all, nothing about a single recipient. A wrong number
    of any recipient is not said (it would appear in a delivery report only), but `mobiles` must be digits.
    """

    name = "msg91"
    about = "MSG91 flow v5"
    paths = ("/api/v5/flow",)
    options = Msg91Options
    reports = Msg91Callbacks

    def __init__(self, *args: object, **names: object) -> None:
        super().__init__(*args, **names)  # type: ignore[arg-type]
        self._recent: dict[bytes, float] = {}

    @route("POST", "/api/v5/flow/?")
    def flow(self, call: Call) -> Answer:
        key = call.headers.get("authkey")
        if not key:
            document = {"status": "fail", "hasError": True, "errors": "Unauthorized", "code": "401", "apiError": "201"}
            raise RefusedCall(Answer(401, document))
        if key != self.knobs.secret:
            raise self._error(207, "Invalid authentication key")
        try:
            document = call.json()
        except ValueError as error:
            raise self._error(400, "Invalid JSON") from error
        if not isinstance(document, dict) or not (document.get("template_id") or document.get("flow_id")):
            raise self._error(400, "template_id missing")
        records = [self._record(recipient) for recipient in self._recipients(document)]
        for outcome, (code, message) in WHOLE.items():
            if any(magic(record["to"]) is outcome for record in records):
                raise self._error(code, message, records)
        if self._repeated(call.body):
            raise self._error(311, "Identical request within 10 seconds", records)
        request = f"{self.number():024x}"
        for record in records:
            record["id"] = request
        values = {name: value for name, value in document.items() if name != "recipients"}
        reference, sender = document.get("CRQID"), str(document.get("sender", ""))
        sent = [
            SentMessage(record["to"], request, self.now(), ref=str(reference) if reference else None, sender=sender)
            for record in records
        ]
        return Answer(200, {"message": request, "type": "success"}, taken=records, values=values, sent=sent)

    def _recipients(self, document: dict[str, Any]) -> list[Any]:
        if "recipients" not in document and "mobiles" in document:
            return [document]
        recipients = document.get("recipients")
        if not isinstance(recipients, list) or not recipients:
            raise self._error(101, "Missing mobile number")
        return recipients

    def _record(self, recipient: Any) -> LogEntry:
        mobiles = recipient.get("mobiles") if isinstance(recipient, dict) else None
        if not mobiles:
            raise self._error(101, "Missing mobile number")
        if not isinstance(mobiles, str) or not INTERNATIONAL.fullmatch(mobiles):
            raise self._error(202, "Invalid mobile number")
        variables = {
            name: value for name, value in recipient.items() if name not in {"mobiles", "template_id", "sender"}
        }
        return {"to": mobiles, "ref": recipient.get("CRQID"), "text": variables}

    def _repeated(self, body: bytes) -> bool:
        if not self.knobs.repeat_seconds:
            return False
        now, mark = self.now(), hashlib.sha256(body).digest()
        before = self._recent.get(mark)
        while len(self._recent) >= MAX_REMEMBERED:
            del self._recent[next(iter(self._recent))]
        self._recent[mark] = now
        return before is not None and now - before < self.knobs.repeat_seconds

    def _error(self, code: int, message: str, refused: list[LogEntry] | None = None) -> RefusedCall:
        document = {"type": "error", "message": message, "code": str(code)}
        return RefusedCall(Answer(self.knobs.error_status, document, refused=refused or []))
