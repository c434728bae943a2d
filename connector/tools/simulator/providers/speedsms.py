"""SpeedSMS, Vietnam (api.speedsms.vn/index.php). Source: its documentation."""

from __future__ import annotations

import re
from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs

PHONE = re.compile(r"[0-9]{9,15}")
TYPES = range(2, 6)  # a random number, a brand name, the default brand name, an Android phone
REFUSED = {
    Magic.PERMANENT: ("113", "Sms content too long"),
    Magic.TEMPORARY: ("500", "Internal error, please try again"),
    Magic.CREDIT: ("300", "Your account balance not enough to send sms"),
}


class SpeedSms(Fake):
    """POST /index.php/sms/send; Basic with the access token as user name and any password; one text to a list.

    200 `{"status": "success", "code": "00", "data": {"tranId", "totalSMS", "totalPrice", "invalidPhone"}}`: only wrong
    numbers are named. Where none is right: `{"status": "error", "code": "105", "invalidPhone"}`. A wrong token is a
    401 in the shape of its framework.
    """

    name = "speedsms"
    about = "SpeedSMS, sms/send"
    paths = ("/index.php/sms/send",)
    options = AccountKnobs

    @route("POST", "/index.php/sms/send")
    def send(self, call: Call) -> Answer:
        if call.basic is None or call.basic[0] != self.knobs.secret:
            words = "You are requesting with an invalid credential."
            return Answer(401, {"name": "Unauthorized", "message": words, "code": 0, "status": 401})
        try:
            fields = call.json()
        except ValueError as error:
            raise _error("101", "Invalid or missing parameters") from error
        records = _check(fields)
        outcomes = {magic(record["to"]) for record in records}
        if refused := next((REFUSED[each] for each in REFUSED if each in outcomes), None):
            raise _error(*refused, refused=records)
        bad = [each for each in records if not PHONE.fullmatch(each["to"]) or magic(each["to"]) is Magic.INVALID]
        good = [each for each in records if each not in bad]
        invalid = [each["to"] for each in bad]
        if not good:
            raise _error("105", "Phone number invalid", refused=bad, invalid=invalid)
        number = self.number()
        for record in good:
            record["id"] = str(number)
        frame = {"tranId": number, "totalSMS": len(good), "totalPrice": 250 * len(good)}
        values = {name: fields.get(name) for name in ("sms_type", "sender")}
        return Answer(
            200,
            lambda invalid: {"status": "success", "code": "00", "data": {**frame, "invalidPhone": invalid}},
            invalid,
            taken=good,
            refused=bad,
            values=values,
        )


def _check(fields: Any) -> list[LogEntry]:
    numbers = fields.get("to") if isinstance(fields, dict) else None
    if not isinstance(numbers, list) or not numbers or not all(isinstance(each, str) for each in numbers):
        raise _error("101", "Invalid or missing parameters")
    content, kind = fields.get("content"), fields.get("sms_type", TYPES.start)
    if not isinstance(content, str) or not content or kind not in TYPES:
        raise _error("101", "Invalid or missing parameters")
    if kind == TYPES.start + 1 and not fields.get("sender"):
        raise _error("101", "Invalid or missing parameters")
    return [{"to": number, "text": content} for number in numbers]


def _error(
    code: str, text: str, *, refused: list[LogEntry] | None = None, invalid: list[str] | None = None
) -> RefusedCall:
    document: dict[str, Any] = {"status": "error", "code": code, "message": text}
    if invalid is not None:
        document["invalidPhone"] = invalid
    return RefusedCall(Answer(200, document, refused=[{**each, "code": code} for each in refused or ()]))
