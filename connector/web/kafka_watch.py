"""What Kafka tells of the group: members, how far it is per partition, and whether Kafka answers at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
from aiokafka.errors import KafkaError

from connector.clock import Clock
from connector.errors import ConnectorError
from connector.kafka.reader import GroupMember, Members, TopicReader, open_reader
from connector.operating.group_progress import GroupProgress, group_progress
from connector.operating.holding import Providers
from connector.settings import Settings

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
HOLDS_SECONDS = 15.0
"""How often the oldest event of each partition is read, while somebody looks at partitions."""
WANTED_SECONDS = 60.0
"""For how long somebody who has asked for partitions is taken to look at them."""
ANSWER_SECONDS = 10.0
"""Brokers that take longer for one look are away."""


@dataclass(slots=True)
class Reachability:
    """Whether Kafka answers.

    Attributes:
        as_of: when it did last, wall seconds; None: never yet.
        away_since: from when it does not; None while it does.
        why: in a few words.
    """

    as_of: float | None = None
    away_since: float | None = None
    why: str = ""

    def away(self) -> bool:
        """It does not."""
        return self.away_since is not None

    def answered(self, now: float) -> None:
        """It does."""
        self.as_of, self.away_since, self.why = now, None, ""

    def failed(self, now: float, why: str) -> None:
        """It does not."""
        self.away_since = now if self.away_since is None else self.away_since
        self.why = why


@dataclass(slots=True)
class GroupState:
    """The group, as of the last answer.

    Attributes:
        holds: with what holds each partition, as of `holds_at`; a slower look.
    """

    members: Members = field(default_factory=lambda: Members("", 0))
    quick: GroupProgress | None = None
    holds: GroupProgress | None = None
    holds_at: float = 0.0


class KafkaWatch:
    """Looks at the group for ever.

    Args:
        providers: what workers say at this moment.
        told: is told the group's members.

    Attributes:
        state: the group.
        reachability: of Kafka.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        *,
        providers: Callable[[], Providers],
        told: Callable[[Sequence[GroupMember]], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._providers = providers
        self._told = told
        self._wanted_at = float("-inf")
        self._wanted = asyncio.Event()
        self.state = GroupState()
        self.reachability = Reachability()

    def want_holds(self) -> None:
        """Somebody looks at partitions."""
        self._wanted_at = self._clock.monotonic()
        self._wanted.set()

    async def run(self) -> None:
        """Look; brokers that are away are asked again."""
        while True:
            try:
                async with open_reader(self._settings, lambda _: None) as reader:
                    while True:
                        await self._look(reader)
                        await self._pause()
            except (ConnectorError, KafkaError, OSError, TimeoutError) as error:
                first = self.reachability.away_since is None
                why = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
                self.reachability.failed(self._clock.wall(), why)
                if first:
                    log.warning("Kafka does not answer the console", why=why)
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, reader: TopicReader) -> None:
        settings, state, now = self._settings, self.state, self._clock.monotonic()
        wanted = now - self._wanted_at < WANTED_SECONDS
        holds = wanted and (state.holds is None or now - state.holds_at >= HOLDS_SECONDS)
        async with asyncio.timeout(ANSWER_SECONDS * (6 if holds else 1)):
            found = await group_progress(reader, settings, self._providers(), holds=holds)
        state.members, state.quick = found.members, found
        if holds:
            state.holds, state.holds_at = found, now
        if self.reachability.away_since is not None:
            log.info("Kafka answers the console again")
        self.reachability.answered(self._clock.wall())
        self._told(found.members.each)

    async def _pause(self) -> None:
        """Until the next look: sooner for somebody who begins to look at partitions."""
        self._wanted.clear()
        waiting = self.state.holds is None
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wanted.wait()
                if not waiting:
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            pass
