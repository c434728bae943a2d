"""Vonage's callbacks. Sources: sms.yml of its API specification, its guides (receipts, signing), its JWT client."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
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
    json_post,
    with_query,
)

ERRORS: Final = {NetworkState.UNDELIVERED: "12", NetworkState.EXPIRED: "13", NetworkState.BLOCKED: "9"}
DAY_SECONDS = 24 * 3600.0


class VonageReceipts(ReceiptKnobs, frozen=True, kw_only=True):
    """The account's settings.

    Attributes:
        method: how callbacks are sent.
        signature: `sig` by this method, a JWT in Authorization as the Messages API has it, or none.
    """

    method: Literal["GET", "POST", "JSON"] = "POST"
    signature: Literal["none", "md5hash", "md5", "sha1", "sha256", "sha512", "jwt"] = "none"


class VonageCallbacks(Reporter):
    """GET, POST of a form or of JSON to `callback` of the request or the account's URL: one per part of the text.

    `msisdn` is the recipient and `to` our sender. What is not answered with 2xx comes again for 24 h; the intervals are
    not documented: here a minute, and twice as long each time up to an hour.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {
        NetworkState.PENDING: "accepted",
        NetworkState.SENT: "buffered",
        NetworkState.DELIVERED: "delivered",
        NetworkState.UNDELIVERED: "failed",
        NetworkState.EXPIRED: "expired",
        NetworkState.BLOCKED: "rejected",
    }
    replies = True
    policy = Repetition(waits=(60, 120, 240, 480, 960, 1920), then=3600, until=DAY_SECONDS)

    def signs(self, knobs: ReceiptKnobs) -> bool:
        return isinstance(knobs, VonageReceipts) and knobs.signature != "none"

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        knobs = attempt.knobs
        assert isinstance(knobs, VonageReceipts)
        [one] = attempt.news
        fields = self._reply(one) if one.kind is NewsKind.REPLY else self._status(one)
        if knobs.signature in signing.VONAGE_METHODS:
            fields |= {"timestamp": str(int(attempt.now)), "nonce": attempt.nonce}
            fields["sig"] = signing.vonage(attempt.secret, knobs.signature, fields)
        if knobs.method == "GET":
            callback = WrittenCallback("GET", with_query(attempt.url, fields))
        elif knobs.method == "POST":
            callback = form(attempt.url, fields)
        else:
            callback = json_post(attempt.url, fields)
        if knobs.signature != "jwt":
            return callback
        claims = {
            "iat": int(attempt.now),
            "jti": attempt.nonce,
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(callback.body).hexdigest(),
            "api_key": self.account,
            "application_id": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab",
        }
        token = signing.jwt(attempt.secret, claims)
        return replace(callback, headers={**callback.headers, "Authorization": f"Bearer {token}"})

    def _status(self, news: News) -> dict[str, str]:
        sent, state = news.sent, news.state
        assert state is not None
        fields = {
            "msisdn": sent.to,
            "to": sent.sender,
            "network-code": "12345",
            "messageId": sent.parts[news.part] if sent.parts else sent.id,
            "price": "0.0333",
            "status": self.words[state],
            "scts": utc(news.at, "%y%m%d%H%M"),
            "err-code": ERRORS.get(state, "0"),
            "api-key": self.account,
            "message-timestamp": utc(news.at, "%Y-%m-%d %H:%M:%S"),
        }
        if sent.ref:
            fields["client-ref"] = sent.ref
        return fields

    def _reply(self, news: News) -> dict[str, str]:
        return {
            "api-key": self.account,
            "msisdn": news.sent.to,
            "to": news.sent.sender,
            "messageId": f"{int(news.at * 1000):016X}",
            "text": "STOP",
            "type": "text",
            "keyword": "STOP",
            "message-timestamp": utc(news.at, "%Y-%m-%d %H:%M:%S"),
        }
