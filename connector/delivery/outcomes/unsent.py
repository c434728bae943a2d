"""The result of a message that ends without another request: one builder, wherever it ends."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol

from connector.definition.gsm import segments
from connector.delivery.queue.item import Item
from connector.model import Result, Status


class Identity(Protocol):
    """What a result repeats of its event. A `Message` is one."""

    @property
    def message_id(self) -> str | None:
        """See Message."""

    @property
    def provider(self) -> str | None:
        """See Message."""

    @property
    def campaign_id(self) -> str | None:
        """See Message."""

    @property
    def to(self) -> str | None:
        """See Message."""

    @property
    def body(self) -> str | None:
        """See Message."""


class PartialIdentity(NamedTuple):
    """What can be read of an event that is not a message."""

    message_id: str | None = None
    provider: str | None = None
    campaign_id: str | None = None
    to: str | None = None
    body: str | None = None


def unsent(
    item: Item, event: Identity, status: Status, reason: str | None, *, completed_at: datetime, dry_run: bool
) -> Result:
    """The result of `item`, whose event says `event`.

    What an earlier request may have brought to the provider is not called unsent: it is `unknown`.
    """
    if item.uncertain and status in {Status.EXPIRED, Status.CANCELLED, Status.SUPPRESSED, Status.INVALID}:
        status, reason = Status.UNKNOWN, f"{reason}; an earlier request may have been taken"
    return Result(
        status=status,
        source=item.event(),
        completed_at=completed_at,
        message_id=event.message_id,
        provider=event.provider,
        campaign_id=event.campaign_id,
        to=event.to,
        reason=reason,
        attempts=item.attempts,
        segments=None if event.body is None else segments(event.body),
        received_at=item.received_at,
        dry_run=dry_run,
    )
