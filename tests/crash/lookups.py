"""Receipts that are looked up, and what became of them, compared: entries, results, what was found and what was not.

Pure. The connector's own counters are not asked. An entry is known by the number `n` in its document; whose it is the
provider's id says, which names the offset of one message, or of two of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from tests.crash.states import RECEIPTS
from tests.kafka.records import Record

LOOKED_UP = RECEIPTS.replace("match: token", "verify: url\n  match: {id: id}")
"""Of a definition whose provider says nothing but what it calls a message itself."""


LEAST_WAIT = 1_500
"""Milliseconds: `receipts.wait` is longer in every scenario."""
ALIKE = 1_000_000
"""From this offset on two messages are called alike."""


def called(offset: int) -> str:
    """What the provider calls the message at `offset`."""
    return f"p{offset}" if offset < ALIKE else f"s{offset // 2}"


@dataclass(frozen=True, slots=True)
class LookupAudit:
    """Counts that must be zero, and what was seen.

    Attributes:
        lost: entries that were neither found nor kept as unmatched.
        wrong: entries that were found to be about a message that they do not name, or about one of two.
        given_up: entries that are unmatched as `unknown` although the result of their message came before they had to
            be given up.
        kept_twice: entries that are unmatched more often than once.
        found: entries whose message was found.
        unmatched: by reason.
    """

    lost: int
    wrong: int
    given_up: int
    kept_twice: int
    found: int
    unmatched: dict[str, int] = field(default_factory=dict)


def compare_lookups(
    entries: Sequence[Record], results: Sequence[Record], matched: Sequence[Record], unmatched: Sequence[Record]
) -> LookupAudit:
    """Compare entries with what became of them. `results`: those that name a provider's id."""
    known = {orjson.loads(it.value or b"").get("provider_message_id"): it.timestamp for it in results}
    arrived = {f"{it.topic}/{it.partition}/{it.offset}": it.timestamp for it in entries}
    asked = {_number(it): it for it in entries}
    found: set[int] = set()
    wrong = 0
    for record in matched:
        document = orjson.loads(record.value or b"")
        offset = orjson.loads(record.headers["entry"])["source"]["offset"]
        found.add(document["n"])
        wrong += document["id"] != called(offset) or offset >= ALIKE
    kept: Counter[int] = Counter()
    why: Counter[str] = Counter()
    given_up = 0
    for record in unmatched:
        document, reason = orjson.loads(record.value or b""), orjson.loads(record.headers["unmatched"])["why"]
        kept[document["n"]] += 1
        why[reason] += 1
        due = arrived[record.headers["settles"].decode()] + LEAST_WAIT
        given_up += reason == "unknown" and known.get(document["id"], due) < due
    return LookupAudit(
        lost=len(asked.keys() - found - kept.keys()),
        wrong=wrong,
        given_up=given_up,
        kept_twice=sum(number - 1 for number in kept.values()),
        found=len(found),
        unmatched=dict(why),
    )


def _number(record: Record) -> int:
    number: int = orjson.loads(record.value or b"")["n"]
    return number
