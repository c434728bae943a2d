"""Messages on their way: before, in and between requests."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log2

from connector.delivery.queue.item import Item
from connector.delivery.queue.window_key import WindowKey
from connector.delivery.route import Route
from connector.model import Batch, Message, Outcome, Request, Result


@dataclass(slots=True, eq=False)
class Bisection:
    """A request that was refused as a whole and is bisected to find the message at fault.

    Attributes:
        outcome, http_status, batch_id, batch_size: of the request that was refused.
        budget: requests that may still be spent; shared by all its parts.
    """

    outcome: Outcome
    http_status: int | None
    batch_id: str
    batch_size: int
    budget: int

    @staticmethod
    def requests(size: int) -> int:
        """The budget for a batch of `size`: one message at fault takes 2·log2(size) requests, so two can be found."""
        return ceil(4 * log2(size))


@dataclass(frozen=True, slots=True)
class Replay:
    """A request that is repeated exactly as it was, because the provider suppresses the second one.

    Attributes:
        until: monotonic seconds; afterwards the provider would take it for a new one.
    """

    request: Request
    batch: Batch
    until: float


@dataclass(slots=True, eq=False)
class Last:
    """Messages have had all their requests, and it is not known yet whether the last failure was an outage's.

    Attributes:
        at: monotonic seconds; when it failed.
        reason: why, without words of the provider.
        results: what they end with if the failure was their own; by the identity of the item.
    """

    at: float
    reason: str
    results: dict[int, Result]


@dataclass(slots=True, eq=False)
class Part:
    """Messages of one window that belong together: just taken, or waiting to be sent again.

    Attributes:
        alone: they are not put together with others of their window, to find out whose fault something is.
        behind: they come after the others of their window, so that the next probe carries another one.
        last: they end unless their failure was an outage's.
    """

    key: WindowKey
    items: list[Item]
    sealed: Replay | None = None
    split: Bisection | None = None
    alone: bool = False
    behind: bool = False
    last: Last | None = None

    @property
    def apart(self) -> bool:
        """It stays what it is: it is not given back to its window."""
        return self.sealed is not None or self.split is not None or self.alone or self.last is not None


@dataclass(slots=True, eq=False)
class Attempt:
    """A request under way.

    Attributes:
        part: what was taken; `items` and `messages` are those of it that are in the request, in record order.
        started: monotonic seconds.
        suppression_changes: of the host, when it was asked who must not be texted.
        probe: it finds out whether an open breaker may close.
        at_transport: False until the transport has it: it can be put back as if nothing had been.
        judged: the lane's flow control has learned from how it ended.
        done: its items have been dealt with; whatever still comes is ignored.
    """

    part: Part
    route: Route
    items: list[Item]
    messages: list[Message]
    request: Request
    batch: Batch
    started: float
    suppression_changes: int = 0
    probe: bool = False
    at_transport: bool = False
    judged: bool = False
    done: bool = False
