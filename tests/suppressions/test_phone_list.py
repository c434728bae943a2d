"""The list is a set of numbers and senders, whatever the order in which they come."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.suppressions import phone_list, snapshot
from connector.suppressions.phone_list import LARGEST, SHARDS, PhoneList
from connector.suppressions.record import Phone
from connector.suppressions.snapshot import LastRecord, SnapshotError

NUMBERS = st.integers(10_000, 10_050) | st.sampled_from([LARGEST - 1, LARGEST, LARGEST + 1, 10**19 - 1])
SENDERS = st.none() | st.sampled_from(["acme", "15550100"])
CHANGES = st.lists(st.tuples(st.sampled_from(["add", "lift", "loaded"]), NUMBERS, SENDERS), max_size=60)


def filled(changes: list[tuple[str, int, str | None]]) -> tuple[PhoneList, set[Phone]]:
    phones, model = PhoneList(), set[Phone]()
    for what, number, sender in changes:
        if what == "loaded":
            phones.sort()
            phones.loading = False
        elif what == "add":
            phones.add(Phone(number, sender))
            model.add(Phone(number, sender))
        else:
            phones.lift(Phone(number, sender))
            model.discard(Phone(number, sender))
    return phones, model


@given(CHANGES, NUMBERS, SENDERS)
def test_it_holds_the_same_with_a_filter_in_front(
    changes: list[tuple[str, int, str | None]], number: int, sender: str | None
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(phone_list, "FILTER_FROM", 1)
        patch.setattr(phone_list, "FILTER_BITS", 101)
        half = len(changes) // 2
        phones, _ = filled(changes[:half])
        phones.loading = True
        phones.finish(phones.prepare())
        model = filled(changes[:half])[1]
        for what, changed, its_sender in changes[half:]:
            phone = Phone(changed, its_sender)
            if what == "add":
                phones.add(phone)
                model.add(phone)
            elif what == "lift":
                phones.lift(phone)
                model.discard(phone)
        of_number = {it.sender for it in model if it.number == number}
        assert phones.some([number]) == bool(of_number)
        assert phones.has(Phone(number, sender)) == (Phone(number, sender) in model)


@given(CHANGES, NUMBERS, SENDERS)
def test_it_holds_what_a_set_would(changes: list[tuple[str, int, str | None]], number: int, sender: str | None) -> None:
    phones, model = filled(changes)
    of_number = {it.sender for it in model if it.number == number}
    assert phones.some([number]) == bool(of_number)
    assert phones.holds(number, sender) == (bool(of_number) if sender is None else bool(of_number & {None, sender}))
    assert len(phones) == len(model)


@given(CHANGES)
def test_a_snapshot_is_read_as_it_was_written(changes: list[tuple[str, int, str | None]]) -> None:
    import tempfile

    phones, model = filled(changes)
    last = LastRecord.of(7, 1, b"919812345678", b"{}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "deep" / "snapshot"
        snapshot.write(path, phones, cluster="c", topic="t", last=last, complete_at=5.0)
        assert [it.name for it in path.parent.iterdir()] == ["snapshot"]
        assert path.stat().st_mode & 0o777 == 0o600
        again = PhoneList()
        contents = snapshot.read(path, again, cluster="c", topic="t", oldest=5.0)
    assert contents is not None
    assert contents.last == last
    assert len(again) == len(model)
    assert all(again.holds(it.number, it.sender) for it in model)


def saved(folder: Path) -> Path:
    phones = PhoneList()
    for number in range(10_000, 11_000):
        phones.add(Phone(number, "acme"))
    snapshot.write(folder / "s", phones, cluster="c", topic="t", last=None, complete_at=5.0)
    return folder / "s"


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"cluster": "other"}, "another topic"),
        ({"topic": "other"}, "another topic"),
        ({"oldest": 5.1}, "too old"),
    ],
)
def test_a_snapshot_of_something_else_is_refused(tmp_path: Path, asked: dict[str, object], why: str) -> None:
    phones = PhoneList()
    phones.add(Phone(99_999, None))
    with pytest.raises(SnapshotError, match=why):
        snapshot.read(saved(tmp_path), phones, **({"cluster": "c", "topic": "t", "oldest": 0.0} | asked))  # type: ignore[arg-type]
    assert len(phones) == 1


@pytest.mark.parametrize("place", [0, 9, 5_000, -1, -3, -40])
def test_a_snapshot_with_one_byte_changed_is_refused(tmp_path: Path, place: int) -> None:
    path = saved(tmp_path)
    data = bytearray(path.read_bytes())
    data[place] ^= 0x41
    path.write_bytes(data)
    with pytest.raises(SnapshotError):
        snapshot.read(path, PhoneList(), cluster="c", topic="t", oldest=0.0)


@pytest.mark.parametrize("size", [0, 1, 11, 12, 4_000])
def test_a_snapshot_that_was_cut_is_refused(tmp_path: Path, size: int) -> None:
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(SnapshotError):
        snapshot.read(path, PhoneList(), cluster="c", topic="t", oldest=0.0)


def test_no_snapshot_is_no_error(tmp_path: Path) -> None:
    assert snapshot.read(tmp_path / "none", PhoneList(), cluster="c", topic="t", oldest=0.0) is None


@pytest.mark.parametrize("loading", [True, False])
def test_what_comes_while_another_thread_sorts_is_kept(monkeypatch: pytest.MonkeyPatch, loading: bool) -> None:
    """Sorting ten million takes seconds, in a thread of its own; so does writing a snapshot."""
    phones = PhoneList()
    for number in (7, 3, 7, 5):
        phones.add(Phone(10_000 + number * SHARDS, None))
    late = [Phone(10_000 + number * SHARDS, None) for number in (4, 9)]
    pending = list(late)

    def slow(entries: set[int]) -> list[int]:
        if pending:  # as the event loop does, in the middle of it
            phones.add(pending.pop())
        return sorted(entries)

    monkeypatch.setattr(phone_list, "sorted", slow, raising=False)
    phones.sort()
    phones.shard(10_000 & (SHARDS - 1))
    monkeypatch.undo()
    phones.loading = loading
    assert all(phones.holds(it.number, None) for it in late)
    assert len(phones) == 5


def test_threads_that_sort_lose_nothing_of_what_one_enters_and_lifts() -> None:
    phones, model, stop = PhoneList(), set[int](), threading.Event()

    def sort() -> None:
        while not stop.is_set():
            phones.shard(0)
            phones.sort()

    threads = [threading.Thread(target=sort) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for step in range(6_000):
            number = (10_000 + step * 7919 % 500) * SHARDS
            if step % 3:
                phones.add(Phone(number, None))
                model.add(number)
            else:
                phones.lift(Phone(number, None))
                model.discard(number)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    phones.sort()
    assert {number for number in ((10_000 + it) * SHARDS for it in range(500)) if phones.holds(number, None)} == model
    assert len(phones) == len(model)


def test_only_what_comes_after_loading_counts_as_a_change() -> None:
    phones = PhoneList()
    phones.add(Phone(10_000, None))
    assert phones.changes == 0
    phones.loading = False
    phones.add(Phone(10_001, None))
    phones.add(Phone(LARGEST + 1, None))
    assert phones.changes == 2


def test_with_more_senders_than_there_is_room_for_an_entry_counts_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_list, "SENDERS", 2)
    phones = PhoneList()
    for index, sender in enumerate(["a", "b", "c"]):
        phones.add(Phone(10_000 + index, sender))
    assert [phones.holds(10_000 + index, "another") for index in range(3)] == [False, False, True]
    phones.lift(Phone(10_002, "c"))  # it may be somebody else's
    assert phones.holds(10_002, "c")


def test_a_damaged_snapshot_that_is_asked_whom_it_holds_says_so(tmp_path: Path) -> None:
    """Its digest covers all of it; it is read entry by entry here, to find a loss."""
    path = saved(tmp_path)
    data = bytearray(path.read_bytes())
    place = 8  # the first entry of the first shard: a sender that there is not
    data[place : place + 2] = b"\xff\x3f"
    path.write_bytes(data)
    with pytest.raises(SnapshotError, match="damaged"):
        list(snapshot.entries(path))
