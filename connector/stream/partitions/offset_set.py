"""A set of offsets of one source partition: what is settled there, or journalled.

Offsets come from records that anybody may have written, so each is held by itself: one far ahead of all others takes
its own bytes, and makes nothing else be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

BLOCK = 4096
# A block with no more offsets is a set of them, one with more a byte for each, one with all of them a mark.
MAX_SET_OFFSETS = 64
# Blocks that hold few offsets: those of our own lie together, so there are hardly ever more than two. 4 MB.
MOST_SPARSE = 10_000


class _Block:
    """A byte for each of its offsets."""

    __slots__ = ("count", "flags")

    def __init__(self, indexes: Iterable[int]) -> None:
        self.flags = bytearray(BLOCK)
        for index in indexes:
            self.flags[index] = 1
        self.count = self.flags.count(1)


class OffsetSet:
    """The set.

    While nothing is committed the whole results log is read, and what is far behind the newest event cannot be open
    any more: a worker never admits more than one span past its oldest open one. `resume_at` says where to go on.

    Args:
        span: that span.
        begin: offsets before it are not needed.
        end: of the partition's log: offsets from it on name no event. None where nobody knows.
        slides: only what lies within some spans of the newest ones is wanted, as when `resume_at` is asked for.
    """

    def __init__(self, span: int, *, begin: int = 0, end: int | None = None, slides: bool = False) -> None:
        self._span = span
        self._begin = begin
        self._end = end
        self._most = 4 * span // BLOCK + MAX_SET_OFFSETS if slides else None
        self._blocks: dict[int, set[int] | _Block | None] = {}  # None: all of them
        self._dense: set[int] = set()  # those with a _Block
        self._sparse = 0
        self._newest = -1

    def add(self, offset: int) -> bool:
        """Take one in. False where it names no event of this partition."""
        if offset < self._begin:
            return offset >= 0
        if self._end is not None and offset >= self._end:
            return False
        number, index = divmod(offset, BLOCK)
        block = self._blocks.get(number, self)
        if block is self:
            if self._sparse >= MOST_SPARSE:
                return False
            self._sparse += 1
            self._blocks[number] = {index}
        elif type(block) is set:
            block.add(index)
            if len(block) > MAX_SET_OFFSETS:
                self._sparse -= 1
                self._spread(number, block)
        elif type(block) is _Block and not block.flags[index]:
            block.flags[index] = 1
            block.count += 1
            if block.count == BLOCK:
                self._blocks[number] = None
                self._dense.discard(number)
        self._newest = max(self._newest, offset)
        return True

    def add_all(self, offsets: Iterable[int]) -> bool:
        """Take all of them in. False where one names no event of this partition."""
        taken = [self.add(offset) for offset in offsets]
        return all(taken)

    def discard(self, offset: int) -> None:
        number, index = divmod(offset, BLOCK)
        if number not in self._blocks:
            return
        block = self._blocks[number]
        if type(block) is set:
            block.discard(index)
            return
        if type(block) is not _Block:
            block = self._spread(number, range(BLOCK))
        block.count -= block.flags[index]
        block.flags[index] = 0

    def __contains__(self, offset: int) -> bool:
        number, index = divmod(offset, BLOCK)
        block = self._blocks.get(number, self)
        if block is self:
            return False
        if type(block) is _Block:
            return bool(block.flags[index])
        return block is None or (type(block) is set and index in block)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def __iter__(self) -> Iterator[int]:
        for number in sorted(self._blocks):
            yield from (number * BLOCK + index for index in self._of(number))

    @property
    def newest(self) -> int:
        """The largest that was ever added; -1 where none was."""
        return self._newest

    def any_between(self, start: int, end: int) -> bool:
        """Whether one lies from `start` to before `end`."""
        if start > self._newest:
            return False
        return any(offset in self for offset in range(start, min(end, self._newest + 1)))

    def resume_at(self, since: int | None = None) -> int | None:
        """Where to go on when no offset is committed: the first unsettled offset after the first settled one.

        Nothing that lies more than two spans behind the newest one can be open. With `since`, after that offset where
        it comes before the first settled one: known to be where all began.
        """
        newest = self._established()
        if newest is None:
            return None
        earliest = max(0, newest - 2 * self._span)
        first = next(iter(self))
        first = max(first, earliest)
        if since is not None:
            first = min(first, max(since, earliest))
        return self._unset_from(first)

    def _spread(self, number: int, indexes: Iterable[int]) -> _Block:
        """Hold a block as a byte for each offset; where there are too many such blocks, the lowest goes."""
        block = self._blocks[number] = _Block(indexes)
        self._dense.add(number)
        if self._most is not None and len(self._dense) > self._most:
            lowest = min(self._dense)
            self._dense.discard(lowest)
            del self._blocks[lowest]
        return block

    def _established(self) -> int | None:
        """The newest one that others bear out. A single record far from all others says nothing about where we are."""
        counts = {number: len(self._of(number)) for number in self._blocks}
        full = [number for number, count in counts.items() if count > MAX_SET_OFFSETS]
        most = max(counts.values(), default=0)
        if not most:
            return None
        at = max(full) if full else min(number for number, count in counts.items() if count == most)
        newest = at * BLOCK + self._of(at)[-1]
        for number in sorted(number for number in counts if number > at and counts[number]):
            indexes = self._of(number)
            if number * BLOCK + indexes[0] - newest > self._span:
                break
            newest = number * BLOCK + indexes[-1]
        return newest

    def _of(self, number: int) -> list[int] | range:
        """The offsets of a block, within it."""
        block = self._blocks[number]
        if block is None:
            return range(BLOCK)
        if isinstance(block, set):
            return sorted(block)
        return [index for index, flag in enumerate(block.flags) if flag]

    def _unset_from(self, offset: int) -> int:
        while True:
            number, index = divmod(offset, BLOCK)
            if number not in self._blocks:
                return offset
            block = self._blocks[number]
            if isinstance(block, set):
                while index in block:
                    index += 1
            elif block is not None:
                found = block.flags.find(0, index)
                index = BLOCK if found < 0 else found
            else:
                index = BLOCK
            if index < BLOCK:
                return number * BLOCK + index
            offset = (number + 1) * BLOCK
