"""Offsets of logs: every leader is asked at once, and what brokers cannot tell now is asked again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    KafkaError,
    NotLeaderForPartitionError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.offset import OffsetResponse_v0, OffsetResponse_v1

from connector.kafka import log_offsets as room
from connector.kafka.log_offsets import EARLIEST, LATEST, log_offsets

ONE, TWO, OTHER = TopicPartition("a", 0), TopicPartition("a", 1), TopicPartition("b", 0)


class Metadata:
    """What aiokafka's client knows of leaders: nothing until it is asked to look."""

    def __init__(self, leaders: dict[TopicPartition, int], *, looks: int) -> None:
        self.cluster = self
        self.looked = 0
        self._leaders, self._looks = leaders, looks

    def leader_for_partition(self, tp: TopicPartition) -> int | None:
        return self._leaders.get(tp) if self.looked >= self._looks else None

    async def force_metadata_update(self) -> bool:
        self.looked += 1
        return True


class Brokers(AIOKafkaAdminClient):  # type: ignore[misc]
    """An admin client; each partition answers with its leader × 100 + its number, or with the next code."""

    def __init__(self, leaders: dict[TopicPartition, int], *codes: int, looks: int = 1) -> None:
        self._client: Any = Metadata(leaders, looks=looks)
        self.codes, self.asked = list(codes), []  # type: ignore[var-annotated]

    async def close(self) -> None: ...

    def __del__(self) -> None: ...

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
        assert node_id is not None
        self.asked.append((node_id, request._isolation_level, request._topics))
        code = self.codes.pop(0) if self.codes else 0
        answers = [(topic, [(n, code, -1, node_id * 100 + n) for n, _ in its]) for topic, its in request._topics]
        return OffsetResponse_v1(answers)


async def test_each_leader_is_asked_once_for_all_its_partitions() -> None:
    brokers = Brokers({ONE: 1, TWO: 2, OTHER: 1})
    found = await log_offsets(brokers, {ONE: LATEST, TWO: LATEST, OTHER: EARLIEST}, committed=True)
    assert found == {ONE: 100, TWO: 201, OTHER: 100}
    assert sorted(brokers.asked) == [(1, 1, [("a", [(0, LATEST)]), ("b", [(0, EARLIEST)])]), (2, 1, [("a", [(1, -1)])])]


async def test_topics_are_looked_up_once_and_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka's consumer looks them up one by one, a tenth of a second each."""
    pauses: list[float] = []
    monkeypatch.setattr(asyncio, "sleep", pauses.append)
    brokers = Brokers({ONE: 1, OTHER: 1})
    await log_offsets(brokers, {ONE: LATEST, OTHER: LATEST})
    await log_offsets(brokers, {ONE: LATEST, OTHER: LATEST})
    assert (brokers._client.looked, pauses) == (1, [])


@pytest.mark.parametrize("error", [NotLeaderForPartitionError, UnknownTopicOrPartitionError])
async def test_a_partition_that_moves_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, error: type[KafkaError]
) -> None:
    monkeypatch.setattr(room, "AGAIN_SECONDS", 0)
    brokers = Brokers({ONE: 1}, error.errno, error.errno)
    assert await log_offsets(brokers, {ONE: LATEST}) == {ONE: 100}


async def test_what_does_not_pass_is_raised_at_once() -> None:
    brokers = Brokers({ONE: 1}, TopicAuthorizationFailedError.errno)
    with pytest.raises(TopicAuthorizationFailedError):
        await log_offsets(brokers, {ONE: LATEST})


async def test_a_partition_without_a_leader_is_not_asked_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LIMIT_SECONDS", 0)
    with pytest.raises(KafkaError):
        await log_offsets(Brokers({ONE: -1}, looks=0), {ONE: LATEST})


async def test_of_nothing_nothing_is_asked() -> None:
    brokers = Brokers({})
    assert await log_offsets(brokers, {}) == {}
    assert brokers.asked == []


async def test_an_answer_of_old_brokers_is_a_list() -> None:
    class Old(Brokers):
        async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
            return OffsetResponse_v0([("a", [(0, 0, [7])])])

    assert await log_offsets(Old({ONE: 1}), {ONE: LATEST}) == {ONE: 7}
