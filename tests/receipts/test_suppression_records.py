"""Records of the list of who must not be texted: one key for all spellings, and what others write is not believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.receipts.receipt_records import ReceiptPlace
from connector.receipts.suppression_records import (
    By,
    SuppressionRecord,
    lift,
    lifted_by,
    read_suppression,
    read_suppression_key,
    suppression,
    suppression_key,
)
from connector.untrusted import UnreadableError

SINCE = datetime(2026, 11, 27, 18, tzinfo=UTC)
RECORD = SuppressionRecord("+14155550100", SINCE, By.REPLY, provider="acme", entry=ReceiptPlace("sms.inbound", 3, 7))


def test_what_is_written_is_read_again() -> None:
    key, value, headers = suppression(RECORD)
    assert (key, headers) == (b"14155550100", [])
    assert read_suppression(value) == RECORD


def test_what_lifts_has_no_value_and_says_who() -> None:
    key, value, headers = lift(RECORD)
    assert (key, value) == (b"14155550100", None)
    assert read_suppression(value) is None
    assert lifted_by(headers) == RECORD
    assert lifted_by([]) is None


@pytest.mark.parametrize("spelling", ["+14155550100", "1 (415) 555-0100", "14155550100"])
def test_every_spelling_has_one_key_and_each_sender_its_own(spelling: str) -> None:
    assert suppression_key(spelling) == b"14155550100"
    key = suppression_key(spelling, "ACME/1")
    assert read_suppression_key(key) == (b"14155550100", "ACME/1")
    assert read_suppression_key(suppression_key(spelling)) == (b"14155550100", None)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{}",
        b"[]",
        b'{"phone":"","since":"2026-11-27T18:00:00Z","by":"reply"}',
        b'{"phone":"+1","since":"never","by":"reply"}',
        b'{"phone":"+1","since":"2026-11-27T18:00:00Z","by":"' + b"x" * 65 + b'"}',
        b'{"phone":"' + b"1" * 9_000 + b'"}',
        b"[" * 5_000,
    ],
)
def test_what_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_suppression(value)
