"""Brokers that are away come back: which errors say no more than that, and waiting until they have.

aiokafka repeats some requests by itself and raises from others, and calls only some of what passes `retriable`: whoever
asks Kafka from a task that must not end asks through `Outlast`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from aiokafka.errors import (
    BrokerNotAvailableError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    KafkaTimeoutError,
    KafkaUnavailableError,
    ReplicaNotAvailableError,
    StaleControllerEpochError,
    StaleLeaderEpochCodeError,
    TopicAuthorizationFailedError,
    UnknownError,
)

from connector.clock import Clock
from connector.errors import ConfigurationError, ConnectorError, Problem

log = structlog.get_logger(__name__)

T = TypeVar("T")

AGAIN_SECONDS = 1.0

UNMARKED = (
    BrokerNotAvailableError,
    KafkaTimeoutError,
    KafkaUnavailableError,
    ReplicaNotAvailableError,
    StaleControllerEpochError,
    StaleLeaderEpochCodeError,
    UnknownError,
)
"""They pass, and aiokafka does not say so. UnknownError is a broker's answer while it stops or starts."""

REFUSALS = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)
"""Brokers hear of access rules late, and of changed ones one after the other."""


def passes(error: BaseException) -> bool:
    """Whether a call to Kafka that raised this may succeed once the brokers are back: time-outs are OSErrors."""
    return isinstance(error, (OSError, *UNMARKED)) or (isinstance(error, KafkaError) and bool(error.retriable))


class Outlast:
    """Asks Kafka until it answers.

    Args:
        patience: seconds for which a missing permission is taken to be on its way.
        limit: seconds after which it gives up; for how long a running worker waits is its watchdog's decision.
    """

    def __init__(self, clock: Clock, *, patience: float, limit: float = math.inf) -> None:
        self._clock = clock
        self._patience = patience
        self._limit = limit

    async def __call__(
        self, ask: Callable[[], Awaitable[T]], *, doing: str, wanted: Callable[[], bool] = lambda: True
    ) -> T | None:
        """The answer, however long the brokers are away; None where it is not `wanted` any more.

        Args:
            ask: begins anew each time.
            doing: what is done, for the log.
            wanted: looked at before it is asked again.

        Raises:
            ConfigurationError: access has been refused for longer than `patience`.
            ConnectorError: the brokers have been away for longer than `limit`.
            Exception: whatever `ask` raises that does not pass.
        """
        began, since, told = self._clock.monotonic(), -1.0, ""
        while True:
            try:
                answer = await ask()
            except Exception as error:
                now = self._clock.monotonic()
                if isinstance(error, REFUSALS):
                    since = now if since < 0 else since
                    if now - since >= self._patience:
                        raise _refused(doing, error, now - since) from error
                elif passes(error):
                    since = -1.0
                else:
                    raise
                if now - began >= self._limit:
                    raise ConnectorError(f"{doing}: Kafka does not answer: {_named(error)}") from error
                if told != (told := type(error).__name__):
                    log.warning("Kafka does not answer; asking again until it does", doing=doing, error=told)
            else:
                if told:
                    log.info("Kafka answers again", doing=doing, seconds=round(self._clock.monotonic() - began, 1))
                return answer
            await asyncio.sleep(AGAIN_SECONDS)
            if not wanted():
                return None


def _refused(doing: str, error: BaseException, seconds: float) -> ConfigurationError:
    remedy = "allow this user what docs/security.md lists, for groups and topics; then start the worker again"
    message = f"{doing}: the brokers refuse it for {seconds:.0f} s ({_named(error)})"
    return ConfigurationError([Problem(message, remedy, path="kafka")])


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
