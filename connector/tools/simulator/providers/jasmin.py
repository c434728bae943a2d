"""Jasmin's HTTP API, /send. Sources: its documentation and source (jasmin/protocols/http, smpp/operations.py)."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.jasmin_callbacks import LEVELS, JasminCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import first_parts, from_septets

PATTERNS = {  # of the fields it knows
    "to": r"\+?\d+",
    "from": r".*",
    "coding": r"0|1|2|3|4|5|6|7|8|9|10|13|14",
    "username": r".{1,16}",
    "password": r".{1,16}",
    "priority": r"[0-3]",
    "validity-period": r"\d+",
    "dlr": r"yes|no",
    "dlr-url": r"https?://.*",
    "dlr-level": r"[1-3]",
    "dlr-method": r"(?i:get|post)",
    "tags": r"[-a-zA-Z0-9,]*",
    "content": r"(?s).*",
    "hex-content": r"(?s).*",
}
MANDATORY = ("to", "username", "password")
UCS2 = "8"
NO_ROUTE = "No route found"
REFUSED = {
    Magic.INVALID: (412, NO_ROUTE),
    Magic.THROTTLED: (403, "User throughput exceeded"),
    Magic.TEMPORARY: (500, "Cannot send submit_sm, check SMPPClientManagerPB log file for details"),
    Magic.CREDIT: (403, "Cannot charge submit_sm, check RouterPB log file for details"),
}


class JasminOptions(AccountKnobs, frozen=True, kw_only=True):
    """`max_parts`: long_content_max_parts; what of a text does not fit is cut off, and nobody is told."""

    max_parts: Annotated[int, Meta(ge=1)] = 5


class Jasmin(Fake):
    """GET or POST /send: one number; the text in `content`, or as hexadecimal digits in `hex-content`.

    `Success "ID"` or `Error "WORDS"`, as plain text. `coding` 0 is the GSM alphabet, one octet a character; 8 is UCS-2,
    big-endian. A number that no route takes is a 412.
    """

    name = "jasmin"
    about = "Jasmin SMS gateway, /send"
    paths = ("/send",)
    options = JasminOptions
    reports = JasminCallbacks

    @route("GET|POST", "/send")
    def send(self, call: Call) -> Answer:
        fields = call.pairs
        for name, value in fields.items():
            if name not in PATTERNS:
                raise _error(400, f"Argument [{name}] is unknown.")
            if not re.fullmatch(PATTERNS[name], value):
                raise _error(400, f"Argument [{name}] has an invalid value: [{value}].")
        for name in MANDATORY:
            if name not in fields:
                raise _error(400, f"Mandatory argument [{name}] is not found.")
        if ("content" in fields) == ("hex-content" in fields):
            given = "cannot be used both in same request" if "content" in fields else "not present"
            raise _error(400, f"content or hex-content {given}.")
        if (fields["username"], fields["password"]) != (self.knobs.account, self.knobs.secret):
            raise _error(403, f"Authentication failure for username:{fields['username']}")
        record: LogEntry = {"to": fields["to"], "text": self._text(fields)}
        if refused := REFUSED.get(magic(fields["to"]) or Magic.SILENT):
            raise _error(*refused, refused=[{**record, "code": refused[1]}])
        record["id"] = self.uuid()
        values = {"from": fields.get("from"), "coding": fields.get("coding", "0")}
        words = f'Success "{record["id"]}"'
        return Answer(200, words, media="text/plain", taken=[record], values=values, sent=[self._sent(record, fields)])

    def _sent(self, record: LogEntry, fields: dict[str, str]) -> SentMessage:
        """Without `dlr: yes` nothing is reported."""
        asked = fields.get("dlr") == "yes"
        return SentMessage(
            record["to"],
            record["id"],
            self.now(),
            url=fields.get("dlr-url") if asked else None,
            method=fields.get("dlr-method", "POST").upper(),
            sender=fields.get("from", ""),
            text=record["text"],
            wants=LEVELS[fields.get("dlr-level", "1")] if asked else frozenset(),
        )

    def _text(self, fields: dict[str, str]) -> str:
        """What a phone shows."""
        wide = fields.get("coding", "0") == UCS2
        text = fields.get("content", "")
        if "hex-content" in fields:
            try:
                octets = bytes.fromhex(fields["hex-content"])
                text = octets.decode("utf-16-be") if wide else from_septets(octets)
            except ValueError as error:
                raise _error(500, "Unknown error: Non-hexadecimal digit found") from error
        return first_parts(text, self.knobs.max_parts, seven_bit=not wide, joined=True)


def _error(status: int, words: str, *, refused: list[LogEntry] | None = None) -> RefusedCall:
    return RefusedCall(Answer(status, f'Error "{words}"', media="text/plain", refused=refused or []))
