"""Plivo Message API v1 (api.plivo.com). Sources: its documentation and Go client."""

from __future__ import annotations

from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.plivo_callbacks import PlivoCallbacks, PlivoReceipts
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import E164, digits

MAX_NUMBERS = 1000


class PlivoOptions(AccountKnobs, frozen=True, kw_only=True):
    """`receipts.signature`: see PlivoReceipts."""

    receipts: PlivoReceipts = PlivoReceipts()


class Plivo(Fake):
    """POST /v1/Account/{auth_id}/Message/ (JSON or form): one text to numbers joined with `<`; HTTP Basic.

    202 with one `message_uuid` per valid number: repeated numbers are dropped, INVALID ones are listed in
    `invalid_number`; 400 when none is left. THROTTLED is 429, CREDIT is 402.
    """

    name = "plivo"
    about = "Plivo messages v1"
    paths = ("/v1/Account/demo/Message/",)
    options = PlivoOptions
    reports = PlivoCallbacks

    @route("POST", "/v1/Account/(?P<account>[^/]+)/Message/")
    def send(self, call: Call, account: str) -> Answer:
        if call.basic != (self.knobs.account, self.knobs.secret) or account != self.knobs.account:
            raise self._error(401, "authentication failed")
        fields = self._fields(call)
        if bool(fields.get("src")) == bool(fields.get("powerpack_uuid")):
            raise self._error(400, "exactly one of src and powerpack_uuid must be given")
        for name in ("dst", "text"):
            if not isinstance(fields.get(name), str) or not fields[name]:
                raise self._error(400, f"{name} parameter not present")
        if fields.get("type", "sms") not in {"sms", "mms"}:
            raise self._error(400, "type is none of sms, mms")
        numbers = list({digits(number) or number: number for number in fields["dst"].split("<")}.values())
        if len(numbers) > MAX_NUMBERS:
            raise self._error(400, f"{len(numbers)} destinations, at most {MAX_NUMBERS}")
        records: list[LogEntry] = [{"to": number, "text": fields["text"]} for number in numbers]
        for outcome, status, text in ((Magic.THROTTLED, 429, "rate limit exceeded"), (Magic.CREDIT, 402, "no credit")):
            if any(magic(number) is outcome for number in numbers):
                raise self._error(status, text, records)
        return self._answer(records, fields)

    def _answer(self, records: list[LogEntry], fields: dict[str, Any]) -> Answer:
        invalid = [
            record for record in records if not E164.fullmatch(record["to"]) or magic(record["to"]) is Magic.INVALID
        ]
        good = [record for record in records if record not in invalid]
        if not good:
            raise self._error(400, "no valid destination number", records)
        for record in good:
            record["id"] = self.uuid()
        frame: dict[str, Any] = {"api_id": self.uuid(), "message": "message(s) queued"}
        if invalid:
            frame["invalid_number"] = [record["to"] for record in invalid]
        results = [record["id"] for record in good if magic(record["to"]) is not Magic.SILENT]
        values = {name: value for name, value in fields.items() if name not in {"dst", "text"}}
        return Answer(
            202,
            lambda results: {**frame, "message_uuid": results},
            results,
            taken=good,
            refused=[{**record, "code": "invalid_number"} for record in invalid],
            values=values,
            sent=[self._sent(record, fields) for record in good],
        )

    def _sent(self, record: LogEntry, fields: dict[str, Any]) -> SentMessage:
        url, method, sender = fields.get("url"), fields.get("method"), fields.get("src") or fields.get("powerpack_uuid")
        return SentMessage(
            record["to"],
            record["id"],
            self.now(),
            url=str(url) if url else None,
            method=str(method or "POST"),
            sender=str(sender),
        )

    def _fields(self, call: Call) -> dict[str, Any]:
        if call.media != "application/json":
            return dict(call.form)
        try:
            document = call.json()
        except ValueError as error:
            raise self._error(400, f"invalid JSON: {error}") from error
        if not isinstance(document, dict):
            raise self._error(400, "invalid JSON: expected an object")
        return document

    def _error(self, status: int, text: str, refused: list[LogEntry] | None = None) -> RefusedCall:
        return RefusedCall(Answer(status, {"api_id": self.uuid(), "error": text}, refused=refused or []))
