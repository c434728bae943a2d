"""What the brokers tell of the topics we write to, asked whenever partitions are opened: before anything is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiokafka.errors import TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from connector.errors import TopicError
from connector.kafka.topic_plan import Role, check_access, check_rules, check_there, plan, untold
from connector.settings.model import Settings
from connector.stream.lanes import Lanes
from connector.stream.output.proof import Proof
from connector.stream.output.writability import Writability
from connector.stream.partitions.cluster import Cluster

AGAIN_SECONDS = 1.0
# Without these a worker cannot go on. Dead letters are given up where they are refused, the journal if nobody needs it.
NEEDED: tuple[Role, ...] = ("results", "retry", "journal")


class Inspection:
    """Asks: three requests, whatever the number of partitions.

    Args:
        writable: is told of access that is missing, which stops everybody until it is there.
        proof: is told whether results are known to be taken.
        journal: whether a provider needs the journal.
    """

    def __init__(
        self,
        cluster: Cluster,
        settings: Settings,
        *,
        writable: Writability,
        proof: Proof,
        lanes: Lanes,
    ) -> None:
        self._cluster = cluster
        self._topics = settings.topics
        self._names = {settings.topics.results, settings.topics.journal, *settings.topics.retry.values()}
        self._writable = writable
        self._proof = proof
        self._lanes = lanes

    async def look(self, *, wanted: Callable[[], bool]) -> None:
        """Return when nothing is known that would refuse what has to be written, or it is not `wanted` any more.

        Access or a topic that is missing is waited for: brokers hear of both late.

        Raises:
            TopicError: with every problem.
        """
        while wanted():
            actual = await self._cluster.topics({*self._names, *self._topics.source_names})
            told = plan(self._topics, actual, journal=self._lanes.reporting)
            lacking = {it.path: it for it in check_access(told, actual, NEEDED)}
            gone = {it.path: it for it in check_there(told, actual, NEEDED)}
            waited_for = lacking | gone
            for topic in self._names - waited_for.keys():  # also what an epoch before this one has not seen the end of
                self._writable.clear(topic)
            broken = check_rules(told, actual, NEEDED)
            if broken or any(map(self._writable.spent, waited_for)):
                raise TopicError([*waited_for.values(), *broken])
            if not waited_for:
                self._proof.begin(known=not untold(told, actual, ["results"]))
                return
            for topic in waited_for:
                error = UnknownTopicOrPartitionError if topic in gone else TopicAuthorizationFailedError
                self._writable.doubt(topic, error(topic))
            await asyncio.sleep(AGAIN_SECONDS)
