"""Entries and the index, joined: in any order each entry is found by its message, or unmatched with the reason."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.receipts.callback import ReceiptEntry, Why
from connector.receipts.index_records import IndexRecord, _encode, lookup_record, read_index, watermark_record
from connector.receipts.receipt_records import ReceiptPlace, partition, place, read_entry, read_unmatched
from connector.store.index_store import IndexPlace, IndexStore, KeyState, WaitingEntry
from connector.store.state_store import StoreIdentity, StoreMemory, Stores
from connector.stream.receipts.lookup import MOST_WAITING, Lookup, LookupChanges

WAIT = 600.0
PARTITIONS = 4
SOURCE = "sms.messages"


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def record(offset: int, fields: Any, timestamp: int = 0) -> Any:
    found, value, headers = fields
    return SimpleNamespace(offset=offset, timestamp=timestamp, key=found, value=value, headers=headers)


def message(number: int) -> bytes:
    known = IndexRecord(1, ReceiptPlace(SOURCE, number % PARTITIONS, number), 20_000, f"m{number}", "c0")
    return _encode(known)


def entry(number: int, *, others: tuple[bytes, ...] = (), document: bytes = b'{"s":"d"}') -> Any:
    return lookup_record(ReceiptEntry("acme", 1.0, 0, 1, document, None, {}, (key(number), *others)))


class Bench:
    """One partition: its logs, its store, and what was written."""

    def __init__(self, folder: Path, *, limits: tuple[int, int] = (10_000, 10_000)) -> None:
        self.stores = Stores(folder, IndexStore, keep=1e6, memory=StoreMemory(2**20))
        self.identity = StoreIdentity("c", "index", 0, PARTITIONS)
        self.store = self.stores.open(self.identity)
        self.limits = limits
        self.matched: list[tuple[int, ReceiptEntry]] = []
        self.unmatched: list[Any] = []
        self.again: list[Any] = []
        self.healed: list[tuple[int, IndexRecord]] = []
        self.indexed = self.told = 0
        self.log: list[Any] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.open()

    def open(self, settled: frozenset[int] = frozenset()) -> None:
        self.lookup = Lookup(
            "in",
            0,
            partitions=PARTITIONS,
            store=self.store,
            place=self.store.place or IndexPlace(),
            wait=WAIT,
            limits=self.limits,
            settled=settled,
        )

    def index(self, *fields: Any) -> int:
        records = [record(self.indexed + at, it) for at, it in enumerate(fields)]
        self.indexed += len(records)
        changes = LookupChanges()
        foreign = self.lookup.index(records, changes)
        self.note(changes)
        return foreign

    def know(self, number: int, of: int | None = None) -> None:
        self.index((key(number), message(number if of is None else of), []))

    def mark(self, **until: int) -> None:
        self.index(watermark_record({int(number[1:]): at for number, at in until.items()}))

    def take(self, *fields: Any, at: int = 0) -> None:
        records = [record(len(self.log) + number, it, at) for number, it in enumerate(fields)]
        self.log += records
        changes = LookupChanges()
        self.lookup.entries(records, changes)
        self.note(changes)

    def expire(self, results: int = 2) -> bool:
        changes = LookupChanges()
        more = self.lookup.expire(results, 100, changes)
        self.note(changes)
        return more

    def note(self, changes: LookupChanges) -> None:
        for offset, known in changes.healed:
            self.lookup.heal([self.log[offset]], {offset: known}, changes)
        self.matched += [(to, read_entry(it[1], it[2])) for to, it in changes.matched]
        self.unmatched += [(read_unmatched(it[1], it[2]), it) for it in changes.unmatched]
        self.again += changes.again
        self.counts.update(changes.counts)
        waits, ends = list(changes.waits.values()), changes.ends
        self.store.write(changes.stored, self.lookup.place, waits=waits, ends=ends)

    @property
    def found(self) -> list[int]:
        return [it.token.source.offset for _, it in self.matched]  # type: ignore[union-attr]

    @property
    def why(self) -> list[Why]:
        return [it.why for it, _ in self.unmatched]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_an_entry_goes_on_to_the_partition_of_its_message(bench: Bench) -> None:
    bench.know(1, of=7)
    bench.take(entry(1))
    ((to, found),) = bench.matched
    assert found.token is not None
    assert to == partition(place(found.token.source), PARTITIONS)  # type: ignore[union-attr]
    assert (found.token.message_id, found.token.campaign_id, found.token.day) == ("m7", "c0", 20_000)  # type: ignore[union-attr]
    assert (found.provider, found.document) == ("acme", b'{"s":"d"}')


def test_one_that_comes_before_its_message_waits_for_it(bench: Bench) -> None:
    bench.take(entry(1), entry(1), entry(2))
    assert (bench.found, bench.store.waiting) == ([], 3)
    bench.know(1)
    assert (bench.found, bench.store.waiting) == ([1, 1], 1)
    bench.know(2)
    bench.know(2)  # told twice: nothing waits any more
    assert (bench.found, bench.store.waiting) == ([1, 1, 2], 0)


def test_nothing_is_given_up_before_the_index_has_passed_it_in_every_partition_of_the_results(bench: Bench) -> None:
    bench.take(entry(1), at=1_000_000)
    due = 1_000_000 + round(WAIT * 1000)
    bench.expire()
    bench.mark(p0=due + 10**9)  # of the other partition nothing is known
    bench.expire()
    bench.mark(p1=due - 1)
    bench.expire()
    assert bench.why == []
    bench.expire(results=3)  # a partition more
    assert bench.why == []
    bench.mark(p1=due)
    bench.expire(results=3)
    assert bench.why == []
    bench.expire()
    assert bench.why == [Why.UNKNOWN]
    ((_, (found, _, headers)),) = bench.unmatched
    assert found == key(1)
    assert ("settles", b"in/0/0") in headers


def test_how_far_the_index_is_never_goes_back(bench: Bench) -> None:
    bench.mark(p0=500, p1=700)
    bench.mark(p0=300)  # of one that was frozen
    assert bench.lookup.until(2) == 500


def test_one_that_was_given_up_is_found_when_its_message_appears(bench: Bench) -> None:
    bench.take(entry(1))
    bench.mark(p0=10**12, p1=10**12)
    bench.expire()
    assert (bench.why, bench.store.waiting) == ([Why.UNKNOWN], 0)
    bench.know(1)
    assert bench.found == [1]
    bench.know(1)
    assert bench.found == [1]
    assert bench.counts == {("acme", "unknown"): 1, ("acme", "healed"): 1}


def test_one_that_may_mean_two_messages_is_ambiguous_whichever_is_told_first(bench: Bench) -> None:
    bench.take(entry(1))
    bench.index((key(1), message(1), []), (key(1), message(2), []))  # told together
    bench.take(entry(1))
    assert bench.found == []
    assert bench.why == [Why.AMBIGUOUS, Why.AMBIGUOUS]
    bench.know(3)
    bench.know(3)  # the same message twice is one
    bench.take(entry(3))
    assert bench.found == [3]


def test_while_secrets_are_changed_an_entry_is_looked_up_by_the_next_key(bench: Bench) -> None:
    bench.take(entry(1, others=(key(2),)))
    bench.mark(p0=10**12, p1=10**12)
    bench.expire()
    ((to, fields),) = bench.again
    assert (to, fields[0]) == (partition(key(2), PARTITIONS), key(2))
    assert bench.why == []
    bench.take(fields)
    bench.expire()
    assert bench.why == [Why.UNKNOWN]


def test_what_others_wrote_is_passed_over_in_the_index_and_kept_of_the_entries(bench: Bench) -> None:
    good = message(1)
    wrong = [(key(1), b"{", []), (key(1), None, []), (None, b"x", []), (None, None, [("watermark", b"{")])]
    assert bench.index(*wrong, (key(1), good, [])) == len(wrong)
    bench.take((None, b"x", []), (key(9), b"x", [("lookup", b"{")]), entry(1), (b"short", b"y", entry(1)[2]))
    assert bench.found == [1]
    assert bench.why == [Why.UNREADABLE] * 3
    assert [it.whole for it, _ in bench.unmatched] == [True] * 3


def test_one_that_is_too_large_with_whose_it_is_is_cut_and_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, limits=(2_000, 1_500))
    bench.know(1)
    bench.take(entry(1, document=orjson.dumps({"s": "x" * 3_000})))
    assert bench.found == []
    ((it, _),) = bench.unmatched
    assert it.why is Why.UNREADABLE
    assert "cut off" in it.reason


def test_what_is_unmatched_already_is_not_written_again(bench: Bench) -> None:
    bench.open(settled=frozenset({0, 2}))
    bench.know(2)
    bench.take(entry(1), entry(2), entry(3), entry(4))
    assert bench.found == [2]
    assert bench.store.waiting == 1


def test_a_store_that_is_opened_again_knows_what_waits(bench: Bench) -> None:
    bench.take(entry(1), entry(2), at=5)
    bench.mark(p0=7)
    bench.store.close()
    bench.store = bench.stores.open(bench.identity)
    bench.open()
    assert bench.store.waiting == 2
    assert (bench.lookup.place.index, bench.lookup.place.entries, bench.lookup.place.marks) == (1, 2, {0: 7})
    assert [(it.offset, it.arrived) for it in bench.store.first(5)] == [(0, 5), (1, 5)]
    bench.know(2)
    assert bench.found == [2]
    bench.store.forget_waiting()
    assert (bench.store.waiting, bench.store.first(5), bench.store.get([key(1)])) == (0, [], [KeyState([], [], [])])


def test_a_waiting_entry_is_kept_as_it_stands_in_its_topic(bench: Bench) -> None:
    bench.take(entry(1), at=5)
    (kept,) = bench.store.first(1)
    assert isinstance(kept, WaitingEntry)
    assert (kept.key, kept.value) == (key(1), b'{"s":"d"}')


def test_one_that_was_given_up_is_not_given_to_either_of_two_messages_that_are_told_together(bench: Bench) -> None:
    bench.take(entry(1))
    bench.mark(p0=10**12, p1=10**12)
    bench.expire()
    bench.index((key(1), message(1), []), (key(1), message(2), []))
    assert bench.found == []
    assert bench.why == [Why.UNKNOWN]


def test_one_that_was_given_up_and_is_read_once_more_does_not_wait_again(bench: Bench) -> None:
    bench.take(entry(1))
    bench.mark(p0=10**12, p1=10**12)
    bench.expire()
    bench.lookup.place = msgspec.structs.replace(bench.lookup.place, entries=0)
    changes = LookupChanges()
    bench.lookup.entries(bench.log, changes)
    assert (changes.unmatched, changes.waits, changes.changed) == ([], {}, set())


def test_one_that_is_repeated_without_end_is_kept_as_unmatched_and_slows_nobody_down(bench: Bench) -> None:
    bench.take(*[entry(1)] * (MOST_WAITING + 10))
    assert bench.store.waiting == MOST_WAITING
    assert bench.why == [Why.UNKNOWN] * 10
    bench.know(1)
    assert bench.found == [1] * MOST_WAITING
    bench.take(*[entry(2)] * MOST_WAITING)
    bench.mark(p0=10**12, p1=10**12)
    while bench.expire():
        pass
    bench.take(*[entry(2)] * MOST_WAITING)
    while bench.expire():
        pass
    (state,) = bench.store.get([key(2)])
    assert len(state.late) == MOST_WAITING
    assert len(bench.unmatched) == 10 + 2 * MOST_WAITING


def test_only_what_is_due_is_looked_at(bench: Bench) -> None:
    bench.take(entry(1), at=1)
    bench.take(entry(2), at=5)
    bench.take(entry(3), at=3)  # a broker's clock that was set back
    assert [it.offset for it in bench.store.due(4, 10)] == [0]
    assert [it.offset for it in bench.store.due(5, 10)] == [0, 1, 2]
    assert [it.offset for it in bench.store.due(5, 2)] == [0, 1]


# ---- in any order ---------------------------------------------------------------------------------------------------

EVENTS = st.lists(
    st.tuples(st.just("know"), st.integers(0, 3), st.integers(0, 4))
    | st.tuples(st.just("take"), st.integers(0, 3), st.just(0))
    | st.tuples(st.just("mark"), st.integers(1, 3), st.just(0))
    | st.tuples(st.just("open"), st.just(0), st.just(0)),
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_in_any_order_an_entry_is_found_by_a_message_of_its_key_or_says_why_not(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, int, int]]
) -> None:
    """Against a model that knows everything: each entry is in exactly one state, and no message is another's."""
    bench = Bench(tmp_path_factory.mktemp("index"))
    known: dict[int, set[int]] = {}
    for what, number, other in events:
        if what == "know":
            bench.know(number, of=number * 10 + other)
            known.setdefault(number, set()).add(number * 10 + other)
        elif what == "take":
            bench.take(entry(number, document=orjson.dumps({"n": len(bench.log)})), at=1)
        elif what == "mark":
            bench.mark(p0=10**12, p1=10**12 if number > 1 else 0)
            bench.expire()
        else:
            bench.store.close()
            bench.store = bench.stores.open(bench.identity)
            bench.open()
    found = [orjson.loads(it.document)["n"] for _, it in bench.matched]
    ambiguous = [orjson.loads(it.document)["n"] for it, _ in bench.unmatched if it.why is Why.AMBIGUOUS]
    unknown = [orjson.loads(it.document)["n"] for it, _ in bench.unmatched if it.why is Why.UNKNOWN]
    waiting = [it.offset for it in bench.store.first(1_000)]
    assert len(set(found)) == len(found)
    assert len(set(unknown)) == len(unknown)
    assert set(unknown) - set(found) <= set(range(len(bench.log)))
    assert sorted({*found, *ambiguous, *unknown, *waiting}) == list(range(len(bench.log)))
    assert not set(waiting) & {*found, *ambiguous, *unknown}
    assert not set(found) & set(ambiguous)
    for _, it in bench.matched:
        offset = orjson.loads(it.document)["n"]
        number = int.from_bytes(bench.log[offset].key, "big")
        assert it.token.source.offset in known[number]  # type: ignore[union-attr]
    for state, number in zip(bench.store.get([key(it) for it in range(4)]), range(4), strict=True):
        sources = {read_index(raw).source.offset for raw in state.candidates}
        assert sources <= known.get(number, set())
        assert len(sources) == min(2, len(known.get(number, set())))
        assert not (state.candidates and (state.waiting or state.late))
    bench.store.close()
