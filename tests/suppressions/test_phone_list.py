"""The list is a set of numbers and senders, whatever the order in which they come."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.suppressions import phone_list, snapshot
from connector.suppressions.phone_list import LARGEST, PhoneList
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


def test_with_more_senders_than_there_is_room_for_an_entry_counts_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phone_list, "SENDERS", 2)
    phones = PhoneList()
    for index, sender in enumerate(["a", "b", "c"]):
        phones.add(Phone(10_000 + index, sender))
    assert [phones.holds(10_000 + index, "another") for index in range(3)] == [False, False, True]
    phones.lift(Phone(10_002, "c"))  # it may be somebody else's
    assert phones.holds(10_002, "c")
