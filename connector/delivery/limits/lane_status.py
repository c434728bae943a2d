"""What a lane is doing at this moment, for metrics and pages."""

from __future__ import annotations

from dataclasses import dataclass

from connector.delivery.limits.circuit_breaker import BreakerState


@dataclass(frozen=True, slots=True)
class LaneStatus:
    """One look at a lane.

    Attributes:
        open_count: messages it is responsible for.
        windows: open windows.
        waiting: messages that could leave now as far as they themselves are concerned.
        delayed: messages that wait for their time to be sent again.
        requests, slots: under way, and how many may be.
        breaker, reason: whether it sends, and why not.
        paused: by an operator.
        opens_in: seconds until the provider's hours begin; 0.0 within them.
        held: seconds so far in which messages could have left but for limits, breaker or hours.
        token_refreshes: tokens fetched so far.
        for_seconds: for how long its state has been what it is; None where nobody knows.
        probe_in: seconds until its breaker lets a probe pass; None where it is closed, or one is under way.
        oldest: seconds for which the first message that may leave has waited; 0.0 where there is none.
        expires_at: no message that waits expires before this, in wall seconds; None where none does.
        share: of the provider's limits and slots.
    """

    open_count: int
    windows: int
    waiting: int
    delayed: int
    requests: int
    slots: int
    breaker: BreakerState
    reason: str
    paused: bool
    opens_in: float
    held: float = 0.0
    token_refreshes: int = 0
    for_seconds: float | None = None
    probe_in: float | None = None
    oldest: float = 0.0
    expires_at: float | None = None
    share: float = 1.0
