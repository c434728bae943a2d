"""Events in: decoded, looked at, filed with their lane. What cannot be sent becomes a result, never an exception."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from aiokafka import ConsumerRecord

from connector.clock import Clock
from connector.delivery.item import Item
from connector.delivery.lane import Lane
from connector.errors import MessageError
from connector.model import Message, Priority, Result, Source, Status
from connector.stream.budget import Budget
from connector.stream.partition import Partition

log = structlog.get_logger(__name__)

decode_message = msgspec.json.Decoder(Message).decode


def message_of(item: Item) -> Message:
    """The message of a waiting item: windows hold raw bytes, which take a third of the memory of decoded ones."""
    return decode_message(item.raw)


class Intake:
    """Turns records into waiting items, or into results.

    Args:
        lanes: by provider name.
        settle: takes final results of items that go no further.
        allowed: whether a number may be texted.
        max_age: seconds after which an event is stale, None for never.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        *,
        settle: Callable[[Sequence[Item], Sequence[Result]], None],
        budget: Budget,
        clock: Clock,
        allowed: Callable[[str], bool],
        max_age: float | None,
    ) -> None:
        self._lanes = lanes
        self._settle = settle
        self._budget = budget
        self._clock = clock
        self._allowed = allowed
        self._max_age = max_age

    def take(self, partition: Partition, records: Sequence[ConsumerRecord]) -> None:
        """Admit these records of a partition. Offsets that are settled already are passed over."""
        now = self._clock.wall()
        received_at = datetime.fromtimestamp(now, UTC)
        admit, journalled = partition.ledger.admit, partition.journalled
        refused: list[tuple[Item, Result]] = []
        messages = bytes_ = 0
        for record in records:
            if not admit(record.offset):
                continue
            raw = record.value if record.value is not None else b""
            messages += 1
            bytes_ += len(raw)
            item = Item(raw, partition, record.offset, record.key, received_at, self._stale_at(record))
            try:
                file = self._interrupted if record.offset in journalled else self._file
                result = file(item, now)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                result = self._unreadable(item, str(error), now)
            except Exception as error:
                # A fault of ours that one event brings out must not stop every other event for ever.
                log.exception("intake failed on an event", partition=partition.partition, offset=record.offset)
                result = self._unreadable(item, f"internal error ({type(error).__name__})", now)
            if result is not None:
                refused.append((item, result))
        self._budget.take(messages, bytes_)
        if refused:
            self._settle([item for item, _ in refused], [result for _, result in refused])

    def _stale_at(self, record: ConsumerRecord) -> float | None:
        if self._max_age is None or record.timestamp < 0:  # -1: the producer set no timestamp
            return None
        return float(record.timestamp) / 1000 + self._max_age

    def _file(self, item: Item, now: float) -> Result | None:
        """Give the item to its lane; a result when it goes no further."""
        message = decode_message(item.raw)
        if message.expires_at is not None:
            expires = message.expires_at.timestamp()
            item.deadline = expires if item.deadline is None else min(item.deadline, expires)
        if item.deadline is not None and item.deadline <= now:
            return self._result(item, message, Status.EXPIRED, "older than max_age or past expires_at", now)
        if not self._allowed(message.to):
            return self._result(item, message, Status.CANCELLED, "the recipient is not in recipients.allow", now)
        if message.provider is None:
            return self._result(item, message, Status.INVALID, "no provider: the event names none", now)
        lane = self._lanes.get(message.provider)
        if lane is None:
            return self._result(item, message, Status.INVALID, f"no provider definition {message.provider[:64]!r}", now)
        item.priority = message.priority is Priority.HIGH
        try:
            lane.offer(item, message)
        except MessageError as error:
            return self._result(item, message, Status.INVALID, error.reason, now)
        return None

    def _interrupted(self, item: Item, now: float) -> Result:
        """Journalled and without a result: a worker died while the provider may have had it. Never sent again."""
        reason = "a worker stopped while this message may have been at the provider (on_uncertain: report)"
        return self._result(item, decode_message(item.raw), Status.UNKNOWN, reason, now)

    def _result(self, item: Item, message: Message, status: Status, reason: str, now: float) -> Result:
        return Result(
            status=status,
            source=_source(item),
            completed_at=datetime.fromtimestamp(now, UTC),
            message_id=message.message_id,
            provider=message.provider,
            campaign_id=message.campaign_id,
            to=message.to,
            reason=reason,
            received_at=item.received_at,
        )

    def _unreadable(self, item: Item, why: str, now: float) -> Result:
        """An `invalid` result that says what is wrong, with what can still be read of the event."""
        fields = _readable(item.raw)
        return Result(
            status=Status.INVALID,
            source=_source(item),
            completed_at=datetime.fromtimestamp(now, UTC),
            reason=f"the event cannot be read: {why}" if item.raw else "the event has no value",
            received_at=item.received_at,
            **fields,
        )


def _source(item: Item) -> Source:
    return Source(item.origin.topic, item.origin.partition, item.offset)


def _readable(raw: bytes) -> dict[str, Any]:
    """The identifying fields of a broken event, where they are texts of an acceptable length."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    names = ("message_id", "provider", "campaign_id", "to")
    return {name: text for name in names if isinstance(text := document.get(name), str) and 0 < len(text) <= 256}
