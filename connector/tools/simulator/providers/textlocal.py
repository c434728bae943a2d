"""Textlocal (api.textlocal.in). Sources: its documentation (send, bulkjson), captured replies."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.textlocal_callbacks import TextlocalCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import INTERNATIONAL, split_parts

NIGHT = (192, "Messages can only be sent between 9am to 9pm as restricted by TRAI NCCP regulation")
NOT_SENT = {
    Magic.INVALID: (51, "No valid numbers specified"),
    Magic.BLOCKED: (51, "Number is in DND"),
    Magic.PERMANENT: (6, "Message too long"),
}


class TextlocalOptions(AccountKnobs, frozen=True, kw_only=True):
    """`night`: every request is refused with 192, as between 9pm and 9am."""

    night: bool = False


class Textlocal(Fake):
    """POST or GET /send/ (one text, numbers with commas) and POST /bulk_json/ (form field `data`: a JSON text).

    Always 200. In /bulk_json/ texts are URL-encoded a second time inside the JSON; refused messages are not in
    `messages` but in `messages_not_sent`, and the status stays `success` while one is left. Recipients are JSON
    numbers. CREDIT (7) and HOURS (192) refuse the whole request.
    """

    name = "textlocal"
    about = "Textlocal send and bulk_json"
    paths = ("/send/", "/bulk_json/")
    options = TextlocalOptions
    reports = TextlocalCallbacks

    @route("GET|POST", "/send/")
    def send(self, call: Call) -> Answer:
        pairs = call.pairs
        self._authenticate(pairs)
        if not pairs.get("numbers"):
            raise _failure(4, "No recipients specified")
        if not pairs.get("message"):
            raise _failure(5, "No message content")
        records: list[LogEntry] = [{"to": n.strip(), "text": pairs["message"]} for n in pairs["numbers"].split(",")]
        self._check_whole(records)
        good, bad = _sort(records)
        if not good:
            raise _failure(51, "No valid numbers specified", bad, {"code": 3, "message": "Invalid number"})
        frame = self._batch(good, pairs.get("sender", ""), pairs["message"], pairs)
        document: dict[str, Any] = {**frame, "status": "success"}
        if bad:
            document["warnings"] = [{"code": 3, "message": "Invalid number", "numbers": ",".join(r["to"] for r in bad)}]
        results = document["messages"]
        sent = [self._sent(record, pairs) for record in good]
        return Answer(
            200, lambda results: {**document, "messages": results}, results, taken=good, refused=bad, sent=sent
        )

    def _sent(self, record: LogEntry, given: dict[str, Any]) -> SentMessage:
        url, custom = given.get("receipt_url"), given.get("custom")
        return SentMessage(
            record["to"],
            record["id"],
            self.now(),
            url=str(url) if url else None,
            ref=str(custom) if custom else None,
            sender=str(given.get("sender", "")),
        )

    @route("POST", "/bulk_json/")
    def bulk(self, call: Call) -> Answer:
        form = call.form
        self._authenticate(form)
        data = self._data(form)
        records = [_record(message) for message in data["messages"]]
        self._check_whole(records)
        good, bad = _sort(records)
        not_sent = [
            {
                "unique_id": str(self.number()),
                "number": record["to"],
                "message": record["text"],
                "error": {"code": record["code"], "message": record["reason"]},
            }
            for record in bad
        ]
        if not good:
            raise _failure(51, "No valid numbers specified", bad)
        batches = [
            self._batch([record], data.get("sender", ""), record["text"], data)
            for record in good
            if magic(record["to"]) is not Magic.SILENT
        ]
        frame = {"balance_pre_send": 12346, "balance_post_send": 12346 - len(good), "total_cost": len(good)}
        for record in good:
            record.setdefault("id", str(self.number()))
        return Answer(
            200,
            lambda results: {**frame, "messages": results, "messages_not_sent": not_sent, "status": "success"},
            batches,
            taken=good,
            refused=bad,
            values={name: value for name, value in data.items() if name != "messages"},
            sent=[self._sent(record, data) for record in good],
        )

    def _data(self, form: dict[str, str]) -> dict[str, Any]:
        try:
            data = orjson.loads(form.get("data", ""))
        except ValueError as error:
            raise _failure(2, "Unrecognised command: data is not JSON") from error
        if not isinstance(data, dict) or not isinstance(data.get("messages"), list) or not data["messages"]:
            raise _failure(4, "No recipients specified")
        return data

    def _batch(self, records: list[LogEntry], sender: str, text: str, given: dict[str, Any]) -> dict[str, Any]:
        for record in records:
            record["id"] = str(self.number())
        parts = len(split_parts(text))
        return {
            "balance": 12345,
            "batch_id": self.number() % 2**31,
            "cost": len(records) * parts,
            "num_messages": len(records),
            "message": {"num_parts": parts, "sender": sender, "content": text},
            "receipt_url": given.get("receipt_url", ""),
            "custom": given.get("custom", ""),
            "messages": [
                {"id": record["id"], "recipient": int(record["to"])}
                for record in records
                if magic(record["to"]) is not Magic.SILENT
            ],
        }

    def _authenticate(self, pairs: dict[str, str]) -> None:
        user = (pairs.get("username"), pairs.get("hash"))
        if pairs.get("apikey") != self.knobs.secret and user != (self.knobs.account, self.knobs.secret):
            raise _failure(3, "Invalid login details")

    def _check_whole(self, records: list[LogEntry]) -> None:
        outcomes = {magic(record["to"]) for record in records}
        if Magic.CREDIT in outcomes:
            raise _failure(7, "Insufficient credits", records)
        if self.knobs.night or Magic.HOURS in outcomes:
            raise _failure(*NIGHT, records)


def _record(message: Any) -> LogEntry:
    """One entry of `messages`; its text is encoded once more inside the JSON."""
    fields = message if isinstance(message, dict) else {}
    number, text = fields.get("number"), fields.get("text")
    if not isinstance(text, str) or not text:
        raise _failure(5, "No message content")
    if not isinstance(number, str | int):
        raise _failure(4, "No recipients specified")
    return {"to": str(number), "text": unquote(text)}


def _sort(records: list[LogEntry]) -> tuple[list[LogEntry], list[LogEntry]]:
    """Those that are sent, and those that are not, with the reason."""
    good: list[LogEntry] = []
    bad: list[LogEntry] = []
    for record in records:
        outcome = magic(record["to"])
        if outcome in NOT_SENT:
            record["code"], record["reason"] = NOT_SENT[outcome]
        elif not INTERNATIONAL.fullmatch(record["to"]):
            record["code"], record["reason"] = 32, "Invalid number format"
        (bad if "code" in record else good).append(record)
    return good, bad


def _failure(
    code: int, text: str, refused: list[LogEntry] | None = None, warning: dict[str, Any] | None = None
) -> RefusedCall:
    document: dict[str, Any] = {"errors": [{"code": code, "message": text}], "status": "failure"}
    if warning:
        document["warnings"] = [warning]
    return RefusedCall(Answer(200, document, refused=refused or []))
