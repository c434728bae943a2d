"""Progress of one partition in one epoch: which offset may be committed, and from where results must be read back.

A flag per offset past the committed position, in a bytearray: `find` walks it at C speed, gaps in the log (compaction,
transaction markers) are simply flagged, and the memory is the span, whatever the number of open messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from connector.stream.partitions.offset_set import OffsetSet

# Flags before the position are dropped when there are this many of them: seldom enough to cost nothing per message.
TRIM = 1 << 16


class Ledger:
    """Contiguous progress of one partition.

    Attributes:
        high: one past the newest admitted offset.
    """

    __slots__ = ("_base", "_cursor", "_flags", "_open", "_settled", "high")

    def __init__(self, start: int, settled: OffsetSet | None = None) -> None:
        """Start at the committed offset; `settled` are later offsets that have a durable result already."""
        self._base = start  # the offset of _flags[0]
        self._flags = bytearray()  # 1: needs nothing more; up to `high`
        self._cursor = 0  # every flag before it is 1
        self._open = 0
        self._settled = settled  # asked until it is passed: it may hold an offset far ahead, which is not worth a flag
        self.high = start

    def admit(self, offset: int) -> bool:
        """Take an offset read from the log. False where it is settled already or was admitted before."""
        if offset < self.high:
            return False
        self._fill(offset)  # the log has a gap: nothing there will ever need a result
        self.high = offset + 1
        if self._settled is not None:
            if offset in self._settled:
                self._flags.append(1)
                return False
            if offset > self._settled.newest:
                self._settled = None
        self._flags.append(0)
        self._open += 1
        return True

    def admit_run(self, start: int, end: int) -> bool:
        """Take all offsets from `start` to before `end`, as `admit` would have taken each of them.

        False, with nothing taken, where that is not certain: it is for offsets right after the newest one.
        """
        if start != self.high or (self._settled is not None and self._settled.any_between(start, end)):
            return False
        self._flags.extend(bytes(end - start))
        self.high = end
        self._open += end - start
        return True

    def pass_to(self, end: int) -> None:
        """The log holds nothing more that could be admitted before `end`: it is aborted, or compacted, or markers."""
        if end > self.high:
            self._fill(end)
            self.high = end

    def settle(self, offsets: Iterable[int]) -> None:
        """Their events have durable results. Settling twice, or an offset never admitted, changes nothing.

        `Committer.commit` asks for the `position` that follows from it.
        """
        base, cursor, end, flags = self._base, self._cursor, self.high - self._base, self._flags
        settled = 0
        for offset in offsets:
            index = offset - base
            if cursor <= index < end and not flags[index]:
                flags[index] = 1
                settled += 1
        self._open -= settled

    def learn(self, offsets: Iterable[int]) -> None:
        """Before anything is admitted: these have durable results as well."""
        assert self._settled is not None
        self._settled.add_all(offsets)

    @property
    def open(self) -> int:
        """Admitted and not settled."""
        return self._open

    @property
    def position(self) -> int:
        """The oldest open offset, or `high` where none is open: everything before it may be committed."""
        admitted = self.high - self._base
        found = self._flags.find(0, self._cursor, admitted)
        self._cursor = admitted if found < 0 else found
        if self._cursor >= TRIM:
            del self._flags[: self._cursor]
            self._base += self._cursor
            self._cursor = 0
        return self._base + self._cursor

    @property
    def settled_ahead(self) -> list[int]:
        """Offsets past the position that need nothing more: of events with a durable result, and gaps of the log."""
        position = self.position
        flags = self._flags[position - self._base : self.high - self._base]
        return [position + index for index, flag in enumerate(flags) if flag]

    @property
    def span(self) -> int:
        """Offsets from the oldest open one to the newest admitted one: what a new owner has to read back."""
        return self.high - self.position

    def _fill(self, end: int) -> None:
        """Nothing from `high` to before `end` needs anything."""
        if end > self.high:
            self._flags.extend(b"\x01" * (end - self.high))


class ReplayMarks:
    """Where the records that settle a partition's events may begin, per event.

    A commit carries the end offsets of `results`, `retry` and `journal` as they were when the oldest open event was
    admitted: no record that settles it or a later event can stand before them. `at` answers for a position.
    """

    __slots__ = ("_entries",)

    def __init__(self, start: int, ends: Mapping[str, int]) -> None:
        self._entries: deque[tuple[int, Mapping[str, int]]] = deque([(start, dict(ends))])

    def add(self, offset: int, ends: Mapping[str, int]) -> None:
        """Events from `offset` on are admitted from now; whatever settles them is written at or after `ends`."""
        last_offset, last_ends = self._entries[-1]
        if offset > last_offset and ends != last_ends:
            self._entries.append((offset, dict(ends)))

    def renew(self, position: int, ends: Mapping[str, int]) -> bool:
        """No event is open, and `position` is the next one: what settles it is not written yet, so it stands at or
        after `ends`. Without this, where records wait for long a new owner reads all that was written meanwhile.

        False, with nothing done, where that is not so (an earlier owner may have settled later events), or not new.
        """
        last_offset, last_ends = self._entries[-1]
        if last_offset > position or ends == last_ends:
            return False
        self._entries.append((position, dict(ends)))
        return True

    def at(self, position: int) -> Mapping[str, int]:
        """The ends that go with a commit of `position`."""
        found = self._entries[0][1]
        for offset, ends in self._entries:
            if offset > position:
                break
            found = ends
        return found

    def trim(self, committed: int) -> None:
        """Forget what no commit can need any more: `committed` is durable, later commits lie after it."""
        entries = self._entries
        while len(entries) > 1 and entries[1][0] <= committed:
            entries.popleft()
