"""Committed offsets: "nothing is committed" and "nobody can tell now" are two answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
    UnknownTopicOrPartitionError,
)
from aiokafka.protocol.commit import OffsetFetchResponse_v1, OffsetFetchResponse_v3
from aiokafka.structs import OffsetAndMetadata

from connector.kafka.committed import committed_offsets

TP, OTHER = TopicPartition("sms", 3), TopicPartition("sms", 4)


class Coordinator(AIOKafkaAdminClient):  # type: ignore[misc]
    """An admin client whose coordinator answers so."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    async def find_coordinator(self, group_id: str, coordinator_type: int = 0) -> int:
        return 1

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
        self.asked.append((request._consumer_group, request._partitions, node_id))
        return self.answer


def answer(*partitions: tuple[int, int, str | None, int], code: int = 0) -> OffsetFetchResponse_v3:
    return OffsetFetchResponse_v3(0, [("sms", list(partitions))] if partitions else [], code)


async def test_offsets_come_with_their_metadata_and_without_those_that_are_none() -> None:
    client = Coordinator(answer((3, 42, None, 0), (4, -1, "", 0)))
    assert await committed_offsets(client, "g", [TP, OTHER]) == {TP: OffsetAndMetadata(42, "")}
    assert client.asked == [("g", [("sms", [3, 4])], 1)]


async def test_an_answer_of_old_brokers_has_no_error_of_its_own() -> None:
    client = Coordinator(OffsetFetchResponse_v1([("sms", [(3, 42, "m", 0)])]))
    assert await committed_offsets(client, "g", [TP]) == {TP: OffsetAndMetadata(42, "m")}


async def test_of_nothing_nothing_is_asked() -> None:
    assert await committed_offsets(cast(Any, SimpleNamespace()), "g", []) == {}


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (answer(code=14), GroupLoadInProgressError),
        (answer(code=16), NotCoordinatorForGroupError),
        (answer(code=30), GroupAuthorizationFailedError),
        (answer((3, -1, "", 14), (4, 7, "", 0)), GroupLoadInProgressError),
        (answer((3, -1, "", 3)), UnknownTopicOrPartitionError),
    ],
)
async def test_a_coordinator_that_cannot_tell_is_not_taken_for_nothing_committed(
    told: Any, error: type[KafkaError]
) -> None:
    """A worker would begin somewhere else, or refuse to start: brokers answer so for a while after a restart."""
    with pytest.raises(error):
        await committed_offsets(Coordinator(told), "g", [TP, OTHER])


async def test_aiokafka_does_take_it_for_that() -> None:
    """Where this fails, `committed_offsets` is not needed any more."""
    assert await Coordinator(answer(code=14)).list_consumer_group_offsets("g", partitions=[TP]) == {}
