"""Results that are owed: written down where that can be, read back, and paid before anything else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace

import msgspec
import orjson
import pytest
from aiokafka.errors import KafkaError
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import Problem, RefusedError
from connector.kafka.batches import RecordFields
from connector.model import Result, Source, Status
from connector.stream.output import journal
from connector.stream.output.debts import Debt, Debts, decode, encode
from connector.stream.partitions.formats import (
    METADATA_BYTES,
    Metadata,
    encode_metadata,
    ends_of,
    owed_of,
    settles,
    turns,
)
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.untrusted import UnreadableError

NOW = datetime(2025, 1, 1, tzinfo=UTC)


def result(offset: int, status: Status = Status.ACCEPTED, **fields: object) -> Result:
    return Result(status, Source("in", 0, offset), NOW, f"m{offset}", to="+919812345678", **fields)  # type: ignore[arg-type]


def metadata_of(ends: Mapping[str, int], position: int, owed: Iterable[int]) -> str:
    return encode_metadata(Metadata(dict(ends), owed=turns(position, owed)))


def record(offset: int, status: Status = Status.ACCEPTED, **fields: object) -> RecordFields:
    return None, msgspec.json.encode(result(offset, status, **fields)), [("settles", settles("in", 0, offset))]


class Case:
    """A partition that has committed 0, a journal and commits that work or do not."""

    def __init__(self, *, journal: str = "works", commits: bool = True) -> None:
        self.origin = Partition("in", 0, Ledger(0), ReplayMarks(0, {"out": 7}), {}, 0, OffsetSet(100))
        self.origin.ledger.admit_run(0, 10_000)
        self.journal = journal
        self.commits = commits
        self.values: list[bytes] = []
        self.metadata = ""
        topic = None if journal == "none" else SimpleNamespace(append=self._append)
        self.debts = Debts(journal=topic, positions=SimpleNamespace(commit_again=self._commit))

    async def _append(self, _: Partition, values: Sequence[bytes], *, optional: bool) -> bool:
        assert optional
        if self.journal == "refuses for good":
            raise RefusedError([Problem("no")])
        if self.journal == "fails":
            raise KafkaError
        if self.journal == "works":
            self.values += values
        return self.journal == "works"

    async def _commit(self, partition: Partition) -> bool:
        if self.commits:
            self.metadata = metadata_of(partition.marks.at(0), 0, partition.owed)
        return self.commits


async def test_a_debt_stands_in_the_journal_with_its_result_and_without_its_number() -> None:
    case = Case()
    await case.debts.owe(case.origin, [record(3, code="7"), record(5, Status.REJECTED, attempts=1)])
    assert b"+9198" not in b"".join(case.values)
    found = [decode(value) for value in case.values]
    assert [it and (it.topic, it.offset, it.result and it.result.status) for it in found] == [
        ("in", 3, Status.ACCEPTED),
        ("in", 5, Status.REJECTED),
    ]
    assert (case.debts.count, case.debts.unwritten) == (2, 0)
    await case.debts.owe(case.origin, [record(3)])
    assert len(case.values) == 2, "what is written down is not written again"


@pytest.mark.parametrize("broken", ["refuses", "refuses for good", "fails", "none"])
async def test_where_the_journal_is_refused_too_the_commit_says_which(broken: str) -> None:
    case = Case(journal=broken)
    await case.debts.owe(case.origin, [record(3), record(4), record(9)])
    assert owed_of(case.metadata, 0, 10_000) == [3, 4, 9]
    assert ends_of(case.metadata) == {"out": 7}
    assert case.debts.unwritten == 0


async def test_what_can_be_written_nowhere_is_kept_and_tried_again() -> None:
    case = Case(journal="refuses", commits=False)
    await case.debts.owe(case.origin, [record(3)])
    assert case.debts.unwritten == 1
    assert not await case.debts.write()
    case.journal = "works"
    assert await case.debts.write()
    assert len(case.values) == 1


async def test_more_than_a_commit_can_hold_is_kept_whole() -> None:
    case = Case(journal="refuses")
    await case.debts.owe(case.origin, [record(offset * 2) for offset in range(3000)])
    assert case.debts.unwritten == 3000
    assert case.metadata == ""
    assert case.origin.owed == set()


@pytest.mark.parametrize(
    "unsent",
    [
        record(1, Status.INVALID),
        record(1, Status.EXPIRED),
        record(1, Status.ACCEPTED, dry_run=True),
        (None, b"[", [("settles", b"in/0/1")]),
        (None, b"{}", []),
    ],
)
async def test_what_was_never_sent_is_not_owed(unsent: RecordFields) -> None:
    """The next owner finds out again."""
    case = Case()
    await case.debts.owe(case.origin, [unsent])
    assert (case.debts.count, case.values) == (0, [])


async def test_what_is_acknowledged_after_all_is_owed_no_more() -> None:
    case = Case(journal="refuses")
    await case.debts.owe(case.origin, [record(3), record(4)])
    case.debts.settled(case.origin, [3, 4, 5])
    assert (case.debts.count, case.debts.unwritten, case.origin.owed) == (0, 0, set())


async def test_a_closed_epochs_debts_are_the_next_owners() -> None:
    case = Case()
    await case.debts.owe(case.origin, [record(3)])
    case.origin.live = False
    case.debts.forget()
    assert (case.debts.count, case.debts.unwritten) == (0, 0)


@pytest.mark.parametrize(
    ("value", "debt"),
    [
        (None, None),
        (b"", None),
        (b"[" * 100_000, None),
        (b'{"topic":"in","sent":[1]}', None),
        (b'{"topic":"in","owed":-1}', None),
        (b'{"topic":"in","owed":99999999999999999999}', None),
        (b'{"topic":"in","owed":1.5}', None),
        (b'{"topic":"in","owed":7,"v":2,"result":{"new":true}}', Debt("in", 7, None)),
        (b'{"topic":"in","owed":7,"v":1,"result":{"new":true}}', Debt("in", 7, None)),
        (b'{"topic":"in","owed":7}', Debt("in", 7, None)),
    ],
)
def test_what_others_wrote_into_the_journal_is_read_with_care(value: bytes | None, debt: Debt | None) -> None:
    """Of another version the event is understood: it was sent, and is never sent again."""
    assert decode(value) == debt


def test_a_debt_is_no_entry_of_the_journal_of_requests() -> None:
    """Also not for a worker of version 0.1, which reads the same topic."""
    with pytest.raises(UnreadableError):
        journal.decode(encode("in", 3, result(3)))


@given(st.sets(st.integers(100, 1000), max_size=200))
def test_metadata_says_exactly_which_events_are_owed(owed: set[int]) -> None:
    metadata = metadata_of({"out": 1}, 100, owed)
    assert owed_of(metadata, 100, 2000) == sorted(owed)
    assert ends_of(metadata) == {"out": 1}
    assert owed_of(metadata, 100, 500) == sorted(it for it in owed if it < 500)


@pytest.mark.parametrize(
    "owed",
    ["x", [1], [1, -5], [-1, 5], [0, 10**30], [10**30, 1], [1.5, 1], [True, 1], {"a": 1}, None, [[0, 1]], [0, 1, 2]],
    ids=str,
)
def test_metadata_of_others_names_no_event_beyond_the_log(owed: object) -> None:
    found = owed_of(json.dumps({"v": 1, "ends": {}, "owed": owed}), 10, 20)
    assert set(found) <= set(range(10, 20))
    assert owed_of("[" * 4000, 0, 10) == []
    assert owed_of(json.dumps({"v": 2, "owed": [0, 1]}), 0, 10) == []
    assert owed_of(orjson.dumps([1]).decode(), 0, 10) == []


def test_five_hundred_scattered_debts_fit_into_a_commit() -> None:
    """As many as may wait for their acknowledgement (`writer.most`), in one partition, among six times as many."""
    owed = range(1_000_000, 1_003_000, 6)
    assert len(metadata_of({"sms.results": 10**9, "sms.journal": 10**9}, 1_000_000, owed)) < METADATA_BYTES
