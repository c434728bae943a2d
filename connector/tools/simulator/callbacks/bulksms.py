"""BulkSMS's webhooks. Source: its OpenAPI document (/webhooks, Message)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from connector.tools.simulator.call import digits
from connector.tools.simulator.callbacks.times import utc
from connector.tools.simulator.receipts.fate import Kind, News, State
from connector.tools.simulator.receipts.knobs import Receipts
from connector.tools.simulator.receipts.reporter import JSON, Attempt, Callback, Reporter, Retry, Verdict, json_post

STATUS: Final = {
    State.SENT: ("SENT", None),
    State.DELIVERED: ("DELIVERED", None),
    State.UNDELIVERED: ("FAILED", "NOT_SENT"),
    State.EXPIRED: ("FAILED", "EXPIRED"),
    State.BLOCKED: ("FAILED", "BLOCKED"),
}
TWO_DAYS = 2 * 24 * 3600.0


class BulkSmsCallbacks(Reporter):
    """POST of a JSON array of Message, ten at most; an empty one when the URL is registered. No time of the status.

    4xx discards; what is not 1xx or 2xx comes again: after 90 s, 3, 6 and 12 min, then every 15 min for two days.
    """

    words: ClassVar[Mapping[State, str]] = {state: kind for state, (kind, _) in STATUS.items()}
    bunch = 10
    replies = True
    policy = Retry(waits=(90, 180, 360, 720), then=900, until=TWO_DAYS, timeout=30)

    def probe(self, url: str, knobs: Receipts, now: float) -> Callback | None:
        del knobs, now
        return Callback("POST", url, {"Content-Type": JSON}, b"[]")

    def write(self, attempt: Attempt) -> Callback:
        return json_post(attempt.url, [_message(each) for each in attempt.news])

    def verdict(self, status: int, body: bytes) -> Verdict:
        if 400 <= status < 500:
            return Verdict.DISCARDED
        return Verdict.TAKEN if status < 300 else Verdict.AGAIN


def _message(news: News) -> dict[str, Any]:
    sent = news.sent
    message: dict[str, Any] = {
        "id": sent.id,
        "type": "SENT",
        "from": sent.sender or None,
        "to": digits(sent.to),
        "body": sent.text,
        "encoding": "TEXT",
        "protocolId": 0,
        "messageClass": 0,
        "numberOfParts": 1,
        "creditCost": 1.0,
        "submission": {"id": sent.batch, "date": utc(sent.at, "%Y-%m-%dT%H:%M:%SZ")},
        "status": None,
        "relatedSentMessageId": None,
        "userSuppliedId": sent.ref,
    }
    if news.kind is Kind.REPLY:
        own = {"id": f"{int(news.at * 1000)}", "type": "RECEIVED", "from": digits(sent.to), "to": sent.sender}
        return {**message, **own, "body": "STOP", "submission": None, "creditCost": None, "userSuppliedId": None}
    assert news.state is not None
    kind, subtype = STATUS[news.state]
    return {**message, "status": {"id": f"{kind}.{subtype or 'null'}", "type": kind, "subtype": subtype}}
