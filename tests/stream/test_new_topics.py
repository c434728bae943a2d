"""A group's leader shares out topics that were created a moment ago."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator

from connector.clock import ManualClock
from connector.stream.faust import coordinator as room
from connector.stream.faust.coordinator import ReportingCoordinator


class Leader(ReportingCoordinator):
    """Its broker hears of `new` with the third look, or never."""

    def __init__(self, *, heard_at: float) -> None:
        clock = ManualClock()
        self.looks = 0
        self._heard_at = heard_at
        self._closing = asyncio.get_running_loop().create_future()
        self._subscription = SimpleNamespace(topics={"old", "new"})
        self._cluster = SimpleNamespace(
            partitions_for_topic=lambda topic: {0} if topic == "old" or self.looks >= self._heard_at else None
        )
        self._membership: Any = type("Now", (), {"now": property(lambda _: clock.monotonic())})()

        async def look() -> None:
            self.looks += 1
            clock.advance(0.3)

        self._client = SimpleNamespace(force_metadata_update=look)


@pytest.fixture(autouse=True)
def _shares(monkeypatch: pytest.MonkeyPatch) -> None:
    async def shared(self: Leader, _: Any) -> int:
        return self.looks

    monkeypatch.setattr(GroupCoordinator, "_perform_assignment", shared)
    monkeypatch.setattr(room, "NEW_TOPIC_LOOK_SECONDS", 0)


@pytest.mark.parametrize(("heard_at", "looks"), [(0, 0), (2, 2), (float("inf"), 4)])
async def test_it_looks_until_its_broker_knows_them_for_a_second_at_most(heard_at: float, looks: int) -> None:
    """Else a topic belonged to nobody until the next look, a minute later."""
    assert await Leader(heard_at=heard_at)._perform_assignment(None) == looks
