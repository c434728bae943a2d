"""A provider that takes the seed's batched payload: values for all, and a list `msgs`."""

from __future__ import annotations

from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.clevertap_callbacks import CleverTapCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import Knobs
from connector.tools.simulator.receipts.fate import SentMessage

MAX_RECORDS = 1000
REFUSED = {
    Magic.INVALID: "invalid-number",
    Magic.BLOCKED: "blocked",
    Magic.THROTTLED: "busy",
    Magic.TEMPORARY: "temporary",
    Magic.PERMANENT: "refused",
}


class JsonBatchOptions(Knobs, frozen=True, kw_only=True):
    """`credentials`: `user:password` that HTTP Basic must carry; None checks nothing."""

    credentials: str | None = None


class JsonBatch(Fake):
    """POST /send `{…, "msgs": [{"to", "uid", "variables", …}]}`.

    200 `{"batch", "results": [{"uid", "to", "id", "status"}]}`.
    A refused message has `"status": "refused"` and a `code` instead of an `id`. 400 for a body that is no such object,
    413 for more than 1,000 messages, 402 where a message's number asks for CREDIT.
    """

    name = "json"
    about = "JSON batch: the seed's payload with msgs"
    paths = ("/send",)
    options = JsonBatchOptions
    reports = CleverTapCallbacks

    @route("POST", "/send")
    def send(self, call: Call) -> Answer:
        if self.knobs.credentials is not None and ":".join(call.basic or ()) != self.knobs.credentials:
            refused = Answer(401, {"error": "wrong credentials"}, headers={"WWW-Authenticate": 'Basic realm="sms"'})
            raise RefusedCall(refused)
        document, messages = self._read(call)
        batch = f"b{self.number():x}"
        results: list[dict[str, Any]] = []
        taken: list[LogEntry] = []
        sent: list[SentMessage] = []
        refused_records: list[LogEntry] = []
        for message in messages:
            to = message["to"]
            uid = message.get("uid")
            outcome = magic(to)
            record: LogEntry = {"to": to, "ref": uid, "text": message.get("variables")}
            if code := REFUSED.get(outcome) if outcome else None:
                record["code"] = code
                refused_records.append(record)
                results.append({"uid": uid, "to": to, "status": "refused", "code": code})
                continue
            record["id"] = identifier = f"m{self.number():x}"
            taken.append(record)
            sent.append(SentMessage(to, identifier, self.now(), ref=_text(message.get("mid", uid)), batch=batch))
            if outcome is not Magic.SILENT:
                results.append({"uid": uid, "to": to, "status": "queued", "id": identifier})
        values = {key: value for key, value in document.items() if key != "msgs"}
        return Answer(
            200,
            lambda results: {"batch": batch, "results": results},
            results,
            taken=taken,
            refused=refused_records,
            values=values,
            sent=sent,
        )

    def _read(self, call: Call) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        try:
            document = call.json()
        except ValueError as error:
            raise RefusedCall(Answer(400, {"error": f"not JSON: {error}"})) from error
        messages = document.get("msgs") if isinstance(document, dict) else None
        if not isinstance(messages, list) or not messages:
            raise RefusedCall(Answer(400, {"error": "msgs: expected a list with at least one message"}))
        if len(messages) > MAX_RECORDS:
            raise RefusedCall(Answer(413, {"error": f"msgs: {len(messages)} messages, at most {MAX_RECORDS}"}))
        for index, message in enumerate(messages):
            if not isinstance(message, dict) or not isinstance(message.get("to"), str) or not message["to"]:
                raise RefusedCall(Answer(400, {"error": f"msgs[{index}].to: expected a phone number"}))
        if any(magic(message["to"]) is Magic.CREDIT for message in messages):
            refused: list[LogEntry] = [{"to": message["to"], "ref": message.get("uid")} for message in messages]
            raise RefusedCall(Answer(402, {"error": "insufficient credit"}, refused=refused))
        return document, messages


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
