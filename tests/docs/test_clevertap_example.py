"""examples/clevertap: what of a receipt CleverTap is told."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "clevertap" / "forward.py"
TIMES = {"received_at": "2026-11-26T10:00:05.500Z"}


def receipt(status: str, **more: Any) -> dict[str, Any]:
    return {"message_id": "9999.1", "status": status, **TIMES, **more}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (receipt("delivered", at="2026-11-26T10:00:00Z"), ("delivered", 1795687200, "delivered", None)),
        (receipt("delivered", at=None), ("delivered", 1795687205, "delivered", None)),
        (receipt("undelivered", code="30003", reason="off"), ("failed", 1795687205, "off", "914")),
        (receipt("expired", code="3"), ("failed", 1795687205, "3", "916")),
        (receipt("blocked"), ("failed", 1795687205, "blocked", "903")),
    ],
)
def test_what_has_ended_is_told_with_its_time_and_a_code_of_clevertaps(
    record: dict[str, Any], told: tuple[str, int, str, str | None]
) -> None:
    [event] = runpy.run_path(str(EXAMPLE))["events"]([record])
    [data] = event["data"]
    assert (event["event"], data["ts"], data["description"], data.get("code")) == told
    assert data["meta"] == "9999.1"


def test_what_is_on_its_way_or_unknown_or_names_no_message_is_not_told() -> None:
    records = [receipt(status) for status in ("pending", "sent", "unknown")]
    assert runpy.run_path(str(EXAMPLE))["events"]([*records, receipt("delivered", message_id=None)]) == []


def test_many_are_told_in_one_request_and_in_order() -> None:
    found = runpy.run_path(str(EXAMPLE))["events"]([receipt("delivered"), receipt("sent"), receipt("expired")])
    assert [event["event"] for event in found] == ["delivered", "failed"]
