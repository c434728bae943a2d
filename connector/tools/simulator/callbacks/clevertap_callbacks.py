"""CleverTap's callback for its Generic provider: what the generic fakes send. Source: its page "Generic SMS"."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any, ClassVar, Final

from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.reporter import (
    CallbackAttempt,
    Repetition,
    Reporter,
    WrittenCallback,
    json_post,
)

FAILED: Final = {
    NetworkState.UNDELIVERED: ("914", "undelivered"),
    NetworkState.EXPIRED: ("916", "message expired"),
    NetworkState.BLOCKED: ("903", "number is blacklisted"),
}


class CleverTapCallbacks(Reporter):
    """POST of JSON: an array of events, each with its data, 100 records at most. `meta` is what came as `mid`.

    It says delivered, failed, replied and clicked, and nothing on the way there. 5xx and silence come again after ten
    minutes, then after twice as long each time; how often nobody says: here five times.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {
        NetworkState.DELIVERED: "delivered",
        **dict.fromkeys(FAILED, "failed"),
    }
    bunch = 100
    replies = True
    clicks = True
    policy = Repetition(waits=(600, 1200, 2400, 4800, 9600))

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        events = [
            {"event": event, "data": [_data(each) for each in data]}
            for event, data in groupby(sorted(attempt.news, key=self._event), key=self._event)
        ]
        return json_post(attempt.url, events)

    def _event(self, news: News) -> str:
        if news.kind is NewsKind.RECEIPT:
            assert news.state is not None
            return self.words[news.state]
        return "replied" if news.kind is NewsKind.REPLY else "clicked"


def _data(news: News) -> dict[str, Any]:
    data: dict[str, Any] = {"ts": int(news.at), "meta": news.sent.ref or "0"}
    if news.kind is NewsKind.REPLY:
        return {**data, "description": "Reply received", "toPhone": news.sent.sender or "5555", "incomingText": "STOP"}
    if news.kind is NewsKind.CLICK:
        return {**data, "description": "Link clicked", "url": "www.CleverTap.com", "shorturl": "ct9.io/12345"}
    assert news.state is not None
    if news.state is NetworkState.DELIVERED:
        return {**data, "description": "Delivered to handset"}
    code, description = FAILED[news.state]
    return {**data, "code": code, "description": description}
