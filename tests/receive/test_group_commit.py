"""Requests that write together: few batches, each acknowledged before anybody is told, within bounds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from connector.clock import SystemClock
from connector.kafka.batches import unpack
from connector.kafka.renewed_producer import LogPlace
from connector.receive.group_commit import FullError, GroupCommit, NotWrittenError

PLACE, OTHER = LogPlace("sms.receipts.matched", 0), LogPlace("sms.receipts.matched", 1)


class Sink:
    """Takes batches, and acknowledges when told.

    Attributes:
        batches: place and values of each.
    """

    def __init__(self, *, batch_bytes: int = 16384) -> None:
        self.batches: list[tuple[LogPlace, list[bytes | None]]] = []
        self.futures: list[asyncio.Future[Any]] = []
        self.arrived = asyncio.Event()
        self._bytes = batch_bytes

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self._bytes, 0, is_transactional=False)

    async def put(self, batch: BatchBuilder, topic: str, partition: int) -> asyncio.Future[Any]:
        self.batches.append((LogPlace(topic, partition), [value for _, value, _ in unpack(batch)]))
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        self.arrived.set()
        return future

    async def next(self, number: int) -> None:
        while len(self.batches) < number:
            self.arrived.clear()
            await self.arrived.wait()


def record(value: bytes) -> tuple[None, bytes, list[tuple[str, bytes]]]:
    return None, value, [("h", b"1")]


def commit(sink: Sink, most: int = 100_000) -> GroupCommit:
    return GroupCommit(sink, most=most, clock=SystemClock())


async def test_what_comes_together_is_one_batch_per_partition() -> None:
    sink = Sink()
    group = commit(sink)
    done = [group.add([(PLACE, record(b"%d" % number))]) for number in range(5)]
    done.append(group.add([(OTHER, record(b"5"))]))
    await sink.next(2)
    assert sorted(sink.batches) == [(PLACE, [b"0", b"1", b"2", b"3", b"4"]), (OTHER, [b"5"])]
    for future in sink.futures:
        future.set_result(None)
    await asyncio.gather(*done)
    assert group.bytes == 0


async def test_nobody_is_told_before_the_last_of_its_records_is_acknowledged() -> None:
    sink = Sink()
    group = commit(sink)
    done = group.add([(PLACE, record(b"1")), (OTHER, record(b"2"))])
    await sink.next(2)
    sink.futures[0].set_result(None)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not done.done()
    sink.futures[1].set_result(None)
    await done


async def test_while_a_batch_is_under_way_the_next_one_fills() -> None:
    sink = Sink()
    group = commit(sink)
    first = group.add([(PLACE, record(b"1"))])
    await sink.next(1)
    later = [group.add([(PLACE, record(b"%d" % number))]) for number in (2, 3, 4)]
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(sink.batches) == 1
    sink.futures[0].set_result(None)
    await first
    await sink.next(2)
    assert sink.batches[1] == (PLACE, [b"2", b"3", b"4"])
    sink.futures[1].set_result(None)
    await asyncio.gather(*later)


async def test_more_than_may_wait_is_refused_at_once_and_as_a_whole() -> None:
    sink = Sink()
    group = commit(sink, most=1000)
    group.add([(PLACE, record(b"x" * 300))])
    with pytest.raises(FullError):
        group.add([(PLACE, record(b"1")), (OTHER, record(b"x" * 300))])
    await sink.next(1)
    assert len(sink.batches) == 1
    sink.futures[0].set_result(None)
    assert await group.flush(5)
    done = group.add([(PLACE, record(b"x" * 300))])
    await sink.next(2)
    sink.futures[1].set_result(None)
    await done


async def test_what_is_refused_is_told_to_those_whose_it_is_and_to_no_other() -> None:
    sink = Sink()
    group = commit(sink)
    bad, good = group.add([(PLACE, record(b"1"))]), group.add([(OTHER, record(b"2"))])
    await sink.next(2)
    answers = {place: future for (place, _), future in zip(sink.batches, sink.futures, strict=True)}
    answers[PLACE].set_exception(MessageSizeTooLargeError())
    answers[OTHER].set_result(None)
    with pytest.raises(NotWrittenError):
        await bad
    await good
    assert group.bytes == 0
    again = group.add([(PLACE, record(b"3"))])
    await sink.next(3)
    sink.futures[2].set_result(None)
    await again
    assert not group.failing


async def test_who_gives_up_leaves_its_records_to_be_written_and_counted() -> None:
    sink = Sink()
    group = commit(sink)
    done = group.add([(PLACE, record(b"1"))])
    await sink.next(1)
    done.cancel()
    assert group.bytes > 0
    sink.futures[0].set_result(None)
    assert await group.flush(5)
    assert group.bytes == 0


async def test_records_that_fill_several_batches_are_written_in_order() -> None:
    sink = Sink(batch_bytes=1000)
    group = commit(sink)
    done = group.add([(PLACE, record(b"%d" % number * 300)) for number in range(1, 6)])
    await sink.next(2)
    while not done.done():
        for future in sink.futures:
            if not future.done():
                future.set_result(None)
        await asyncio.sleep(0)
    assert [value[:1] for _, values in sink.batches for value in values if value] == [b"1", b"2", b"3", b"4", b"5"]


async def test_a_record_larger_than_a_batch_goes_alone() -> None:
    sink = Sink(batch_bytes=500)
    group = commit(sink)
    done = group.add([(PLACE, record(b"x" * 2000)), (PLACE, record(b"y"))])
    await sink.next(2)
    for future in sink.futures:
        future.set_result(None)
    await done
    assert [len(values) for _, values in sink.batches] == [1, 1]


async def test_flushing_ends_by_its_deadline() -> None:
    sink = Sink()
    group = commit(sink)
    group.add([(PLACE, record(b"1"))])
    assert not await group.flush(0.0)
    await sink.next(1)
    sink.futures[0].set_result(None)
    assert await group.flush(5)


async def test_a_fault_of_ours_is_told_too_and_ends_nothing() -> None:
    sink = Sink()
    group = commit(sink)
    make, sink.create_batch = sink.create_batch, None  # type: ignore[assignment,method-assign]
    with pytest.raises(NotWrittenError):
        await group.add([(PLACE, record(b"1"))])
    sink.create_batch = make  # type: ignore[method-assign]
    done = group.add([(PLACE, record(b"2"))])
    await sink.next(1)
    sink.futures[0].set_result(None)
    await done
    assert group.bytes == 0
