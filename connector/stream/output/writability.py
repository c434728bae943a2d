"""What Kafka refuses to take from this worker: for now, or for good. While anything is refused, nothing is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from connector.clock import Clock
from connector.errors import Problem, RefusedError

log = structlog.get_logger(__name__)

ACCESS = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)
SIZE = (MessageSizeTooLargeError, RecordListTooLargeError)


class Writability:
    """Knows which topics refuse what must be written, and since when.

    Args:
        patience: seconds for which a missing permission is taken to be on its way: brokers hear of rules late.

    Attributes:
        holding: something is refused: nothing may be sent.
        error: refused for good; the first one.
    """

    def __init__(self, clock: Clock, *, patience: float) -> None:
        self.holding = False
        self.error: RefusedError | None = None
        self._clock = clock
        self._patience = patience
        self._since: dict[str, float] = {}
        self._final: dict[str, RefusedError] = {}
        self._changed = asyncio.Event()

    def doubt(self, topic: str, error: KafkaError) -> None:
        """A topic refuses for now."""
        if topic in self._since:
            return
        self._since[topic] = self._clock.monotonic()
        self.holding = True
        log.error(
            "sending stops: Kafka refuses what has to be written",
            topic=topic,
            error=type(error).__name__,
            given_up_after_seconds=self._patience,
        )

    def spent(self, topic: str) -> bool:
        """A topic has refused for longer than a change of rules takes to arrive."""
        since = self._since.get(topic)
        return since is not None and self._clock.monotonic() - since >= self._patience

    def clear(self, topic: str) -> None:
        """A topic takes records again."""
        if self._since.pop(topic, None) is not None:
            log.info("Kafka takes records again", topic=topic)
        if not self._since and self.error is None:
            self.holding = False
            self.release()

    def refuse(self, topic: str, error: KafkaError) -> RefusedError:
        """A topic refuses for good; the error to end with."""
        refused = self._final.setdefault(topic, refusal(topic, error))
        self.holding = True
        if self.error is None:
            self.error = refused
            log.critical("nothing more is sent: Kafka refuses it for good", topic=topic, error=type(error).__name__)
            self.release()
        return refused

    @property
    def topics(self) -> list[str]:
        """Those that refuse something, for now or for good."""
        return sorted({*self._since, *self._final})

    def refused(self, topic: str) -> RefusedError | None:
        """Why a topic refuses for good, where it does."""
        return self._final.get(topic)

    async def await_writable(self, wanted: Callable[[], bool]) -> bool:
        """Wait while anything is refused for now, and `wanted`. True where nothing is refused any more."""
        while self.holding and self.error is None and wanted():
            await self._changed.wait()
        return not self.holding

    def release(self) -> None:
        """Let everybody look again who waits: also when the epoch closes."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def refusal(topic: str, error: KafkaError) -> RefusedError:
    """The error to end with, with the remedy."""
    return RefusedError([_problem(topic, error)])


def _problem(topic: str, error: KafkaError) -> Problem:
    name = type(error).__name__
    if isinstance(error, ACCESS):
        remedy = "allow Write on it for this principal (docs/security.md); nothing is sent until then"
        return Problem(f"Kafka does not let this worker write ({name})", remedy, path=topic)
    if isinstance(error, UnknownTopicOrPartitionError):
        remedy = "run `sms-connector topics create`, and find out who deletes topics; nothing is sent until then"
        return Problem("is not on the cluster any more, or lacks partitions", remedy, path=topic)
    if isinstance(error, InvalidTimestampError):
        remedy = (
            "compare its message.timestamp.before.max.ms and message.timestamp.after.max.ms, "
            "and the clocks of this host and of the brokers"
        )
        return Problem(f"refuses the time of what is written now ({name})", remedy, path=topic)
    if isinstance(error, SIZE):
        remedy = "raise its max.message.bytes: `sms-connector topics check` says how far"
        return Problem(f"does not take records of a few hundred bytes ({name})", remedy, path=topic)
    remedy = "run `sms-connector topics check`, and look into the log of the broker, which says why"
    return Problem(f"refuses every record ({name})", remedy, path=topic)
