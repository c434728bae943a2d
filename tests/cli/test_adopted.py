"""Which events of this cluster the results of another one finish."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from aiokafka import ConsumerRecord

from connector.cli.adopted import ADOPTED, AdoptedPartition, MisplacedResultError
from connector.kafka.produce import Outgoing
from connector.stream.partitions.formats import settles

HERE, THERE = "primary.sms.messages", "sms.messages"


def record(topic: str, offset: int, value: Any, *, settled: bytes | None = None, **headers: bytes) -> ConsumerRecord:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    given = [*headers.items(), *([] if settled is None else [("settles", settled)])]
    return ConsumerRecord(topic, 3, offset, 0, 0, b"k", raw, None, 1, len(raw), tuple(given))


def result(message_id: str | None, offset: int, topic: str = THERE, **fields: Any) -> dict[str, Any]:
    source = {"topic": topic, "partition": 3, "offset": offset}
    return {"message_id": message_id, "status": "accepted", "source": source, "code": "7", **fields}


def partition(*ids: str | None, topics: tuple[str, ...] = (HERE,)) -> AdoptedPartition:
    """Events from offset 100 on."""
    known = AdoptedPartition(topics)
    for offset, message_id in enumerate(ids, 100):
        known.event(record(topics[0], offset, b"\xff" if message_id is None else {"message_id": message_id}))
    return known


def copies(known: AdoptedPartition, value: Any, **headers: bytes) -> list[Outgoing]:
    return list(known.copies(record("primary.sms.results", 9, value, settled=b"x/3/1", **headers), "sms.results"))


def test_a_copy_names_the_event_here_and_says_where_it_comes_from() -> None:
    known = partition("a", "b")
    (copy,) = copies(known, result("b", 7), trace=b"t")
    assert orjson.loads(copy.value or b"") == result("b", 101, HERE)
    assert (copy.topic, copy.partition, copy.key) == ("sms.results", 3, b"k")
    assert dict(copy.headers) == {
        "trace": b"t",
        "settles": settles(HERE, 3, 101),
        ADOPTED: b"primary.sms.results/3/9",
    }
    assert (known.events, known.adopted, known.first_left(HERE, 102)) == (2, 1, 100)


def test_a_result_that_comes_twice_is_copied_once() -> None:
    known = partition("a", "b")
    assert len(copies(known, result("a", 1))) == 1
    assert copies(known, result("a", 1)) == []
    assert (known.adopted, known.elsewhere, known.first_left(HERE, 102)) == (1, 0, 101)


def test_an_event_that_was_mirrored_twice_is_finished_twice() -> None:
    assert len(copies(partition("a", "b", "a"), result("a", 1))) == 2


@pytest.mark.parametrize(
    "value",
    [
        result("z", 1),
        result(None, 1),
        result("a", 1, dry_run=True),
        result("a", 1, "other.topic"),
        b"{",
        b"\xff",
        b"[]",
    ],
)
def test_what_finishes_no_event_here_is_left(value: Any) -> None:
    known = partition("a")
    assert copies(known, value) == []
    assert known.first_left(HERE, 101) == 100


def test_events_that_are_written_to_this_cluster_itself_are_not_the_other_ones() -> None:
    known = partition("a", topics=(HERE, THERE))
    known.event(record(THERE, 5, {"message_id": "a"}))
    (copy,) = copies(known, result("a", 1))
    assert dict(copy.headers)["settles"] == settles(HERE, 3, 100)
    assert known.first_left(THERE, 6) == 5


def test_what_has_a_result_here_gets_no_other_one() -> None:
    known = partition("a", "b")
    known.own_result(record("sms.results", 0, result("a", 100, HERE), settled=settles(HERE, 3, 100)))
    assert copies(known, result("a", 1)) == []
    assert (known.finished, known.adopted) == (1, 0)


def test_an_event_that_cannot_be_read_is_left_until_it_has_its_result_here() -> None:
    known = partition(None, "b")
    assert known.first_left(HERE, 102) == 100
    known.own_result(record("sms.results", 0, result(None, 100, HERE), settled=settles(HERE, 3, 100)))
    assert known.first_left(HERE, 102) == 101


def test_a_result_of_this_cluster_that_names_another_event_is_refused() -> None:
    with pytest.raises(MisplacedResultError, match=r"sms\.results/3/0 is of another event than .*messages/3/100"):
        partition("a").own_result(record("sms.results", 0, result("z", 100, HERE), settled=settles(HERE, 3, 100)))


@pytest.mark.parametrize("value", [b"", b"{", b'{"source": 1}', b"\xff\x00", b"[" * 100_000])
def test_what_others_wrote_among_the_results_is_passed_over(value: bytes) -> None:
    known = partition("a")
    known.own_result(record("sms.results", 0, value, settled=settles(HERE, 3, 100)))
    assert copies(known, value) == []


def test_where_all_is_finished_the_group_begins_at_the_end() -> None:
    known = partition("a")
    copies(known, result("a", 1))
    assert known.first_left(HERE, 101) == 101
