"""Rules of looking receipts up, broken on purpose; see `mutations`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.crash.seams import replace


def forget_what_waits() -> None:
    """Begins where the group has committed, whatever the disk knows of what waits."""
    from connector.stream.receipts import index_opening

    replace(index_opening, "waiting_from", lambda _metadata, position: position)


def settle_before_found() -> None:
    """Takes what became of receipts for written that is on the way."""
    from connector.stream.receipts.index_join import IndexJoin

    write = IndexJoin._write

    async def early(self: IndexJoin, turns: Any) -> bool:
        for number, changes in turns.items():
            self._note(number, changes)
        await self._commit()
        return await write(self, turns)

    replace(IndexJoin, "_write", early)


def index_after_committing() -> None:
    """Commits results before they are in the index."""
    from connector.stream.receipts.indexer import Indexer

    index = Indexer._index_all

    async def early(self: Indexer, found: Any) -> bool:
        for tp, records in found.items():
            if tp.partition in self._owned:
                self._owned[tp.partition].position = records.end
        await self._commit()
        return await index(self, found)

    replace(Indexer, "_index_all", early)


def take_the_first() -> None:
    """Takes a receipt for that of the first of two messages that it may mean."""
    from connector.stream.receipts import lookup

    replace(lookup, "MOST_CANDIDATES", 1_000)


def give_up_by_the_clock() -> None:
    """Gives receipts up when they have waited for long enough, however far the index is."""
    from connector.stream.receipts.lookup import Lookup

    replace(Lookup, "until", lambda _self, _results: int(time.time() * 1000))


def forget_the_slowest() -> None:
    """Takes the index to be as far as it is for the partition of the results that is furthest."""
    from connector.stream.receipts.lookup import Lookup

    replace(Lookup, "until", lambda self, _results: max(self.place.marks.values(), default=0))


def forget_what_is_unmatched() -> None:
    """Does not read back what was kept as unmatched."""
    from connector.stream.receipts import index_opening

    replace(index_opening, "settled_place", lambda _headers: None)


OF_LOOKUPS: dict[str, Callable[[], None]] = {
    "forget-what-waits": forget_what_waits,
    "settle-before-found": settle_before_found,
    "index-after-committing": index_after_committing,
    "take-the-first": take_the_first,
    "give-up-by-the-clock": give_up_by_the_clock,
    "forget-the-slowest": forget_the_slowest,
    "forget-what-is-unmatched": forget_what_is_unmatched,
}
"""Name → breaks that rule."""
