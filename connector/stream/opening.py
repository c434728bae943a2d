"""Opening partitions: from an assignment to ledgers that know exactly what is settled.

For each partition, in this order: what is committed and with which ends; the bounds of its log and of the topics we
write to; the tail of those from the committed ends; from all of it where to start (`start.decide`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from connector.errors import ConfigurationError, Problem
from connector.settings.model import Settings, Topics
from connector.stream import journal
from connector.stream.cluster import Bounds, Cluster, Committed
from connector.stream.ledger import Ledger, Marks
from connector.stream.partition import Partition
from connector.stream.start import Situation, Start, decide
from connector.stream.tail import Offsets, decode_metadata, is_closed, result_source, settled_place

log = structlog.get_logger(__name__)


def retry_group(group: str) -> str:
    """The group under which the retry topics' offsets are committed; it has no members."""
    return f"{group}-retry"


def retry_partitions(topics: Topics, assigned: Collection[TopicPartition]) -> set[TopicPartition]:
    """The owner of a partition of the first source topic owns the retry topics' partitions of that number."""
    numbers = [tp.partition for tp in assigned if tp.topic == topics.source_names[0]]
    return {TopicPartition(topic, number) for number in numbers for topic in topics.retry.values()}


class Known:
    """What the tail says of one source partition.

    Attributes:
        settled: events with a durable result.
        journalled: events that were about to be sent, under `report`.
    """

    def __init__(self, span: int) -> None:
        self.settled = Offsets(span)
        self.journalled = Offsets(span)


class Opening:
    """Opens the partitions of one assignment.

    Args:
        journal: whether a provider uses the journal.
    """

    def __init__(self, cluster: Cluster, settings: Settings, *, journal: bool) -> None:
        self._cluster = cluster
        self._settings = settings
        self._journal = settings.topics.journal if journal else None
        self._retry = frozenset(settings.topics.retry.values())
        journals = [settings.topics.journal] if journal else []
        self._read_back = (settings.topics.results, *sorted(self._retry), *journals)

    async def open(
        self, assigned: Collection[TopicPartition], *, wanted: Callable[[], bool] = lambda: True
    ) -> list[Partition]:
        """The partitions, ready to admit events.

        Raises:
            ConfigurationError: one must not be started.
        """
        if not assigned:
            return []
        topics = {tp.topic for tp in assigned}
        committed = await self._cluster.committed(self._settings.group, topics - self._retry)
        committed |= await self._cluster.committed(retry_group(self._settings.group), topics & self._retry)
        bounds = await self._cluster.bounds(assigned)
        twins = await self._twins(assigned)
        twin_bounds = await self._cluster.bounds(sorted({twin for found in twins.values() for twin in found}))
        starts = self._tail_starts(twins, committed, bounds, twin_bounds)
        ends = {twin: bound.end for twin, bound in twin_bounds.items()}
        known = {_place(tp.topic, tp.partition): Known(self._settings.span) for tp in twins}
        read = await self._cluster.read_tail(starts, ends, functools.partial(self._seen, known), wanted=wanted)
        chosen = await self._chosen([tp for tp in twins if tp not in committed], bounds)

        # Where no result was ever deleted, an event from `start_from` on without one was not sent: the first results
        # need not be of the first events.
        results = self._settings.topics.results
        whole = {twin.partition for twin, bound in twin_bounds.items() if twin.topic == results and bound.begin == 0}
        since = {tp: offset for tp, offset in chosen.items() if tp.partition in whole}
        established = {tp.topic for tp in committed}
        opened, problems = [], []
        for tp in sorted(twins):
            found = known[_place(tp.topic, tp.partition)]
            situation = Situation(
                tp.topic,
                tp.partition,
                committed=committed[tp].offset if tp in committed else None,
                begin=bounds[tp].begin,
                end=bounds[tp].end,
                # A retry topic is read from its beginning: whatever is left in it is ours to finish.
                resume_at=None if tp.topic in self._retry else found.settled.resume_at(since.get(tp)),
                chosen=chosen.get(tp),
                established=tp.topic in established or tp.topic in self._retry,
            )
            start = decide(situation, group=self._settings.group)
            if isinstance(start, Problem):
                problems.append(start)
                continue
            if start.note and tp.topic not in self._retry:
                log.warning("start", topic=tp.topic, partition=tp.partition, offset=start.offset, why=start.note)
            before = {twin.topic: starts[twin] for twin in twins[tp]}
            now = {twin.topic: ends[twin] for twin in twins[tp]}
            is_committed = tp in committed and not self._must_be_claimed(committed[tp])
            opened.append(self._partition(tp, start, found, before=before, now=now, is_committed=is_committed))
        if problems:
            raise ConfigurationError(problems)
        log.info("partitions opened", partitions=len(opened), settled_read=read)
        return opened

    def _must_be_claimed(self, committed: Committed) -> bool:
        """Whether its commit says that nobody is at work on it: a later bearer of our id would believe that."""
        return self._settings.static_membership is not None and is_closed(committed.metadata)

    def _seen(self, known: Mapping[str, Known], tp: TopicPartition, record: ConsumerRecord) -> None:
        if tp.topic == self._journal:
            entry = journal.decode(record.value)
            if entry is not None and (found := known.get(_place(entry.topic, tp.partition))) is not None:
                journal.apply(entry, found.journalled)
        elif (place := settled_place(record.headers)) is not None:
            if (found := known.get(place[0])) is not None:
                found.settled.add(place[1])
            if tp.topic == self._settings.topics.results and place[0].rpartition("/")[0] in self._retry:
                # The retry record that led here may be purged: the result itself still names its event.
                source = result_source(record.value)
                if source is not None and (found := known.get(_place(source.topic, source.partition))) is not None:
                    found.settled.add(source.offset)

    async def _twins(self, assigned: Collection[TopicPartition]) -> dict[TopicPartition, tuple[TopicPartition, ...]]:
        """Per source partition its same-numbered partitions in our topics; without them it is not admitted."""
        numbers = await self._cluster.partitions(self._read_back)
        twins = {}
        for tp in assigned:
            missing = [topic for topic in self._read_back if tp.partition not in numbers[topic]]
            if missing:
                log.error(
                    "partition not admitted: add its number to the topics named, then restart the workers",
                    topic=tp.topic,
                    partition=tp.partition,
                    missing_in=missing,
                )
                continue
            twins[tp] = tuple(TopicPartition(topic, tp.partition) for topic in self._read_back)
        return twins

    def _tail_starts(
        self,
        twins: Mapping[TopicPartition, tuple[TopicPartition, ...]],
        committed: Mapping[TopicPartition, Committed],
        bounds: Mapping[TopicPartition, Bounds],
        twin_bounds: Mapping[TopicPartition, Bounds],
    ) -> dict[TopicPartition, int]:
        """Where to begin to read each twin: at the committed ends, else at the start of its log.

        Source and retry partitions share twins: the earliest begin counts. One that is committed to its end needs
        nothing of them, however old its commit: a retry topic that is hardly used would have everything since read.
        """
        starts = {twin: twin_bounds[twin].end for found in twins.values() for twin in found}
        for tp, found in twins.items():
            if tp in committed and committed[tp].offset >= bounds[tp].end:
                continue
            ends = decode_metadata(committed[tp].metadata) if tp in committed else {}
            for twin in found:
                begin = twin_bounds[twin].begin
                starts[twin] = min(starts[twin], max(ends.get(twin.topic, begin), begin))
        return starts

    async def _chosen(
        self, fresh: Collection[TopicPartition], bounds: Mapping[TopicPartition, Bounds]
    ) -> dict[TopicPartition, int]:
        """The offsets that `start_from` means, for partitions without a committed one."""
        start_from = self._settings.start_from
        if start_from is None or not fresh:
            return {}
        if start_from == "earliest":
            return {tp: bounds[tp].begin for tp in fresh}
        if start_from == "latest":
            return await self._cluster.stable_ends(fresh)
        return await self._cluster.offsets_at(fresh, start_from)

    def _partition(
        self,
        tp: TopicPartition,
        start: Start,
        known: Known,
        *,
        before: Mapping[str, int],
        now: Mapping[str, int],
        is_committed: bool,
    ) -> Partition:
        """A partition from what was read: `before` and `now` are the ends where reading began and where it stopped."""
        offset = start.offset
        last_known = max((found for it in (known.settled, known.journalled) for found in it), default=-1)
        if last_known < offset:
            marks = Marks(offset, now)
        else:  # until the position passes them, a new owner must read what we have just read
            marks = Marks(offset, before)
            marks.add(last_known + 1, now)
        return Partition(
            topic=tp.topic,
            partition=tp.partition,
            ledger=Ledger(offset, known.settled),
            marks=marks,
            ends=dict(now),
            journalled=known.journalled,
            # Not committed yet: the first commit writes it down, so that `start_from` is applied once and never again.
            committed=offset if is_committed and not start.note else -1,
        )


def _place(topic: str, partition: int) -> str:
    return f"{topic}/{partition}"
