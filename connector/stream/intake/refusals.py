"""Results of events that intake sends nowhere."""

from __future__ import annotations

from datetime import UTC, datetime

from connector.delivery.outcomes.unsent import Identity, PartialIdentity, unsent
from connector.delivery.queue.item import Item
from connector.model import Result, Source, Status
from connector.stream.control.table import decode_message
from connector.stream.intake.unreadable import fault, identity
from connector.stream.retry.routing import RetryRefusals


class Refusals(RetryRefusals):
    """Builds them.

    Args:
        dry_run: results say that nothing was sent.
    """

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run

    def result(self, item: Item, event: Identity, status: Status, reason: str, now: float) -> Result:
        """The result of a message that goes no further at `now` (wall seconds)."""
        completed_at = datetime.fromtimestamp(now, UTC)
        return unsent(item, event, status, reason, completed_at=completed_at, dry_run=self._dry_run)

    def duplicate(self, item: Item, event: Identity, earlier: Source, now: float) -> Result:
        """Its message_id came before."""
        reason = "an earlier event with this message_id was sent, may have been, or is still open"
        result = self.result(item, event, Status.DUPLICATE, reason, now)
        result.duplicate_of = earlier
        return result

    def unreadable(self, item: Item, error: Exception, now: float) -> Result:
        """The event is no message; with what can still be read of it."""
        reason = f"the event cannot be read: {fault(item.raw, error)}"
        return self.result(item, identity(item.raw), Status.INVALID, reason, now)

    def poison(self, item: Item, why: str, known: PartialIdentity, now: float) -> Result:
        """It cannot be read as an event, or stands for no message; `known` is all that can be said of that."""
        return self.result(item, known, Status.INVALID, f"the event cannot be read: {why}", now)

    def internal(self, item: Item, error: Exception, now: float) -> Result:
        """A fault of ours that only this event brings out."""
        reason = f"the event cannot be read: internal error ({type(error).__name__})"
        return self.result(item, identity(item.raw), Status.INVALID, reason, now)

    def too_large(self, item: Item, topic: str, now: float) -> Result:
        """It cannot wait: no retry topic takes its record."""
        reason = f"the event is too large for {topic}, where it would have waited"
        return self.result(item, decode_message(item.raw), Status.FAILED, reason, now)
