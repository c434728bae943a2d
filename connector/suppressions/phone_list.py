"""Phone numbers that must not be texted, in memory: eight bytes each, exact, no number is mistaken for another."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from threading import Lock
from typing import Final

from connector.suppressions.record import Phone

SHARDS: Final = 512
"""Sorted arrays, by a number's last bits: entering one moves 80 kB, not 80 MB, when there are ten million (4.4 µs).
More of them leave more pages of memory half used, 7 MB with 4,096.
"""

SENDER_BITS: Final = 14
SENDERS: Final = (1 << SENDER_BITS) - 1
FILTER_BITS: Final = 2**27 - 39
"""A prime, 16 MiB: with ten million numbers one look of fourteen at a number that is not there goes on to its shard."""
FILTER_FROM: Final = 500_000
"""Numbers; below them the shards are in the processor's cache."""

LARGEST: Final = 10**15 - 1
"""E.164 has at most 15 digits; number and sender together take 64 bits. Longer ones, which no phone has, are apart."""


class PhoneList:
    """The list. An entry is a number, and one sender or all.

    While it is `loading` entries are only collected, and sorted where they are asked for: a quarter of the time. One
    thread changes it; others may sort it meanwhile, or read it for a snapshot: nothing is lost by that.

    Attributes:
        changes: how often an entry has come since it was loaded: whoever has asked need not ask again before it moves.
    """

    def __init__(self) -> None:
        self._sorting = Lock()
        self.changes = 0
        self._filter: bytearray | None = None  # a bit is set for each number that is there; some others' are as well
        self._shards = [array("Q") for _ in range(SHARDS)]
        self._unsorted: set[int] = set()
        self._senders: dict[str, int] = {}
        self._long: set[Phone] = set()
        self.loading = True

    def __len__(self) -> int:
        """Entries. Sorts what was collected."""
        self.sort()
        return sum(map(len, self._shards)) + len(self._long)

    def add(self, phone: Phone) -> None:
        """Enter it; nothing changes where it is there."""
        if (bits := self._filter) is not None:  # first: whoever finds the bit looks at the shard
            bit = phone.number % FILTER_BITS
            bits[bit >> 3] |= 1 << (bit & 7)
        if phone.number > LARGEST:
            self._long.add(phone)
            self.changes += 1
            return
        number = phone.number & (SHARDS - 1)
        entry = phone.number << SENDER_BITS | self._index(phone.sender)
        if self.loading:
            self._shards[number].append(entry)
            self._unsorted.add(number)  # behind it: who sorts in another thread takes the mark away first
            return
        self.changes += 1
        with self._sorting:
            shard = self._sorted(number)
            at = bisect_left(shard, entry)
            if at == len(shard) or shard[at] != entry:
                shard.insert(at, entry)

    def lift(self, phone: Phone) -> None:
        """Take it out; nothing changes where it is not there."""
        if phone.number > LARGEST:
            self._long.discard(phone)
            return
        index = 0 if phone.sender is None else self._senders.get(phone.sender)
        if index is None:  # also of a sender beyond `SENDERS`: the entry for all may be somebody else's
            return
        entry = phone.number << SENDER_BITS | index
        with self._sorting:
            shard = self._sorted(phone.number & (SHARDS - 1))
            at = bisect_left(shard, entry)
            if at < len(shard) and shard[at] == entry:
                del shard[at]

    def holds(self, number: int, sender: str | None) -> bool:
        """Whether a number must not be texted by `sender`, in its normal form; None: not known, and each counts."""
        if number > LARGEST:
            return any(it.number == number and (sender is None or it.sender in {None, sender}) for it in self._long)
        if self._unsorted:
            self.sort()
        shard = self._shards[number & (SHARDS - 1)]
        first = number << SENDER_BITS
        at = bisect_left(shard, first)
        if at == len(shard) or (found := shard[at]) >> SENDER_BITS != number:
            return False
        if sender is None or found == first:
            return True
        index = self._senders.get(sender)
        if index is None:
            return False
        at = bisect_left(shard, first | index, at)
        return at < len(shard) and shard[at] == first | index

    def some(self, numbers: Iterable[int]) -> bool:
        """Whether it has an entry for one of these numbers, whoever the sender. The hot path."""
        if self._unsorted:
            self.sort()
        if (bits := self._filter) is not None:
            for number in numbers:
                bit = number % FILTER_BITS
                if bits[bit >> 3] >> (bit & 7) & 1 and self.holds(number, None):
                    return True
            return False
        shards = self._shards
        for number in numbers:
            if number > LARGEST:
                if self.holds(number, None):
                    return True
                continue
            shard = shards[number & (SHARDS - 1)]
            at = bisect_left(shard, number << SENDER_BITS)
            if at < len(shard) and shard[at] >> SENDER_BITS == number:
                return True
        return False

    def has(self, phone: Phone) -> bool:
        """Whether this entry is there, or stands for another because there are too many senders."""
        if phone.number > LARGEST:
            return phone in self._long
        if len(self._senders) >= SENDERS:
            return self.holds(phone.number, phone.sender)
        index = 0 if phone.sender is None else self._senders.get(phone.sender)
        entry = None if index is None else phone.number << SENDER_BITS | index
        if entry is None:
            return False
        if self._unsorted:
            self.sort()
        shard = self._shards[phone.number & (SHARDS - 1)]
        at = bisect_left(shard, entry)
        return at < len(shard) and shard[at] == entry

    def prepare(self) -> bytearray | None:
        """What takes a while before it may be asked, for `finish`; may run in another thread."""
        self.sort()
        if self._filter is not None or sum(map(len, self._shards)) < FILTER_FROM:
            return self._filter
        bits = bytearray(FILTER_BITS // 8 + 1)
        for shard in self._shards:
            for entry in shard:
                bit = (entry >> SENDER_BITS) % FILTER_BITS
                bits[bit >> 3] |= 1 << (bit & 7)
        for phone in self._long:
            bit = phone.number % FILTER_BITS
            bits[bit >> 3] |= 1 << (bit & 7)
        return bits

    def finish(self, prepared: bytearray | None) -> None:
        """It is whole, and nothing has come since it was prepared: it may be asked."""
        shards = self._shards
        for number, shard in enumerate(shards):  # as large as they are: growing and sorting has left holes
            shards[number] = array("Q", shard)
        self._filter = prepared
        self.loading = False

    def sort(self) -> None:
        """Put in order what was collected."""
        for number in list(self._unsorted):
            with self._sorting:
                self._sorted(number)

    def _sorted(self, number: int) -> array[int]:
        """In the turn `_sorting`. What is added meanwhile stays behind what is sorted, and its shard is marked anew."""
        shard = self._shards[number]
        if number in self._unsorted:
            self._unsorted.discard(number)
            size = len(shard)
            shard[:size] = array("Q", sorted(set(shard[:size])))
        return shard

    def _index(self, sender: str | None) -> int:
        """What stands for a sender; 0 for all. Where there are too many an entry counts for all: one text too few."""
        if sender is None:
            return 0
        index = self._senders.get(sender)
        if index is None:
            if len(self._senders) >= SENDERS:
                return 0
            index = self._senders[sender] = len(self._senders) + 1
        return index

    # ---- for the snapshot -------------------------------------------------------------------------------------------

    @property
    def senders(self) -> list[str]:
        """In the order of what stands for them."""
        return list(self._senders)

    @property
    def long(self) -> list[Phone]:
        """Entries of more than 15 digits."""
        return sorted(self._long, key=lambda it: (it.number, it.sender or ""))

    def shard(self, number: int) -> bytes:
        """One of `SHARDS`, as machine words of this machine."""
        with self._sorting:
            return self._sorted(number).tobytes()

    @property
    def filter(self) -> bytes:
        """Empty where there is none."""
        return b"" if self._filter is None else bytes(self._filter)

    def restore(
        self, shards: Iterable[array[int]], senders: Iterable[str], long: Iterable[Phone], bits: bytearray | None
    ) -> None:
        """Be what was saved."""
        self._shards = list(shards)
        self._filter = bits
        self._unsorted.clear()
        self._senders = {sender: index for index, sender in enumerate(senders, 1)}
        self._long = set(long)

    def restore_empty(self) -> None:
        """Forget everything, and collect anew."""
        self.restore((array("Q") for _ in range(SHARDS)), (), (), None)
        self.loading = True
