"""Textlocal's callbacks. Sources: its pages on handling receipts and on inbound messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from connector.tools.simulator.callbacks.callback_times import indian
from connector.tools.simulator.receipts.fate import NetworkState, NewsKind
from connector.tools.simulator.receipts.reporter import CallbackAttempt, Reporter, WrittenCallback, form
from connector.tools.simulator.texts import digits


class TextlocalCallbacks(Reporter):
    """POST of a form to `receipt_url` of the request or the account's: number, status, customID, no id of a message.

    `?` is for what was not heard of for four days. Repeats are not documented: there are none.
    """

    words: ClassVar[Mapping[NetworkState, str]] = {
        NetworkState.DELIVERED: "D",
        NetworkState.UNDELIVERED: "U",
        NetworkState.EXPIRED: "?",
        NetworkState.BLOCKED: "I",
    }
    replies = True

    def write(self, attempt: CallbackAttempt) -> WrittenCallback:
        [one] = attempt.news
        sent = one.sent
        if one.kind is NewsKind.REPLY:
            reply = {
                "sender": digits(sent.to),
                "content": "STOP",
                "inNumber": sent.sender,
                "email": "",
                "credits": "100",
            }
            return form(attempt.url, {**reply, "keyword": "STOP", "comments": ""})
        assert one.state is not None
        status = self.words[one.state]
        fields = {"number": digits(sent.to), "status": status, "customID": sent.ref or "", "datetime": indian(one.at)}
        return form(attempt.url, fields)
