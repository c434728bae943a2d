"""A result in fewer bytes, step by step: it is never lost because a topic does not take it as it is."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from connector.kafka.batches import RecordFields, size
from connector.model import Result
from connector.stream.output.cloud_events import is_attribute
from connector.stream.partitions.formats import SETTLES

REASON = "too large for the results topic, or refused by it: reason left out"
REFUSED = "the results topic refused the whole result: only its status is left"
# Longer names than these are cut: a provider's name, an id, a number. What the schema allows fits.
NAME_CHARACTERS = 256

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Result).decode


def forms(record: RecordFields) -> Iterator[RecordFields]:
    """What is written in place of a result that cannot be written as it is, the fullest first.

    Without its words, with names cut, under a key that is no longer than a name; identity and status without a key; the
    same with a key, for topics that want one. The header that says what it settles is in all of them.
    """
    key, value, headers = record
    try:
        result = _decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return
    _cut(result)
    if key is not None and len(key) > NAME_CHARACTERS:
        key = (result.message_id or "").encode() or None
    yield key, _encode(result), headers
    bare = Result(result.status, result.source, result.completed_at, reason=REFUSED, attempts=result.attempts)
    place = next((told for name, told in headers if name == SETTLES), None)
    kept = [(name, told) for name, told in headers if name == SETTLES or is_attribute(name)]
    yield None, _encode(bare), kept
    yield place or b"-", _encode(bare), kept


def fit(record: RecordFields, most: int) -> RecordFields:
    """The fullest form of a result of at most so many bytes, or the smallest there is."""
    for form in forms(record):
        record = form
        if size(form) <= most:
            break
    return record


def _cut(result: Result) -> None:
    """Leave out the words, and cut what is longer than any name should be."""
    result.reason = REASON
    result.code = None
    for name in ("message_id", "provider", "campaign_id", "to", "provider_message_id", "provider_batch_id", "batch_id"):
        text = getattr(result, name)
        if text is not None and len(text) > NAME_CHARACTERS:
            setattr(result, name, text[:NAME_CHARACTERS])
