"""SMSINDIAHUB, current API (cloud.smsindiahub.in/api/mt). Sources: its help pages and client code."""

from __future__ import annotations

from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.india_callbacks import SmsIndiaHubCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import INDIAN

MAX_GET_NUMBERS = 100
TEXTS = {
    "001": "account details cannot be blank",
    "003": "sender id cannot be blank",
    "004": "message cannot be blank",
    "006": "ServerError#An error occurred",
    "007": "Invalid username or password",
    "013": "mobile numbers not valid",
    "021": "insufficient credits",
    "023": "parameter missing",
    "024": "invalid template or template mismatch",
}
WHOLE = {Magic.CREDIT: "021", Magic.TEMPORARY: "006", Magic.PERMANENT: "024"}


class SmsIndiaHubOptions(AccountKnobs, frozen=True, kw_only=True):
    """Quirks.

    Attributes:
        padded: error codes as documented (`013`) instead of as observed (`13`).
        redirect: plain HTTP answers 301 to https and drops the parameters, as behind Cloudflare.
    """

    padded: bool = False
    redirect: bool = False


class SmsIndiaHub(Fake):
    """GET /api/mt/SendSMS with a query, or POST `{"Account": {…}, "Messages": [{"Number", "Text", "DLTTemplateId"}]}`.

    Always 200: ErrorCode `000` with a MessageData entry per number, or an error with null JobId and MessageData.
    INVALID numbers in a good batch are left out; CREDIT, TEMPORARY and PERMANENT refuse the whole request.
    """

    name = "smsindiahub"
    about = "SMSINDIAHUB, mt/SendSMS"
    paths = ("/api/mt/SendSMS",)
    options = SmsIndiaHubOptions
    reports = SmsIndiaHubCallbacks

    @route("GET", "/api/mt/SendSMS")
    def send_query(self, call: Call) -> Answer:
        self._redirect()
        query = call.query
        account = {"APIKey": query.get("APIKey"), "User": query.get("user"), "Password": query.get("password")}
        account |= {"SenderId": query.get("senderid"), "Channel": query.get("channel"), "DCS": query.get("DCS")}
        numbers = [number for number in query.get("number", "").split(",") if number][: MAX_GET_NUMBERS + 1]
        if len(numbers) > MAX_GET_NUMBERS:
            raise self._error("012", f"at most {MAX_GET_NUMBERS} numbers")
        messages = [
            {"Number": number, "Text": query.get("text"), "DLTTemplateId": query.get("DLTTemplateId")}
            for number in numbers
        ]
        return self._send(account, messages)

    @route("POST", "/api/mt/SendSMS")
    def send_json(self, call: Call) -> Answer:
        self._redirect()
        try:
            document = call.json()
        except ValueError as error:
            raise self._error("023") from error
        if not isinstance(document, dict) or not isinstance(document.get("Account"), dict):
            raise self._error("001")
        messages = document.get("Messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise self._error("023")
        return self._send(document["Account"], messages)

    def _send(self, account: dict[str, Any], messages: list[dict[str, Any]]) -> Answer:
        self._authenticate(account)
        if not account.get("SenderId"):
            raise self._error("003")
        records: list[LogEntry] = []
        for message in messages:
            if not message.get("Text"):
                raise self._error("004")
            records.append(
                {
                    "to": str(message.get("Number", "")),
                    "text": message["Text"],
                    "template": message.get("DLTTemplateId"),
                }
            )
        for outcome, code in WHOLE.items():
            if any(magic(record["to"]) is outcome for record in records):
                raise self._error(code, refused=records)
        good = [
            record for record in records if INDIAN.fullmatch(record["to"]) and magic(record["to"]) is not Magic.INVALID
        ]
        if not good:
            raise self._error("013", refused=records)
        for record in good:
            record["id"] = f"{self.number():x}"
        job = str(self.number())
        results = [
            {"Number": record["to"], "MessageId": record["id"]}
            for record in good
            if magic(record["to"]) is not Magic.SILENT
        ]
        return Answer(
            200,
            lambda results: {"ErrorCode": "000", "ErrorMessage": "Done", "JobId": job, "MessageData": results},
            results,
            taken=good,
            refused=[record for record in records if "id" not in record],
            sent=[SentMessage(record["to"], record["id"], self.now(), batch=job) for record in good],
            values={name: value for name, value in account.items() if name not in {"APIKey", "Password"}},
        )

    def _authenticate(self, account: dict[str, Any]) -> None:
        key, user, password = account.get("APIKey"), account.get("User"), account.get("Password")
        if not key and not user:
            raise self._error("001")
        if key != self.knobs.secret and (user, password) != (self.knobs.account, self.knobs.secret):
            raise self._error("007")

    def _redirect(self) -> None:
        if self.knobs.redirect:
            location = {"Location": "https://cloud.smsindiahub.in/api/mt/SendSMS"}
            raise RefusedCall(Answer(301, "", media="text/html", headers=location))

    def _error(self, code: str, text: str = "", refused: list[LogEntry] | None = None) -> RefusedCall:
        shown = code if self.knobs.padded else code.lstrip("0")
        document = {"ErrorCode": shown, "ErrorMessage": text or TEXTS[code], "JobId": None, "MessageData": None}
        return RefusedCall(Answer(200, document, refused=refused or []))
