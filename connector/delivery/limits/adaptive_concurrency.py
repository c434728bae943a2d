"""How many requests to have under way at once: additive increase, multiplicative decrease."""

from __future__ import annotations

SLOW = 2.0
"""A reply this many times slower than the fastest usual one of its class says the provider queues: no growth."""

DRIFT = 0.02
"""How fast the usual latency follows slower replies, per reply; faster ones are followed at once."""


class AdaptiveConcurrency:
    """The number of request slots.

    Only throttling and time-outs halve it; a slow reply merely stops growth. Latency is compared within a class of
    batch sizes (powers of two): a request of 1,000 records is slower than one of 3, whatever the provider's state.

    Args:
        maximum: never more slots than this.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = float(maximum)
        self._limit = max(1.0, maximum / 2)
        self._usual: dict[int, float] = {}  # class of batch size → latency in seconds
        self._halved_at = float("-inf")

    @property
    def slots(self) -> int:
        """Requests that may be under way at once; at least 1."""
        return max(1, int(self._limit))

    def resize(self, maximum: int) -> None:
        """Another maximum, when this worker's share of the group changes: the group as a whole stays where it was.

        A worker starts with no share at all, which must not make it begin with one slot.
        """
        self._limit *= maximum / self._maximum
        self._maximum = float(maximum)

    def restart(self) -> None:
        """The provider is back from an outage: one request at first, not all that have waited at once."""
        self._limit = 1.0

    def replied(self, records: int, seconds: float) -> None:
        """A reply that shows no overload came after `seconds`: about one slot more per round of replies."""
        group = records.bit_length()
        usual = self._usual.get(group, seconds)
        self._usual[group] = seconds if seconds <= usual else usual + (seconds - usual) * DRIFT
        if self._limit < self._maximum and seconds <= usual * SLOW:
            self._limit = min(self._maximum, self._limit + 1.0 / max(1.0, self._limit))

    def overloaded(self, started: float, now: float) -> None:
        """A request begun at `started` was throttled or timed out. Halves once for all requests of the same moment."""
        if started >= self._halved_at:
            self._limit = max(1.0, self._limit / 2)
            self._halved_at = now
