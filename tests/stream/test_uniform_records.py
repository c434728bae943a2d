"""Results that are alike are written at once: byte for byte what each by itself would have been."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.definition.expression_text import parse
from connector.definition.receipt_tree import ReceiptMatch
from connector.delivery.queue.item import Item
from connector.delivery.uniform_results import UniformResults
from connector.kafka.batches import RecordFields
from connector.model import Message, Result, Source, Status
from connector.receipts.correlation import HEADER, Correlation, IndexKeys
from connector.stream.output.uniform_records import KEY_BYTES, records
from connector.stream.partitions.formats import settled_place
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition

NOW = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
PARTITIONS = [Partition("sms", number, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(100)) for number in range(3)]

MATCH = ReceiptMatch("lookup", None, (("id", None, "a"), ("To|digits", parse("To|digits"), "b")))

encode = msgspec.json.Encoder().encode

NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1, max_size=40)
TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@st.composite
def results(draw: st.DrawFn) -> UniformResults:
    shared = Result(
        draw(st.sampled_from([Status.ACCEPTED, Status.REJECTED, Status.UNKNOWN])),
        Source("", 0, 0),
        NOW,
        provider=draw(NAMES),
        campaign_id=draw(TEXTS),
        provider_batch_id=draw(TEXTS),
        code=draw(TEXTS),
        reason=draw(TEXTS),
        http_status=draw(st.none() | st.integers(100, 599)),
        batch_id="0" * 32,
        batch_size=20,
        dry_run=draw(st.booleans()),
    )
    count = draw(st.integers(1, 20))
    items = [
        Item(
            b"{}",
            draw(st.sampled_from(PARTITIONS)),
            draw(st.integers(0, 2**40)),
            draw(st.none() | st.binary(max_size=10)),
            NOW + timedelta(microseconds=draw(st.integers(0, 3))),
            None,
            attempts=draw(st.integers(0, 2)),
        )
        for _ in range(count)
    ]
    messages = [Message(draw(NAMES), "+919812345678", body=draw(TEXTS)) for _ in range(count)]
    ids = draw(st.none() | st.lists(NAMES, min_size=count, max_size=count))
    return UniformResults(shared, items, messages, ids)


def written(given: UniformResults) -> dict[int, RecordFields] | None:
    """Records by what they finish: the item's identity."""
    found = records(given, encode)
    if found is None:
        return None
    return {
        id(item): each
        for origin, items, fields in found
        for item, each in zip(items, fields, strict=True)
        if item.origin is origin
    }


@given(results())
def test_each_record_is_what_its_result_alone_would_be(given: UniformResults) -> None:
    found = written(given)
    assert found is not None
    assert len(found) == len(given.items)
    for item, message, result in zip(given.items, given.messages, given, strict=True):
        key, value, headers = found[id(item)]
        assert value == encode(result)
        assert key == (message.message_id.encode() if item.key is None else item.key)
        assert settled_place(headers) == (f"sms/{item.origin.partition}", item.offset)


@given(results())
def test_what_receipts_look_a_result_up_by_is_the_same_for_all_at_once_and_each_alone(given: UniformResults) -> None:
    known = Correlation("sms", MATCH, IndexKeys(["n" * 32, "o" * 32]), asks=True)
    found = records(given, encode, known)
    assert found is not None
    each = {(it.source.partition, it.source.offset): known.of_result(it) for it in given}
    for origin, items, fields in found:
        for item, (_, _, headers) in zip(items, fields, strict=True):
            keys = b"".join(value for name, value in headers if name == HEADER)
            if list(given.items).count(item) == 1 and [it.offset for it in given.items].count(item.offset) == 1:
                assert keys == each[origin.partition, item.offset]


def lone(
    message_id: str = "m1", to: str = "+919812345678", identity: str = "i1", key: bytes | None = None
) -> UniformResults:
    shared = Result(Status.ACCEPTED, Source("", 0, 0), NOW)
    return UniformResults(
        shared, [Item(b"{}", PARTITIONS[0], 7, key, NOW, None)], [Message(message_id, to)], [identity]
    )


@pytest.mark.parametrize(
    "given",
    [
        lone(message_id='a"b'),
        lone(message_id="a\\b"),
        lone(message_id="Zoë"),
        lone(identity="a\tb"),
        lone(key=b"k" * (KEY_BYTES + 1)),
    ],
)
def test_what_has_to_be_escaped_or_may_be_too_large_is_left_to_the_ordinary_way(given: UniformResults) -> None:
    assert written(given) is None
