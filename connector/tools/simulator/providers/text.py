"""A provider that answers plain text, a line per message, as enterprise gateways do."""

from __future__ import annotations

from connector.tools.simulator.call import Answer, Call, LogEntry
from connector.tools.simulator.callbacks.clevertap_callbacks import CleverTapCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.receipts.fate import SentMessage

REFUSED = {
    Magic.INVALID: (105, "invalid number"),
    Magic.BLOCKED: (305, "blocked number"),
    Magic.THROTTLED: (175, "too many requests"),
    Magic.TEMPORARY: (310, "system error"),
    Magic.PERMANENT: (320, "template mismatch"),
}


class TextProvider(Fake):
    """GET or POST /send `to` (comma between), `text`, optional `ref` and `mid`: 200 text/plain, a line per number.

    `success | 919812345678 | 3562707498794989059` or `error | 105 | invalid number | 919812345678`;
    `error | 102 | missing parameter to` for the whole request.
    """

    name = "text"
    about = "key-value pairs, plain text reply"
    paths = ("/send",)
    reports = CleverTapCallbacks

    @route("GET|POST", "/send")
    def send(self, call: Call) -> Answer:
        pairs = call.pairs
        for name in ("to", "text"):
            if not pairs.get(name):
                return Answer(200, f"error | 102 | missing parameter {name}", media="text/plain")
        answer = Answer(200, "\n".join, [], media="text/plain; charset=utf-8")
        lines: list[str] = []
        for phone in pairs["to"].split(","):
            record: LogEntry = {"to": phone, "ref": pairs.get("ref"), "text": pairs["text"]}
            outcome = magic(phone)
            if outcome in REFUSED:
                code, reason = REFUSED[outcome]
                record["code"] = code
                answer.refused.append(record)
                lines.append(f"error | {code} | {reason} | {phone}")
                continue
            record["id"] = str(self.number())
            answer.taken.append(record)
            answer.sent.append(SentMessage(phone, record["id"], self.now(), ref=pairs.get("mid") or pairs.get("ref")))
            if outcome is not Magic.SILENT:
                lines.append(f"success | {phone} | {record['id']}")
        answer.results = lines
        return answer
