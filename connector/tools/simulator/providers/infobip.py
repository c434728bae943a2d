"""Infobip SMS API v3 and v2 ({base}.api.infobip.com). Sources: its quick start, clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector.tools.simulator.call import Answer, Call, LogEntry, RefusedCall
from connector.tools.simulator.callbacks.infobip_callbacks import InfobipCallbacks, InfobipReceipts
from connector.tools.simulator.fake import Fake, Magic, magic, route
from connector.tools.simulator.knobs import AccountKnobs
from connector.tools.simulator.receipts.fate import FINAL, SentMessage
from connector.tools.simulator.texts import E164

PENDING = (1, "PENDING", 26, "PENDING_ACCEPTED", "Message sent to next instance")
REJECTED = {
    Magic.INVALID: (5, "REJECTED", 52, "REJECTED_DESTINATION", "Invalid destination address"),
    Magic.BLOCKED: (5, "REJECTED", 8, "REJECTED_DND", "Destination is in the do-not-disturb registry"),
    Magic.PERMANENT: (5, "REJECTED", 14, "REJECTED_DESTINATION_NOT_REGISTERED", "Destination not registered"),
    Magic.CREDIT: (5, "REJECTED", 12, "REJECTED_NOT_ENOUGH_CREDITS", "Not enough credits"),
}


class InfobipOptions(AccountKnobs, frozen=True, kw_only=True):
    """`receipts.basic`: see InfobipReceipts."""

    receipts: InfobipReceipts = InfobipReceipts()


class Infobip(Fake):
    """POST /sms/3/messages and /sms/2/text/advanced; `Authorization: App KEY` or `Bearer KEY`.

    200 `{"bulkId", "messages": [{"messageId", "destination", "status": {groupId…}}]}`, an entry per destination: group
    1 is taken, 5 refused. `messageId` may be the caller's own. THROTTLED makes the whole request 429, TEMPORARY 500.
    """

    name = "infobip"
    about = "Infobip SMS v3 (and v2)"
    paths = ("/sms/3/messages", "/sms/2/text/advanced")
    options = InfobipOptions
    reports = InfobipCallbacks

    @route("POST", "/sms/(?P<version>3/messages|2/text/advanced)")
    def send(self, call: Call, version: str) -> Answer:
        scheme, _, key = call.headers.get("Authorization", "").partition(" ")
        if scheme not in {"App", "Bearer"} or key != self.knobs.secret:
            raise _error(401, "UNAUTHORIZED", "Invalid login details")
        try:
            document = call.json()
        except ValueError as error:
            raise _error(400, "BAD_REQUEST", "Bad request: not JSON") from error
        messages = list(_records(document, version))
        records = [record for record, _ in messages]
        if any(magic(record["to"]) is Magic.THROTTLED for record in records):
            raise _error(429, "TOO_MANY_REQUESTS", "Too many requests", records)
        if any(magic(record["to"]) is Magic.TEMPORARY for record in records):
            raise _error(500, "GENERAL_ERROR", "Something went wrong", records)
        answer = Answer(200, None, [])
        results: list[dict[str, Any]] = []
        bulk = document.get("bulkId") or f"{self.number():x}"
        for record, message in messages:
            record["id"] = record["ref"] or f"{self.number():x}"
            outcome = magic(record["to"])
            rejected = REJECTED.get(outcome) if outcome else None
            if rejected:
                record["code"] = rejected[2]
            (answer.refused if rejected else answer.taken).append(record)
            if not rejected:
                answer.sent.append(self._sent(record, message, version, bulk))
            group, group_name, number, name, text = rejected or PENDING
            status = {"groupId": group, "groupName": group_name, "id": number, "name": name, "description": text}
            if outcome is not Magic.SILENT:
                place = "destination" if version.startswith("3") else "to"
                results.append({"messageId": record["id"], "status": status, place: record["to"]})
        answer.results = results
        answer.document = lambda results: {"bulkId": bulk, "messages": results}
        return answer

    def _sent(self, record: LogEntry, message: dict[str, Any], version: str, bulk: str) -> SentMessage:
        hooks = _object(message.get("webhooks")) if version.startswith("3") else {}
        delivery = _object(hooks.get("delivery"))
        url = delivery.get("url") or message.get("notifyUrl")
        intermediate = delivery.get("intermediateReport") or message.get("intermediateReport")
        return SentMessage(
            record["to"],
            record["id"],
            self.now(),
            url=url,
            method=f"v{version[0]}",
            ref=hooks.get("callbackData") or message.get("callbackData"),
            sender=str(message.get("sender") or message.get("from") or ""),
            batch=bulk,
            media=hooks.get("contentType") or message.get("notifyContentType") or "",
            wants=None if intermediate else FINAL,
        )


def _records(document: Any, version: str) -> Iterator[tuple[LogEntry, dict[str, Any]]]:
    """Each recipient, with the message it gets."""
    messages = document.get("messages") if isinstance(document, dict) else None
    if not isinstance(messages, list) or not messages:
        raise _error(400, "BAD_REQUEST", "messages: must not be empty")
    for index, message in enumerate(messages):
        fields = message if isinstance(message, dict) else {}
        content = fields.get("content") if version.startswith("3") else fields
        text = content.get("text") if isinstance(content, dict) else None
        destinations = fields.get("destinations")
        if not isinstance(text, str) or not text:
            raise _error(400, "BAD_REQUEST", f"messages[{index}]: text is missing")
        if not isinstance(destinations, list) or not destinations:
            raise _error(400, "BAD_REQUEST", f"messages[{index}].destinations: must not be empty")
        for destination in destinations:
            to = destination.get("to") if isinstance(destination, dict) else None
            if not isinstance(to, str) or not E164.fullmatch(to):
                raise _error(400, "BAD_REQUEST", f"messages[{index}].destinations: to is missing or no number")
            yield {"to": to, "ref": destination.get("messageId"), "text": text}, fields


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _error(status: int, kind: str, text: str, refused: list[LogEntry] | None = None) -> RefusedCall:
    document = {"requestError": {"serviceException": {"messageId": kind, "text": text}}}
    return RefusedCall(Answer(status, document, refused=refused or []))
