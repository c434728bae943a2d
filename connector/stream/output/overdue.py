"""What Kafka neither takes nor refuses: results that are not acknowledged for long, topics that are gone.

An idempotent producer repeats such batches for ever and says nothing. Whoever is killed, or has to end, meanwhile knows
as little as it whether they are in the log. So their results are written down as owed: the next owner reads the results
back, and writes those that are not there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from connector.stream.output.debts import Debts
from connector.stream.output.dispatch import Dispatch, Sending
from connector.stream.output.writability import Writability, refusal
from connector.stream.output.writer import ResultWriter
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.cluster import Cluster
from connector.stream.partitions.partition import Partition

log = structlog.get_logger(__name__)

# How often it is looked for what waits too long for its acknowledgement: while something waits, and while nothing does.
OVERDUE_LOOK_SECONDS, CALM_LOOK_SECONDS = 0.5, 2.0
# A new leader for a partition takes seconds. Whoever ends this process sooner leaves no word of what waits.
LATE_SECONDS = 5.0


class Overdue:
    """Looks after it. Everything it is made of is the worker's.

    Args:
        results: the topic.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        writable: Writability,
        debts: Debts,
        writer: ResultWriter,
        cluster: Cluster,
        owned: Assignment,
        results: str,
    ) -> None:
        self._dispatch = dispatch
        self._writable = writable
        self._debts = debts
        self._writer = writer
        self._cluster = cluster
        self._owned = owned
        self._results = results
        self._lost: set[Partition] = set()

    async def run(self) -> None:
        """Look, for ever. In two loops: a question that brokers do not answer must not hold up the other one."""
        await asyncio.gather(self._again(self.note), self._again(self.find_gone))

    async def _again(self, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(CALM_LOOK_SECONDS if self.calm else OVERDUE_LOOK_SECONDS)
            await look()

    @property
    def calm(self) -> bool:
        """True while there is nothing to look after. What begins to wait now is late long after the next look."""
        waits = self._dispatch.late(0.0) or self._dispatch.gone
        return not (waits or self._debts.unwritten or self._writable.holding)

    async def note(self) -> None:
        """Write down what may be lost with this process."""
        if self._writable.holding:
            await self._writer.note()
        if late := self._dispatch.late(LATE_SECONDS):
            await self._dispatch.note(late)
            await self._writer.note({it.place.origin for it in late if it.place.topic == self._results})
        if self._debts.unwritten:
            await self._debts.write()

    async def last_word(self) -> None:
        """Write down the same of everything: the process is about to end."""
        await self._dispatch.note(self._dispatch.late(0.0))
        await self._writer.note()
        await self._debts.write()

    async def find_gone(self) -> None:
        """Look whether what is waited for is there: a producer waits for a topic that was deleted as for a leader."""
        late = self._dispatch.late(LATE_SECONDS)
        if not late and not self._dispatch.gone:
            return
        topics = {it.place.topic for it in late} | self._dispatch.gone
        try:
            there = await self._cluster.partitions(topics)
        except (KafkaError, OSError) as error:
            log.debug("topics cannot be listed", error=type(error).__name__)
            return
        late = [it for it in self._dispatch.late(LATE_SECONDS) if it.place.topic in there]  # the answer took a while
        lacking = {it.place.topic for it in late if it.place.partition not in there[it.place.topic]}
        gone = frozenset(topic for topic in topics if not there[topic] or topic in lacking)
        for topic in self._dispatch.gone - gone:
            self._writable.clear(topic)
        self._dispatch.note_gone(gone)
        if self._results in gone:
            await self._lose_results()
        for topic in sorted(gone):
            self._refuse(topic, [it for it in late if it.place.topic == topic])

    def _refuse(self, topic: str, waiting: Sequence[Sending]) -> None:
        error = UnknownTopicOrPartitionError()
        for sending in waiting:
            if sending.optional:
                sending.give_up(refusal(topic, error))
        needed = [it for it in waiting if not it.optional]
        if needed:
            self._writable.doubt(topic, error)
        if self._writable.spent(topic):
            refused = self._writable.refuse(topic, error)
            for sending in needed:
                sending.give_up(refused)

    async def _lose_results(self) -> None:
        """Acknowledged results of events that no commit has passed are gone as well."""
        for partition in self._owned.partitions:
            if partition not in self._lost and await self._debts.lost(partition):
                self._lost.add(partition)
        self._lost.intersection_update(self._owned.partitions)
