"""A dispatch over a fake producer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from connector.clock import ManualClock
from connector.stream.output.dispatch import Dispatch
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.output.writability import Writability


async def nothing(*_: Any) -> set[bytes]:
    """Nothing was written but what was acknowledged."""
    return set()


def read_back(written: Any = nothing) -> Any:
    """What is in a topic although nobody has said so."""
    return SimpleNamespace(written=written)


class FakeProof:
    """Topics in which batches were acknowledged."""

    def __init__(self) -> None:
        self.topics: list[str] = []

    def acknowledged(self, topic: str) -> None:
        self.topics.append(topic)


def dispatcher(producer: Any) -> Dispatch:
    """It never refuses anything."""
    clock = ManualClock()
    replaceable = ReplaceableProducer(lambda: producer)
    writable = Writability(clock, patience=1.0)
    return Dispatch(replaceable, writable=writable, read_back=read_back(), proof=FakeProof(), clock=clock)
