"""Twilio's callbacks. Sources: request_validator.py of its client, its pages on message status and on overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import parse_qs, urldefrag, urlsplit

from connector.tools.simulator.callbacks.callback_times import utc
from connector.tools.simulator.receipts import callback_signing as signing
from connector.tools.simulator.receipts.fate import FINAL, NetworkState, News, NewsKind
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import (
    ALL,
    CallbackAttempt,
    Failure,
    Repetition,
    Reporter,
    WrittenCallback,
    form,
)

ERRORS: Final = {
    NetworkState.UNDELIVERED: ("30003", "Unreachable destination handset"),
    NetworkState.EXPIRED: ("30036", "Validity period expired"),
    NetworkState.BLOCKED: ("21610", "Attempt to send to unsubscribed recipient"),
}
TOTAL_SECONDS = 15.0
MAX_RETRIES = 5
PAUSE_SECONDS = 1.0  # not documented; all retries fit into the total


class TwilioCallbacks(Reporter):
    """POST of a form to StatusCallback, signed. One more attempt, where the connection fails.

    `#rc=5&rp=all` behind the URL asks for five, on any failure, within 15 s. Replies go to the registered URL.
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

    def signs(self, knobs: ReceiptKnobs) -> bool:
        del knobs
        return True

    def retry(self, url: str) -> Repetition:
        asked = parse_qs(urlsplit(url).fragment)
        times = min(_number(asked, "rc", 1), MAX_RETRIES)
        words = set(",".join(asked.get("rp", ["ct"])).split(","))
        on = ALL if "all" in words else frozenset(each for each in Failure if each in words)
        until = min(_number(asked, "tt", 15000) / 1000, TOTAL_SECONDS)
        timeout, connect = _number(asked, "rt", 15000) / 1000, _number(asked, "ct", 5000) / 1000
        return Repetition((PAUSE_SECONDS,) * times, until=until, on=on, timeout=timeout, connect=connect)

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        url = urldefrag(attempt.url).url
        [one] = attempt.news
        fields = self._reply(one) if one.kind is NewsKind.REPLY else self._status(one)
        headers = {"X-Twilio-Signature": signing.twilio(attempt.secret, url, fields)}
        headers["I-Twilio-Idempotency-Token"] = attempt.nonce
        return form(url, fields, headers)

    def _status(self, news: News) -> dict[str, str]:
        sent, state = news.sent, news.state
        assert state is not None
        fields = {
            "SmsSid": sent.id,
            "SmsStatus": self.words[state],
            "MessageStatus": self.words[state],
            "To": sent.to,
            "MessageSid": sent.id,
            "AccountSid": self.account,
            "From": sent.sender,
            "ApiVersion": "2010-04-01",
        }
        if state in ERRORS:
            fields["ErrorCode"], fields["ErrorMessage"] = ERRORS[state]
        if state in FINAL:
            fields["RawDlrDoneDate"] = utc(news.at, "%y%m%d%H%M")
        return fields

    def _reply(self, news: News) -> dict[str, str]:
        sent = news.sent
        sid = f"SM{int(news.at * 1000):032x}"
        names = ("City", "State", "Zip", "Country")
        return {
            "ToCountry": "US",
            "SmsMessageSid": sid,
            "NumMedia": "0",
            "SmsSid": sid,
            "SmsStatus": "received",
            "Body": "STOP",
            **{f"From{name}": "" for name in names},
            "OptOutType": "STOP",
            "To": sent.sender,
            "NumSegments": "1",
            "MessageSid": sid,
            "AccountSid": self.account,
            "From": sent.to,
            "ApiVersion": "2010-04-01",
        }


def _number(asked: dict[str, list[str]], name: str, default: int) -> int:
    text = asked.get(name, [""])[0]
    return int(text) if text.isdecimal() else default
