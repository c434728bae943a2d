"""Infobip's delivery reports. Sources: models of its Python client, its pages on reports and notify URLs."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from xml.sax.saxutils import escape

from connector.tools.simulator.callbacks.callback_times import infobip as moment
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import (
    CallbackAttempt,
    Repetition,
    Reporter,
    WrittenCallback,
    json_post,
)

STATUS: Final = {
    NetworkState.PENDING: (1, "PENDING", 26, "PENDING_ACCEPTED"),
    NetworkState.SENT: (1, "PENDING", 7, "PENDING_ENROUTE"),
    NetworkState.DELIVERED: (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET"),
    NetworkState.UNDELIVERED: (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED"),
    NetworkState.EXPIRED: (4, "EXPIRED", 15, "EXPIRED_EXPIRED"),
    NetworkState.BLOCKED: (5, "REJECTED", 18, "REJECTED_DESTINATION"),
}
NO_ERROR: Final = (0, "OK", 0, "NO_ERROR", "No Error", False)
ERRORS: Final = {
    NetworkState.UNDELIVERED: (1, "HANDSET_ERRORS", 27, "EC_ABSENT_SUBSCRIBER", "Absent Subscriber", False),
    NetworkState.EXPIRED: (1, "HANDSET_ERRORS", 27, "EC_ABSENT_SUBSCRIBER", "Absent Subscriber", False),
    NetworkState.BLOCKED: (2, "USER_ERRORS", 513, "EC_UNKNOWN_SUBSCRIBER", "Unknown Subscriber", True),
}
XML: Final = "application/xml"
DAYS: Final = 4 * 24 * 3600.0


class InfobipReceipts(ReceiptKnobs, frozen=True, kw_only=True):
    """`basic`: `user:password` of HTTP Basic, as set in its subscriptions; None for none."""

    basic: str | None = None


class InfobipCallbacks(Reporter):
    """POST of `{"results": […]}`, 100 at most, to the message's URL; XML where the message asks for it.

    What is on the way is told where `intermediateReport` asks. Repeats are unconfirmed: after a minute, then later and
    later, for days; here twice as long each time up to a day, for four days. How long it waits is a guess, 30 s.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {state: name for state, (_, _, _, name) in STATUS.items()}
    bunch = 100
    replies = True
    policy = Repetition(
        waits=(60, 120, 240, 480, 960, 1920, 3840, 7680, 15360, 30720, 61440), then=86_400, until=DAYS, timeout=30
    )

    def signs(self, knobs: ReceiptKnobs) -> bool:
        return isinstance(knobs, InfobipReceipts) and knobs.basic is not None

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        knobs = attempt.knobs
        assert isinstance(knobs, InfobipReceipts)
        headers = {}
        if knobs.basic is not None:
            given = f"{knobs.basic}-wrong" if attempt.forged else knobs.basic
            headers["Authorization"] = "Basic " + base64.b64encode(given.encode()).decode()
        replies = attempt.news[0].kind is NewsKind.REPLY
        document: dict[str, Any] = {"results": [_reply(each) if replies else _report(each) for each in attempt.news]}
        if replies:
            document |= {"messageCount": len(attempt.news), "pendingMessageCount": 0}
        elif attempt.news[0].sent.media == XML:
            return WrittenCallback("POST", attempt.url, {"Content-Type": XML, **headers}, _xml(document["results"]))
        return json_post(attempt.url, document, headers)


def _report(news: News) -> dict[str, Any]:
    sent, state = news.sent, news.state
    assert state is not None
    group, group_name, number, name = STATUS[state]
    failed, failed_name, code, code_name, words, permanent = ERRORS.get(state, NO_ERROR)
    report: dict[str, Any] = {
        "bulkId": sent.batch,
        "messageId": sent.id,
        "to": sent.to.removeprefix("+"),
        "sender" if sent.method == "v3" else "from": sent.sender,
        "sentAt": moment(sent.at),
        "doneAt": moment(news.at),
        "messageCount": 1,
        "mccMnc": "22801",
        "price": {"pricePerMessage": 0.01, "currency": "EUR"},
        "status": {"groupId": group, "groupName": group_name, "id": number, "name": name, "description": name},
        "error": {
            "groupId": failed,
            "groupName": failed_name,
            "id": code,
            "name": code_name,
            "description": words,
            "permanent": permanent,
        },
    }
    return {**report, "callbackData": sent.ref} if sent.ref else report


def _reply(news: News) -> dict[str, Any]:
    sent = news.sent
    return {
        "messageId": f"{int(news.at * 1000)}",
        "from": sent.to.removeprefix("+"),
        "to": sent.sender,
        "text": "STOP",
        "cleanText": "STOP",
        "keyword": "STOP",
        "receivedAt": moment(news.at),
        "smsCount": 1,
        "price": {"pricePerMessage": 0, "currency": "EUR"},
        "callbackData": None,
    }


def _xml(results: Sequence[Mapping[str, Any]]) -> bytes:
    inside = "".join(f"<result>{_elements(result)}</result>" for result in results)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><reportResponse><results>{inside}</results></reportResponse>'.encode()
    )


def _elements(value: Any) -> str:
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_elements(inner)}</{name}>" for name, inner in value.items())
    return escape(str(value).lower() if isinstance(value, bool) else str(value))
