"""The journal: its records, and that a batch is durable there before it may leave."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from connector.delivery.queue.item import Item
from connector.stream.output import journal
from connector.stream.output.journal import Entry, Journal
from connector.stream.output.send_permission import SendPermission
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.untrusted import UnreadableError


def partition(number: int) -> Partition:
    return Partition("sms.messages", number, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(100))


def items(origin: Partition, *offsets: int) -> list[Item]:
    return [Item(b"{}", origin, offset, None, datetime.now(UTC)) for offset in offsets]


async def turns() -> None:
    """Let every task get as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_records_come_back():
    """What one worker writes the next one reads."""
    entry = Entry("sent", "sms.messages", [1, 2, 30])
    assert journal.decode(journal.encode(entry)) == entry
    released = Entry("released", "sms.messages", [2])
    assert journal.decode(journal.encode(released)) == released


@pytest.mark.parametrize(
    "value", [None, b"", b"{", b"[]", b'{"sent":[1]}', b'{"topic":"t"}', b'{"topic":"t","sent":["x"]}']
)
def test_foreign_records_are_passed_over(value):
    """A record of another writer cannot stop the opening of a partition."""
    with pytest.raises(UnreadableError):
        journal.decode(value)


def test_what_was_released_may_be_sent_again():
    """The log's order decides: sent, released, sent again."""
    journalled = OffsetSet(100)
    for word, offsets in [("sent", [1, 2]), ("released", [1, 2]), ("sent", [2])]:
        journal.apply(Entry(word, "t", offsets), journalled)
    assert 1 not in journalled
    assert 2 in journalled


@pytest.mark.parametrize(
    ("on_uncertain", "written"), [("report", [[Entry("released", "sms.messages", [1, 2])]]), ("resend", [])]
)
async def test_a_request_that_may_leave_and_does_not_is_taken_back(on_uncertain, written):
    """Who has opted out meanwhile was in it: a worker killed now would have the others end `unknown`, never sent."""
    writes = []

    async def append(_origin, values):
        writes.append([journal.decode(value) for value in values])

    permission = SendPermission(None, pending=None, journal=Journal(SimpleNamespace(append=append)), writable=None)
    await permission.withdraw(SimpleNamespace(on_uncertain=on_uncertain), items(partition(0), 1, 2))
    assert writes == written


async def test_batches_of_one_turn_share_a_record_batch_and_wait_for_it():
    """Two lanes sending in one turn cost one write per partition; neither leaves before it is acknowledged."""
    writes, acknowledged = [], asyncio.Event()

    async def append(origin, values):
        writes.append((origin.partition, [journal.decode(value) for value in values]))
        await acknowledged.wait()

    first, second = partition(0), partition(1)
    log = Journal(SimpleNamespace(append=append))
    one = asyncio.create_task(log.sending("a", items(first, 1, 2)))
    two = asyncio.create_task(log.sending("b", [*items(first, 3), *items(second, 9)]))
    await turns()
    assert not one.done()
    assert not two.done()
    assert sorted((number, [entry.offsets for entry in entries]) for number, entries in writes) == [
        (0, [[1, 2], [3]]),
        (1, [[9]]),
    ]
    acknowledged.set()
    await asyncio.gather(one, two)


async def test_what_comes_while_a_partition_is_written_shares_its_next_write():
    """However many requests leave, each partition has one write on its way; another one's does not hold it up."""
    writes, acknowledged = [], asyncio.Semaphore(0)

    async def append(origin, values):
        writes.append((origin.partition, [journal.decode(value).offsets for value in values]))
        if origin.partition == 0:
            await acknowledged.acquire()

    log, slow, quick = Journal(SimpleNamespace(append=append)), partition(0), partition(1)
    one = asyncio.create_task(log.sending("a", items(slow, 1)))
    await turns()
    two = asyncio.create_task(log.sending("b", items(slow, 2)))
    await turns()
    three = asyncio.create_task(log.release([*items(slow, 3), *items(quick, 9)]))
    await turns()
    assert writes == [(0, [[1]]), (1, [[9]])]
    assert [it.done() for it in (one, two, three)] == [False] * 3
    acknowledged.release()
    await turns()
    assert one.done()
    assert writes[2:] == [(0, [[2], [3]])]
    assert [it.done() for it in (two, three)] == [False] * 2
    acknowledged.release()
    await asyncio.gather(two, three)
    await log.sending("d", items(quick, 10))
    assert writes[3:] == [(1, [[10]])]


async def test_a_request_that_is_given_up_takes_no_write_along():
    """Another one waits for it."""
    acknowledged = asyncio.Event()

    async def append(origin, values):
        await acknowledged.wait()

    log, origin = Journal(SimpleNamespace(append=append)), partition(0)
    given_up = asyncio.create_task(log.sending("a", items(origin, 1)))
    other = asyncio.create_task(log.sending("b", items(origin, 2)))
    await turns()
    given_up.cancel()
    await turns()
    acknowledged.set()
    await other
    assert given_up.cancelled()


async def test_a_write_that_fails_stops_the_batch():
    """Without the journal entry the batch must not leave."""

    async def append(origin, values):
        raise ConnectionError

    log = Journal(SimpleNamespace(append=append))
    for offset in (1, 2):  # the next one is written all the same
        with pytest.raises(ConnectionError):
            await log.sending("a", items(partition(0), offset))


async def test_a_write_that_is_cancelled_lets_no_request_leave():
    """Nor does the one that waits behind it; what comes afterwards is written."""
    written, acknowledged = [], asyncio.Event()

    async def append(origin, values):
        await acknowledged.wait()
        written.extend(journal.decode(value).offsets for value in values)

    log, origin = Journal(SimpleNamespace(append=append)), partition(0)
    one = asyncio.create_task(log.sending("a", items(origin, 1)))
    await turns()
    two = asyncio.create_task(log.sending("b", items(origin, 2)))
    await turns()
    for write in asyncio.all_tasks() - {one, two, asyncio.current_task()}:
        write.cancel()
    await turns()
    assert (one.cancelled(), two.cancelled()) == (True, True)
    acknowledged.set()
    await log.sending("c", items(origin, 3))
    assert written == [[3]]
