"""The ledger against a model that is too simple to be wrong, and the marks that go into a commit."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.stream.partitions import ledger as module
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet


def of(offsets: Iterable[int]) -> OffsetSet:
    found = OffsetSet(100)
    found.add_all(offsets)
    return found


class LedgerMachine(RuleBasedStateMachine):
    """Random admissions with gaps, completions in any order, repeated and late ones."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger: Ledger | None = None

    @precondition(lambda self: self.ledger is None)
    @rule(start=st.integers(0, 50), settled=st.sets(st.integers(0, 120), max_size=30))
    def open(self, start: int, settled: set[int]) -> None:
        self.ledger = Ledger(start, of(settled))
        self.start, self.high = start, start
        self.settled = {offset for offset in settled if offset >= start}
        self.open_: set[int] = set()

    @precondition(lambda self: self.ledger is not None)
    @rule(gap=st.sampled_from([0, 0, 0, 1, 5, 40]), count=st.integers(1, 20))
    def admit(self, gap: int, count: int) -> None:
        self.high += gap
        for _ in range(count):
            expected = self.high not in self.settled
            assert self.ledger.admit(self.high) is expected
            if expected:
                self.open_.add(self.high)
            self.high += 1

    @precondition(lambda self: self.ledger is not None)
    @rule(ahead=st.integers(-5, 40))
    def pass_to(self, ahead: int) -> None:
        self.ledger.pass_to(self.high + ahead)
        self.high += max(0, ahead)

    @precondition(lambda self: self.ledger is not None)
    @rule(back=st.integers(1, 60))
    def read_again(self, back: int) -> None:
        assert self.ledger.admit(self.high - back) is False

    @precondition(lambda self: self.ledger is not None and self.open_)
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        offset = data.draw(st.sampled_from(sorted(self.open_)))
        self.ledger.settle([offset])
        self.open_.discard(offset)

    @precondition(lambda self: self.ledger is not None)
    @rule(offset=st.integers(-5, 300))
    def settle_what_is_not_open(self, offset: int) -> None:
        if offset not in self.open_:
            self.ledger.settle([offset])

    @invariant()
    def agrees_with_the_model(self) -> None:
        if self.ledger is None:
            return
        position = min(self.open_, default=self.high)
        assert self.ledger.position == position
        assert self.ledger.span == self.high - position
        assert self.ledger.open == len(self.open_)


TestLedger = LedgerMachine.TestCase


def test_trimming_changes_nothing_that_can_be_seen(monkeypatch):
    """Dropping flags before the position keeps every later answer."""
    monkeypatch.setattr(module, "TRIM", 8)
    ledger = Ledger(100)
    for offset in range(100, 160):
        assert ledger.admit(offset)
    for offset in [*range(100, 130), *range(131, 160)]:
        ledger.settle([offset])
        ledger.position  # noqa: B018 - walking the cursor is what trims
    assert ledger.position == 130
    ledger.settle([105])
    ledger.settle([130])
    assert ledger.position == 160
    assert ledger.open == 0


def test_a_settled_offset_behind_a_gap_holds_nothing_up():
    """Compaction may remove offsets whose results exist: they are neither admitted nor waited for."""
    ledger = Ledger(0, of([3, 4]))
    assert ledger.admit(0)
    assert ledger.admit(5)
    ledger.settle([0])
    assert ledger.position == 5


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 5)), max_size=30), st.data())
def test_marks_never_say_later_than_when_the_event_was_admitted(steps, data):
    """For every position the answer is the ends at the admission of the last chunk that began at or before it."""
    offset, end = 0, 0
    marks, history = ReplayMarks(0, {"results": 0}), [(0, 0)]
    for chunk, written in steps:
        offset, end = offset + chunk, end + written
        marks.add(offset, {"results": end})
        history.append((offset, end))
    position = data.draw(st.integers(0, offset + 5))
    expected = [ends for begin, ends in history if begin <= position][-1]
    assert marks.at(position)["results"] == expected
    marks.trim(position)
    assert marks.at(position)["results"] == expected


def test_marks_are_kept_until_the_commit_that_needs_no_more_of_them():
    """An attempted commit that failed must find its ends again."""
    marks = ReplayMarks(0, {"results": 1})
    marks.add(10, {"results": 5})
    assert marks.at(12) == {"results": 5}
    assert marks.at(3) == {"results": 1}


def test_a_run_is_admitted_at_once_only_where_it_is_certain_that_nothing_of_it_is_settled() -> None:
    ledger = Ledger(100, of([103]))
    assert not ledger.admit_run(100, 104), "103 is settled: each has to be asked"
    assert ledger.admit_run(100, 102)
    assert [ledger.admit(offset) for offset in range(102, 105)] == [True, False, True]
    assert not ledger.admit_run(104, 110), "104 was admitted before"
    assert not ledger.admit_run(106, 110), "105 is a gap in the log"
    assert ledger.admit_run(105, 110)
    assert (ledger.open, ledger.high) == (9, 110)
    ledger.settle(range(100, 110))
    assert (ledger.open, ledger.position) == (0, 110)


def test_what_a_commit_says_is_renewed_where_nothing_is_under_way() -> None:
    """Records of a retry topic may wait for a day: a new owner need not read what was written for others meanwhile."""
    marks = ReplayMarks(5, {"results": 1})
    assert marks.renew(5, {"results": 1_000_000})
    assert not marks.renew(5, {"results": 1_000_000})
    assert marks.at(5) == {"results": 1_000_000}
    marks.add(5, {"results": 1_000_001})  # admitted right then: its result may be the next record
    assert marks.at(5) == {"results": 1_000_000}
    marks.add(6, {"results": 1_000_002})
    marks.trim(6)
    assert marks.at(6) == {"results": 1_000_002}


def test_it_is_not_where_an_earlier_owner_may_have_settled_what_comes() -> None:
    """Its records stand before what is known of now."""
    marks = ReplayMarks(5, {"results": 1})
    marks.add(9, {"results": 7})  # up to here something was read back
    assert not marks.renew(8, {"results": 1_000_000})
    assert marks.at(8) == {"results": 1}
    assert marks.renew(9, {"results": 1_000_000})
    assert marks.at(8) == {"results": 1}
    assert marks.at(9) == {"results": 1_000_000}
