"""Entries and the index, joined in one partition: which message each entry is about. No I/O but the store.

An entry is done with in one of four ways: its message is found and it goes on to that one's partition; it may mean two
messages, or none, and is kept with the reason; or it waits, in the store. It waits until the index has taken in all
results that were written before it came, and `wait` longer: by the brokers' clock, however late who sends or who
indexes is. One that was given up is found all the same when its message appears later.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import msgspec

from connector.kafka.batches import RecordFields, size
from connector.kafka.record_batch import Unreadable
from connector.receipts.callback import ReceiptEntry, Unmatched, Why
from connector.receipts.index_records import (
    IndexRecord,
    lookup_record,
    read_index,
    read_lookup,
    read_watermark,
)
from connector.receipts.receipt_records import entry_record, partition, place
from connector.store.index_store import IndexPlace, KeyState, WaitingEntry
from connector.stream.partitions.formats import SETTLES
from connector.stream.receipts.unmatched_writing import fitting_unmatched
from connector.untrusted import UnreadableError

MOST_CANDIDATES: Final = 2
"""Of a key: with two nobody can say any more which one is meant."""
MOST_WAITING: Final = 256
"""Of entries that wait for one key, and of those that were given up: who repeats one without end slows nobody down."""
UNKNOWN: Final = "no message that was sent is known by what it says"
AMBIGUOUS: Final = "what it says may mean two messages"
CROWDED: Final = f"{MOST_WAITING} others wait for the same message"


class IndexView(Protocol):
    """What is known of keys.

    Implemented by `IndexStore` (connector/store/index_store.py), put in place in
    `connector/stream/receipts/index_opening.py`.

    Attributes:
        waiting: entries that wait.
    """

    waiting: int

    def get(self, keys: Sequence[bytes]) -> list[KeyState]:
        """What is known of each of these, in order."""
        ...

    def entry(self, offset: int) -> WaitingEntry | None:
        """An entry that waits."""
        ...

    def due(self, arrived: int, most: int) -> list[WaitingEntry]:
        """The entries that came by then, in order, up to the first one that came later; so many at most."""
        ...


@dataclass(slots=True)
class LookupChanges:
    """What a turn changes; nothing of it counts before all that is to be written is acknowledged.

    Attributes:
        matched: partition and record of entries whose message is known.
        unmatched: entries that belong to none, for this partition.
        again: partition and record of entries that are to be looked up by another key.
        healed: offsets of entries that were given up, and their messages.
        known: what was looked at of the store; of `changed` it is to be written.
        waits, ends: entries that wait, and those that do no longer.
        counts: by provider and what became of it.
    """

    matched: list[tuple[int, RecordFields]] = field(default_factory=list)
    unmatched: list[RecordFields] = field(default_factory=list)
    again: list[tuple[int, RecordFields]] = field(default_factory=list)
    healed: list[tuple[int, IndexRecord]] = field(default_factory=list)
    known: dict[bytes, KeyState] = field(default_factory=dict)
    changed: set[bytes] = field(default_factory=set)
    waits: dict[int, WaitingEntry] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def writes(self) -> bool:
        """There is something to be written to Kafka."""
        return bool(self.matched or self.unmatched or self.again or self.healed)

    @property
    def stored(self) -> dict[bytes, KeyState]:
        """For the store."""
        return {key: self.known[key] for key in self.changed}


class Lookup:
    """Joins in one partition.

    Args:
        topic, number: of the entries.
        partitions: of the topics of receipts.
        store: what is known.
        wait: seconds that an entry waits.
        limits: bytes of the largest record of entries that are matched, and of those that are not.
        settled: offsets of entries that are unmatched already: another one has written so before it could say it.

    Attributes:
        place: up to where the topics have been read.
    """

    def __init__(
        self,
        topic: str,
        number: int,
        *,
        partitions: int,
        store: IndexView,
        place: IndexPlace,
        wait: float,
        limits: tuple[int, int],
        settled: Collection[int] = (),
    ) -> None:
        self.place = place
        self._settles = f"{topic}/{number}/"
        self._partitions = partitions
        self._store = store
        self._wait = round(wait * 1000)
        self._most_matched, self._most_unmatched = limits
        self._settled = settled

    # ---- the index --------------------------------------------------------------------------------------------------

    def index(self, records: Sequence[Any], changes: LookupChanges) -> int:
        """Take in records of the index; how many are none of ours."""
        foreign = 0
        told: list[tuple[bytes, IndexRecord, bytes]] = []
        marks = dict(self.place.marks)
        for record in records:
            try:
                if record.key is None:
                    mark = read_watermark(record.headers)
                    if mark is None:
                        raise UnreadableError("neither a key nor how far the index is")
                    for results, until in mark.until.items():
                        marks[results] = max(marks.get(results, 0), until)
                else:
                    told.append((record.key, read_index(record.value), record.value))
            except UnreadableError:
                foreign += 1
        self._load([key for key, _, _ in told], changes)
        # All that is known first: of two messages that a key may mean neither is to be taken for being told first.
        new = [(key, message) for key, message, raw in told if _learnt(changes.known[key], message, raw)]
        changes.changed.update(key for key, _ in new)
        for key, message in new:
            state = changes.known[key]
            if state.waiting or state.late:
                self._release(state, message, changes)
        if records:
            end = records[-1]
            last = b"%d/%b" % (end.timestamp, end.key or b"")
            self.place = msgspec.structs.replace(self.place, index=end.offset + 1, last=last, marks=marks)
        return foreign

    def _release(self, state: KeyState, message: IndexRecord, changes: LookupChanges) -> None:
        """What has waited for this message, or was given up."""
        waiting, late = state.waiting, state.late
        state.waiting, state.late = [], []
        if len(state.candidates) < MOST_CANDIDATES:
            changes.healed += [(offset, message) for offset in late]
        for offset in waiting:
            found = changes.waits.pop(offset, None)
            if found is None:
                found = self._store.entry(offset)
                changes.ends.append(offset)
            if found is not None:
                self._decide(found.key, found.offset, _read(found), state, changes)

    # ---- entries ----------------------------------------------------------------------------------------------------

    def entries(self, records: Sequence[Any], changes: LookupChanges) -> None:
        """Take in entries, from where the last ones ended."""
        self._load([it.key for it in records if it.key is not None], changes)
        for record in records:
            if record.offset < self.place.entries or record.offset in self._settled:
                continue
            entry = _read(record)
            if isinstance(entry, str):
                raw, arrived = record.value or b"", max(0, record.timestamp or 0) / 1000
                lost = Unmatched("", arrived, Why.UNREADABLE, f"no entry of ours: {entry}", raw, whole=True)
                self._unmatched(lost, record.offset, None, changes)
                continue
            state = changes.known[record.key]
            if state.candidates:
                self._decide(record.key, record.offset, entry, state, changes)
            elif record.offset in state.waiting or record.offset in state.late:
                continue
            elif len(state.waiting) >= MOST_WAITING:
                self._refuse(entry, record.key, record.offset, (Why.UNKNOWN, CROWDED), changes)
            else:
                state.waiting.append(record.offset)
                changes.changed.add(record.key)
                kept = [(name, value or b"") for name, value in record.headers]
                changes.waits[record.offset] = WaitingEntry(
                    record.offset, max(0, record.timestamp), record.key, record.value, kept
                )
        if records:
            self.place = msgspec.structs.replace(self.place, entries=max(self.place.entries, records[-1].offset + 1))

    def expire(self, results: int, most: int, changes: LookupChanges) -> bool:
        """Give up what has waited long enough, so many at most; True where there may be more.

        `results`: partitions of the results; the index is as far as it is for the last of them.
        """
        found = self._store.due(self.until(results) - self._wait, most)
        ended = set(changes.ends)
        due = [it for it in found if it.offset not in ended]
        self._load([it.key for it in due], changes)
        for waited in due:
            state = changes.known[waited.key]
            entry = _read(waited)
            state.waiting = [it for it in state.waiting if it != waited.offset]
            changes.ends.append(waited.offset)
            changes.changed.add(waited.key)
            if isinstance(entry, ReceiptEntry) and len(entry.keys) > 1:  # secrets are being changed
                again = msgspec.structs.replace(entry, keys=entry.keys[1:])
                changes.again.append((partition(again.keys[0], self._partitions), lookup_record(again)))
                changes.counts[entry.provider, "again"] += 1
                continue
            if len(state.late) < MOST_WAITING:
                state.late.append(waited.offset)
            if isinstance(entry, ReceiptEntry):
                self._refuse(entry, waited.key, waited.offset, (Why.UNKNOWN, UNKNOWN), changes)
        return len(found) >= most

    def until(self, results: int) -> int:
        """Everything that was written to the results before this is in the index; 0 where that is not known.
        Milliseconds since the epoch, by the brokers' clock.
        """
        marks = self.place.marks
        return min((marks.get(number, 0) for number in range(results)), default=0)

    def heal(self, records: Iterable[Any], healed: Mapping[int, IndexRecord], changes: LookupChanges) -> None:
        """Entries that were given up, read again, whose messages are known now."""
        for record in records:
            message = healed.get(record.offset)
            entry = _read(record)
            if message is not None and isinstance(entry, ReceiptEntry):
                self._found(entry, record.offset, message, "healed", changes)

    # ---- what becomes of one ----------------------------------------------------------------------------------------

    def _load(self, keys: Sequence[bytes], changes: LookupChanges) -> None:
        missing = [key for key in dict.fromkeys(keys) if key not in changes.known]
        if missing:
            changes.known.update(zip(missing, self._store.get(missing), strict=True))

    def _decide(
        self, key: bytes, offset: int, entry: ReceiptEntry | str, state: KeyState, changes: LookupChanges
    ) -> None:
        if isinstance(entry, str):
            return
        if len(state.candidates) >= MOST_CANDIDATES:
            self._refuse(entry, key, offset, (Why.AMBIGUOUS, AMBIGUOUS), changes)
        else:
            self._found(entry, offset, read_index(state.candidates[0]), "found", changes)

    def _found(self, entry: ReceiptEntry, offset: int, message: IndexRecord, how: str, changes: LookupChanges) -> None:
        token = message.token
        record = entry_record(entry, token)
        if size(record) > self._most_matched:
            refusal = Why.UNREADABLE, "with whose it is it is larger than its topic takes"
            self._refuse(entry, entry.keys[0], offset, refusal, changes)
            return
        changes.matched.append((partition(place(token.source), self._partitions), record))
        changes.counts[entry.provider, how] += 1

    def _refuse(
        self, entry: ReceiptEntry, key: bytes, offset: int, refusal: tuple[Why, str], changes: LookupChanges
    ) -> None:
        why, reason = refusal
        at = entry.index, entry.count
        it = Unmatched(entry.provider, entry.arrived, why, reason, entry.document, *at, token=entry.token)
        self._unmatched(it, offset, key, changes)

    def _unmatched(self, it: Unmatched, offset: int, key: bytes | None, changes: LookupChanges) -> None:
        settles = (SETTLES, f"{self._settles}{offset}".encode())
        changes.counts[it.provider, it.why.value] += 1
        changes.unmatched.append(fitting_unmatched(it, settles, key, self._most_unmatched))


def _read(record: Any) -> ReceiptEntry | str:
    """The entry; why not, where it is none: others may write into the topic."""
    if isinstance(record, Unreadable):
        return record.why
    try:
        return read_lookup(record.key, record.value, record.headers)
    except UnreadableError as error:
        return str(error)


def _learnt(state: KeyState, message: IndexRecord, raw: bytes) -> bool:
    """Whether a key may mean a message that was not known of it."""
    known = state.candidates
    if known and any(read_index(it).source == message.source for it in known):
        return False
    if len(known) < MOST_CANDIDATES:
        known.append(raw)
    return True
