"""Jasmin's callbacks. Sources: its documentation of /send, its source (routing/throwers.py, managers/listeners.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from connector.tools.simulator.callbacks.callback_times import utc
from connector.tools.simulator.callbacks.india_callbacks import SMPP
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.reporter import (
    AnswerVerdict,
    CallbackAttempt,
    Repetition,
    Reporter,
    WrittenCallback,
    form,
    with_query,
)
from connector.tools.simulator.texts import digits

ACKNOWLEDGED: Final = b"ACK/Jasmin"
LEVELS: Final[Mapping[str, frozenset[NetworkState]]] = {
    "1": frozenset({NetworkState.SENT}),
    "2": frozenset(SMPP),
    "3": frozenset({NetworkState.SENT, *SMPP}),
}
"""dlr-level → what is told: the SMSC's answer to the submission, the phone's, both."""


class JasminCallbacks(Reporter):
    """GET or POST of dlr-url with the fields of the report, as dlr-method says (POST by default).

    Replies go to the URL of an HTTP client connector.

    Only a body `ACK/Jasmin` acknowledges it. Otherwise three times more, 30 s apart; after a 404 never again.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {NetworkState.SENT: "ESME_ROK", **SMPP}
    replies = True
    policy = Repetition(waits=(30, 30, 30), timeout=30)

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        [one] = attempt.news
        fields = _reply(one) if one.kind is NewsKind.REPLY else self._report(one)
        if one.kind is NewsKind.RECEIPT and one.sent.method == "GET":
            return WrittenCallback("GET", with_query(attempt.url, fields))
        return form(attempt.url, fields, {"Accept": "text/plain"})

    def verdict(self, status: int, body: bytes) -> AnswerVerdict:
        if status == 404:
            return AnswerVerdict.DISCARDED
        taken = 200 <= status < 300 and body.strip() == ACKNOWLEDGED
        return AnswerVerdict.TAKEN if taken else AnswerVerdict.AGAIN

    def _report(self, news: News) -> dict[str, str]:
        assert news.state is not None
        fields = {"id": news.sent.id, "level": "1", "message_status": self.words[news.state]}
        if news.state is NetworkState.SENT:
            return fields
        delivered = news.state is NetworkState.DELIVERED
        return fields | {
            "level": "2",
            "id_smsc": news.sent.id[:8],
            "subdate": utc(news.sent.at, "%y%m%d%H%M"),
            "donedate": utc(news.at, "%y%m%d%H%M"),
            "sub": "001",
            "dlvrd": f"00{int(delivered)}",
            "err": "000" if delivered else "001",
            "text": news.sent.text[:20],
        }


def _reply(news: News) -> dict[str, str]:
    return {
        "id": f"{int(news.at * 1000):032x}",
        "from": digits(news.sent.to),
        "to": news.sent.sender,
        "content": "STOP",
        "origin-connector": "simulated",
        "coding": "0",
        "priority": "LEVEL_0",
    }
