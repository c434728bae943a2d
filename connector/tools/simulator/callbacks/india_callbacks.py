"""Indian gateways that call a URL with GET: Nimbus's SmsApi, SMSINDIAHUB. Sources: sister platforms; unconfirmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import quote

from connector.tools.simulator.callbacks.callback_times import indian
from connector.tools.simulator.receipts.fate import NetworkState
from connector.tools.simulator.receipts.reporter import CallbackAttempt, Reporter, WrittenCallback, with_query
from connector.tools.simulator.texts import digits

SMPP: Final = {
    NetworkState.DELIVERED: "DELIVRD",
    NetworkState.UNDELIVERED: "UNDELIV",
    NetworkState.EXPIRED: "EXPIRED",
    NetworkState.BLOCKED: "REJECTD",
}
"""Final states as SMPP 3.4 abbreviates them."""


class NimbusBizCallbacks(Reporter):
    """GET of DlrUrl of the request, in which `#MESSAGEID#`, `#PHNO#` and `#STATUS#` are replaced. No repeats."""

    words = SMPP

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        [one] = attempt.news
        assert one.state is not None
        url = attempt.url
        marks = {"MESSAGEID": one.sent.id, "PHNO": digits(one.sent.to), "STATUS": self.words[one.state]}
        for name, value in marks.items():
            for mark in (f"#{name}#", f"%23{name}%23"):
                url = url.replace(mark, quote(value, safe=""))
        return WrittenCallback("GET", url)


class SmsIndiaHubCallbacks(Reporter):
    """GET of the account's URL with MessageId, MobileNo, Status, DoneDate; the names are not documented. No repeats."""

    words: ClassVar[Mapping[NetworkState, str]] = {
        NetworkState.SENT: "Sent",
        NetworkState.DELIVERED: "Delivered",
        NetworkState.UNDELIVERED: "Undelivered",
        NetworkState.EXPIRED: "Expired",
        NetworkState.BLOCKED: "Rejected",
    }

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        [one] = attempt.news
        assert one.state is not None
        fields = {"MessageId": one.sent.id, "MobileNo": digits(one.sent.to), "Status": self.words[one.state]}
        return WrittenCallback("GET", with_query(attempt.url, {**fields, "DoneDate": indian(one.at)}))
