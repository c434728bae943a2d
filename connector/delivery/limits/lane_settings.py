"""How a lane waits."""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.delivery.limits.circuit_breaker import BreakerSettings
from connector.delivery.queue.windows import WindowShape
from connector.delivery.route import Route


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """How a lane waits. Times in seconds.

    Attributes:
        wait: a window may collect for so long once its partitions are caught up; an operation's `wait` goes before.
        wait_max: afterwards it goes before full ones.
        park_after: a message that has to wait longer is given to `park`.
        dry_run: replies are not read; every message ends `accepted`, marked as not sent.
        breaker: when to stop sending.
    """

    wait: float = 1.0
    wait_max: float = 5.0
    park_after: float = 30.0
    dry_run: bool = False
    breaker: BreakerSettings = field(default_factory=BreakerSettings)

    def shape(self, route: Route) -> WindowShape:
        """What an operation's windows have in common."""
        batching = route.operation.batching
        wait = self.wait if batching is None or batching.wait is None else batching.wait
        return WindowShape(route.renderer.max_records, wait)
