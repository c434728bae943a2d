"""The page `/status`: what a worker and its lanes are doing, as JSON; `lag` reads it to say what holds a partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from connector.health.metrics import state

if TYPE_CHECKING:
    from connector.delivery.lane import Lane
    from connector.stream.status import WorkerStatus

UNKNOWN_NAMES = 20


class LaneReport(TypedDict):
    """One provider. `reason` is what its breaker says, without secrets and numbers."""

    state: str
    reason: str
    open: int
    delayed: int
    requests: int
    slots: int


class UnknownReport(TypedDict):
    """A name in events that no definition has. `cause` says whether it is a provider's or a campaign's."""

    cause: str
    name: str
    nearest: str
    events: int


class WorkerReport(TypedDict):
    """One worker. `reason`: why it is not ready. `held`: format version → events that wait for a worker of it.

    `unused`: where definitions on disk are wrong, and so not in use.
    """

    ready: bool
    reason: str
    held: dict[str, int]
    unused: list[str]
    partitions: dict[str, list[int]]
    lanes: dict[str, LaneReport]
    unknown: list[UnknownReport]


def report(status: WorkerStatus | None) -> WorkerReport:
    """What there is to say; before there is a worker, that."""
    if status is None:
        why = "the worker waits for its broker"
        return WorkerReport(ready=False, reason=why, held={}, unused=[], partitions={}, lanes={}, unknown=[])
    partitions: dict[str, list[int]] = {}
    for it in status.partitions:
        partitions.setdefault(it.topic, []).append(it.partition)
    return WorkerReport(
        ready=status.ready and not status.stopping,
        reason=_reason(status),
        held={str(version): number for version, number in status.held.items()},
        unused=list(status.unused),
        partitions={topic: sorted(numbers) for topic, numbers in partitions.items()},
        lanes={name: _lane(lane) for name, lane in status.lanes.items()},
        unknown=[
            UnknownReport(cause=it.cause.value, name=it.name, nearest=it.nearest, events=it.events)
            for it in status.unknown.names()[:UNKNOWN_NAMES]
        ],
    )


def _reason(status: WorkerStatus) -> str:
    if status.refused:
        owed = f"; {status.owed} results are owed" if status.owed else ""
        return f"nothing is sent: Kafka refuses what has to be written to {status.refused}{owed}"
    if status.stopping:
        return "the worker is stopping"
    if status.cut_off:
        return "nothing is sent: no heartbeat was answered for half a session, the worker is cut off from the brokers"
    if status.held_sources:
        return "; ".join(f"events of {topic} wait: {it.why}" for topic, it in sorted(status.held_sources.items()))
    suppressions = status.suppressions
    if not status.ready and suppressions is not None and suppressions.unconfirmed is None:
        return f"suppressions are read: {suppressions.read:,} of {suppressions.expected:,} records"
    return "" if status.ready else "the group has not given it its partitions"


def _lane(lane: Lane) -> LaneReport:
    status = lane.status
    return LaneReport(
        state=state(status),
        reason=status.reason,
        open=status.open_count,
        delayed=status.delayed,
        requests=status.requests,
        slots=status.slots,
    )
