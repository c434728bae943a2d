"""Exotel's callbacks. Sources: developer.exotel.com (send SMS, webhooks); its pages contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from connector.tools.simulator.callbacks.times import indian
from connector.tools.simulator.receipts.fate import Kind, News, State
from connector.tools.simulator.receipts.reporter import JSON, Attempt, Callback, Reporter, Retry, form, json_post
from connector.tools.simulator.texts import national

STATUS: Final = {
    State.DELIVERED: ("sent", "DELIVERED_TO_HANDSET", "20005"),
    State.UNDELIVERED: ("failed", "FAILED_TO_DELIVER", "23001"),
    State.EXPIRED: ("failed", "EXPIRED", "23002"),
    State.BLOCKED: ("failed_dnd", "FAILED_DND", "23005"),
}


class ExotelCallbacks(Reporter):
    """POST to StatusCallback of the request, a form, or JSON where StatusCallbackContentType asks; only what is final.

    `sent` means delivered. CustomField comes back where it was set. Two more attempts; after how long nobody says.
    """

    words: ClassVar[Mapping[State, str]] = {state: word for state, (word, _, _) in STATUS.items()}
    replies = True
    policy = Retry(waits=(60, 60), timeout=10)

    def write(self, attempt: Attempt) -> Callback:
        [one] = attempt.news
        fields = _reply(one) if one.kind is Kind.REPLY else _status(one)
        if one.sent.media != JSON or one.kind is Kind.REPLY:
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
