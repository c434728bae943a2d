"""States on disk: a view of a topic that is believed only as far as it says what it is a view of."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import msgspec
import pytest

from connector.errors import ConfigurationError
from connector.store import state_store
from connector.store.state_store import States, StoreIdentity, StoreMemory, Stores, ViewPlace

HERE = StoreIdentity("cluster", "sms.receipts", 3, 12)


@pytest.fixture
def stores(tmp_path: Path) -> Stores[States]:
    return Stores(tmp_path / "states", States, keep=86400, memory=StoreMemory(1024**2))


def written(stores: Stores[States], identity: StoreIdentity = HERE, **states: str) -> None:
    store = stores.open(identity)
    store.write({key.encode(): value.encode() for key, value in states.items()}, ViewPlace(7, b"settled"))
    store.close()


def test_what_was_written_is_there_when_it_is_opened_again(stores: Stores[States]) -> None:
    written(stores, a="1", b="2")
    written(stores, a="3")
    store = stores.open(HERE)
    assert (store.get(b"a"), store.get(b"b"), store.get(b"c")) == (b"3", b"2", None)
    assert store.place == ViewPlace(7, b"settled")
    store.close()


def test_a_new_one_says_that_it_is_new(stores: Stores[States]) -> None:
    store = stores.open(HERE)
    assert store.place is None
    assert store.get(b"a") is None
    store.close()


@pytest.mark.parametrize(
    "change",
    [{"cluster": "another"}, {"topic": "other.receipts"}, {"partition": 4}, {"partitions": 24}, {"format": 3}],
    ids=str,
)
def test_one_of_another_partition_is_not_used(
    stores: Stores[States], tmp_path: Path, change: dict[str, object]
) -> None:
    other = msgspec.structs.replace(HERE, **change)
    written(stores, a="1")
    old = tmp_path / "states" / "sms.receipts-3"
    new = tmp_path / "states" / f"{other.topic}-{other.partition}"
    if new != old:
        shutil.move(old, new)
    store = stores.open(other)
    assert store.place is None
    assert store.get(b"a") is None
    store.close()


@pytest.mark.parametrize("file", ["CURRENT", "MANIFEST"])
def test_a_damaged_one_is_begun_anew(stores: Stores[States], tmp_path: Path, file: str) -> None:
    written(stores, a="1")
    for found in (tmp_path / "states" / "sms.receipts-3").glob(f"{file}*"):
        found.write_bytes(b"garbage")
    store = stores.open(HERE)
    assert store.place is None
    assert store.get(b"a") is None
    store.write({b"a": b"2"}, ViewPlace(1))
    assert store.get(b"a") == b"2"
    store.close()


def test_one_without_a_place_is_begun_anew(stores: Stores[States], tmp_path: Path) -> None:
    store = stores.open(HERE)
    store._database.put(b"\x01a", b"1")
    store.close()
    store = stores.open(HERE)
    assert store.get(b"a") is None
    store.close()


def test_a_folder_that_is_gone_is_begun_anew(stores: Stores[States], tmp_path: Path) -> None:
    written(stores, a="1")
    shutil.rmtree(tmp_path / "states" / "sms.receipts-3")
    store = stores.open(HERE)
    assert store.place is None
    store.close()


def _hold(folder: Path, held: object, done: object) -> None:
    store = Stores(folder, States, keep=86400, memory=StoreMemory(1024**2)).open(HERE)
    held.set()  # type: ignore[attr-defined]
    done.wait(60)  # type: ignore[attr-defined]
    store.close()


def test_one_that_another_process_holds_is_made_anew_beside_it_and_goes_with_us(
    stores: Stores[States], tmp_path: Path
) -> None:
    written(stores, a="1")
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "states", held, done))
    other.start()
    try:
        assert held.wait(60)
        store = stores.open(HERE)
        assert store.place is None
        store.write({b"a": b"2"}, ViewPlace(1))
        store.close()
        assert [it.name for it in (tmp_path / "states").iterdir()] == ["sms.receipts-3"]
    finally:
        done.set()
        other.join(60)


def test_all_or_nothing_is_written(stores: Stores[States], monkeypatch: pytest.MonkeyPatch) -> None:
    store: States = stores.open(HERE)
    with pytest.raises(TypeError, match="bytes"):
        store.write({b"a": b"1", b"b": None}, ViewPlace(9))  # type: ignore[dict-item]
    assert (store.get(b"a"), store.place) == (None, None)
    store.close()


def test_a_folder_that_cannot_be_made_is_told_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"receipts\.folder"):
        Stores(tmp_path / "file" / "states", States, keep=1, memory=StoreMemory(1024**2))


def test_without_the_extra_the_command_to_install_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rocksdict", None)
    with pytest.raises(ConfigurationError, match=r"kafka-sms-connector\[receipts\]"):
        StoreMemory(1024**2)


def test_what_is_in_use_outlives_any_number_of_merges(stores: Stores[States]) -> None:
    for turn in range(12):  # each time it is opened a file more; four of them are merged
        store = stores.open(HERE)
        assert turn == 0 or store.get(b"a") == b"1"
        store.write({b"a": b"1", f"b{turn}".encode(): b"2"}, ViewPlace(turn))
        store.close()
    store = stores.open(HERE)
    assert [store.get(f"b{turn}".encode()) for turn in range(12)] == [b"2"] * 12
    store.close()


def test_what_is_older_than_is_kept_is_forgotten_as_new_keys_come(
    stores: Stores[States], monkeypatch: pytest.MonkeyPatch
) -> None:
    days = iter([100, 100, 101, 101, 102, 102, 103, 103])
    today = [100]
    monkeypatch.setattr(state_store, "_today", lambda: today[0])
    store = stores.open(HERE)
    store.write({f"old{number}".encode(): b"1" for number in range(200)}, ViewPlace(1))
    for day in days:
        today[0] = day
        new = {f"new{day}-{number}".encode(): b"1" for number in range(200)}
        store.write({**new, b"old7": b"1"}, ViewPlace(2))
    kept = [number for number in range(200) if store.get(f"old{number}".encode()) is not None]
    assert kept == [7]  # it is written again
    assert store.get(b"new103-0") == b"1"
    store.close()
