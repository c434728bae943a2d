"""Opening partitions: from an assignment to ledgers and states that know exactly what is written.

A partition's states are a view of `topics.receipts`: what a store on disk already holds of it is not read again. From
the place up to which it is a view, or from where records may settle entries that are not committed, whichever is
earlier, the log is read to its end. A store that is not a view of this log is made anew from its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from connector.clock import Clock
from connector.errors import ConfigurationError, Problem, TopicError
from connector.kafka.reader import Bounds
from connector.kafka.skipped import Reason, Skipped
from connector.receipts.receipt_records import written_state
from connector.receipts.states import BIT
from connector.settings.model import Settings
from connector.store.state_store import States, StoreIdentity, Stores, ViewPlace
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.formats import SETTLES, ends_of, settled_place
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.partitions.start_offset import PartitionSituation, decide

log = structlog.get_logger(__name__)

TOGETHER = 10_000
"""States that are put into a store at once while it is made anew."""


@dataclass(frozen=True, slots=True)
class SeenLogs:
    """What Kafka says when partitions are opened.

    Attributes:
        committed: of the entries' topic.
        bounds: of it.
        logs: bounds of the topics that are written.
    """

    committed: Mapping[TopicPartition, Committed]
    bounds: Mapping[TopicPartition, Bounds]
    logs: Mapping[TopicPartition, Bounds]


class ViewedPartition:
    """The states of one partition while its log is read.

    Args:
        states: as they are on disk.
        settled: entries that are done with.
        number: of the partition.
        committed: an offset of its entries is.

    Attributes:
        damaged: the log has another record where the store says it had read one: it is no view of this log.
    """

    def __init__(self, states: States, settled: OffsetSet, *, matched: str, number: int, committed: bool) -> None:
        self.states = states
        self._committed = committed
        self.settled = settled
        self.damaged = False
        self._prefix = f"{matched}/{number}"
        self._changed: dict[bytes, int] = {}
        self._place: ViewPlace | None = None

    def take(self, record: ConsumerRecord) -> bool:
        """A record of `topics.receipts`. False where it is none of ours."""
        at = self.states.place
        settles = next((value for name, value in record.headers if name == SETTLES), None) or b""
        if at is not None and record.offset == at.next - 1 and settles != at.last:
            self.damaged = True
        named, found = settled_place(record.headers), written_state(record.headers)
        if named is None or named[0] != self._prefix or found is None:
            return False
        self.settle(record)
        if at is None or record.offset >= at.next:
            key, state = found
            seen = self._changed.get(key)
            if seen is None:
                stored = self.states.get(key)
                seen = stored[0] if stored else 0
            self._changed[key] = seen | BIT[state]
            self._place = ViewPlace(record.offset + 1, settles)
            if len(self._changed) >= TOGETHER:
                self.write()
        return True

    def settle(self, record: ConsumerRecord) -> None:
        """Note which entry a record settles, where it is one of this partition.

        Not where nothing is committed: the records may be of a topic before this one, and an entry that is read twice
        changes nothing.
        """
        named = settled_place(record.headers)
        if self._committed and named is not None and named[0] == self._prefix:
            self.settled.add(named[1])

    def write(self) -> None:
        """What was read, to the store."""
        if self._place is not None and not self.damaged:
            self.states.write({key: bytes([seen]) for key, seen in self._changed.items()}, self._place)
        self._changed.clear()
        self._place = None


class StateOpening:
    """Opens the partitions of one assignment.

    Args:
        settings: with the group of `receipts run`.
        partitions: how many each of the topics has.

    Attributes:
        seen: records read at the current opening.
        seconds: what the last one took.
    """

    def __init__(
        self,
        cluster: Cluster,
        stores: Stores[States],
        settings: Settings,
        *,
        partitions: int,
        skipped: Skipped,
        clock: Clock,
    ) -> None:
        topics = settings.topics
        self.seen = 0
        self.seconds = 0.0
        self._cluster = cluster
        self._stores = stores
        self._settings = settings
        self._matched, self._receipts, self._unmatched = (
            topics.receipts_matched,
            topics.receipts,
            topics.receipts_unmatched,
        )
        self._partitions = partitions
        self._skipped = skipped
        self._clock = clock

    async def open(
        self, assigned: Collection[TopicPartition], *, wanted: Callable[[], bool]
    ) -> dict[Partition, States]:
        """The partitions, ready to take entries, each with its states.

        Raises:
            TopicError: the topics have other numbers of partitions than when this process started.
            ConfigurationError: one must not be started.
        """
        self.seen = 0
        began = self._clock.monotonic()
        await self._check_partitions()
        if not assigned:
            return {}
        committed = await self._cluster.committed(self._settings.group, [self._matched])
        numbers = sorted(tp.partition for tp in assigned)
        logs = await self._cluster.bounds(
            [TopicPartition(topic, it) for topic in (self._receipts, self._unmatched) for it in numbers]
        )
        # Asked after those of what is written: whatever is read there names an entry before this end.
        bounds = await self._cluster.bounds(assigned)
        name = await self._cluster.name()
        at = SeenLogs(committed, bounds, logs)
        starts = self._starts(assigned, at)
        views: dict[int, ViewedPartition] = {}
        try:
            for number in numbers:
                tp = TopicPartition(self._matched, number)
                states = self._store(name, number, logs[TopicPartition(self._receipts, number)])
                settled = OffsetSet(self._settings.span, begin=starts[tp], end=bounds[tp].end)
                views[number] = ViewedPartition(
                    states, settled, matched=self._matched, number=number, committed=tp in committed
                )
            await self._read(views, at, wanted=wanted)
            damaged = {number: view for number, view in views.items() if view.damaged}
            for number, view in damaged.items():
                log.warning("states are of another log; made anew from the topic", partition=number)
                view.states.close()
                view.states, view.damaged = self._stores.renew(self._identity(name, number)), False
            if damaged:
                await self._read(damaged, at, wanted=wanted)
            opened = {
                self._partition(number, view, starts[TopicPartition(self._matched, number)], at): view.states
                for number, view in views.items()
            }
        except BaseException:
            for view in views.values():
                view.states.close()
            raise
        self.seconds = self._clock.monotonic() - began
        log.info("partitions opened", partitions=len(opened), read=self.seen, seconds=round(self.seconds, 1))
        return opened

    async def _check_partitions(self) -> None:
        topics = (self._matched, self._receipts, self._unmatched)
        found = await self._cluster.partitions(topics)
        remedy = "give the topics of receipts one number, then start all receivers and `receipts run` again"
        problems = [
            Problem(f"it has {len(found[topic])} partitions, and had {self._partitions}", remedy, path=topic)
            for topic in topics
            if len(found[topic]) != self._partitions
        ]
        if problems:
            raise TopicError(problems)

    def _starts(self, assigned: Collection[TopicPartition], seen: SeenLogs) -> dict[TopicPartition, int]:
        """Where each begins; nothing that is read twice is written twice, so without a commit at its beginning.

        Raises:
            ConfigurationError: the topic was created anew under the group's offsets.
        """
        starts, problems, committed, bounds = {}, [], seen.committed, seen.bounds
        for tp in sorted(assigned):
            if tp in committed and committed[tp].offset > bounds[tp].end:
                message = f"ends at {bounds[tp].end}, but {committed[tp].offset} is committed: it was created anew"
                remedy = f"delete the offsets of group {self._settings.group!r} in it, then start again"
                problems.append(Problem(message, remedy, path=f"{tp.topic}[{tp.partition}]"))
                continue
            at = PartitionSituation(
                tp.topic,
                tp.partition,
                committed=committed[tp].offset if tp in committed else None,
                begin=bounds[tp].begin,
                end=bounds[tp].end,
                established=True,
            )
            start = decide(at, group=self._settings.group)
            if isinstance(start, Problem):
                problems.append(start)
                continue
            starts[tp] = start.offset
            if start.note:
                log.warning("start", topic=tp.topic, partition=tp.partition, offset=start.offset, why=start.note)
        if problems:
            raise ConfigurationError(problems)
        return starts

    def _identity(self, name: str, number: int) -> StoreIdentity:
        return StoreIdentity(name, self._receipts, number, self._partitions)

    def _store(self, name: str, number: int, at: Bounds) -> States:
        """What is on disk, where it can be a view of this log."""
        identity = self._identity(name, number)
        states = self._stores.open(identity)
        if states.place is not None and not at.begin <= states.place.next <= at.end:
            log.warning("states are older than the topic, or of another one; made anew from it", partition=number)
            states.close()
            return self._stores.renew(identity)
        return states

    async def _read(
        self,
        views: Mapping[int, ViewedPartition],
        at: SeenLogs,
        *,
        wanted: Callable[[], bool],
    ) -> None:
        starts: dict[TopicPartition, int] = {}
        for number, view in views.items():
            for topic in (self._receipts, self._unmatched):
                tp = TopicPartition(topic, number)
                starts[tp] = self._mark(tp, at)
            tp = TopicPartition(self._receipts, number)
            place, begin = view.states.place, at.logs[tp].begin
            # One record more: it shows whether this is the log that the store is a view of.
            viewed = begin if place is None else max(begin, place.next - 1)
            starts[tp] = min(starts[tp], viewed)

        def seen(tp: TopicPartition, record: ConsumerRecord) -> None:
            self.seen += 1
            view = views[tp.partition]
            if tp.topic == self._receipts:
                if not view.take(record):
                    what = "no state of a message, or of another partition"
                    self._skipped.note(tp.topic, tp.partition, record.offset, Reason.FOREIGN, what=what)
            else:  # the receivers write there as well, and settle nothing
                view.settle(record)

        ends = {tp: at.logs[tp].end for tp in starts}
        await self._cluster.read_tail(starts, ends, seen, wanted=wanted)
        for view in views.values():
            view.write()

    def _mark(self, tp: TopicPartition, seen: SeenLogs) -> int:
        """From where records in `tp` may settle entries that are not committed."""
        source, at = TopicPartition(self._matched, tp.partition), seen.logs[tp]
        committed = seen.committed.get(source)
        if committed is None or committed.offset >= seen.bounds[source].end:
            return at.end
        since = ends_of(committed.metadata).get(tp.topic, at.begin)
        return since if at.begin <= since <= at.end else at.begin

    def _partition(self, number: int, view: ViewedPartition, start: int, seen: SeenLogs) -> Partition:
        tp = TopicPartition(self._matched, number)
        written = [TopicPartition(topic, number) for topic in (self._receipts, self._unmatched)]
        now = {it.topic: seen.logs[it].end for it in written}
        before = {it.topic: self._mark(it, seen) for it in written}
        if view.settled.newest < start:
            marks = ReplayMarks(start, now)
        else:  # until the position passes them, a new owner must read what we have just read
            marks = ReplayMarks(start, before)
            marks.add(view.settled.newest + 1, now)
        committed = seen.committed.get(tp)
        return Partition(
            topic=self._matched,
            partition=number,
            ledger=Ledger(start, view.settled),
            marks=marks,
            ends=dict(now),
            committed=start if committed is not None and committed.offset == start else -1,
            journalled=OffsetSet(self._settings.span),
            log_end=seen.bounds[tp].end,
        )
