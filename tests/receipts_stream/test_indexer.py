"""Results into the index, and how far it is: what is told is true, whatever came in between."""

from __future__ import annotations

import orjson
import pytest
from aiokafka import TopicPartition

from connector.kafka.skipped import Reason
from connector.receipts.correlation import HEADER
from connector.receipts.index_records import MOST_KEYS, read_index, read_watermark
from connector.receipts.receipt_records import partition
from connector.stream.receipts.indexer import IDLE_SECONDS
from tests.receipts_stream.index_world import (
    INDEX,
    INDEXER,
    PARTITIONS,
    TOPICS,
    IndexerProcess,
    KilledError,
    Logs,
    key,
)


@pytest.fixture
def logs() -> Logs:
    return Logs()


def indexed(logs: Logs) -> list[tuple[bytes, int]]:
    """Keys and the messages they may mean, in order."""
    return [(it.key, read_index(it.value).source.offset) for _, it in logs.all(INDEX) if it.key is not None]


def told(logs: Logs) -> dict[int, dict[int, int]]:
    """Per partition of the index: how far it is, per partition of the results."""
    found: dict[int, dict[int, int]] = {number: {} for number in range(PARTITIONS)}
    for tp, it in logs.all(INDEX):
        mark = None if it.key is not None else read_watermark(it.headers)
        for number, until in (mark.until if mark is not None else {}).items():
            found[tp.partition][number] = max(found[tp.partition].get(number, 0), until)
    return found


async def test_a_result_goes_to_the_partition_of_each_of_its_keys(logs: Logs) -> None:
    process = IndexerProcess(logs)
    await process.assign()
    logs.result(0, 5, keys=key(1) + key(2))
    await process.turn()
    assert sorted(indexed(logs)) == [(key(1), 5), (key(2), 5)]
    for tp, it in logs.all(INDEX):
        assert it.key is None or tp.partition == partition(it.key, PARTITIONS)


async def test_what_it_tells_was_asked_before_and_is_in_the_index(logs: Logs) -> None:
    process = IndexerProcess(logs)
    await process.assign()
    await process.turn()
    assert told(logs) == {0: {}, 1: {}}  # nothing has been asked yet
    asked = logs.now
    logs.now += 1_000
    logs.result(1, 2)
    await process.turn()
    assert told(logs) == {number: {0: asked, 1: asked} for number in range(PARTITIONS)}
    assert indexed(logs) == [(key(1), 2)]


async def test_a_moment_is_not_told_while_results_of_before_it_are_not_in_the_index(
    logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.stream.receipts.indexer.POLL_RECORDS", 1)
    process = IndexerProcess(logs)
    await process.assign(0)
    for number in range(6):
        logs.result(number, 2 * number)
    await process.turn()  # reads one of six, and asks
    asked = logs.now
    logs.now += 60_000
    for read in range(2, 6):
        await process.turn()
        assert told(logs)[0] == {}, f"{read} of 6 are read"
    await process.turn()
    assert told(logs)[0] == {0: asked}
    assert len(indexed(logs)) == 6


async def test_one_that_is_killed_before_it_has_written_leaves_the_results_to_the_next_one(logs: Logs) -> None:
    process = IndexerProcess(logs)
    await process.assign()
    logs.result(1, 1)
    process.writing.die = "before writing"
    with pytest.raises(KilledError):
        await process.turn()
    process = IndexerProcess(logs)
    await process.assign()
    await process.turn(2)
    assert indexed(logs) == [(key(1), 1)]


async def test_it_goes_on_where_the_last_one_committed(logs: Logs) -> None:
    process = IndexerProcess(logs)
    await process.assign()
    logs.result(1, 1)
    await process.turn(2)
    await process.revoke()
    assert logs.committed[INDEXER, TopicPartition(TOPICS.results, 1)][0] == 1
    logs.result(2, 2)
    process = IndexerProcess(logs)
    await process.assign()
    await process.turn(2)
    assert [offset for _, offset in indexed(logs)] in ([1, 2], [2, 1])


async def test_partitions_that_were_taken_away_are_not_told_of(logs: Logs) -> None:
    process = IndexerProcess(logs)
    await process.assign(0, 1)
    await process.turn(3)
    await process.revoke()
    await process.assign(0)
    before = told(logs)
    logs.now += 60_000
    await process.turn(5)
    after = told(logs)
    for number in range(PARTITIONS):
        assert after[number][1] == before[number][1]
        assert after[number][0] > before[number][0]


async def test_while_nothing_comes_it_is_told_more_seldom(logs: Logs) -> None:
    """What is told stays as long as the index, and is read by whoever makes it anew."""

    def marks() -> int:
        return sum(1 for _, it in logs.all(INDEX) if it.key is None)

    process = IndexerProcess(logs)
    await process.assign()
    await process.turn(100)
    assert marks() <= PARTITIONS * (100 / IDLE_SECONDS + 4)
    before = marks()
    for number in range(20):
        logs.result(number, number)
        await process.turn()
    assert marks() - before >= PARTITIONS * 19


async def test_what_others_wrote_into_the_results_is_passed_over_and_counted(logs: Logs) -> None:
    process = IndexerProcess(logs)
    await process.assign()
    tp = TopicPartition(TOPICS.results, 0)
    good = {"status": "accepted", "source": {"topic": "t", "partition": 0, "offset": 0}}
    good["completed_at"] = "2026-11-27T12:00:00Z"
    for value, keys in (
        (b"{", key(1)),
        (None, key(1)),
        (orjson.dumps(good | {"status": "no such status"}), key(1)),
        (orjson.dumps(good | {"message_id": "x" * 300}), key(1)),
        (orjson.dumps(good), key(1) * (MOST_KEYS + 1)),
    ):
        logs.append(tp, (None, value, [(HEADER, keys)]))
    logs.append(tp, (None, b"no header", []))
    logs.append(tp, (None, orjson.dumps(good), [(HEADER, b"no keys")]))
    logs.append(tp, (None, orjson.dumps(good | {"status": "rejected"}), [(HEADER, key(7))]))
    logs.result(2, 2)
    await process.turn()
    assert indexed(logs) == [(key(2), 2)]
    assert process.skipped.counts == {(TOPICS.results, Reason.FOREIGN): 5}
