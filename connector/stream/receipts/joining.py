"""What entries change: read, given a meaning, compared with what is written of their message. No I/O but the states.

An entry is done with in one of three ways: its state is written, it says nothing new, or it belongs to no message and
is kept with the reason. None is ever left over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from connector.clock import Clock
from connector.kafka.batches import RecordFields
from connector.kafka.record_batch import Unreadable
from connector.receipts.callback import Meaning, MessageToken, ReceiptEntry, Unmatched, Why
from connector.receipts.receipt_reader import UnreadableEntry
from connector.receipts.receipt_records import ReceiptPlace, place, read_entry, receipt_record
from connector.receipts.states import step
from connector.receipts.tokens import too_late
from connector.stream.partitions.formats import SETTLES
from connector.stream.partitions.partition import Partition
from connector.stream.receipts.join_status import JoinedCounts
from connector.stream.receipts.unmatched_writing import fitting_unmatched
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)


class MeaningReader(Protocol):
    """What a definition makes of an entry's document.

    Implemented by `ReceiptReader` (connector/receipts/receipt_reader.py), put in place in
    `connector/stream/receipts/join_worker.py`.
    """

    def meaning(self, document: bytes) -> Meaning | UnreadableEntry:
        """What it says by the definition as it is now. Raises nothing."""
        ...


class StateView(Protocol):
    """What is written of messages.

    Implemented by `States` (connector/store/state_store.py), put in place in
    `connector/stream/receipts/state_opening.py`.
    """

    def get(self, key: bytes) -> bytes | None:
        """What was written last for this key."""


@dataclass(slots=True)
class JoinedEntries:
    """What some entries of a partition change.

    Attributes:
        receipts, unmatched: to be written, in this order.
        states: message → what is known of it once that is written.
        offsets: of the entries, all of which are done with then.
        arrivals: when the callbacks of `receipts` came.
        counts: to be counted then.
    """

    receipts: list[RecordFields] = field(default_factory=list)
    unmatched: list[RecordFields] = field(default_factory=list)
    states: dict[bytes, int] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    counts: JoinedCounts = field(default_factory=JoinedCounts)


class Joining:
    """Joins entries with what is known of their messages.

    Args:
        keep: seconds that a message may have receipts.
        most: bytes of the largest record that the topic for what is unmatched takes.

    Attributes:
        readers: by name of the definition; replaced when definitions change.
    """

    def __init__(self, *, keep: float, most: int, clock: Clock) -> None:
        self.readers: Mapping[str, MeaningReader] = {}
        self._keep = keep
        self._most = most
        self._clock = clock

    def join(self, partition: Partition, records: Iterable[Any], known: StateView) -> JoinedEntries:
        """What these records change. Those that are settled already are passed over."""
        joined = JoinedEntries()
        for record in records:
            if partition.ledger.admit(record.offset):
                joined.offsets.append(record.offset)
                self._entry(partition, record, known, joined)
        return joined

    def _entry(self, partition: Partition, record: Any, known: StateView, joined: JoinedEntries) -> None:
        settles = (SETTLES, f"{partition.settles}{record.offset}".encode())
        arrived = max(0, record.timestamp) / 1000
        entry = _read(record)
        if isinstance(entry, str):
            lost = Unmatched("", arrived, Why.UNREADABLE, f"no entry of ours: {entry}", record.value or b"", whole=True)
            self._unmatched(lost, settles, joined)
            return
        try:
            at = ReceiptPlace(partition.topic, partition.partition, record.offset)
            refused = self._join(entry, at, known, joined)
        except Exception as error:  # a fault of ours must not stop the others, and it must not vanish
            log.exception("a receipt cannot be joined", provider=entry.provider)
            refused = Why.UNREADABLE, f"it could not be joined ({type(error).__name__})"
        if refused is not None:
            why, reason = refused
            where = entry.index, entry.count
            # With whose it is: for many providers only the URL said so, which a replay cannot read again.
            it = Unmatched(entry.provider, entry.arrived, why, reason, entry.document, *where, token=entry.token)
            self._unmatched(it, settles, joined)
        elif len(joined.receipts) > len(joined.arrivals):
            joined.receipts[-1][2].append(settles)
            joined.arrivals.append(entry.arrived)

    def _join(
        self, entry: ReceiptEntry, at: ReceiptPlace, known: StateView, joined: JoinedEntries
    ) -> tuple[Why, str] | None:
        """Why it belongs to no message; None where it was written, or says nothing new."""
        token = entry.token
        assert isinstance(token, MessageToken)
        # By today's clock and not by that of its arrival: what was written of an older message may be forgotten.
        if too_late(token, max(self._clock.wall(), entry.arrived), self._keep):
            return Why.TOO_LATE, "its message was sent longer ago than receipts are kept"
        reader = self.readers.get(entry.provider)
        if reader is None:
            return Why.UNKNOWN, "no definition of this name says how its provider reports"
        meaning = reader.meaning(entry.document)
        if isinstance(meaning, UnreadableEntry):
            return Why.UNREADABLE, meaning.reason
        key = place(token.source)
        seen = joined.states.get(key)
        if seen is None:
            stored = known.get(key)
            seen = stored[0] if stored else 0
        taken = step(seen, meaning.state)
        counts, provider = joined.counts, entry.provider
        if taken.dropped is not None:
            counts.dropped[provider, taken.dropped] += 1
            return None
        joined.receipts.append(receipt_record(entry, meaning, taken, at))
        joined.states[key] = taken.seen
        counts.written[provider, meaning.state.value] += 1
        if taken.contradicts:
            counts.contradictions[provider] += 1
        if meaning.at is not None:
            counts.reported.append((provider, entry.arrived - meaning.at))
        return None

    def _unmatched(self, it: Unmatched, settles: tuple[str, bytes], joined: JoinedEntries) -> None:
        provider = it.provider if it.provider in self.readers else ""  # others may write any name
        joined.counts.unmatched[provider, it.why.value] += 1
        joined.unmatched.append(fitting_unmatched(it, settles, None, self._most))


def _read(record: Any) -> ReceiptEntry | str:
    """The entry; why not, where it is none: others may write into the topic."""
    if isinstance(record, Unreadable):
        return record.why
    try:
        return read_entry(record.value, record.headers)
    except UnreadableError as error:
        return str(error)
