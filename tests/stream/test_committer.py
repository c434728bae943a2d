"""Commits: one at a time, whoever asks for them, and their answers believed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiokafka.errors import CommitFailedError
from hypothesis import given, settings
from hypothesis import strategies as some

from connector.stream.partitions.committer import Committer
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from tests.thorough import examples


class Broker:
    """Answers commits when told to; counts how many are open at once."""

    def __init__(self) -> None:
        self.open: list[asyncio.Future[None]] = []
        self.most = 0
        self.seen: list[list[int]] = []

    async def commit(self, offsets: Mapping[Any, Any]) -> None:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.open.append(answer)
        self.seen.append([it.offset for it in offsets.values()])
        self.most = max(self.most, len(self.open))
        try:
            await answer
        finally:
            self.open.remove(answer)

    def answer(self, error: Exception | None = None) -> None:
        for each in self.open:
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)


def partition(*, position: int = 5, committed: int = 3) -> Partition:
    return Partition("sms", 0, Ledger(position), ReplayMarks(position, {}), {}, committed, OffsetSet(9))


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_closing_epoch_and_the_periodic_commit_never_have_two_commits_outstanding() -> None:
    """Both waited for the same slow commit, both went on in the same turn: the second one overwrote the first, and
    whoever came third looked at a commit that was no longer there.
    """
    broker = Broker()
    committer, mine = Committer(broker), partition()
    slow = asyncio.ensure_future(committer.commit([mine], seconds=60))
    await turns()
    mine.ledger = Ledger(9)
    waiting = [asyncio.ensure_future(committer.commit([mine], seconds=60)) for _ in range(2)]
    waiting.append(asyncio.ensure_future(committer.confirm([mine], seconds=60)))
    for _ in range(6):
        await turns()
        broker.answer()
    await turns()
    assert [await it for it in (slow, *waiting)] == [True] * 4
    assert broker.most == 1
    assert broker.seen == [[5], [9], [9]]  # the second of the two found nothing left to commit
    assert mine.committed == 9


async def test_a_commit_without_an_answer_holds_up_nobody_for_longer_than_he_waits() -> None:
    broker = Broker()
    committer, mine = Committer(broker), partition()
    assert not await committer.commit([mine], seconds=0.001)
    assert not await committer.commit([mine], seconds=0.001)
    assert not await committer.confirm([mine], seconds=0.001)
    assert len(broker.seen) == 1
    broker.answer()
    await turns()
    assert mine.committed == 5
    assert await committer.commit([mine], seconds=1)


async def test_a_refused_commit_leaves_the_position_to_whoever_owns_the_partition_now() -> None:
    broker = Broker()
    committer, mine = Committer(broker), partition()
    asked = asyncio.ensure_future(committer.commit([mine], seconds=60))
    await turns()
    broker.answer(CommitFailedError("rebalanced"))
    assert not await asked
    assert mine.committed == 3


async def test_what_was_never_committed_confirms_nothing() -> None:
    """Offset -1 is none: a broker may take it, and a new owner would begin there."""
    broker = Broker()
    assert await Committer(broker).confirm([partition(committed=-1)], seconds=1)
    assert broker.seen == []


@settings(max_examples=examples(50), deadline=None)
@given(some.lists(some.sampled_from(["commit", "confirm", "answer", "refuse", "move", "turn"]), max_size=40))
def test_one_at_a_time_in_every_order_of_calls_and_answers(steps: list[str]) -> None:
    async def play() -> None:
        broker = Broker()
        committer, mine = Committer(broker), partition()
        asked = []
        for step in steps:
            if step in ("commit", "confirm"):
                asked.append(asyncio.ensure_future(getattr(committer, step)([mine], seconds=60)))
            elif step == "answer":
                broker.answer()
            elif step == "refuse":
                broker.answer(CommitFailedError("rebalanced"))
            elif step == "move":
                mine.ledger = Ledger(mine.ledger.position + 1)
            await turns(3)
            assert broker.most <= 1
        while any(not it.done() for it in asked):
            broker.answer()
            await turns(3)
        assert mine.committed <= mine.ledger.position

    asyncio.run(play())


@pytest.mark.parametrize("ended", ["refused", "cancelled"])
async def test_the_next_commit_goes_on_after_one_that_failed(ended: str) -> None:
    broker = Broker()
    committer, mine = Committer(broker), partition()
    asked = asyncio.ensure_future(committer.commit([mine], seconds=60))
    await turns()
    if ended == "refused":
        broker.answer(CommitFailedError("rebalanced"))
    else:
        broker.open[0].cancel()
    assert not await asked
    again = asyncio.ensure_future(committer.commit([mine], seconds=60))
    await turns()
    broker.answer()
    assert await again
