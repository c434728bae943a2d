"""Nimbus IT Solutions, current API (nimbusit.net/api/pushsms). No official document: as observed in public clients."""

from __future__ import annotations

from connector.tools.simulator.call import Answer, Call, LogEntry
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.texts import INDIAN


class NimbusOptions(AccountKnobs, frozen=True, kw_only=True):
    """`plain`: accounts that answer the bare job id instead of JSON."""

    plain: bool = False


class Nimbus(Fake):
    """GET /api/pushsms `user authkey sender mobile text entityid templateid output=json`, numbers with commas between.

    Always 200: `{"STATUS": "OK", "RESPONSE": {"CODE": "100", "INFO", "UID"}}`, or STATUS `ERROR`. One id for all;
    refused numbers are left out silently unless none is left. The error codes are made up: none are documented.
    """

    name = "nimbus"
    about = "Nimbus IT, pushsms"
    paths = ("/api/pushsms",)
    options = NimbusOptions

    @route("GET", "/api/pushsms")
    def push(self, call: Call) -> Answer:
        query = call.query
        if (query.get("user"), query.get("authkey")) != (self.knobs.account, self.knobs.secret):
            return _error("401", "INVALID USER OR AUTHKEY")
        for name in ("sender", "mobile", "text"):
            if not query.get(name):
                return _error("402", f"{name.upper()} MISSING")
        records: list[LogEntry] = [{"to": phone, "text": query["text"]} for phone in query["mobile"].split(",")]
        if any(magic(record["to"]) is Magic.CREDIT for record in records):
            return _error("403", "INSUFFICIENT CREDIT", records)
        good = [
            record for record in records if INDIAN.fullmatch(record["to"]) and magic(record["to"]) is not Magic.INVALID
        ]
        if not good:
            return _error("404", "INVALID MOBILE", records)
        uid = str(self.number())
        for record in good:
            record["id"] = uid
        refused = [record for record in records if "id" not in record]
        values = {name: query.get(name) for name in ("sender", "entityid", "templateid")}
        document = {"STATUS": "OK", "RESPONSE": {"CODE": "100", "INFO": "MESSAGE SUBMITTED", "UID": uid}}
        if self.knobs.plain or query.get("output") != "json":
            return Answer(200, uid, media="text/html", taken=good, refused=refused, values=values)
        return Answer(200, document, taken=good, refused=refused, values=values)


def _error(code: str, text: str, refused: list[LogEntry] | None = None) -> Answer:
    return Answer(200, {"STATUS": "ERROR", "RESPONSE": {"CODE": code, "INFO": text}}, refused=refused or [])
