"""BulkSMS's webhooks. Source: its OpenAPI document (/webhooks, Message)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from connector.tools.simulator.callbacks.callback_times import utc
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import (
    JSON,
    AnswerVerdict,
    CallbackAttempt,
    Repetition,
    Reporter,
    WrittenCallback,
    json_post,
)
from connector.tools.simulator.texts import digits

STATUS: Final = {
    NetworkState.SENT: ("SENT", None),
    NetworkState.DELIVERED: ("DELIVERED", None),
    NetworkState.UNDELIVERED: ("FAILED", "NOT_SENT"),
    NetworkState.EXPIRED: ("FAILED", "EXPIRED"),
    NetworkState.BLOCKED: ("FAILED", "BLOCKED"),
}
TWO_DAYS = 2 * 24 * 3600.0


class BulkSmsCallbacks(Reporter):
    """POST of a JSON array of Message, ten at most; an empty one when the URL is registered. No time of the status.

    4xx discards; what is not 1xx or 2xx comes again: after 90 s, 3, 6 and 12 min, then every 15 min for two days.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {state: kind for state, (kind, _) in STATUS.items()}
    bunch = 10
    replies = True
    policy = Repetition(waits=(90, 180, 360, 720), then=900, until=TWO_DAYS, timeout=30)

    def probe(self, url: str, knobs: ReceiptKnobs, now: float) -> WrittenCallback | None:
        del knobs, now
        return WrittenCallback("POST", url, {"Content-Type": JSON}, b"[]")

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        return json_post(attempt.url, [_message(each) for each in attempt.news])

    def verdict(self, status: int, body: bytes) -> AnswerVerdict:
        if 400 <= status < 500:
            return AnswerVerdict.DISCARDED
        return AnswerVerdict.TAKEN if status < 300 else AnswerVerdict.AGAIN


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
    if news.kind is NewsKind.REPLY:
        own = {"id": f"{int(news.at * 1000)}", "type": "RECEIVED", "from": digits(sent.to), "to": sent.sender}
        return {**message, **own, "body": "STOP", "submission": None, "creditCost": None, "userSuppliedId": None}
    assert news.state is not None
    kind, subtype = STATUS[news.state]
    return {**message, "status": {"id": f"{kind}.{subtype or 'null'}", "type": kind, "subtype": subtype}}
