"""Results as CloudEvents 1.0, binary: attributes in headers, and the value as it always is.

Their id is the event's place, which is the identity of a result: one that is read twice is one event.
"""

from __future__ import annotations

from collections.abc import Callable

from connector.kafka.batches import Headers
from connector.model import Result

TYPE = "sms-connector.result"
ResultHeaders = Callable[[Result], Headers]
"""What a result has in headers beside what it settles."""


def cloud_event_headers(group: str) -> ResultHeaders:
    """Those of the results of one consumer group."""
    fixed: Headers = [
        ("ce_specversion", b"1.0"),
        ("ce_type", TYPE.encode()),
        ("ce_source", f"/sms-connector/{group}".encode()),
        ("content-type", b"application/json"),
    ]

    def headers(result: Result) -> Headers:
        place = result.source
        found: Headers = [
            *fixed,
            ("ce_id", f"{place.topic}/{place.partition}/{place.offset}".encode()),
            ("ce_time", result.completed_at.isoformat().replace("+00:00", "Z").encode()),
        ]
        if result.message_id:
            found.append(("ce_subject", result.message_id.encode("utf-8", "replace")))
        return found

    return headers


def is_attribute(header: str) -> bool:
    """Whether a header of a result is one of those."""
    return header.startswith("ce_") or header == "content-type"
