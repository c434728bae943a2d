"""Exotel's callbacks. Sources: developer.exotel.com (send SMS, webhooks); its pages contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from connector.tools.simulator.callbacks.callback_times import indian
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.reporter import (
    JSON,
    CallbackAttempt,
    Repetition,
    Reporter,
    WrittenCallback,
    form,
    json_post,
)
from connector.tools.simulator.texts import national

STATUS: Final = {
    NetworkState.DELIVERED: ("sent", "DELIVERED_TO_HANDSET", "20005"),
    NetworkState.UNDELIVERED: ("failed", "FAILED_TO_DELIVER", "23001"),
    NetworkState.EXPIRED: ("failed", "EXPIRED", "23002"),
    NetworkState.BLOCKED: ("failed_dnd", "FAILED_DND", "23005"),
}


class ExotelCallbacks(Reporter):
    """POST to StatusCallback of the request, a form, or JSON where StatusCallbackContentType asks; only what is final.

    `sent` means delivered. CustomField comes back where it was set. Two more attempts; after how long nobody
    says: here a minute. Of its two documented times to answer (10 and 15 s) it is the shorter.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {state: word for state, (word, _, _) in STATUS.items()}
    replies = True
    policy = Repetition(waits=(60, 60), timeout=10)

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        [one] = attempt.news
        fields = _reply(one) if one.kind is NewsKind.REPLY else _status(one)
        if one.sent.media != JSON or one.kind is NewsKind.REPLY:
            return form(attempt.url, fields)
        return json_post(attempt.url, fields)


def _status(news: News) -> dict[str, str]:
    assert news.state is not None
    status, detailed, code = STATUS[news.state]
    fields = {
        "SmsSid": news.sent.id,
        "To": national(news.sent.to),
        "Status": status,
        "SmsUnits": "1",
        "DetailedStatus": detailed,
        "DetailedStatusCode": code,
        "DateSent": indian(news.at),
    }
    if news.sent.ref:
        fields["CustomField"] = news.sent.ref
    return fields


def _reply(news: News) -> dict[str, str]:
    sent = news.sent
    sid = f"{int(news.at * 1000):032x}"
    return {"SmsSid": sid, "From": national(sent.to), "To": sent.sender, "Body": "STOP", "Date": indian(news.at)}
