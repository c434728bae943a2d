"""Twilio Programmable Messaging (api.twilio.com/2010-04-01). Sources: clients; codes as Twilio numbers them."""

from __future__ import annotations

from email.utils import formatdate

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.twilio_callbacks import TwilioCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import E164, split_parts

MAX_BODY = 1600
REFUSED = {
    Magic.INVALID: (400, 21211, "Invalid 'To' Phone Number"),
    Magic.BLOCKED: (400, 21610, "Attempt to send to unsubscribed recipient"),
    Magic.PERMANENT: (
        400,
        21408,
        "Permission to send an SMS has not been enabled for the region",
    ),
    Magic.THROTTLED: (429, 20429, "Too Many Requests"),
    Magic.TEMPORARY: (500, 20500, "Internal Server Error"),
}


class Twilio(Fake):
    """POST /2010-04-01/Accounts/{sid}/Messages.json (form `To`, `Body`, `From` or `MessagingServiceSid`).

    201 with the message, or `{"code", "message", "more_info", "status"}`. HTTP Basic; one recipient
    per request; `To` needs its `+`.
    """

    name = "twilio"
    about = "Twilio Messages"
    paths = ("/2010-04-01/Accounts/demo/Messages.json",)
    options = AccountKnobs
    reports = TwilioCallbacks

    @route("POST", r"/2010-04-01/Accounts/(?P<account>[^/]+)/Messages\.json")
    def send(self, call: Call, account: str) -> Answer:
        if call.basic != (self.knobs.account, self.knobs.secret) or account != self.knobs.account:
            raise _error(401, 20003, "Authenticate")
        form = call.form
        to, body = form.get("To", ""), form.get("Body", "")
        if not to:
            raise _error(400, 21604, "A 'To' phone number is required.")
        if not form.get("From") and not form.get("MessagingServiceSid"):
            raise _error(400, 21603, "A 'From' phone number is required.")
        if not body:
            raise _error(400, 21602, "Message body is required.")
        record: LogEntry = {"to": to, "text": body}
        if len(body) > MAX_BODY:
            raise _error(400, 21617, f"The concatenated message body exceeds the {MAX_BODY} character limit.", record)
        if not to.startswith("+") or not E164.fullmatch(to):
            raise _error(400, 21211, f"Invalid 'To' Phone Number: {to}", record)
        outcome = magic(to)
        if outcome in REFUSED:
            raise _error(*REFUSED[outcome], record)
        record["id"] = f"SM{self.number():032x}"
        now = formatdate(self.now(), usegmt=True)
        document = {
            "sid": record["id"],
            "account_sid": account,
            "api_version": "2010-04-01",
            "to": to,
            "from": form.get("From"),
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "body": body,
            "status": "queued",
            "direction": "outbound-api",
            "num_segments": str(len(split_parts(body))),
            "num_media": "0",
            "date_created": now,
            "date_updated": now,
            "date_sent": None,
            "price": None,
            "price_unit": "USD",
            "error_code": None,
            "error_message": None,
            "uri": f"/2010-04-01/Accounts/{account}/Messages/{record['id']}.json",
        }
        sender = form.get("From") or form["MessagingServiceSid"]
        sent = SentMessage(to, record["id"], self.now(), url=form.get("StatusCallback"), sender=sender)
        return Answer(201, document, taken=[record], sent=[sent])


def _error(status: int, code: int, text: str, record: LogEntry | None = None) -> RefusedCall:
    more = f"https://www.twilio.com/docs/errors/{code}"
    document = {"code": code, "message": text, "more_info": more, "status": status}
    return RefusedCall(Answer(status, document, refused=[{**record, "code": code}] if record else []))
