"""Looking for a group's coordinator, with pauses that grow.

While there is none (a new cluster makes its topic, a broker starts and loads its groups, brokers are away) aiokafka
asks ten times a second, each time for all topics of the cluster as well. Fifty workers with two consumers each were two
thousand requests a second, to brokers that had enough to do.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import structlog
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from aiokafka.util import create_future

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
TOLD_AFTER = 4
"""Questions without an answer: a second, which a change of brokers takes as well."""

log = structlog.get_logger(__name__)


def pauses() -> Iterator[float]:
    """Twice as long each time, and not as long for all: those that wait for one broker do not ask together."""
    longest = FIRST_PAUSE_SECONDS
    while True:
        yield longest * random.uniform(0.5, 1.0)  # noqa: S311  jitter
        longest = min(2 * longest, LONGEST_PAUSE_SECONDS)


class PatientCoordinator(GroupCoordinator):  # type: ignore[misc]  # aiokafka is not typed
    """aiokafka's, which asks for the coordinator seldom while there is none."""

    coordinator_id: int | None

    async def ensure_coordinator_known(self) -> None:
        """Return when it is known, or this is closed.

        Raises:
            KafkaError: what asking again cannot mend.
        """
        if self.coordinator_id is not None:
            return
        async with self._coordinator_lookup_lock:
            for number, pause in enumerate(pauses()):
                if self.coordinator_id is not None or self._closing.done():
                    return
                if number == TOLD_AFTER:
                    log.warning("no broker coordinates the group for now; asking again", group=self.group_id)
                if (found := await self._find()) is not None:
                    self.coordinator_id = found
                    self._coordinator_dead_fut = create_future()
                    return
                await asyncio.wait([self._closing], timeout=pause)

    async def _find(self) -> int | None:
        """The coordinator's number, once a connection to it stands; None where there is none for now."""
        try:
            found: int = await self._client.coordinator_lookup(CoordinationType.GROUP, self.group_id)
        except GroupAuthorizationFailedError as error:
            raise GroupAuthorizationFailedError(self.group_id) from error
        except KafkaError as error:
            if not error.retriable:
                raise
            await self._client.force_metadata_update()
            return None
        return found if await self._client.ready(found, group=ConnectionGroup.COORDINATION) else None
