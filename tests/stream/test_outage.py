"""Brokers that are away for a while: whoever asks them from a task that must not end waits, and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    BrokerNotAvailableError,
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    KafkaConnectionError,
    KafkaTimeoutError,
    LeaderNotAvailableError,
    NodeNotReadyError,
    NotCoordinatorForGroupError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
    ReplicaNotAvailableError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
    UnknownError,
    UnknownTopicOrPartitionError,
)
from faust.transport.drivers import aiokafka as driver

from connector.clock import ManualClock
from connector.errors import ConfigurationError
from connector.kafka import outage
from connector.kafka.fetched import Fetched, ReadOptions
from connector.kafka.outage import Outlast
from connector.kafka.skipped import Skipped
from connector.settings.model import Settings
from connector.stream.control.topic_reader import ControlTopicReader
from connector.stream.epoch import housekeeping as upkeep_room
from connector.stream.epoch.housekeeping import Housekeeping
from connector.stream.faust.consumer import ConsumerThread
from connector.stream.intake.admission import Admission
from connector.stream.intake.budget import Budget
from connector.stream.output.dispatch import BatchPlace, Dispatch
from connector.stream.output.read_back import ReadBack
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.committer import Committer
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry.retry_reader import RetryReader
from connector.stream.worker import Worker
from tests.stream.members import membership

PASSING = [
    KafkaConnectionError("no broker"),
    NodeNotReadyError("node 1"),
    RequestTimedOutError(),
    NotLeaderForPartitionError(),
    LeaderNotAvailableError(),
    UnknownTopicOrPartitionError(),
    GroupCoordinatorNotAvailableError(),
    GroupLoadInProgressError(),
    NotCoordinatorForGroupError(),
    KafkaTimeoutError(),
    BrokerNotAvailableError(),
    ReplicaNotAvailableError(),
    UnknownError(),
    OSError("no route to host"),
    ConnectionResetError(),
    TimeoutError(),
]
REFUSALS = [TopicAuthorizationFailedError("sms"), GroupAuthorizationFailedError("texts")]
TP = TopicPartition("sms", 3)
PATIENCE = 120.0

Fail = Callable[[], None]


def a_partition() -> Partition:
    return Partition("sms", 3, Ledger(100), ReplayMarks(100, {}), {}, 100, OffsetSet(100))


def outlast() -> Outlast:
    return Outlast(ManualClock(), patience=PATIENCE)


# ---- whoever asks: each calls `fail` where Kafka is asked, and returns once it has gone on ---------------------------


async def passed_over(fail: Fail) -> None:
    """The fetcher has passed over events."""
    owned, partition, admitted = Assignment(), a_partition(), []
    owned.own([partition], [], 7)
    owned.live = True

    async def read_between(_: TopicPartition, start: int, end: int, **__: Any) -> Fetched:
        fail()
        found = Fetched(start)
        found += [SimpleNamespace(offset=offset, value=b"") for offset in range(start, end)]
        found.end = end
        return found

    def admit(_: Partition, its: Fetched) -> None:
        admitted.extend(it.offset for it in its if partition.ledger.admit(it.offset))

    admission = Admission(
        owned,
        intake=cast(Any, SimpleNamespace(admit=admit)),
        budget=Budget(messages=1000, bytes_=1 << 20),
        head_of_line=cast(Any, None),
        lanes={},
        progress=SimpleNamespace(caught_up=False),
        span=1000,
        cluster=cast(Any, SimpleNamespace(read_between=read_between)),
        outlast=outlast(),
    )
    later = Fetched(103)
    later.append(SimpleNamespace(offset=103, value=b""))
    later.end = 104
    await admission.admit(SimpleNamespace(topic="sms", generation_id=7, value=[(3, later)]))
    assert admitted == [100, 101, 102, 103]


async def opening(fail: Fail, *, at: str) -> None:
    """The worker opens partitions: at connecting, or at any question after that."""
    worker = Worker.__new__(Worker)
    opened: list[int] = []

    async def ask(here: str, *_: Any) -> None:
        if here == at:
            fail()
        if here == "_open":
            opened.append(1)

    worker._parts = cast(Any, SimpleNamespace(owned=Assignment(), outlast=outlast()))
    worker._lifecycle, worker.stopping = asyncio.Lock(), False
    worker.start = lambda: ask("start")  # type: ignore[method-assign]
    worker._open = lambda epoch: ask("_open", epoch)  # type: ignore[method-assign]
    await worker.open()
    assert opened == [1]


async def connecting(fail: Fail) -> None:
    await opening(fail, at="start")


async def reading_back(fail: Fail) -> None:
    await opening(fail, at="_open")


async def following(run: Callable[[], Awaitable[None]], until: asyncio.Event) -> None:
    """Run a loop until it has got something."""
    task, got = asyncio.ensure_future(run()), asyncio.ensure_future(until.wait())
    await asyncio.wait({task, got}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        got.cancel()
        task.result()
    task.cancel()


class Fetching:
    """A consumer: fails, then brings one record, then waits."""

    def __init__(self, fail: Fail) -> None:
        self._fail = fail
        self._brought = False

    async def getmany(self, **_: Any) -> dict[TopicPartition, Fetched]:
        self._fail()
        if self._brought:
            await asyncio.Event().wait()
        self._brought = True
        found = Fetched(0)
        found.append(SimpleNamespace(key=b"k", value=b"v", partition=3, offset=0, timestamp=0))
        found.end = 1
        return {TP: found}

    def pause(self, *_: Any) -> None: ...

    resume = pause


async def control(fail: Fail) -> None:
    """The control topic is followed."""
    applied = asyncio.Event()
    records = cast(Any, SimpleNamespace(apply=lambda *_: applied.set()))
    reader = ControlTopicReader({}, ends=cast(Any, None), topic="sms.control", records=records, skipped=Skipped())
    reader._consumer = cast(Any, Fetching(fail))
    await following(lambda: reader.run(outlast()), applied)


async def retries(fail: Fail) -> None:
    """Retry topics are read."""
    taken = asyncio.Event()

    async def admit_due(_: Partition, __: Fetched) -> None:
        taken.set()

    reader = RetryReader({}, reading=ReadOptions(Skipped()), group="g", delays={"sms": 5}, clock=ManualClock())
    reader._consumer = cast(Any, Fetching(fail))
    reader._assigned = {TP: Partition("sms", 3, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(0))}
    reader.feed()
    await following(lambda: reader.run(outlast(), SimpleNamespace(admit_due=admit_due)), taken)


async def purging(fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished retry records are deleted: those that cannot be now are next time."""
    monkeypatch.setattr(upkeep_room, "PURGE_SECONDS", 0)
    settings = Settings.model_validate({"timeouts": {"commit_interval": "1ms"}})
    owned, purged, clock = Assignment(), asyncio.Event(), ManualClock()
    owned.live = True

    async def committed(*_: Any) -> dict[Any, Any]:
        fail()
        return {}

    async def partitions(*_: Any) -> dict[str, set[int]]:
        return {}

    async def bounds(*_: Any) -> dict[Any, Any]:
        return {}

    async def purge(_: Any) -> None:
        purged.set()

    async def commit(_: Any) -> None: ...

    member = membership(settings, clock)
    member.lease._seconds = 1e9
    member.proved(clock.monotonic())
    cluster = SimpleNamespace(committed=committed, partitions=partitions, bounds=bounds, purge=purge)
    housekeeping = Housekeeping(
        owned,
        lease=member.lease,
        producer=cast(Any, None),
        sources=Committer(SimpleNamespace(commit=commit)),
        retries=Committer(SimpleNamespace(commit=commit)),
        cluster=cast(Any, cluster),
        clock=clock,
        settings=settings,
    )
    await following(housekeeping.committing, purged)


async def committing(fail: Fail) -> None:
    """Offsets are committed: those that cannot be now are next time."""

    async def commit(_: Any) -> None:
        fail()

    partition, committer = a_partition(), Committer(SimpleNamespace(commit=commit))
    partition.committed = 90
    tries = [await committer.commit([partition], seconds=60) for _ in range(4)]
    assert tries == [False, False, False, True]
    assert partition.committed == 100


async def already_written(fail: Fail) -> None:
    """Before a refused batch is repeated it is read what of it is in the log; not knowing, it would be there twice."""
    partition = a_partition()
    partition.live = True

    async def settled_since(_: TopicPartition, __: int) -> set[bytes]:
        fail()
        return {b"sms/3/7"}

    read_back = ReadBack(cast(Any, SimpleNamespace(settled_since=settled_since)), outlast())
    assert await read_back.written(partition, "sms.results") == {b"sms/3/7"}


async def queueing(fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch of results is handed to the producer, which may have to be made anew."""
    monkeypatch.setattr("connector.stream.output.dispatch.AGAIN_SECONDS", 0)

    async def put(*_: Any) -> asyncio.Future[Any]:
        fail()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.set_result(SimpleNamespace(offset=4))
        return future

    dispatch = Dispatch.__new__(Dispatch)
    dispatch._producer = cast(Any, SimpleNamespace(put=put))
    batch = SimpleNamespace(close=lambda: None)
    future = await dispatch._enqueue(cast(Any, batch), BatchPlace(a_partition(), "sms.results", 3))
    assert isinstance(future, asyncio.Future)


async def fetching(fail: Fail, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faust fetches events, on its own thread."""

    async def fetch(*_: Any, **__: Any) -> dict[TopicPartition, list[str]]:
        fail()
        return {TP: ["event"]}

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread._outlast = outlast()
    thread.consumer = SimpleNamespace(flow_active=True)
    assert await thread._fetch_records(SimpleNamespace(), set()) == {TP: ["event"]}


WAIT = [passed_over, connecting, reading_back, control, retries]
"""They outlast missing permissions as well, for a while."""
OTHERS = [committing, already_written]
PATCHED = [purging, queueing, fetching]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "AGAIN_SECONDS", 0)


def failing(error: Exception, times: int) -> tuple[Fail, list[int]]:
    """Raises so often; what was asked stands in the list."""
    asked: list[int] = []

    def fail() -> None:
        asked.append(len(asked))
        if len(asked) <= times:
            raise error

    return fail, asked


@pytest.mark.parametrize("error", PASSING, ids=lambda it: type(it).__name__)
@pytest.mark.parametrize("caller", [*WAIT, *OTHERS, *PATCHED], ids=lambda it: it.__name__)
async def test_an_outage_of_the_brokers_ends_no_worker(
    caller: Callable[..., Awaitable[None]], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail, asked = failing(error, times=3)
    await asyncio.wait_for(caller(fail, monkeypatch) if caller in PATCHED else caller(fail), 10)
    assert len(asked) >= 4


@pytest.mark.parametrize("error", REFUSALS, ids=lambda it: type(it).__name__)
@pytest.mark.parametrize("caller", [*WAIT, fetching], ids=lambda it: it.__name__)
async def test_a_permission_that_is_missing_for_a_moment_ends_no_worker(
    caller: Callable[..., Awaitable[None]], error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail, asked = failing(error, times=3)
    await asyncio.wait_for(caller(fail, monkeypatch) if caller is fetching else caller(fail), 10)
    assert len(asked) >= 4


@pytest.mark.parametrize("caller", WAIT, ids=lambda it: it.__name__)
async def test_what_does_not_pass_is_raised_at_once(caller: Callable[[Fail], Awaitable[None]]) -> None:
    fail, asked = failing(OffsetOutOfRangeError(), times=100)
    with pytest.raises(OffsetOutOfRangeError):
        await asyncio.wait_for(caller(fail), 10)
    assert len(asked) == 1


async def test_who_may_not_read_events_for_too_long_is_told_to_the_membership(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person has to mend it: the epoch is closed in order, and the exit code is 78."""
    settings = Settings()
    member = membership(settings)

    async def fetch(*_: Any, **__: Any) -> None:
        raise TopicAuthorizationFailedError("sms")

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    thread = ConsumerThread.__new__(ConsumerThread)
    thread._outlast = Outlast(ManualClock(), patience=0)
    thread.consumer, thread.transport = SimpleNamespace(flow_active=True), SimpleNamespace(membership=member)
    assert await thread._fetch_records(SimpleNamespace(), set()) == {}
    verdict = member.verdict()
    assert isinstance(verdict, ConfigurationError)
    assert verdict.exit_code == 78
    assert "fetching events: the brokers refuse it" in str(verdict)
    assert "docs/security.md" in str(verdict)
