"""What is known of keys: which messages each may mean, and which entries wait for it. A view of three topics.

One record per key, so that an entry or a record of the index costs one look. What waits stands a second time in the
order in which it came, with all that it is: the first to have waited long enough is found without a search.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any, Final

import msgspec

from connector.store.state_store import KEY, STAMP_BYTES, StoreView

_WAITING: Final = b"\x02"
_BEHIND: Final = b"\x03"


class KeyState(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    """What is known of one key.

    Attributes:
        candidates: the messages it may mean, as the index has them.
        waiting: offsets of entries that wait for it.
        late: offsets of entries that were given up before it was known.
    """

    candidates: list[bytes] = []
    waiting: list[int] = []
    late: list[int] = []


class WaitingEntry(msgspec.Struct, array_like=True, frozen=True):
    """An entry that waits, as it stands in its topic.

    Attributes:
        offset, arrived: there; milliseconds since the epoch by the broker's clock.
    """

    offset: int
    arrived: int
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class IndexPlace(msgspec.Struct, frozen=True):
    """Up to where a store is a view of its topics: the first offsets that are not in it.

    Attributes:
        index, entries, unmatched: of these topics.
        last: what stands in the record of the index before that: a topic that was created anew has another one there.
        marks: partition of the results → how far the index is, milliseconds since the epoch.
    """

    index: int = 0
    entries: int = 0
    unmatched: int = 0
    last: bytes = b""
    marks: dict[int, int] = {}


_encode_key, _read_key = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(KeyState).decode
_encode_entry, _read_entry = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(WaitingEntry).decode


class IndexStore(StoreView):
    """The index of one partition.

    Attributes:
        place: up to where it is a view; None where it is new.
        waiting: entries that wait.
    """

    place: IndexPlace | None
    waiting: int

    def _read(self, place: msgspec.Raw | None) -> None:
        self.place = None if place is None else msgspec.msgpack.decode(place, type=IndexPlace)
        self.waiting = sum(1 for _ in self._raw_in_order())

    def get(self, keys: Sequence[bytes]) -> list[KeyState]:
        """What is known of each of these, in order. Changing them changes nothing here."""
        found = self._database.get([KEY + key for key in keys])
        return [KeyState([], [], []) if raw is None else _read_key(raw[STAMP_BYTES:]) for raw in found]

    def entry(self, offset: int) -> WaitingEntry | None:
        """An entry that waits; None where none of that offset does."""
        raw = self._database.get(_WAITING + _ordered(offset))
        return None if raw is None else _read_entry(raw)

    def first(self, number: int) -> list[WaitingEntry]:
        """The entries that have waited longest, so many at most."""
        return list(islice(self._in_order(), number))

    def due(self, arrived: int, most: int) -> list[WaitingEntry]:
        """The entries that came by then, in order, up to the first one that came later; so many at most."""
        return list(takewhile(lambda it: it.arrived <= arrived, islice(self._in_order(), most)))

    def write(
        self,
        known: Mapping[bytes, KeyState],
        place: IndexPlace,
        *,
        waits: Sequence[WaitingEntry] = (),
        ends: Sequence[int] = (),
    ) -> None:
        """Write what is known of keys, which entries wait and which do not any more, and the place; all or nothing."""
        batch = self._batch(raw_mode=True)
        self._put(batch, {key: _encode_key(state) for key, state in known.items()})
        for entry in waits:
            batch.put(_WAITING + _ordered(entry.offset), _encode_entry(entry))
        for offset in ends:
            batch.delete(_WAITING + _ordered(offset))
        self._write(batch, place)
        self.waiting += len(waits) - len(ends)
        self.place = place

    def forget_waiting(self) -> None:
        """Nothing waits: what did is read again from its topic."""
        for entry in list(self._in_order()):
            (state,) = self.get([entry.key])
            state.waiting = []
            batch = self._batch(raw_mode=True)
            self._put(batch, {entry.key: _encode_key(state)})
            batch.delete(_WAITING + _ordered(entry.offset))
            self._database.write(batch)
        self.waiting = 0

    def _in_order(self) -> Iterator[WaitingEntry]:
        return map(_read_entry, self._raw_in_order())

    def _raw_in_order(self) -> Iterator[bytes]:
        iterator: Any = self._database.iter()
        iterator.seek(_WAITING)
        while iterator.valid() and iterator.key() < _BEHIND:
            yield iterator.value()
            iterator.next()


def _ordered(offset: int) -> bytes:
    return offset.to_bytes(8, "big")
