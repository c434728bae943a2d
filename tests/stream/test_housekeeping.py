"""What goes on while partitions are owned, through an outage of the brokers."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import CommitFailedError, NodeNotReadyError

from connector.clock import ManualClock
from connector.settings.model import Settings
from connector.stream.epoch import housekeeping as room
from connector.stream.epoch.housekeeping import PURGE_SECONDS, Housekeeping
from connector.stream.membership.lease import Lease
from connector.stream.output.producer import Producer
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.committer import Committer
from connector.stream.partitions.formats import ends_of
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from tests.waiting import eventually

SETTINGS = Settings.model_validate(
    {"group": "test", "providers": ["fake"], "start_from": "earliest", "timeouts": {"commit_interval": "10ms"}}
)


class Away:
    """A cluster whose brokers do not answer."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.asked = 0
        self.again = asyncio.Event()

    async def committed(self, group: str, topics: Any) -> Any:
        self.asked += 1
        self._clock.advance(PURGE_SECONDS)
        if self.asked == 2:
            self.again.set()
        raise NodeNotReadyError("node 1")


async def committed(offsets: Any) -> None: ...


class Cut:
    """A producer; counts how often its connections are reset."""

    def __init__(self) -> None:
        self.count = 0

    def cut(self) -> None:
        self.count += 1


def proven(clock: ManualClock) -> Lease:
    lease = Lease(clock, seconds=5)
    lease.prove(clock.monotonic())
    return lease


def housekeeping(
    owned: Assignment,
    clock: ManualClock,
    lease: Lease,
    *,
    commit: Any,
    cluster: object = None,
    producer: object = None,
) -> Housekeeping:
    return Housekeeping(
        owned,
        lease=lease,
        producer=cast(Producer, producer or Cut()),
        sources=Committer(SimpleNamespace(commit=commit)),
        retries=Committer(SimpleNamespace(commit=commit)),
        cluster=cast(Cluster, cluster),
        clock=clock,
        settings=SETTINGS,
    )


async def test_retry_records_that_cannot_be_deleted_in_an_outage_are_tried_again_later() -> None:
    """It once ended the worker after a minute without brokers, and every other worker with it."""
    clock = ManualClock()
    cluster, owned = Away(clock), Assignment()
    owned.live = True
    lease = Lease(clock, seconds=1e9)
    lease.prove(clock.monotonic())
    loop = asyncio.ensure_future(housekeeping(owned, clock, lease, commit=committed, cluster=cluster).committing())
    await asyncio.sleep(0)
    clock.advance(PURGE_SECONDS)
    waiting = asyncio.ensure_future(cluster.again.wait())
    await asyncio.wait({loop, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert not loop.done()
    assert waiting.done()
    loop.cancel()


def a_partition() -> Partition:
    return Partition("sms", 0, Ledger(5), ReplayMarks(5, {}), {}, 5, OffsetSet(9))


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("owns", "accepted", "certain", "cuts"),
    [
        (True, True, True, 1),
        (True, False, False, 1),  # what waits to be written must not be let go
        (False, False, False, 0),  # there is nothing to ask for
    ],
)
async def test_without_heartbeats_nothing_goes_on_before_the_group_says_so(
    monkeypatch: pytest.MonkeyPatch, owns: bool, accepted: bool, certain: bool, cuts: int
) -> None:
    """Asked at once, not at the next heartbeat; what was on its way to a broker that does not answer is recalled."""
    monkeypatch.setattr(room, "TICK_SECONDS", 0)
    clock, owned, producer = ManualClock(), Assignment(), Cut()
    lease = proven(clock)
    if owns:
        owned.own([a_partition()], [], 1)
    owned.live = True

    async def commit(offsets: Any) -> None:
        if not accepted:
            raise CommitFailedError("another member owns them")
        lease.prove(clock.monotonic())  # as the coordinator reports it

    clock.advance(6)
    loop = asyncio.ensure_future(housekeeping(owned, clock, lease, commit=commit, producer=producer).ticking())
    await turns()
    assert not loop.done()
    assert lease.certain is certain
    assert producer.count == cuts
    loop.cancel()


async def test_an_answer_that_does_not_come_holds_up_no_later_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit may wait for as long as the brokers are away; the heartbeat that is answered before lets go at once."""
    monkeypatch.setattr(room, "TICK_SECONDS", 0)
    clock, owned = ManualClock(), Assignment()
    lease = proven(clock)
    owned.own([a_partition()], [], 1)
    asked = 0

    async def commit(offsets: Any) -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    clock.advance(6)
    loop = asyncio.ensure_future(housekeeping(owned, clock, lease, commit=commit).ticking())
    waiter = asyncio.ensure_future(lease.changed())
    await turns()
    assert asked == 1
    assert not waiter.done()
    lease.prove(clock.monotonic())
    await turns()
    assert waiter.done()
    loop.cancel()


async def test_nothing_is_committed_while_the_membership_is_in_doubt() -> None:
    """It would be repeated for as long as the brokers are away, and be one commit of many when they are back."""
    clock, owned = ManualClock(), Assignment()
    lease = proven(clock)
    owned.own([a_partition()], [], 1)
    owned.sources[0].committed = 3
    owned.live = True
    clock.advance(6)
    seen: list[Any] = []

    async def commit(offsets: Any) -> None:
        seen.append(offsets)

    loop = asyncio.ensure_future(housekeeping(owned, clock, lease, commit=commit).committing())
    await asyncio.sleep(SETTINGS.timeouts.commit_interval * 3)
    assert not seen
    lease.prove(clock.monotonic())
    await eventually(lambda: seen, "a commit")
    loop.cancel()


@pytest.mark.parametrize(("age", "pause"), [(0, room.CALM_TICK_SECONDS), (6, room.TICK_SECONDS)])
async def test_it_looks_often_only_while_somebody_may_wait_for_the_lease(
    age: float, pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten wake-ups a second of a worker that has nothing to do were a fifth of what it cost."""
    clock, slept = ManualClock(), asyncio.get_running_loop().create_future()
    lease = proven(clock)
    clock.advance(age)

    async def sleep(seconds: float) -> None:
        slept.set_result(seconds)
        await asyncio.Event().wait()

    monkeypatch.setattr(f"{room.__name__}.asyncio.sleep", sleep)
    loop = asyncio.ensure_future(housekeeping(Assignment(), clock, lease, commit=cast(Any, None)).ticking())
    assert await asyncio.wait_for(slept, 10) == pause
    loop.cancel()


def retry_partition(ends: dict[str, int], *, admitted: int = 0, waiting: int = 10) -> Partition:
    """Committed up to 5; of the records behind that so many are admitted and open."""
    made = Partition("r.1h", 0, Ledger(5), ReplayMarks(5, dict(ends)), dict(ends), 5, OffsetSet(9), log_end=5 + waiting)
    for offset in range(5, 5 + admitted):
        made.ledger.admit(offset)
    return made


@pytest.mark.parametrize(
    ("admitted", "waiting", "renewed"),
    [
        (0, 10, True),
        (1, 10, False),  # its result may be anywhere from there on
        (0, 0, False),  # a new owner reads nothing for it
    ],
)
async def test_records_that_wait_for_long_do_not_have_everything_since_read_back(
    admitted: int, waiting: int, renewed: bool
) -> None:
    """What was written meanwhile, for others, is told by the partitions they belong to."""
    owned, seen = Assignment(), []
    source = a_partition()
    source.note_end("results", 1_000_000)
    retry = retry_partition({"results": 3, "r.1h": 5}, admitted=admitted, waiting=waiting)
    owned.own([source], [retry], 1)

    async def commit(offsets: Any) -> None:
        seen.extend((tp.topic, it.offset, ends_of(it.metadata)) for tp, it in offsets.items())

    clock = ManualClock()
    keeping = housekeeping(owned, clock, proven(clock), commit=commit)
    await keeping.renew()
    await keeping.renew()  # nothing has moved since
    assert seen == ([("r.1h", 5, {"results": 1_000_000, "r.1h": 5})] if renewed else [])
