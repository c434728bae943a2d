"""How long to wait before a message is sent again."""

from __future__ import annotations

from collections.abc import Callable

from connector.definition.tree import Retry


class Backoff:
    """Exponential delays with full jitter: `random() * min(cap, base * 2**(attempt - 1))`.

    Full jitter because what failed together would otherwise come back together
    (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/).

    Args:
        retry: base and cap in seconds, attempts.
        random: a number in [0, 1).
    """

    def __init__(self, retry: Retry, random: Callable[[], float]) -> None:
        self._retry = retry
        self._random = random

    def exhausted(self, attempts: int) -> bool:
        """True when a message that was in `attempts` requests is not to be sent again."""
        return attempts >= self._retry.attempts

    def delay(self, attempts: int, after: float | None = None) -> float:
        """Seconds to wait after `attempts` requests, at least `after` (Retry-After)."""
        doubled: float = self._retry.base * 2.0 ** min(attempts - 1, 60)
        return max(self._random() * min(self._retry.cap, doubled), after or 0.0)
