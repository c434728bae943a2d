"""What people did and what is written about it: control records and test messages, and the audit topic. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from tests.kafka.records import Record

STOPS = ({"paused": True},)
"""What is done even where nothing can be written about it."""


@dataclass(frozen=True, slots=True)
class DeedAudit:
    """Deeds.

    Attributes:
        done: those that let messages go, or sent one.
        unrecorded: places of those without an `asked` before them.
    """

    done: int
    unrecorded: tuple[str, ...]


def compare_deeds(control: Iterable[Record], source: Iterable[Record], audit: Iterable[Record]) -> DeedAudit:
    """Records of the three topics."""
    asked: dict[str, int] = {}
    for record in audit:
        told = orjson.loads(record.value or b"{}")
        if told.get("state") == "asked":
            for name in (told["request"], told.get("after")):
                if name:
                    asked.setdefault(name, record.timestamp)
    done, unrecorded = 0, []
    for record in [*control, *source]:
        name = _name(record)
        if name is None:
            continue
        done += 1
        # The console writes both, by one clock.
        if asked.get(name, record.timestamp + 1) > record.timestamp:
            unrecorded.append(f"{record.topic}/{record.partition}/{record.offset}")
    return DeedAudit(done, tuple(unrecorded))


def _name(record: Record) -> str | None:
    """By what its audit record is found; None for what needs none."""
    value = orjson.loads(record.value or b"{}")
    if record.headers.get("test"):
        return str(value["message_id"])
    if "request" not in record.headers or value in STOPS:
        return None
    return record.headers["request"].decode()
