"""Receipts looked up by processes that come and go: nothing is lost, and nobody gets what is another message's."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.errors import TopicError
from connector.receipts.receipt_records import partition
from connector.stream.partitions.formats import waiting_from
from tests.receipts_stream.index_world import (
    ENTRIES,
    GROUP,
    INDEX,
    MATCHED,
    MINUTE,
    PARTITIONS,
    TOPICS,
    UNMATCHED,
    WAIT,
    IndexerProcess,
    IndexProcess,
    KilledError,
    Logs,
    key,
)


@pytest.fixture
def logs() -> Logs:
    return Logs()


class Life:
    """Processes on these logs, one after the other; an indexer beside them."""

    def __init__(self, logs: Logs, folder: Path) -> None:
        self.logs = logs
        self.folder = folder
        self.process: IndexProcess | None = None
        self.indexer = IndexerProcess(logs)

    async def begin(self, disk: str = "a") -> IndexProcess:
        self.process = process = IndexProcess(self.logs, self.folder / disk)
        await process.assign()
        await process.turn(2)
        return process

    async def know(self, *results: tuple[int, int]) -> None:
        """These are in the results, and in the index; `number, offset`."""
        if not self.indexer.consumer.assigned:
            await self.indexer.assign()
        for number, offset in results:
            self.logs.result(number, offset)
        await self.indexer.turn(3)

    async def pass_time(self, milliseconds: int = WAIT + MINUTE) -> None:
        """The index has taken in everything that was written until then."""
        self.logs.now += milliseconds
        await self.know()

    async def restart(self, disk: str = "a") -> IndexProcess:
        assert self.process is not None
        await self.process.stop()
        return await self.begin(disk)


@pytest.fixture
def life(logs: Logs, tmp_path: Path) -> Iterator[Life]:
    made = Life(logs, tmp_path)
    yield made
    if made.process is not None:
        made.process.kill()


def at(number: int) -> TopicPartition:
    """The partition of receipts that say `number`."""
    return TopicPartition(ENTRIES, partition(key(number), PARTITIONS))


async def test_a_receipt_finds_its_message_whichever_comes_first(life: Life, logs: Logs) -> None:
    process = await life.begin()
    logs.report(1)
    await process.turn()
    await life.know((1, 11), (2, 12))
    await process.turn(2)
    logs.report(2)
    await process.turn()
    assert logs.matched == [(1, 11), (2, 12)]
    assert logs.why == []


async def test_what_waits_is_found_again_by_a_process_without_a_disk(life: Life, logs: Logs) -> None:
    process = await life.begin()
    for number in range(6):
        logs.report(number)
    await process.turn(2)
    assert sum(said[0] for said in logs.committed.values()) == 6
    await life.know((0, 10), (1, 11))
    await process.turn(2)
    for number in range(6, 9):
        logs.report(number)
    process = await life.restart("b")
    await process.turn(3)
    assert len(process.waiting) == 7
    await life.know(*((number, 10 + number) for number in range(2, 9)))
    await process.turn(3)
    assert set(logs.matched) == {(number, 10 + number) for number in range(9)}


async def test_what_was_fetched_before_a_partition_was_open_is_not_taken_for_where_it_begins(
    life: Life, logs: Logs
) -> None:
    """aiokafka fetches from the committed offset on while it is opened, and begins again where that says."""
    process = await life.begin()
    logs.report(1)
    await process.turn(2)
    await process.stop()
    logs.report(1)
    process = IndexProcess(logs, life.folder / "b")
    life.process = process
    await process.assign()
    process.entries.resume(*process.entries.assigned)  # a fetcher that was faster than the pause
    turn = asyncio.ensure_future(process.join._run_turn())
    assert process.join._to_open is not None
    async with process.join._turn:
        for _ in range(10):
            await asyncio.sleep(0)
        assert process.entries.assigned[at(1)] == 2
    await asyncio.gather(turn, process.join._open(process.join._to_open))
    await process.turn(3)
    assert len(process.waiting) == 2


async def test_opening_does_not_keep_the_group_waiting(life: Life, logs: Logs) -> None:
    """While aiokafka tells of partitions it sends no heartbeat: nothing may be read in it."""
    process = IndexProcess(logs, life.folder / "a")
    life.process = process
    await process.assign()
    assert process.join.status.partitions == 0
    assert process.entries.paused == set(process.entries.assigned)
    await process.turn()
    assert process.join.status.partitions == PARTITIONS
    assert process.entries.paused == set()


async def test_entries_wait_in_their_topic_while_the_index_is_read(
    life: Life, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.stream.receipts.index_join.INDEX", 1)
    await life.know((1, 11), (2, 12), (3, 13), (4, 14))
    for number in range(1, 5):
        logs.report(number)
    process = IndexProcess(logs, life.folder / "a")
    life.process = process
    await process.assign()
    await process.turn()
    assert process.join.status.behind > 0
    assert process.join.status.reason
    assert logs.matched == []
    await process.turn(40)
    assert process.join.status.reason == ""
    assert logs.matched == [(number, number + 10) for number in range(1, 5)]


@pytest.mark.parametrize("step", ["before writing", "after writing"])
async def test_one_that_is_killed_while_it_writes_loses_nothing_and_keeps_nothing_twice(
    life: Life, logs: Logs, step: str
) -> None:
    process = await life.begin()
    logs.report(1)
    logs.report(2)
    await process.turn()
    process.writing.die = step
    await life.pass_time()
    with pytest.raises(KilledError):
        await process.turn(2)
    process.kill()
    process = await life.begin()
    await process.turn(3)
    assert logs.why == ["unknown", "unknown"]
    await life.know((1, 11), (2, 12))
    await process.turn(2)
    assert set(logs.matched) == {(1, 11), (2, 12)}


async def test_entries_that_are_given_up_are_read_again_together(life: Life, logs: Logs) -> None:
    process = await life.begin()
    for _ in range(50):
        logs.report(1)
    await process.turn()
    await life.pass_time()
    await process.turn(2)
    assert logs.why == ["unknown"] * 50
    await life.know((1, 11))
    await process.turn(2)
    assert logs.matched == [(1, 11)] * 50
    assert process.cluster.read == [(at(1), 0, 50)]


async def test_what_another_one_gave_up_is_found_by_who_knows_its_message(life: Life, logs: Logs) -> None:
    """The other one died between giving up and finding it: its disk has it as late, this one never had."""
    process = await life.begin("a")
    logs.report(1)
    await process.turn(2)
    await process.stop()
    process = await life.begin("b")
    await life.pass_time()
    await process.turn(2)
    assert logs.why == ["unknown"]
    await process.stop()
    logs.report(2)  # so that "a" takes the index in before it reads what is unmatched
    await life.know((1, 11))
    shutil.rmtree(life.folder / "b")
    monk = TopicPartition(UNMATCHED, at(1).partition)
    kept, logs.records[monk] = logs.records[monk], []
    process = await life.begin("a")
    await process.stop()
    logs.records[monk] = kept
    process = await life.begin("a")
    await process.turn(2)
    assert (1, 11) in logs.matched


async def test_an_offset_that_nobody_can_have_looked_up_is_no_settled_one(life: Life, logs: Logs) -> None:
    forged = (b"x" * 16, b"{}", [("settles", f"{ENTRIES}/{at(1).partition}/0".encode())])
    logs.append(TopicPartition(UNMATCHED, at(1).partition), forged)
    process = await life.begin()
    logs.report(1)
    await life.know((1, 11))
    await process.turn(3)
    assert logs.matched == [(1, 11)]


async def test_the_commit_says_from_where_on_entries_wait(life: Life, logs: Logs) -> None:
    process = await life.begin()
    for _ in range(3):
        logs.report(1)
    await process.turn(2)
    tp = at(1)
    offset, metadata = logs.committed[GROUP, tp]
    assert (offset, waiting_from(metadata, offset)) == (3, 0)
    await life.know((1, 11))
    await process.turn(3)
    offset, metadata = logs.committed[GROUP, tp]
    assert (offset, waiting_from(metadata, offset)) == (3, 3)


@pytest.mark.parametrize("topic", [ENTRIES, INDEX, MATCHED, UNMATCHED])
@pytest.mark.parametrize("partitions", [0, PARTITIONS + 1])
async def test_topics_that_are_gone_or_have_other_partitions_end_it(
    life: Life, logs: Logs, topic: str, partitions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.stream.receipts.index_join.LOOK_SECONDS", 0)
    process = await life.begin()
    logs.numbers[topic] = partitions
    with pytest.raises(TopicError, match=topic.replace(".", r"\.")):
        await process.join.watch()
    await process.stop()
    with pytest.raises(TopicError):
        await life.begin()


async def test_a_lost_index_topic_is_told_with_what_has_to_be_done_for_it(life: Life, logs: Logs) -> None:
    logs.numbers[INDEX] = 0
    with pytest.raises(TopicError, match="offsets of group 'sms-connector-indexer'"):
        await life.begin()


async def test_an_index_on_disk_of_a_topic_that_was_made_anew_is_made_anew(life: Life, logs: Logs) -> None:
    await life.know((1, 11))
    process = await life.begin()
    await process.turn()
    logs.report(1)
    await process.turn()
    assert logs.matched == [(1, 11)]
    await process.stop()
    for number in range(PARTITIONS):
        logs.records[TopicPartition(INDEX, number)] = []
    await life.know((2, 22))
    await life.pass_time()
    process = await life.begin()
    logs.report(1)
    await process.turn(3)
    assert logs.matched == [(1, 11)]
    assert len(process.waiting) == 1


async def test_a_partition_more_of_the_results_keeps_what_waits_until_something_is_known_of_it(
    life: Life, logs: Logs
) -> None:
    process = await life.begin()
    logs.report(1)
    await process.turn()
    logs.numbers[TOPICS.results] = 3
    process = await life.restart()
    await life.pass_time()
    await process.turn(3)
    assert logs.why == []
    life.indexer = IndexerProcess(logs)
    await life.indexer.assign(0, 1, 2)
    await life.pass_time()
    await process.turn(3)
    assert logs.why == ["unknown"]


async def test_it_says_how_far_behind_the_index_is_also_before_anything_is_known(life: Life, logs: Logs) -> None:
    process = IndexProcess(logs, life.folder / "a")
    life.process = process
    assert process.join.status.lag is None
    await process.assign()
    await process.turn()
    process.clock.advance(300)
    assert process.join.status.lag == pytest.approx(301)


# ---- in any order, with processes that come and go ------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("report"), st.integers(0, 3)),
        st.tuples(st.just("know"), st.integers(0, 3)),
        st.tuples(st.just("know two"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["turn", "time", "index again", "yesterday", "keep"]), st.just(0)),
        st.tuples(st.just("restart"), st.integers(0, 2)),
        st.tuples(st.just("killed before writing"), st.integers(0, 2)),
        st.tuples(st.just("killed after writing"), st.integers(0, 2)),
    ),
    max_size=30,
)


@settings(max_examples=30, deadline=None)
@given(STEPS)
def test_in_any_order_every_receipt_is_found_or_kept_with_the_reason_or_waits(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    asyncio.run(_live(tmp_path_factory.mktemp("life"), steps))


async def _live(folder: Path, steps: list[tuple[str, int]]) -> None:
    logs = Logs()
    life = Life(logs, folder)
    process = await life.begin("0")
    disk, messages = 0, 0
    known: dict[int, set[int]] = {}
    for what, number in steps:
        if what == "report":
            logs.report(number)
        elif what in ("know", "know two"):
            for _ in range(1 if what == "know" else 2):
                messages += 1
                known.setdefault(number, set()).add(messages)
                logs.result(number, messages)
            await life.know()
        elif what == "turn":
            await process.turn(2)
        elif what == "time":
            await process.turn(1)
            await life.pass_time()
        elif what == "index again":  # its offsets were not committed
            life.indexer = IndexerProcess(logs)
            logs.committed = {said: at for said, at in logs.committed.items() if said[0] == GROUP}
        elif what == "keep":
            await process.stop()
            shutil.rmtree(folder / "kept", ignore_errors=True)
            shutil.copytree(folder / str(disk), folder / "kept")
            process = await life.begin(str(disk))
        elif what == "yesterday" and (folder / "kept").exists():
            await process.stop()
            shutil.rmtree(folder / str(disk))
            shutil.copytree(folder / "kept", folder / str(disk))
            process = await life.begin(str(disk))
        elif what == "restart":
            await process.stop()
            disk = number
            process = await life.begin(str(disk))
        elif what.startswith("killed"):
            process.writing.die = what.removeprefix("killed ")
            try:
                await process.turn(2)
            except KilledError:
                process.kill()
                disk = number
                process = await life.begin(str(disk))
            process.writing.die = ""
    await life.know()
    await process.turn(4)
    waiting = process.waiting
    found = logs.matched
    unmatched = logs.unmatched
    process.kill()
    said = {f"{tp.topic}/{tp.partition}/{it.offset}": int.from_bytes(it.key, "big") for tp, it in logs.all(ENTRIES)}
    for number, message in found:
        assert message in known[number]
    assert all(len(kept) == 1 for kept in unmatched.values()), "kept twice"
    about = {number for number, _ in found}
    for place, number in said.items():
        assert place in waiting or place in unmatched or number in about, f"{place} is lost"
        if len(known.get(number, ())) == 1:
            assert number in about, f"{place} is not found"
            assert place not in waiting
        if number not in known:
            assert number not in about
    counts = [sum(1 for it in said.values() if it == number) for number in known if len(known[number]) == 1]
    assert sum(1 for number, _ in found if len(known[number]) == 1) >= sum(counts)
