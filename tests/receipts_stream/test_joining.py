"""What entries change: states in any order, entries of others, references that are too old, faults of ours."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.clock import ManualClock
from connector.kafka.record_batch import Unreadable
from connector.model import Source
from connector.receipts.callback import Meaning, MessageToken, ReceiptEntry, State
from connector.receipts.receipt_reader import UnreadableEntry
from connector.receipts.receipt_records import (
    ReceiptRecord,
    entry_record,
    place,
    read_receipt,
    read_unmatched,
    written_state,
)
from connector.receipts.states import RANK
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.receipts.joining import JoinedEntries, Joining

NOW = 1_795_770_000.0
DAY = 86_400.0
SOURCE = Source("sms.messages", 3, 4711)


class Reader:
    """Reads a document that is the state itself."""

    def meaning(self, document: bytes) -> Meaning | UnreadableEntry:
        word = document.decode()
        if word == "broken":
            raise RuntimeError(word)
        return Meaning(State(word), "p1", at=NOW - 5) if word in list(State) else UnreadableEntry("it says no state")


class Known(dict[bytes, bytes]):
    """What is written of messages."""


def joining(most: int = 1_000_000) -> Joining:
    made = Joining(keep=5 * DAY, most=most, clock=ManualClock(wall=NOW))
    made.readers = {"acme": Reader()}
    return made


def partition() -> Partition:
    return Partition(
        topic="sms.receipts.matched",
        partition=2,
        ledger=Ledger(0, OffsetSet(100)),
        marks=ReplayMarks(0, {}),
        ends={},
        committed=0,
        journalled=OffsetSet(100),
    )


def record(offset: int, word: str, *, day: int = 0, provider: str = "acme", source: Source = SOURCE) -> Any:
    token = MessageToken(source, int(NOW // DAY) - day, "m-1", "c-1")
    _, value, headers = entry_record(ReceiptEntry(provider, NOW, 0, 1, word.encode(), token), token)
    return SimpleNamespace(offset=offset, timestamp=round(NOW * 1000), value=value, headers=headers)


def join(words: list[str], known: Known | None = None) -> list[ReceiptRecord]:
    joined = joining().join(partition(), [record(at, word) for at, word in enumerate(words)], known or Known())
    assert joined.offsets == list(range(len(words)))
    return [read_receipt(value) for _, value, _ in joined.receipts]


def reasons(joined: JoinedEntries) -> list[str]:
    return [orjson.loads(dict(headers)["unmatched"])["why"] for _, _, headers in joined.unmatched]


@given(st.lists(st.sampled_from([state.value for state in State]), max_size=12))
def test_each_state_once_no_rank_falls_and_no_final_is_lost(words: list[str]) -> None:
    written = [State(it.status) for it in join(words)]
    assert len(written) == len(set(written))
    assert all(RANK[earlier] <= RANK[later] for earlier, later in itertools.pairwise(written))
    finals = {State(word) for word in words if RANK[State(word)] == 3} - {State.UNKNOWN}
    assert finals <= set(written)
    assert [it.sequence for it in join(words)] == list(range(1, len(written) + 1))


@given(st.lists(st.sampled_from([state.value for state in State]), max_size=8), st.integers(0, 8))
def test_what_is_joined_in_two_parts_is_what_is_joined_at_once(words: list[str], cut: int) -> None:
    once, known, parts = join(words), Known(), []
    for part in (words[:cut], words[cut:]):
        joined = joining().join(partition(), [record(at, word) for at, word in enumerate(part)], known)
        parts += [read_receipt(value) for _, value, _ in joined.receipts]
        known.update({key: bytes([seen]) for key, seen in joined.states.items()})
    assert [(it.status, it.sequence, it.contradicts) for it in parts] == [
        (it.status, it.sequence, it.contradicts) for it in once
    ]


def test_a_state_says_whose_it_is_where_it_was_read_and_what_it_settles() -> None:
    joined = joining().join(partition(), [record(7, "delivered")], Known())
    ((key, value, headers),) = joined.receipts
    told = read_receipt(value)
    assert key == b"m-1"
    assert (told.source.offset, told.entry.topic, told.entry.partition, told.entry.offset) == (
        4711,
        "sms.receipts.matched",
        2,
        7,
    )
    assert told.final
    assert dict(headers)["settles"] == b"sms.receipts.matched/2/7"
    assert written_state(headers) == (place(SOURCE), State.DELIVERED)
    assert joined.states == {place(SOURCE): 8}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (record(0, "delivered", day=9), "too late"),
        (record(0, "delivered", day=-3), "too late"),  # of a day that has not begun
        (record(0, "delivered", provider="gone"), "unknown"),
        (record(0, "no word"), "unreadable"),
        (record(0, "broken"), "unreadable"),  # a fault of ours
        (SimpleNamespace(offset=0, timestamp=-1, value=b"{}", headers=[]), "unreadable"),
        (SimpleNamespace(offset=0, timestamp=-1, value=None, headers=[("entry", b"{}")]), "unreadable"),
        (Unreadable(0, "its batch cannot be read"), "unreadable"),
    ],
)
def test_what_becomes_no_state_is_kept_with_the_reason_and_stops_nothing(entry: Any, why: str) -> None:
    joined = joining().join(partition(), [entry, record(1, "delivered")], Known())
    assert reasons(joined) == [why]
    assert dict(joined.unmatched[0][2])["settles"] == b"sms.receipts.matched/2/0"
    assert len(joined.receipts) == 1
    assert joined.offsets == [0, 1]


def test_what_becomes_no_state_keeps_whose_it_is() -> None:
    """For many providers only the URL of the callback said so: a replay could not find it again."""
    for made in (joining(), joining(most=700)):
        joined = made.join(partition(), [record(0, "x" * 400, provider="gone")], Known())
        ((_, value, headers),) = joined.unmatched
        kept = read_unmatched(value, headers)
        assert isinstance(kept.token, MessageToken)
        assert (kept.token.source, kept.token.message_id) == (SOURCE, "m-1")


def test_what_is_unmatched_fits_its_topic() -> None:
    entry = record(0, "x" * 5_000)
    ((_, value, headers),) = joining(most=2_000).join(partition(), [entry], Known()).unmatched
    assert len(value or b"") < 2_000
    assert b"cut off" in dict(headers)["unmatched"]


def test_what_is_settled_is_passed_over() -> None:
    known = partition()
    known.ledger.learn([0])
    joined = joining().join(known, [record(0, "sent"), record(1, "delivered")], Known())
    assert joined.offsets == [1]
