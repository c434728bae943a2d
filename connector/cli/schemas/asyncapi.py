"""The topics as an AsyncAPI 3 document: what is read, what is written, and what the headers say."""

from __future__ import annotations

from typing import Any

import msgspec

from connector import __version__
from connector.cli.schemas.event_schemas import EXAMPLES, components
from connector.delivery.http.tracing import HEADER
from connector.kafka.receipt_topics import with_receipts
from connector.kafka.topic_plan import DURABLE_REPLICATION, Topic, plan
from connector.model import Campaign, Message, ProviderState, Result
from connector.operating.audit_trail import AuditRecord
from connector.operating.steering import BY, REASON
from connector.receipts.callback import State
from connector.receipts.index_records import LOOKUP, WATERMARK
from connector.receipts.receipt_records import ENTRY, SOURCE, STATE, UNMATCHED, InboundRecord, ReceiptRecord
from connector.settings.model import Settings, Topics
from connector.settings.way_back import Receive
from connector.stream.control.table import CAMPAIGN, PROVIDER
from connector.stream.intake.dedupe import REPLAY_OF
from connector.stream.partitions.formats import SETTLES
from connector.suppressions.record import Suppression

BINDING = {"bindingVersion": "0.5.0"}
SETTLED = {
    "type": "string",
    "description": "The event this record finishes: topic/partition/offset. Nothing finishes an event twice.",
    "pattern": "^[A-Za-z0-9._-]+/[0-9]+/[0-9]+$",
    "examples": ["sms.messages/3/1042"],
}
TRACE = {
    "type": "string",
    "description": "The event's W3C trace context; only with `tracing.enabled`.",
    "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
}
REPLAYED = {
    "type": "string",
    "description": "It is sent again on purpose, and no duplicate: topic/partition/offset of what it was made from.",
    "examples": ["sms.dead-letters/3/17"],
}
HASHED = {"type": "string", "format": "binary", "description": "A keyed hash of 16 bytes."}
RECEIPT_KEY = {"type": "string", "description": "The message_id; the place of its event where the receipt has none."}
# Kafka Connect's names, so that tools which read its dead letters read ours.
ERRORS = {
    "__connect.errors.topic": "The event's topic.",
    "__connect.errors.partition": "The event's partition.",
    "__connect.errors.offset": "The event's offset.",
    "__connect.errors.connector.name": "The consumer group.",
    "__connect.errors.stage": "VALUE_CONVERTER: it never became a message. TASK_PUT: it was one.",
    "__connect.errors.exception.class.name": "`connector.` and the status of its result.",
    "__connect.errors.exception.message": "The reason in its result.",
}

SUPPRESSED = {
    "type": "string",
    "pattern": r"^[1-9][0-9]{4,18}(\|.+)?$",
    "description": "The number's digits, with `|SENDER` where only one sender must not text it.",
}


def asyncapi() -> dict[str, Any]:
    """The document, for the default names of the topics."""
    topics = Topics()
    settings = Settings(receive=Receive(url="https://sms.example.com"))
    whole = with_receipts(plan(topics, {}, suppressions=True, replication=DURABLE_REPLICATION), settings, {})
    planned = {topic.role: topic for topic in whole.topics}
    channels = {
        "messages": _channel(planned["source"], "Message events, as services produce them.", "Message"),
        "results": _channel(
            planned["results"], "One final result per message, in the partition with its event's number.", "Result"
        ),
        "retry": _retry(topics, planned["retry"]),
        "journal": _channel(
            planned["journal"],
            "What is about to be sent to providers with `on_uncertain: report`. Private to the connector.",
            "Journal",
        ),
        "deadLetters": _channel(
            planned["dead_letters"],
            "Raw bytes of events that never became a message, and of failed ones. They hold numbers and texts.",
            "DeadLetter",
        ),
        "control": _channel(
            planned["control"],
            "Campaigns and paused providers; compacted. Every worker reads all of it before its first event.",
            "Campaign",
            "ProviderState",
        ),
        "audit": _channel(
            planned["audit"],
            "What people did through the console and the command line: a record before each deed, and one after it.",
            "Audit",
        ),
        "suppressions": _channel(
            planned["suppressions"],
            "Phone numbers that must not be texted; compacted, of one partition. The key is the number's digits, or "
            "`919812345678|SENDER`. Only with `suppressions.enabled`: workers read all of it before their first event.",
            "Suppression",
        ),
        "receipts": _channel(
            planned["receipts"],
            "What providers have reported of messages: one record per message and state. Only with `receive.url`, "
            "as the five below.",
            "Receipt",
        ),
        "receiptsMatched": _channel(
            planned["matched"],
            "What a callback says of one message, by the message. Private to the connector; holds numbers and texts.",
            "ReceiptEntry",
        ),
        "receiptsUnmatched": _channel(
            planned["unmatched"],
            "What belongs to no message, with the reason: a part of a callback, or all of it. Holds numbers and texts.",
            "Unmatched",
        ),
        "receiptsIn": _channel(
            planned["entries"],
            "What a callback says of a message that has to be looked up, by a keyed hash of what it is known by. "
            "Private to the connector; holds numbers and texts.",
            "LookedUpEntry",
        ),
        "receiptsIndex": _channel(
            planned["index"],
            "Which message a keyed hash may mean, and how far the index is. Private to the connector; no numbers.",
            "IndexedMessage",
        ),
        "inbound": _channel(
            planned["inbound"],
            "Replies, opt-outs and clicks, as they came: at least once, in the order of a phone.",
            "Inbound",
        ),
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kafka SMS connector",
            "version": __version__,
            "description": "Message events in, provider requests out, one durable delivery result per message. "
            "Names of topics are settings; these are the defaults.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": {
            "receiveMessages": _operation("receive", "messages", "Each event ends in exactly one final result."),
            "sendResults": _operation("send", "results", "Written and acknowledged before the event is committed."),
            "sendRetries": _operation("send", "retry", "The retry record inherits the duty to end in a result."),
            "receiveRetries": _operation("receive", "retry", "When their delay is over they are sent again."),
            "sendJournal": _operation("send", "journal", "Acknowledged before the request leaves."),
            "receiveJournal": _operation("receive", "journal", "Read by the partition's next owner."),
            "receiveControl": _operation("receive", "control", "Applied by every worker before its next request."),
            "sendControl": _operation("send", "control", "`sms-connector campaign` and `sms-connector provider`."),
            "sendAudit": _operation("send", "audit", "Acknowledged before the deed; then how it ended."),
            "receiveSuppressions": _operation("receive", "suppressions", "Looked at before each request."),
            "sendSuppressions": _operation(
                "send", "suppressions", "`receipts run`, `sms-connector suppress`, other systems."
            ),
            "sendDeadLetters": _operation("send", "deadLetters", "Written next to the result of the same event."),
            "sendReceiptsMatched": _operation("send", "receiptsMatched", "Acknowledged before the answer."),
            "receiveReceiptsMatched": _operation("receive", "receiptsMatched", "By `receipts run`."),
            "sendReceipts": _operation("send", "receipts", "A final state is never followed by one on the way there."),
            "sendReceiptsUnmatched": _operation(
                "send", "receiptsUnmatched", "By `receive` before it answers, and by `receipts run`."
            ),
            "sendReceiptsIn": _operation("send", "receiptsIn", "By `receive`, acknowledged before it answers."),
            "receiveReceiptsIn": _operation("receive", "receiptsIn", "By `receipts run`."),
            "sendReceiptsIndex": _operation("send", "receiptsIndex", "By `receipts run`, from the results."),
            "receiveReceiptsIndex": _operation("receive", "receiptsIndex", "By `receipts run`."),
            "sendInbound": _operation("send", "inbound", "Acknowledged before the callback is answered."),
            "receiveInbound": _operation("receive", "inbound", "By `receipts run`, for the list of opt-outs."),
        },
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _channel(topic: Topic, description: str, *messages: str) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"} for message in messages},
        "bindings": {"kafka": {"topicConfiguration": _configuration(topic), **BINDING}},
    }


def _retry(topics: Topics, topic: Topic) -> dict[str, Any]:
    delays = [name.removeprefix(f"{topics.retry_prefix}.") for name in topics.retry.values()]
    return {
        **_channel(topic, "Messages that wait longer than memory should hold them, a topic per delay.", "Retry"),
        "address": f"{topics.retry_prefix}.{{delay}}",
        "parameters": {"delay": {"description": "How long its messages wait.", "enum": delays, "default": delays[0]}},
    }


def _configuration(topic: Topic) -> dict[str, Any]:
    """What `topics create` sets, in the types the binding asks for."""
    policy = topic.configs["cleanup.policy"].split(",")
    numbers = {name: int(value) for name, value in topic.configs.items() if value.lstrip("-").isdecimal()}
    return {"cleanup.policy": policy, **numbers}


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _messages() -> dict[str, Any]:
    key = {"type": "string", "description": "As the event's, else the message_id."}
    return {
        "Message": {
            "summary": "One SMS to one recipient.",
            "headers": {"$ref": "#/components/schemas/EventHeaders"},
            "payload": {"$ref": "#/components/schemas/Message"},
            "examples": [{"payload": example} for example in EXAMPLES[Message]],
            "bindings": {"kafka": {"key": {"type": "string", "description": "Any; the recipient is best."}, **BINDING}},
        },
        "Result": {
            "summary": "What became of one message.",
            "headers": {"$ref": "#/components/schemas/SettlesHeaders"},
            "payload": {"$ref": "#/components/schemas/Result"},
            "examples": [{"payload": example} for example in EXAMPLES[Result]],
            "bindings": {"kafka": {"key": key, **BINDING}},
        },
        "Retry": {
            "summary": "A message event, unchanged.",
            "headers": {"$ref": "#/components/schemas/SettlesHeaders"},
            "payload": {"$ref": "#/components/schemas/Message"},
            "bindings": {"kafka": {"key": key, **BINDING}},
        },
        "Journal": {
            "summary": "Offsets of one source partition that are about to be sent, or were refused.",
            "payload": {"$ref": "#/components/schemas/Journal"},
        },
        "DeadLetter": {
            "summary": "An event as it came.",
            "contentType": "application/octet-stream",
            "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
            "payload": {"type": "string", "format": "binary", "description": "The event's value, byte for byte."},
        },
        "Receipt": {
            "summary": "A state of one message, written once.",
            "headers": {"$ref": "#/components/schemas/ReceiptHeaders"},
            "payload": {"$ref": "#/components/schemas/ReceiptRecord"},
            "examples": [{"payload": example} for example in EXAMPLES[ReceiptRecord]],
            "bindings": {"kafka": {"key": RECEIPT_KEY, **BINDING}},
        },
        "ReceiptEntry": {
            "summary": "What a callback says of one message.",
            "headers": {"$ref": "#/components/schemas/EntryHeaders"},
            "payload": {"type": "object", "description": "The fields of the entry, and of what stood around it."},
            "bindings": {"kafka": {"key": SETTLED | {"description": "The message: place of its event."}, **BINDING}},
        },
        "LookedUpEntry": {
            "summary": "What a callback says of a message that has to be looked up.",
            "headers": {"$ref": "#/components/schemas/LookupHeaders"},
            "payload": {"type": "object", "description": "The fields of the entry, and of what stood around it."},
            "bindings": {"kafka": {"key": HASHED, **BINDING}},
        },
        "IndexedMessage": {
            "summary": "A message that a keyed hash may mean; without a key and value: how far the index is.",
            "headers": {"$ref": "#/components/schemas/IndexHeaders"},
            "payload": {"$ref": "#/components/schemas/IndexRecord"},
            "bindings": {"kafka": {"key": HASHED, **BINDING}},
        },
        "Unmatched": {
            "summary": "What belongs to no message.",
            "contentType": "application/octet-stream",
            "headers": {"$ref": "#/components/schemas/UnmatchedHeaders"},
            "payload": {
                "type": "string",
                "format": "binary",
                "description": "An entry as JSON, or a callback's body.",
            },
        },
        "Inbound": {
            "summary": "What a person did.",
            "payload": {"$ref": "#/components/schemas/InboundRecord"},
            "examples": [{"payload": example} for example in EXAMPLES[InboundRecord]],
            "bindings": {
                "kafka": {
                    "key": {"type": "string", "description": "The phone's digits; where it is not known, the message."},
                    **BINDING,
                }
            },
        },
        "Suppression": {
            "summary": "A phone number must not be texted, or may be again.",
            "payload": {"$ref": "#/components/schemas/Suppression"},
            "examples": [{"payload": example} for example in EXAMPLES[Suppression]],
            "bindings": {"kafka": {"key": SUPPRESSED, **BINDING}},
        },
        "Audit": {
            "summary": "What somebody did.",
            "payload": {"$ref": "#/components/schemas/AuditRecord"},
            "examples": [{"payload": example} for example in EXAMPLES[AuditRecord]],
            "bindings": {"kafka": {"key": {"type": "string", "description": "What it was done to."}, **BINDING}},
        },
        "Campaign": _control("What a campaign supplies to its messages, and whether they are sent.", Campaign, "ID"),
        "ProviderState": _control("Whether anything is sent to a provider.", ProviderState, "NAME"),
    }


def _control(summary: str, kind: type[msgspec.Struct], name: str) -> dict[str, Any]:
    prefix = CAMPAIGN if kind is Campaign else PROVIDER
    key = {
        "type": "string",
        "pattern": f"^{prefix}",
        "description": f"{prefix}{name}; without a value: forget it.",
    }
    return {
        "summary": summary,
        "headers": {"$ref": "#/components/schemas/ControlHeaders"},
        "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
        "examples": [{"payload": example} for example in EXAMPLES[kind]],
        "bindings": {"kafka": {"key": key, **BINDING}},
    }


def _schemas() -> dict[str, Any]:
    offsets = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    return {
        **components("#/components/schemas/{name}"),
        "EventHeaders": {"type": "object", "properties": {HEADER: TRACE, REPLAY_OF: REPLAYED}},
        "SettlesHeaders": {"type": "object", "properties": {SETTLES: SETTLED, HEADER: TRACE}, "required": [SETTLES]},
        "ControlHeaders": {
            "type": "object",
            "properties": {
                BY: {"type": "string", "description": "The person who wrote it; absent where nobody said."},
                REASON: {"type": "string", "description": "Why, in that person's words."},
            },
        },
        "DeadLetterHeaders": {
            "type": "object",
            "properties": {
                SETTLES: SETTLED,
                HEADER: TRACE,
                **{name: {"type": "string", "description": text} for name, text in ERRORS.items()},
            },
            "required": [SETTLES, *ERRORS],
        },
        "ReceiptHeaders": {
            "type": "object",
            "properties": {
                SETTLES: SETTLED | {"description": "The entry this state was read from. Nothing is read twice."},
                SOURCE: SETTLED | {"description": "The message: place of its event."},
                STATE: {"type": "string", "enum": [state.value for state in State]},
            },
            "required": [SETTLES, SOURCE, STATE],
        },
        "EntryHeaders": {
            "type": "object",
            "properties": {ENTRY: {"type": "string", "description": "Whose it is and when it came, as JSON."}},
            "required": [ENTRY],
        },
        "LookupHeaders": {
            "type": "object",
            "properties": {LOOKUP: {"type": "string", "description": "When it came, and of which request, as JSON."}},
            "required": [LOOKUP],
        },
        "IndexHeaders": {
            "type": "object",
            "properties": {
                WATERMARK: {
                    "type": "string",
                    "description": "Per partition of the results the time up to which they are in the index, as JSON.",
                }
            },
        },
        "IndexRecord": {
            "type": "object",
            "properties": {
                "v": {"type": "integer", "description": "Version of the format."},
                "source": {
                    "type": "object",
                    "description": "The message: place of its event.",
                    "properties": {
                        "topic": {"type": "string"},
                        "partition": {"type": "integer"},
                        "offset": {"type": "integer"},
                    },
                },
                "day": {"type": "integer", "description": "When its result was known, days since the epoch."},
                "message_id": {"type": "string"},
                "campaign_id": {"type": "string"},
            },
            "required": ["v", "source", "day"],
        },
        "UnmatchedHeaders": {
            "type": "object",
            "properties": {
                UNMATCHED: {"type": "string", "description": "Why, when it came and whose it may be, as JSON."},
                SETTLES: SETTLED | {"description": "The entry it was, where `receipts run` has found it out."},
            },
            "required": [UNMATCHED],
        },
        "Journal": {
            "type": "object",
            "properties": {
                "topic": {"type": "string", "description": "The source topic; the partition is the record's."},
                "v": {"type": "integer", "description": "Version of the format; 1 where it is missing."},
                "batch_id": {"type": "string", "description": "The request that is about to leave."},
                "sent": {**offsets, "description": "Offsets about to be sent."},
                "released": {**offsets, "description": "Offsets the provider refused: the next owner may send them."},
            },
            "required": ["topic"],
            "oneOf": [{"required": ["sent"]}, {"required": ["released"]}],
        },
    }
