"""JSON Schemas of the events, from the msgspec types that read and write them."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

import msgspec

from connector.model import Campaign, Message, ProviderState, Result
from connector.operating.audit_trail import AuditRecord
from connector.receipts.receipt_records import InboundRecord, ReceiptRecord
from connector.suppressions.record import Suppression

EXAMPLES: dict[type[msgspec.Struct], list[dict[str, Any]]] = {
    Message: [
        {
            "message_id": "order-4711-shipped",
            "provider": "plivo",
            "campaign_id": "shipping",
            "to": "+919812345678",
            "body": "Your parcel is on its way.",
            "expires_at": "2025-01-31T18:00:00Z",
        },
        {
            "message_id": "otp-0815",
            "provider": "msg91",
            "to": "+919812345678",
            "template_id": "1107160000000000001",
            "template_variables": {"code": "482913"},
            "custom": {"hid": "77"},
            "priority": "high",
        },
        {
            "message_id": "reminder-99",
            "campaign_id": "reminders",
            "to": "+919812345678",
            "body": "Tomorrow at nine: your appointment.",
            "send_at": "2025-02-01T09:00:00+05:30",
        },
    ],
    Result: [
        {
            "status": "accepted",
            "source": {"topic": "sms.messages", "partition": 3, "offset": 1042},
            "completed_at": "2025-01-31T08:00:01.250000Z",
            "message_id": "order-4711-shipped",
            "provider": "plivo",
            "campaign_id": "shipping",
            "to": "+919812345678",
            "provider_message_id": "db3ce55a-7f1d-11e1-8ea7-1231380bc196",
            "http_status": 202,
            "batch_id": "0f8fad5bd9cb469fa16570867728950e",
            "batch_size": 25,
            "attempts": 1,
            "segments": 1,
            "received_at": "2025-01-31T08:00:01.100000Z",
        },
        {
            "status": "invalid",
            "source": {"topic": "sms.messages", "partition": 3, "offset": 1043},
            "completed_at": "2025-01-31T08:00:01.101000Z",
            "reason": "the event is not JSON",
            "received_at": "2025-01-31T08:00:01.100000Z",
        },
    ],
    Campaign: [
        {
            "provider": "msg91",
            "template_id": "1107160000000000001",
            "custom": {"hid": "77"},
            "expires_at": "2025-01-31T18:00:00Z",
            "hours": "09:00-21:00 Asia/Kolkata",
        },
        {"state": "paused", "provider": "plivo", "body": "Your parcel is on its way."},
    ],
    ProviderState: [{"paused": True}],
    AuditRecord: [
        {
            "at": "2025-01-31T08:00:00Z",
            "who": "priya@shop.example",
            "role": "operator",
            "via": "console",
            "what": "provider.pause",
            "target": "plivo",
            "reason": "sender id under review",
            "state": "done",
            "request": "5f0c9d1e7a3b4c21",
            "before": "17",
            "after": "18",
        }
    ],
    Suppression: [
        {"since": "2025-01-31T08:00:04Z", "by": "reply", "provider": "plivo", "campaign_id": "shipping"},
        {"since": "2025-01-31T08:00:04Z", "by": "command", "who": "asha", "reason": "asked us on the phone"},
        {"state": "lifted", "since": "2025-02-03T09:30:00Z", "by": "reply", "provider": "plivo"},
    ],
    ReceiptRecord: [
        {
            "source": {"topic": "sms.messages", "partition": 3, "offset": 1042},
            "provider": "plivo",
            "status": "delivered",
            "final": True,
            "received_at": "2025-01-31T08:00:04.310000Z",
            "sequence": 2,
            "entry": {"topic": "sms.receipts.matched", "partition": 7, "offset": 90210},
            "message_id": "order-4711-shipped",
            "campaign_id": "shipping",
            "provider_message_id": "db3ce55a-7f1d-11e1-8ea7-1231380bc196",
            "at": "2025-01-31T08:00:03Z",
        },
        {
            "source": {"topic": "sms.messages", "partition": 3, "offset": 1044},
            "provider": "bulksms",
            "status": "undelivered",
            "final": True,
            "received_at": "2025-01-31T08:00:09.020000Z",
            "sequence": 1,
            "entry": {"topic": "sms.receipts.matched", "partition": 2, "offset": 90211},
            "code": "FAILED.NOT_SENT",
        },
    ],
    InboundRecord: [
        {
            "kind": "opt-out",
            "provider": "twilio",
            "received_at": "2025-01-31T08:05:00.100000Z",
            "from": "+15550001111",
            "to": "+15550002222",
            "text": "STOP",
            "id": "SM1f0e8ae6ade43cb3c0ce4525424e404f",
        }
    ],
}
"""What they are, and some of each."""

SUFFIX = "Record"
"""Of a type's name, which its schema goes without."""


def components(template: str) -> dict[str, dict[str, Any]]:
    """Schema of each event and of the types in them, by name; references written as `template` says."""
    _, found = msgspec.json.schema_components(list(EXAMPLES), ref_template=template)
    for kind, examples in EXAMPLES.items():
        found[kind.__name__]["examples"] = examples
    for each in found.values():
        if "description" in each:
            each["description"] = cleandoc(each["description"])  # a docstring, which Python 3.13 began to unindent
    return found


def event_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """A document of its own for one event, Draft 2020-12."""
    found = components("#/$defs/{name}")
    event = found.pop(kind.__name__)
    needed: set[str] = set()
    _collect(event, found, needed)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:sms-connector:schema:{kind.__name__.removesuffix(SUFFIX).lower()}",
        **event,
        "$defs": {name: found[name] for name in sorted(needed)},
    }


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """For producers who want a mistyped field to be refused: the same without fields that it does not name."""
    return {**schema, "$id": f"{schema['$id']}:strict", "additionalProperties": False}


def _collect(node: Any, definitions: dict[str, Any], names: set[str]) -> None:
    """Add the names of the definitions that `node` refers to, directly or through others."""
    if isinstance(node, list):
        for item in node:
            _collect(item, definitions, names)
    elif isinstance(node, dict):
        name = str(node.get("$ref", "")).rpartition("/")[2]
        if name and name not in names:
            names.add(name)
            _collect(definitions[name], definitions, names)
        for item in node.values():
            _collect(item, definitions, names)
