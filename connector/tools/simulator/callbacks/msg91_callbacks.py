"""MSG91's webhook. Source: its help page on delivery reports by webhook; behaviour is not documented."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Final, Literal

import orjson

from connector.tools.simulator.callbacks.callback_times import indian
from connector.tools.simulator.receipts.fate import NetworkState, News
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import CallbackAttempt, Reporter, WrittenCallback, form, json_post
from connector.tools.simulator.texts import digits

STATUS: Final = {
    NetworkState.DELIVERED: ("1", "DELIVERED", ""),
    NetworkState.UNDELIVERED: ("2", "FAILED", "Absent subscriber"),
    NetworkState.EXPIRED: ("2", "FAILED", "Expired"),
    NetworkState.BLOCKED: ("9", "NDNC", "NDNC number"),
}
EVENTS: Final = {"1": "delivered", "2": "failed", "9": "failed"}
CODES: Final = {NetworkState.UNDELIVERED: "914", NetworkState.EXPIRED: "916", NetworkState.BLOCKED: "913"}


class Msg91Receipts(ReceiptKnobs, frozen=True, kw_only=True):
    """`version`, as chosen in its panel: JSON in a form field, a JSON object, or CleverTap's format."""

    version: Literal["v2", "v3", "v4"] = "v2"


class Msg91Callbacks(Reporter):
    """POST to the account's URL: what is final, per request id and number. No repeats: none are documented."""

    words: ClassVar[Mapping[NetworkState, str]] = {state: status for state, (status, _, _) in STATUS.items()}
    bunch = 100

    def together(self, knobs: ReceiptKnobs) -> int:
        return 1 if isinstance(knobs, Msg91Receipts) and knobs.version == "v3" else self.bunch

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        knobs = attempt.knobs
        assert isinstance(knobs, Msg91Receipts)
        if knobs.version == "v2":
            requests = [_request(list(group)) for _, group in _requests(attempt.news)]
            return form(attempt.url, {"data": orjson.dumps(requests).decode()})
        if knobs.version == "v3":
            document: Any = _flat(attempt.news[0])
        else:
            document = [_event(each) for each in attempt.news]
        return json_post(attempt.url, document)


def _requests(news: Sequence[News]) -> Any:
    return groupby(sorted(news, key=_id), key=_id)


def _id(news: News) -> str:
    return news.sent.id


def _request(news: list[News]) -> dict[str, Any]:
    sent = news[0].sent
    return {
        "senderId": sent.sender,
        "requestId": sent.id,
        "report": [_report(each) for each in news],
        "userId": "27000",
        "campaignName": "Sendhttp",
    }


def _report(news: News) -> dict[str, str]:
    assert news.state is not None
    status, words, reason = STATUS[news.state]
    return {
        "date": indian(news.at),
        "amount": "0.01",
        "clientid": "",
        "INMSID": "0",
        "CRQID": news.sent.ref or "0",
        "ctCode": "900",
        "number": digits(news.sent.to),
        "credit": "1",
        "status": status,
        "desc": words,
        "failedReason": reason,
    }


def _flat(news: News) -> dict[str, str]:
    report = _report(news)
    names = ("date", "number", "amount", "INMSID", "CRQID", "credit", "status", "desc")
    own = {"senderId": news.sent.sender, "requestId": news.sent.id, "userId": "27000", "campaignName": "Sendhttp"}
    return {**{name: report[name] for name in names}, **own}


def _event(news: News) -> dict[str, Any]:
    assert news.state is not None
    status, words, reason = STATUS[news.state]
    data: dict[str, Any] = {"meta": news.sent.ref or "0", "INMSID": "0", "description": reason or words}
    if news.state in CODES:
        data["code"] = CODES[news.state]
    return {"data": [{**data, "ts": int(news.at)}], "event": EVENTS[status]}
