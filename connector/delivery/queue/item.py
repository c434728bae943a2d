"""What a lane holds for every message that waits: the event's bytes and where it came from, no decoded objects."""

from __future__ import annotations

from datetime import datetime
from math import inf
from typing import Protocol

import msgspec

from connector.model import Source


class ItemOrigin(Protocol):
    """The partition that a message was read from, as far as somebody knows it who has only the message.

    Attributes:
        topic, partition: its place in Kafka.
        live: False once it is given back: what becomes of its messages is no longer this worker's to say.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def live(self) -> bool: ...


class Item(msgspec.Struct, gc=False, eq=False):
    """One open message. Compared by identity: two events with equal bytes are two messages.

    Attributes:
        raw: the event as it stands in Kafka; decoded again when its request is built. Keeping what was decoded
            costs more: it is five times as large, and has left the cache by then.
        origin: whose it is; a `Partition` of the stream, of which a lane needs the place.
        offset: its offset there.
        key: the event's key.
        received_at: when the connector read it, UTC.
        deadline: wall seconds since the epoch; not sent after it.
        attempts: requests it was in that count towards the limit of attempts.
        priority: goes before all others of its lane.
        uncertain: an earlier request with it may have been taken by the provider (only under `on_uncertain: resend`).
        source: the event's place, where the item was read from a retry topic; None where origin and offset say it.
        due: wall seconds before which it is not to be sent, where it came from a retry topic; else 0.
        since: monotonic seconds; when it began to wait in its window. Set by the lane.
        failed_at: monotonic seconds; its first failure that no known outage explains. Set by the lane.
    """

    raw: bytes
    origin: ItemOrigin
    offset: int
    key: bytes | None
    received_at: datetime
    deadline: float | None = None
    attempts: int = 0
    priority: bool = False
    uncertain: bool = False
    source: Source | None = None
    due: float = 0.0
    since: float = 0.0
    failed_at: float = -inf

    def event(self) -> Source:
        """Where the event stands in Kafka: the identity of its result, wherever the item was read from."""
        return self.source or Source(self.origin.topic, self.origin.partition, self.offset)


class TracedItem(Item, gc=False, eq=False):
    """With the trace of its event. A class of its own: without tracing no message holds room for it.

    Attributes:
        traceparent: the event's header of that name.
    """

    traceparent: bytes | None = None


class CarryingItem(TracedItem, gc=False, eq=False):
    """With headers of its event that go where it goes.

    Attributes:
        carried: name and content, in the event's order.
    """

    carried: tuple[tuple[str, bytes], ...] = ()
