"""A dispatch over a fake producer."""

from __future__ import annotations

from typing import Any

from connector.clock import ManualClock
from connector.stream.output.dispatch import Dispatch
from connector.stream.output.replaceable_producer import ReplaceableProducer
from connector.stream.output.writability import Writability


async def nothing(*_: Any) -> set[bytes]:
    """Nothing was written but what was acknowledged."""
    return set()


def dispatcher(producer: Any) -> Dispatch:
    """It never refuses anything."""
    clock = ManualClock()
    replaceable = ReplaceableProducer(lambda: producer)
    return Dispatch(replaceable, writable=Writability(clock, patience=1.0), written=nothing, clock=clock)
