"""Looking for a group's coordinator: how often while there is none, and what ends it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    KafkaError,
    UnknownError,
)

from connector.kafka import patient_coordinator as room
from connector.kafka.fetched import ReadOptions
from connector.kafka.guarded import GuardedConsumer
from connector.kafka.patient_coordinator import LONGEST_PAUSE_SECONDS, PatientCoordinator, pauses
from connector.kafka.skipped import Skipped
from connector.stream.faust.coordinator import ReportingCoordinator
from connector.tools.simulator.broker import Broker


@pytest.fixture
def bootstrap() -> Iterator[str]:
    broker = Broker()
    yield broker.start()
    broker.stop()


class Brokers:
    """A client whose brokers know the coordinator after so many questions, and are connected to after one more."""

    def __init__(self, *answers: KafkaError | int) -> None:
        self.answers = list(answers)
        self.asked = self.metadata = 0
        self.connected = [False, True]

    async def coordinator_lookup(self, *_: Any) -> int:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, KafkaError):
            raise answer
        return answer

    async def force_metadata_update(self) -> None:
        self.metadata += 1

    async def ready(self, *_: Any, **__: Any) -> bool:
        return self.connected.pop(0)


def looking(brokers: Brokers) -> Any:
    coordinator: Any = PatientCoordinator.__new__(PatientCoordinator)
    coordinator._client, coordinator.group_id, coordinator.coordinator_id = brokers, "g", None
    coordinator._coordinator_lookup_lock = asyncio.Lock()
    coordinator._closing = asyncio.get_running_loop().create_future()
    return coordinator


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []

    async def wait(_: Any, *, timeout: float) -> None:  # noqa: ASYNC109
        seconds.append(timeout)

    monkeypatch.setattr(room, "asyncio", SimpleNamespace(wait=wait))
    return seconds


async def test_it_is_asked_for_until_a_connection_to_it_stands(waited: list[float]) -> None:
    brokers = Brokers(GroupCoordinatorNotAvailableError(), GroupCoordinatorNotAvailableError(), 3, 3)
    coordinator = looking(brokers)
    await coordinator.ensure_coordinator_known()
    assert (coordinator.coordinator_id, brokers.asked, brokers.metadata, len(waited)) == (3, 4, 2, 3)
    assert not coordinator._coordinator_dead_fut.done()
    await coordinator.ensure_coordinator_known()
    assert brokers.asked == 4


def test_a_minute_without_one_is_a_hundred_questions_at_most() -> None:
    """aiokafka asks six hundred times, as often for all topics, and with it all workers at the same moments."""
    many = list(islice(pauses(), 100))
    assert max(many) <= LONGEST_PAUSE_SECONDS
    assert sum(many) > 60
    assert many[0] <= 0.1
    assert len(set(many)) == 100


async def test_what_asking_again_cannot_mend_is_raised(waited: list[float]) -> None:
    for error in (GroupAuthorizationFailedError(), UnknownError()):
        with pytest.raises(type(error)):
            await looking(Brokers(error)).ensure_coordinator_known()
    assert waited == []


async def test_closing_ends_the_search() -> None:
    coordinator = looking(Brokers(*[GroupCoordinatorNotAvailableError()] * 2))
    asyncio.get_running_loop().call_soon(coordinator._closing.set_result, None)
    await asyncio.wait_for(coordinator.ensure_coordinator_known(), 10)
    assert coordinator.coordinator_id is None


def test_the_members_coordinator_is_one_and_aiokafkas_asks_at_a_fixed_pace() -> None:
    """Where this fails, `PatientCoordinator` may not be needed any more."""
    assert issubclass(ReportingCoordinator, PatientCoordinator)
    source = inspect.getsource(GroupCoordinator.ensure_coordinator_known)
    assert "await asyncio.sleep(retry_backoff)" in source
    assert all(name in source for name in ("_coordinator_lookup_lock", "_coordinator_dead_fut", "_closing", "ready("))


async def test_a_consumer_of_ours_finds_its_coordinator_and_commits(bootstrap: str) -> None:
    consumer = GuardedConsumer(
        bootstrap_servers=bootstrap, reading=ReadOptions(Skipped()), group_id="g", enable_auto_commit=False
    )
    await consumer.start()
    try:
        assert type(consumer._coordinator) is PatientCoordinator
        tp = TopicPartition("t", 0)
        consumer.assign([tp])
        async with asyncio.timeout(20):
            await consumer.commit({tp: 7})
            assert await consumer.committed(tp) == 7
            consumer._coordinator.coordinator_dead()
            await consumer.commit({tp: 8})  # it is looked for again
            assert await consumer.committed(tp) == 8
    finally:
        await consumer.stop()
