"""Plivo's callbacks. Sources: docs.plivo.com (message status callbacks, incoming messages), its Python client."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import ClassVar, Final, Literal

from connector.tools.simulator.callbacks.callback_times import utc
from connector.tools.simulator.receipts import callback_signing as signing
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import (
    CallbackAttempt,
    Repetition,
    Reporter,
    WrittenCallback,
    form,
    with_query,
)

ERRORS: Final = {NetworkState.UNDELIVERED: "420", NetworkState.EXPIRED: "600", NetworkState.BLOCKED: "200"}
TIME = "%Y-%m-%d %H:%M:%S.%f"


class PlivoReceipts(ReceiptKnobs, frozen=True, kw_only=True):
    """`signature`: the headers of version 3, of version 2 as its messaging pages still say, or both."""

    signature: Literal["v3", "v2", "both"] = "v3"


class PlivoCallbacks(Reporter):
    """POST of a form, or GET, to `url` of the request; signed; `Sequence` orders a message's callbacks.

    Three more attempts, after 60, 120 and 240 s, and a minute to answer: none of it is confirmed.
    Replies go to the registered URL, with what they mean.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {
        NetworkState.PENDING: "queued",
        NetworkState.SENT: "sent",
        NetworkState.DELIVERED: "delivered",
        NetworkState.UNDELIVERED: "undelivered",
        NetworkState.EXPIRED: "undelivered",
        NetworkState.BLOCKED: "failed",
    }
    replies = True
    policy = Repetition(waits=(60, 120, 240), timeout=60)

    def signs(self, knobs: ReceiptKnobs) -> bool:
        del knobs
        return True

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        knobs = attempt.knobs
        assert isinstance(knobs, PlivoReceipts)
        [one] = attempt.news
        fields = self._reply(one) if one.kind is NewsKind.REPLY else self._status(one)
        method = (one.sent.method or "POST").upper()
        url = with_query(attempt.url, fields) if method == "GET" else attempt.url
        headers = {}
        if knobs.signature != "v2":
            headers["X-Plivo-Signature-V3"] = signing.plivo_v3(attempt.secret, method, url, fields, attempt.nonce)
            headers["X-Plivo-Signature-V3-Nonce"] = attempt.nonce
        if knobs.signature != "v3":
            headers["X-Plivo-Signature-V2"] = signing.plivo_v2(attempt.secret, url, attempt.nonce)
            headers["X-Plivo-Signature-V2-Nonce"] = attempt.nonce
        return WrittenCallback("GET", url, headers) if method == "GET" else form(url, fields, headers)

    def _status(self, news: News) -> dict[str, str]:
        sent, state = news.sent, news.state
        assert state is not None
        return {
            "MessageUUID": sent.id,
            "To": sent.to.removeprefix("+"),
            "From": sent.sender.removeprefix("+"),
            "Type": "sms",
            "Status": self.words[state],
            "Units": "1",
            "TotalRate": "0.0055",
            "TotalAmount": "0.0055",
            "MCC": "310",
            "MNC": "004",
            "ErrorCode": ERRORS.get(state, "000"),
            "ParentMessageUUID": sent.batch or sent.id,
            "PartInfo": "1 of 1",
            "Sequence": str(news.sequence),
            "MessageTime": utc(sent.at, TIME),
            "QueuedTime": utc(sent.at, TIME),
            "SentTime": utc(sent.at, TIME),
            "DeliveryReportTime": utc(news.at, TIME),
            "requester_ip": "192.0.2.1",
            "PowerpackUUID": "",
        }

    def _reply(self, news: News) -> dict[str, str]:
        return {
            "From": news.sent.to.removeprefix("+"),
            "To": news.sent.sender.removeprefix("+"),
            "Type": "sms",
            "Text": "STOP",
            "MessageUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{news.sent.id}|{news.at}")),
            "Units": "1",
            "TotalRate": "0",
            "TotalAmount": "0",
            "MessageIntent": "optout",
            "PowerpackUUID": "",
        }
