"""What definitions of one `account` share: limits, breaker, and what is known of whose fault failures are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from connector.definition.tree import Definition
from connector.delivery.limits.circuit_breaker import BreakerSettings, CircuitBreaker
from connector.delivery.limits.rate_limiter import RateLimiter
from connector.delivery.limits.suspects import Suspects
from connector.delivery.queue.item import Item


@dataclass(slots=True)
class Accused:
    """What the breaker opened on, while it may be the fault of single messages.

    Attributes:
        rule: that said `pause`.
        items: the messages it met.
    """

    rule: str
    items: set[Item]


class Account:
    """What definitions of one `account` share: limits and breaker.

    Args:
        definition: whose limits apply.
        settings: of the breaker.
        now: monotonic seconds.
        random: a number in [0, 1).

    Attributes:
        suspects: whose failures are their messages' own.
        accused: what the breaker opened on.
        single: rule → until when its `pause` is taken for the fault of single messages.
    """

    def __init__(
        self, definition: Definition, settings: BreakerSettings, now: float, random: Callable[[], float]
    ) -> None:
        self.name = definition.account or definition.name
        self.limiter = RateLimiter(definition.limits, now)
        self.breaker = CircuitBreaker(settings, random)
        self.suspects = Suspects(self.breaker)
        self.accused: Accused | None = None
        self.single: dict[str, float] = {}
