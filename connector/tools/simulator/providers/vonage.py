"""Vonage SMS API (rest.nexmo.com). Sources: developer.vonage.com error list, clients (vonage-sms for Basic)."""

from __future__ import annotations

from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry
from connector.tools.simulator.callbacks.vonage_callbacks import VonageCallbacks, VonageReceipts
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import INTERNATIONAL, split_parts

REFUSED = {
    Magic.INVALID: ("3", "Invalid value for parameter: to"),
    Magic.BLOCKED: ("7", "Number barred"),
    Magic.THROTTLED: ("1", "Throttled"),
    Magic.TEMPORARY: ("5", "Internal Error"),
    Magic.PERMANENT: ("6", "Invalid Message"),
    Magic.CREDIT: ("9", "Partner Quota Exceeded"),
}


class VonageOptions(AccountKnobs, frozen=True, kw_only=True):
    """`receipts.method`, `receipts.signature`: see VonageReceipts."""

    receipts: VonageReceipts = VonageReceipts()


class Vonage(Fake):
    """POST /sms/json (form or JSON) `api_key`, `api_secret`, `from`, `to`, `text`, optional `type`, `client-ref`.

    HTTP Basic may stand for `api_key` and `api_secret`. Always 200; `messages` has an element per *part* of the text,
    and `status` is text: "0" is well.
    """

    name = "vonage"
    about = "Vonage SMS"
    paths = ("/sms/json",)
    options = VonageOptions
    reports = VonageCallbacks

    @route("POST", "/sms/json")
    def send(self, call: Call) -> Answer:
        fields = self._fields(call)
        if fields is None:
            return _one("2", "Missing api_key")
        for name in ("from", "to", "text") if call.basic else ("api_key", "api_secret", "from", "to", "text"):
            if not fields.get(name):
                return _one("2", f"Missing {name}")
        given = call.basic or (fields["api_key"], fields["api_secret"])
        if given != (self.knobs.account, self.knobs.secret):
            return _one("4", "Bad Credentials")
        to, text = str(fields["to"]), str(fields["text"])
        record: LogEntry = {"to": to, "ref": fields.get("client-ref"), "text": text}
        outcome = magic(to)
        if outcome in REFUSED or not INTERNATIONAL.fullmatch(to):
            return _one(*REFUSED.get(outcome or Magic.INVALID, REFUSED[Magic.INVALID]), record)
        results: list[dict[str, Any]] = []
        for _ in split_parts(text):
            entry = {
                "to": to,
                "message-id": f"{self.number():X}",
                "status": "0",
                "remaining-balance": "12.34",
                "message-price": "0.03",
            }
            if fields.get("client-ref"):
                entry["client-ref"] = fields["client-ref"]
            results.append(entry)
        record["id"] = results[0]["message-id"]
        url, reference = fields.get("callback"), fields.get("client-ref")
        sent = SentMessage(
            to,
            record["id"],
            self.now(),
            url=str(url) if url else None,
            ref=str(reference) if reference else None,
            sender=str(fields["from"]),
            parts=tuple(entry["message-id"] for entry in results),
        )
        values = {"from": fields["from"], "type": fields.get("type")}
        return Answer(200, _document, results, taken=[record], values=values, sent=[sent])

    def _fields(self, call: Call) -> dict[str, Any] | None:
        if call.media != "application/json":
            return dict(call.form)
        try:
            document = call.json()
        except ValueError:
            return None
        return document if isinstance(document, dict) else None


def _document(results: list[Any]) -> dict[str, Any]:
    return {"message-count": str(len(results)), "messages": results}


def _one(status: str, text: str, record: LogEntry | None = None) -> Answer:
    entry = {"status": status, "error-text": text}
    if record:
        entry = {"to": record["to"], **entry}
    return Answer(200, _document, [entry], refused=[{**record, "code": status}] if record else [])
