"""A worker's status with something in every number."""

from __future__ import annotations

import dataclasses

from connector.clock import ManualClock
from connector.delivery.counts import Histogram
from connector.delivery.lane import Lane
from connector.delivery.queue.fragmentation import Fragmentation
from connector.kafka.skipped import Skipped
from connector.stream.control.suppression_reader import SuppressionStatus
from connector.stream.epoch.epoch_counts import EpochCounts
from connector.stream.intake.held_sources import HeldSource
from connector.stream.intake.intake_counts import IntakeCounts
from connector.stream.intake.unknown_names import UnknownNames
from connector.stream.status import PartitionStatus, WorkerStatus
from tests.delivery.virtual import simulate
from tests.delivery.world import World, names


class SeenLane:
    """A lane after its virtual loop has ended, as pages look at it."""

    def __init__(self, lane: Lane, status: object) -> None:
        self.counts = lane.counts
        self.status = status
        self.apart = Fragmentation("$$hid", 40)
        self.definition = lane.definition


def used_lane(*, paused: bool = False) -> SeenLane:
    """A lane that has sent five messages and holds one."""

    async def scenario() -> SeenLane:
        world = World()
        world.offer(*names(5))
        await world.run(5)
        world.lane.pause(paused=paused)
        world.offer("late")
        return SeenLane(world.lane, world.lane.status)

    seen: SeenLane = simulate(scenario())
    seen.counts.again["throttle"] += 1
    return seen


def new_lane() -> SeenLane:
    """A lane that has just been made."""

    async def scenario() -> SeenLane:
        world = World()
        return SeenLane(world.lane, world.lane.status)

    seen: SeenLane = simulate(scenario())
    return seen


def worker_status(lane: SeenLane, *, ready: bool = True, stopping: bool = False) -> WorkerStatus:
    intake, epochs, acknowledged = IntakeCounts(), EpochCounts(), Histogram()
    intake.events["sms.messages"] = 9
    intake.refused["acme", "invalid"] = 2
    intake.refused["", "invalid"] = 1
    epochs.opened = 3
    epochs.drains.add(0.2)
    acknowledged.add(0.004)
    return WorkerStatus(
        suppressions=SuppressionStatus(7, 9, 9, 1.5),
        ready=ready,
        stopping=stopping,
        blocked=False,
        messages=1,
        max_messages=1000,
        bytes=100,
        max_bytes=100_000,
        unacknowledged=0,
        unacknowledged_for=0.25,
        partitions=(PartitionStatus("sms.messages", 1, 5, 2, 7), PartitionStatus("sms.messages", 0, 7, 6, 1)),
        retry_backlog={"sms.retry.5s": 4},
        lanes={"acme": lane},  # type: ignore[dict-item]
        intake=intake,
        epochs=epochs,
        acknowledged=acknowledged,
        skipped=Skipped(["sms.control"]).counts,
        unknown=UnknownNames({"acme": lane}, grace=600, clock=ManualClock()),
        unknown_fields=["sendAt"],
        held={2: 3},
        held_sources={"sms.messages": HeldSource("the schema registry cannot be asked: it answers 500", 12.5)},
    )


def fresh_status(lane: SeenLane) -> WorkerStatus:
    """A worker that has just been made: nothing was read, nothing sent."""
    return dataclasses.replace(
        worker_status(lane),
        intake=IntakeCounts(["sms.messages", "sms.retry.5s"]),
        epochs=EpochCounts(),
        acknowledged=Histogram(),
        partitions=(),
    )
