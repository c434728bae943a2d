"""A provider with key-value parameters: GET with a query, POST with a form; JSON reply."""

from __future__ import annotations

from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry
from connector.tools.simulator.callbacks.clevertap_callbacks import CleverTapCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import Knobs
from connector.tools.simulator.receipts.fate import SentMessage

MAX_NUMBERS = 100
REFUSED = {
    Magic.INVALID: 101,
    Magic.BLOCKED: 102,
    Magic.THROTTLED: 103,
    Magic.TEMPORARY: 104,
    Magic.PERMANENT: 105,
}


class PairsOptions(Knobs, frozen=True, kw_only=True):
    """`key`: what the parameter `key` must be; None checks nothing."""

    key: str | None = None


class Pairs(Fake):
    """GET or POST /send `to` (up to 100, comma between), `text`, optional `ref`, `mid` and `key`.

    Always 200: `{"status": "ok", "messages": [{"to", "id"} | {"to", "code"}]}`, or for the whole request
    `{"status": "error", "code", "message"}`: 1 wrong key, 2 parameter missing, 3 too many numbers, 7 no credit.
    """

    name = "pairs"
    about = "key-value pairs: GET query or POST form"
    paths = ("/send",)
    options = PairsOptions
    reports = CleverTapCallbacks

    @route("GET|POST", "/send")
    def send(self, call: Call) -> Answer:
        pairs = call.pairs
        if self.knobs.key is not None and pairs.get("key") != self.knobs.key:
            return _error(1, "wrong key")
        missing = [name for name in ("to", "text") if not pairs.get(name)]
        if missing:
            return _error(2, f"parameter missing: {', '.join(missing)}")
        phones = pairs["to"].split(",")
        if len(phones) > MAX_NUMBERS:
            return _error(3, f"{len(phones)} numbers, at most {MAX_NUMBERS}")
        records: list[LogEntry] = [{"to": phone, "ref": pairs.get("ref"), "text": pairs["text"]} for phone in phones]
        if any(magic(phone) is Magic.CREDIT for phone in phones):
            return _error(7, "no credit", records)
        answer = Answer(200, lambda results: {"status": "ok", "messages": results}, [])
        answer.values = {name: value for name, value in pairs.items() if name not in {"to", "text", "ref", "key"}}
        results: list[Any] = []
        for record in records:
            outcome = magic(record["to"])
            if outcome in REFUSED:
                record["code"] = REFUSED[outcome]
                answer.refused.append(record)
                results.append({"to": record["to"], "code": record["code"]})
                continue
            record["id"] = str(self.number())
            answer.taken.append(record)
            answer.sent.append(
                SentMessage(record["to"], record["id"], self.now(), ref=pairs.get("mid") or pairs.get("ref"))
            )
            if outcome is not Magic.SILENT:
                results.append({"to": record["to"], "id": record["id"]})
        answer.results = results
        return answer


def _error(code: int, message: str, refused: list[LogEntry] | None = None) -> Answer:
    return Answer(200, {"status": "error", "code": code, "message": message}, refused=refused or [])
