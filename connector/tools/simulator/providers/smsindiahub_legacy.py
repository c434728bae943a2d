"""SMSINDIAHUB, legacy API (cloud.smsindiahub.in/vendorsms). Sources: its help pages and client code."""

from __future__ import annotations

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.india_callbacks import SmsIndiaHubCallbacks
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.providers.smsindiahub import TEXTS, WHOLE
from connector.tools.simulator.receipts.fate import SentMessage
from connector.tools.simulator.texts import INDIAN, split_parts


class SmsIndiaHubLegacyOptions(AccountKnobs, frozen=True, kw_only=True):
    """`plain_errors`: errors as text (`Failed#Invalid Login`) instead of JSON; both are seen."""

    plain_errors: bool = False


class SmsIndiaHubLegacy(Fake):
    """GET or POST form /vendorsms/pushsms.aspx: `user` and `password` or `APIKey`, `msisdn sid msg fl gwid`.

    Numbers stand in `msisdn` with commas between. Always 200; message ids are nested per part:
    MessageData[].MessageParts[].MsgId. INVALID numbers in a good batch are left out; CREDIT, TEMPORARY and PERMANENT
    refuse the whole request.
    """

    name = "smsindiahub-legacy"
    about = "SMSINDIAHUB, vendorsms/pushsms.aspx"
    paths = ("/vendorsms/pushsms.aspx",)
    options = SmsIndiaHubLegacyOptions
    reports = SmsIndiaHubCallbacks

    @route("GET|POST", r"/vendorsms/pushsms\.aspx")
    def push(self, call: Call) -> Answer:
        pairs = call.pairs
        user, password, key = pairs.get("user"), pairs.get("password"), pairs.get("APIKey")
        if not user and not key:
            raise self._error("001")
        if key != self.knobs.secret and (user, password) != (self.knobs.account, self.knobs.secret):
            raise self._error("007")
        for name, code in (("sid", "003"), ("msg", "004"), ("msisdn", "013"), ("fl", "023"), ("gwid", "023")):
            if not pairs.get(name):
                raise self._error(code)
        records: list[LogEntry] = [{"to": number, "text": pairs["msg"]} for number in pairs["msisdn"].split(",")]
        for outcome, code in WHOLE.items():
            if any(magic(record["to"]) is outcome for record in records):
                raise self._error(code, records)
        good = [
            record for record in records if INDIAN.fullmatch(record["to"]) and magic(record["to"]) is not Magic.INVALID
        ]
        if not good:
            raise self._error("013", records)
        parts = split_parts(pairs["msg"])
        results = []
        for record in good:
            record["id"] = f"{record['to']}-{self.number():x}"
            listed = [
                {"MsgId": record["id"] if number == 1 else f"{record['id']}-{number}", "PartId": number, "Text": text}
                for number, text in enumerate(parts, 1)
            ]
            if magic(record["to"]) is not Magic.SILENT:
                results.append({"Number": record["to"], "MessageParts": listed})
        job = str(self.number())
        return Answer(
            200,
            lambda results: {"ErrorCode": "000", "ErrorMessage": "Success", "JobId": job, "MessageData": results},
            results,
            taken=good,
            refused=[record for record in records if "id" not in record],
            sent=[SentMessage(record["to"], record["id"], self.now(), batch=job) for record in good],
            values={name: pairs[name] for name in ("sid", "fl", "gwid")},
        )

    def _error(self, code: str, refused: list[LogEntry] | None = None) -> RefusedCall:
        if self.knobs.plain_errors:
            return RefusedCall(Answer(200, f"Failed#{TEXTS[code]}", media="text/plain", refused=refused or []))
        document = {"ErrorCode": code, "ErrorMessage": TEXTS[code], "JobId": None, "MessageData": None}
        return RefusedCall(Answer(200, document, refused=refused or []))
