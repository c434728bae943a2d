"""Indian gateways that call a URL with GET: Nimbus's SmsApi, SMSINDIAHUB. Sources: sister platforms; unconfirmed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import quote

from connector.tools.simulator.call import digits
from connector.tools.simulator.callbacks.times import indian
from connector.tools.simulator.receipts.fate import State
from connector.tools.simulator.receipts.reporter import Attempt, Callback, Reporter, with_query

SMPP: Final = {
    State.DELIVERED: "DELIVRD",
    State.UNDELIVERED: "UNDELIV",
    State.EXPIRED: "EXPIRED",
    State.BLOCKED: "REJECTD",
}
"""Final states as SMPP 3.4 abbreviates them."""


class NimbusBizCallbacks(Reporter):
    """GET of DlrUrl of the request, in which `#MESSAGEID#`, `#PHNO#` and `#STATUS#` are replaced. No repeats."""

    words = SMPP

    def write(self, attempt: Attempt) -> Callback:
        [one] = attempt.news
        assert one.state is not None
        url = attempt.url
        marks = {"MESSAGEID": one.sent.id, "PHNO": digits(one.sent.to), "STATUS": self.words[one.state]}
        for name, value in marks.items():
            for mark in (f"#{name}#", f"%23{name}%23"):
                url = url.replace(mark, quote(value, safe=""))
        return Callback("GET", url)


class SmsIndiaHubCallbacks(Reporter):
    """GET of the account's URL with MessageId, MobileNo, Status, DoneDate; the names are not documented. No repeats."""

    words: ClassVar[Mapping[State, str]] = {
        State.SENT: "Sent",
        State.DELIVERED: "Delivered",
        State.UNDELIVERED: "Undelivered",
        State.EXPIRED: "Expired",
        State.BLOCKED: "Rejected",
    }

    def write(self, attempt: Attempt) -> Callback:
        [one] = attempt.news
        assert one.state is not None
        fields = {"MessageId": one.sent.id, "MobileNo": digits(one.sent.to), "Status": self.words[one.state]}
        return Callback("GET", with_query(attempt.url, {**fields, "DoneDate": indian(one.at)}))
