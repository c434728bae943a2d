"""The control topic: caught up with as soon as it is, whoever follows it meanwhile."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.kafka.outage import Outlast
from connector.kafka.skipped import Skipped
from connector.stream.control.topic_reader import ControlTopicReader

TP = TopicPartition("sms.control", 0)


class Topic:
    """A consumer of a log of so many records; the next poll after them waits for ever."""

    def __init__(self, records: int) -> None:
        self.left, self.at = records, 0
        self.waits = asyncio.Event()

    async def position(self, _: TopicPartition) -> int:
        return self.at

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        if not self.left:
            self.waits.set()
            await asyncio.Event().wait()
        self.left, self.at = self.left - 1, self.at + 1
        return {TP: [SimpleNamespace(key=b"k", value=b"v", partition=0, offset=self.at - 1)]}


def reader(topic: Topic, applied: list[tuple[int, int]]) -> ControlTopicReader:
    async def stable_ends(_: Any) -> dict[TopicPartition, int]:
        return {TP: topic.at + topic.left}

    made = ControlTopicReader(
        {},
        ends=SimpleNamespace(stable_ends=stable_ends),
        topic=TP.topic,
        records=SimpleNamespace(apply=lambda _key, _value, place: applied.append(place)),
        skipped=Skipped(),
    )
    made._consumer, made._partitions = cast(Any, topic), [TP]
    return made


async def test_catching_up_applies_what_is_there() -> None:
    applied: list[tuple[int, int]] = []
    await reader(Topic(3), applied).catch_up()
    assert applied == [(0, 0), (0, 1), (0, 2)]


async def test_catching_up_does_not_wait_for_the_poll_of_who_follows() -> None:
    """It stood in front of every opening, a fifth of a second, and of every event of a rebalance."""
    topic, applied = Topic(2), list[tuple[int, int]]()
    following = reader(topic, applied)
    task = asyncio.create_task(following.run(Outlast(ManualClock(), patience=1)))
    await topic.waits.wait()
    await following.catch_up()
    assert applied == [(0, 0), (0, 1)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
