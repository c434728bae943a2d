"""What fakes were told is taken against what stands in the topic of receipts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.cli.demo.audit import Audit, Event
from connector.cli.demo.receipts_way import ReceiptTally, audit_receipts, delivered
from connector.model import Source
from connector.receipts.callback import State

EVENTS = [Event(Source("sms.messages", n % 4, n), f"m{n}", f"+9198100{n:05d}") for n in range(3)]
A, B, C = (event.source for event in EVENTS)


def attempt(number: int, state: str = "delivered", **fields: Any) -> dict[str, Any]:
    news = {"to": f"98100{number:05d}", "state": state}
    return {"provider": "json", "kind": "receipt", "outcome": "taken", "forged": False, "news": [news], **fields}


def log(folder: Path, *attempts: dict[str, Any]) -> Path:
    file = folder / "receipts.jsonl"
    file.write_bytes(b"".join(orjson.dumps(it) + b"\n" for it in attempts))
    return file


TOLD = (attempt(0), attempt(1, "undelivered"), attempt(2))
STATES = [(A, State.DELIVERED), (B, State.UNDELIVERED), (C, State.DELIVERED)]


def test_it_holds_where_every_acknowledged_receipt_is_written_once(tmp_path: Path) -> None:
    repeated = (*TOLD, attempt(0), attempt(1, outcome="again"), attempt(2, "undelivered", forged=True))
    other = attempt(0, kind="reply", news=[{"to": "9810000000", "state": None}])
    file, report = log(tmp_path, *repeated, other), Audit()
    assert audit_receipts(EVENTS, ReceiptTally(STATES), file, report) == 3
    assert report.holds
    assert delivered(EVENTS, ReceiptTally(STATES), file) == {"json": 2}


@pytest.mark.parametrize(
    ("states", "unmatched", "findings"),
    [
        (STATES[:2], 0, {"unreported": 1}),
        ([*STATES, STATES[0]], 0, {"twice reported": 1}),
        ([*STATES, (A, State.UNDELIVERED)], 0, {"misreported": 1}),
        ([*STATES[:2], (A, State.UNDELIVERED)], 0, {"unreported": 1, "misreported": 1}),
        ([*STATES, (Source("sms.messages", 0, 99), State.DELIVERED)], 0, {"misreported": 1}),
        (STATES, 2, {"unmatched": 2}),
    ],
)
def test_it_finds(tmp_path: Path, states: list[tuple[Source, State]], unmatched: int, findings: dict[str, int]) -> None:
    report = Audit()
    audit_receipts(EVENTS, ReceiptTally(states, unmatched=unmatched), log(tmp_path, *TOLD), report)
    assert dict(report.findings) == findings
