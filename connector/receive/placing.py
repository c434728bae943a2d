"""From what stands in a callback to records: which topic and partition each goes to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connector.kafka.batches import RecordFields, size
from connector.kafka.renewed_producer import LogPlace
from connector.receipts.callback import (
    Callback,
    Inbound,
    MessageToken,
    Reading,
    Refused,
    Unmatched,
    Verified,
    Why,
)
from connector.receipts.index_records import lookup_record
from connector.receipts.receipt_reader import whole_callback
from connector.receipts.receipt_records import Fields, entry_record, inbound_record, partition, place, unmatched_record
from connector.receive.callback_counts import CallbackCounts
from connector.receive.topic_check import KnownTopics
from connector.settings.model import Topics

TOO_LARGE = "a part of it is larger than its topic takes"
CUT = "; the end was cut off, as it is larger than the topic takes"

PlacedRecord = tuple[LogPlace, RecordFields]


class Placing:
    """Places records.

    Args:
        known: the topics as they are.
        counts: what is placed is counted there.
    """

    def __init__(self, topics: Topics, known: KnownTopics, counts: CallbackCounts) -> None:
        self.known = known
        self._topics = topics
        self._counts = counts

    def records(self, name: str, callback: Callback, verified: Verified, reading: Reading) -> Sequence[PlacedRecord]:
        """Everything in a callback; the whole body instead of its receipts, where one is too large for its topic. What
        people said is there in any case: nobody may have to read `receipts_unmatched` to find an opt-out.
        """
        counts = self._counts
        unmatched = list(reading.unmatched)
        placed: list[PlacedRecord] = []
        for entry in reading.entries:
            token = entry.token
            if isinstance(token, MessageToken):
                key = place(token.source)
                placed.append(self._at(self._topics.receipts_matched, key, entry_record(entry, token)))
            else:
                record = lookup_record(entry)
                placed.append(self._at(self._topics.receipts_in, entry.keys[0], record))
        limits = self.known.limits
        if any(size(record) > limits[where.topic] for where, record in placed):
            placed, unmatched = [], [whole_callback(name, callback, Why.UNREADABLE, TOO_LARGE, verified.token)]
        placed += map(self._inbound, reading.inbound)
        counts.read(name, reading)
        for it in unmatched:
            counts.unmatched[name, it.why.value] += 1
        return placed + [self._unmatched(it) for it in unmatched] if unmatched else placed

    def unverified(self, name: str, callback: Callback, refused: Refused) -> PlacedRecord:
        """A callback that is kept although nothing proves it."""
        self._counts.unmatched[name, Why.UNVERIFIED.value] += 1
        return self._unmatched(whole_callback(name, callback, Why.UNVERIFIED, refused.reason, refused.token))

    def _inbound(self, inbound: Inbound) -> PlacedRecord:
        record = inbound_record(inbound)
        if size(record) > self.known.limits[self._topics.inbound]:
            record = inbound_record(msgspec.structs.replace(inbound, text=None, url=None, short_url=None))
        return self._at(self._topics.inbound, record[0] or record[1] or b"", record)

    def _unmatched(self, it: Unmatched) -> PlacedRecord:
        topic = self._topics.receipts_unmatched
        placed = self._at(topic, it.document, unmatched_record(it))
        excess = size(placed[1]) - self.known.limits[topic]
        if excess <= 0:
            return placed
        kept = it.document[: -excess - len(CUT)]
        cut = msgspec.structs.replace(it, reason=it.reason + CUT, document=kept)
        return self._at(topic, kept, unmatched_record(cut))

    def _at(self, topic: str, key: bytes, record: Fields) -> PlacedRecord:
        return LogPlace(topic, partition(key, self.known.partitions[topic])), record
