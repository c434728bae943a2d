"""Nimbus IT Solutions, SmsApi (nimbusit.biz). No official document: as observed in public clients."""

from __future__ import annotations

import re

from connector.tools.simulator.call import Answer, Call, LogEntry
from connector.tools.simulator.callbacks.india_callbacks import NimbusBizCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage

MAX_NUMBERS = {"SendSingleApi": 1, "SendMultipleApi": 5000, "SendBulkApi": 5000}
BARE = re.compile(r"[6-9][0-9]{9}")


class NimbusBiz(Fake):
    """GET /api/SmsApi/SendSingleApi, /SendMultipleApi; POST /SendBulkApi (form or query): one text to bare numbers.

    Always 200: `{"Response": {"Message": "Message ID : 56"}, "Status": "OK"}`, a refusal has Status `WARNING`. `Phno`
    takes ten-digit numbers with commas between, at most 5,000; `apikey` may stand for UserID and Password.
    """

    name = "nimbus-biz"
    about = "Nimbus IT, SmsApi"
    paths = ("/api/SmsApi/SendSingleApi", "/api/SmsApi/SendMultipleApi", "/api/SmsApi/SendBulkApi")
    options = AccountKnobs
    reports = NimbusBizCallbacks

    @route("GET", "/api/SmsApi/(?P<kind>SendSingleApi|SendMultipleApi)")
    @route("POST", "/api/SmsApi/(?P<kind>SendBulkApi)")
    def send(self, call: Call, kind: str) -> Answer:
        pairs = {**call.query, **call.pairs}
        known = (pairs.get("UserID"), pairs.get("Password")) == (self.knobs.account, self.knobs.secret)
        if not known and pairs.get("apikey") != self.knobs.secret:
            return _warning("Invalid UserID And Password!")
        for name in ("SenderID", "Phno", "Msg"):
            if not pairs.get(name):
                return _warning(f"{name} is required!")
        records: list[LogEntry] = [{"to": phone, "text": pairs["Msg"]} for phone in pairs["Phno"].split(",")]
        if len(records) > MAX_NUMBERS[kind]:
            return _warning(f"Maximum {MAX_NUMBERS[kind]} numbers allowed!", records)
        if any(magic(record["to"]) is Magic.CREDIT for record in records):
            return _warning("Insufficient Credit!", records)
        good = [
            record for record in records if BARE.fullmatch(record["to"]) and magic(record["to"]) is not Magic.INVALID
        ]
        if not good:
            return _warning("Invalid Mobile Number!", records)
        number = str(self.number())
        for record in good:
            record["id"] = number
        refused = [record for record in records if "id" not in record]
        document = {"Response": {"Message": f"Message ID : {number}"}, "Status": "OK"}
        values = {name: pairs.get(name) for name in ("SenderID", "EntityID", "TemplateID")}
        sent = [SentMessage(record["to"], number, self.now(), url=pairs.get("DlrUrl")) for record in good]
        return Answer(200, document, taken=good, refused=refused, values=values, sent=sent)


def _warning(text: str, refused: list[LogEntry] | None = None) -> Answer:
    return Answer(200, {"Response": {"Message": text}, "Status": "WARNING"}, refused=refused or [])
