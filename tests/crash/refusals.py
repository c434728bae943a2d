"""Brokers that refuse: faults of single answers, which no broker can be asked to give."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from tests.crash.seams import around, replace


def refuse_commits() -> None:
    """The broker refuses every offset the first time it is committed, and takes it when it is repeated."""
    from aiokafka.errors import CommitFailedError

    from connector.stream.faust.group import Group

    commit = Group.commit
    refused: set[frozenset[Any]] = set()

    async def reluctant(self: Group, offsets: Any) -> None:
        place = frozenset((tp, at.offset) for tp, at in offsets.items())
        if place not in refused:
            refused.add(place)
            raise CommitFailedError("refused by the fault suite")
        await commit(self, offsets)

    replace(Group, "commit", reluctant)


def refuse_reads() -> None:
    """Whatever a worker asks the brokers when it opens its partitions is not answered the first time."""
    from aiokafka.errors import NodeNotReadyError

    from connector.stream.partitions.cluster import Cluster

    refused: set[str] = set()

    def once(name: str) -> Callable[..., None]:
        def refuse(*_: Any, **__: Any) -> None:
            if name not in refused:
                refused.add(name)
                raise NodeNotReadyError("refused by the fault suite")

        return refuse

    for name in ("committed", "bounds", "read_tail"):
        around(Cluster, name, before=once(name))


def hold_results(batches: int) -> None:
    """After so many batches of results the broker acknowledges none any more; everything else it still answers."""
    from connector.stream.output.replaceable_producer import ReplaceableProducer

    put = ReplaceableProducer.put
    left = batches

    async def held(self: ReplaceableProducer, batch: Any, topic: str, partition: int) -> Any:
        nonlocal left
        left -= topic.endswith(".results")
        if left < 0 and topic.endswith(".results"):
            return asyncio.get_running_loop().create_future()
        return await put(self, batch, topic, partition)

    replace(ReplaceableProducer, "put", held)
