"""The record of what belongs to no message, cut to what its topic takes."""

from __future__ import annotations

from typing import Final

import msgspec

from connector.kafka.batches import RecordFields, size
from connector.receipts.callback import Unmatched
from connector.receipts.receipt_records import unmatched_record

CUT: Final = "; the end was cut off, as it is larger than the topic takes"


def fitting_unmatched(unmatched: Unmatched, settles: tuple[str, bytes], key: bytes | None, most: int) -> RecordFields:
    """`unmatched` as a record of at most `most` bytes, with the header that says what it settles.

    Its document is cut where it does not fit, and the reason says so.
    """
    _, value, headers = unmatched_record(unmatched)
    excess = size((key, value, [*headers, settles])) - most
    if excess > 0:
        kept = unmatched.document[: max(0, len(unmatched.document) - excess - len(CUT))]
        cut = msgspec.structs.replace(unmatched, reason=unmatched.reason + CUT, document=kept)
        _, value, headers = unmatched_record(cut)
    return key, value, [*headers, settles]
