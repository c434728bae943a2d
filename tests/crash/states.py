"""Receipts and what became of them, compared: entries as receivers write them, states, what is unmatched. Pure.

The connector's own counters are not asked, and its rules are written down here once more.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from tests.kafka.records import Record

WORDS = {
    "delivered": "ok",
    "undelivered": "bad",
    "expired": "late",
    "sent": "out",
    "pending": "queued",
    "unknown": "lost",
}
"""State → the provider's word for it."""
RANK = {"pending": 1, "sent": 2}
FINAL = 3

RECEIPTS = """\
receipts:
  match: token
  state: state
  states: {delivered: ok, undelivered: bad, expired: late, sent: out, pending: [queued], unknown: lost}
  id: id
  code: code
  at: {value: at, format: unix}
"""
"""Of a definition that reads them."""


def rank(state: str) -> int:
    return RANK.get(state, FINAL)


@dataclass(frozen=True, slots=True)
class StateAudit:
    """Counts that must be zero, and what was seen.

    Attributes:
        lost: entries that said a state which is in no record, and are not unmatched either.
        twice: records beyond the first of a message and state.
        fallen: records of a rank below one of the same message before it.
        strange: records of another message than their entry is of, or not in its partition.
        states: states of messages that were written, by state.
        unmatched: by reason.
    """

    lost: int
    twice: int
    fallen: int
    strange: int = 0
    states: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)


def compare_states(matched: Sequence[Record], written: Sequence[Record], unmatched: Sequence[Record]) -> StateAudit:
    """Compare entries with what became of them."""
    entries = {_place(record): record for record in matched}
    seen: defaultdict[str, list[str]] = defaultdict(list)
    fallen = strange = 0
    for record in written:
        it = orjson.loads(record.value or b"")
        source, state = _join(it["source"]), it["status"]
        entry = entries.get(record.headers.get("settles", b"").decode())
        strange += entry is None or _source(entry) != source or entry.partition != record.partition
        strange += it.get("message_id", "") not in ("", f"m{it['source']['offset']}")
        fallen += any(rank(other) > rank(state) for other in seen[source])
        seen[source].append(state)
    kept = {record.headers["settles"].decode() for record in unmatched if "settles" in record.headers}
    return StateAudit(
        lost=sum(place not in kept and not _told(record, seen) for place, record in entries.items()),
        twice=sum(len(states) - len(set(states)) for states in seen.values()),
        fallen=fallen,
        strange=strange,
        states=dict(Counter(itertools.chain.from_iterable(seen.values()))),
        unmatched=_reasons(unmatched),
    )


@dataclass(frozen=True, slots=True)
class ListAudit:
    """Counts that must be zero, and what was seen.

    Attributes:
        opt_outs: people who said no last, and are not on the list.
        opt_ins: people who said yes last, and are on it.
        people: who said anything.
    """

    opt_outs: int
    opt_ins: int
    people: int


def compare_list(inbound: Sequence[Record], listed: Sequence[Record]) -> ListAudit:
    """Compare what people said last, by their providers' clocks, with the last record of each on the list."""
    last: dict[str, tuple[datetime, bool]] = {}
    for record in inbound:
        said = orjson.loads(record.value or b"")
        phone, at = said["from"].lstrip("+"), datetime.fromisoformat(said["at"])
        if phone not in last or at > last[phone][0]:
            last[phone] = at, said["kind"] == "opt-out"
    stopped = {
        (record.key or b"").decode(): orjson.loads(record.value or b"").get("state", "suppressed") == "suppressed"
        for record in sorted(listed, key=lambda record: record.offset)
    }
    wrong = [stop for phone, (_, stop) in last.items() if stopped.get(phone) is not stop]
    return ListAudit(opt_outs=sum(wrong), opt_ins=len(wrong) - sum(wrong), people=len(last))


def _told(record: Record, seen: dict[str, list[str]]) -> bool:
    """Whether what an entry says is written, or is less than what is."""
    state = next(state for state, word in WORDS.items() if word == orjson.loads(record.value or b"")["state"])
    states = seen.get(_source(record), [])
    return state in states or any(rank(it) > rank(state) for it in states) or (state == "unknown" and bool(states))


def _reasons(unmatched: Iterable[Record]) -> dict[str, int]:
    return dict(Counter(orjson.loads(it.headers["unmatched"])["why"] for it in unmatched))


def _source(record: Record) -> str:
    return _join(orjson.loads(record.headers["entry"])["source"])


def _join(place: dict[str, Any]) -> str:
    return f"{place['topic']}/{place['partition']}/{place['offset']}"


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"
