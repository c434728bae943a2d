"""Kannel's dlr-url and get-url. Sources: user guide 1.4 (dlr-mask, escape codes), its source (urltrans.c, dlr.c)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import quote_plus

from connector.tools.simulator.callbacks.callback_times import utc
from connector.tools.simulator.callbacks.india_callbacks import SMPP
from connector.tools.simulator.receipts.fate import NetworkState, News, NewsKind
from connector.tools.simulator.receipts.reporter import CallbackAttempt, Reporter, WrittenCallback

BITS: Final = {
    NetworkState.DELIVERED: 1,
    NetworkState.UNDELIVERED: 2,
    NetworkState.EXPIRED: 2,
    NetworkState.PENDING: 4,
    NetworkState.SENT: 8,
    NetworkState.BLOCKED: 16,
}
"""State → bit of dlr-mask, and value of `%d`."""
ESCAPE: Final = re.compile(r"%([a-zA-Z%])")


def wanted(mask: str) -> frozenset[NetworkState]:
    """The states that a dlr-mask asks for."""
    number = int(mask) if mask.isdecimal() else 0
    return frozenset(state for state, bit in BITS.items() if number & bit)


class KannelCallbacks(Reporter):
    """GET of dlr-url, with its escape codes replaced: only where dlr-mask asks for the state. No repeats by default.

    A reply is a GET of get-url of an sms-service: the knob `inbound`, escape codes in it.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {state: str(bit) for state, bit in BITS.items()}

    replies = True

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        [one] = attempt.news
        return WrittenCallback("GET", ESCAPE.sub(lambda found: self._value(found[1], one, attempt.now), attempt.url))

    def _value(self, code: str, news: News, now: float) -> str:
        if news.kind is NewsKind.REPLY:
            return quote_plus(_reply(code, news))
        sent, state = news.sent, news.state
        assert state is not None
        if state in SMPP:
            done = utc(news.at, "%y%m%d%H%M%S")
            taken = utc(sent.at, "%y%m%d%H%M%S")
            counts = f"sub:001 dlvrd:00{int(state is NetworkState.DELIVERED)}"
            said = f"id:{sent.id} {counts} submit date:{taken} done date:{done} stat:{SMPP[state]} err:000 text:"
        else:
            said = "ACK/" if state is NetworkState.SENT else "NACK/"
        values = {
            "%": "%",
            "d": self.words[state],
            "A": said,
            "a": said,
            "F": sent.id,
            "i": "simulated",
            "I": sent.id,
            "n": self.account,
            "p": sent.sender,
            "P": sent.to,
            "q": sent.sender.replace("+", "00"),
            "Q": sent.to.replace("+", "00"),
            "t": utc(now, "%Y-%m-%d %H:%M:%S"),
            "T": str(int(now)),
        }
        return quote_plus(values.get(code, ""))


def _reply(code: str, news: News) -> str:
    """The phone is who sends it."""
    values = {
        "%": "%",
        "a": "STOP",
        "b": "STOP",
        "k": "STOP",
        "i": "simulated",
        "I": f"{int(news.at * 1000):032x}",
        "p": news.sent.to,
        "P": news.sent.sender,
        "q": news.sent.to.replace("+", "00"),
        "Q": news.sent.sender.replace("+", "00"),
        "t": utc(news.at, "%Y-%m-%d %H:%M:%S"),
        "T": str(int(news.at)),
    }
    return values.get(code, "")
