"""Opening partitions: from an assignment to ledgers that know exactly what is settled.

For each partition, in this order: what is committed and with which ends; the bounds of its log and of the topics we
write to; the tail of those from the committed ends; from all of it where to start (`start_offset.decide`).
"""

from __future__ import annotations

import functools
import math
from collections import deque
from collections.abc import Callable, Collection, Mapping

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from connector.errors import ConfigurationError, Problem
from connector.kafka.reader import Bounds
from connector.kafka.skipped import Reason, Skipped
from connector.model import Result
from connector.settings.model import Settings
from connector.stream.epoch.foreign_results import LOOKED_AT, NamedResult, foreign_results
from connector.stream.lanes import Lanes
from connector.stream.output import debts, journal
from connector.stream.partitions.campaign_counts import CampaignOrdinals
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.copartitions import retry_group
from connector.stream.partitions.formats import (
    VersionError,
    counts_of,
    is_closed,
    journalled_by_another,
    owed_of,
    read_metadata,
    result_source,
    settled_place,
)
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.partitions.start_offset import PartitionSituation, Start, StartNotes, decide
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)


# A topic that was created anew under the group's results: fewer records than these that settle what is not there are
# taken for forged, and so many are remembered.
BEYOND_LEAST, BEYOND_KEPT = 10, 1_000


class RecoveredState:
    """What the tail says of one source partition.

    Args:
        committed: where it goes on; None where nothing is committed.
        end: one past the newest offset of its log: whatever names a later one is none of its records.

    Attributes:
        settled: events with a durable result.
        journalled: events that were about to be sent, under `report`.
        held: events that another version has journalled in a way we cannot read.
        held_version: that version.
        owed: events that were sent and whose results are owed.
        end: offsets from it on name no event.
        results: records that settle an event of the log.
        beyond: offsets past its end that others settle, the first of them.
        newest: the last results that name an event of the log.
    """

    def __init__(self, span: int, *, committed: int | None = None, end: int | None = None) -> None:
        begin, slides = committed or 0, committed is None
        self.settled = OffsetSet(span, begin=begin, end=end, slides=slides)
        self.journalled = OffsetSet(span, begin=begin, end=end, slides=slides)
        self.held = OffsetSet(span, begin=begin, end=end, slides=slides)
        self.held_version = 0
        self.owed: dict[int, Result | None] = {}
        self.end = math.inf if end is None else end
        self.results = 0
        self.beyond: set[int] = set()
        self.newest: deque[NamedResult] = deque(maxlen=LOOKED_AT)

    def settle(self, offset: int) -> bool:
        """Note a settled event; False where its log has none at this offset."""
        if self.settled.add(offset):
            self.results += 1
            return True
        if len(self.beyond) < BEYOND_KEPT:
            self.beyond.add(offset)
        return False

    def resume_at(self, since: int | None) -> int | None:
        """Where the results say to go on.

        That is beyond the log's end where as many settle events there as in it: the topic was created anew. Fewer are
        poison, of somebody who may write results.
        """
        if len(self.beyond) >= BEYOND_LEAST and (len(self.beyond) == BEYOND_KEPT or len(self.beyond) >= self.results):
            return max(self.beyond) + 1
        return self.settled.resume_at(since)


class Opening:
    """Opens the partitions of one assignment.

    Args:
        lanes: whether some provider uses the journal is asked at each opening. Where none does, it is read all the same
            if it is there: one may begin to while the partitions are owned.
        skipped: where records that say nothing are counted.

    Attributes:
        seen: records read back at the current opening. Millions take longer than a worker may stand still: it shows
            that it does not.
    """

    def __init__(self, cluster: Cluster, settings: Settings, *, lanes: Lanes, skipped: Skipped) -> None:
        self._cluster = cluster
        self._settings = settings
        self._journal = settings.topics.journal
        self._lanes = lanes
        self._skipped = skipped
        self.seen = 0
        self._retry = frozenset(settings.topics.retry.values())
        self._waiting = f"{settings.topics.retry_prefix}."  # also what a tier wrote that is no longer set
        self._events = self._retry.union(settings.topics.source_names)
        self._read_back = (settings.topics.results, *sorted(self._retry), settings.topics.journal)

    async def open(
        self, assigned: Collection[TopicPartition], *, wanted: Callable[[], bool] = lambda: True
    ) -> list[Partition]:
        """The partitions, ready to admit events.

        Raises:
            ConfigurationError: one must not be started.
        """
        self.seen = 0
        if not assigned:
            return []
        topics = {tp.topic for tp in assigned}
        # Of sources all: where others are committed the topic is no new one.
        committed = await self._cluster.committed(self._settings.group, topics - self._retry)
        committed |= await self._cluster.committed_of(
            retry_group(self._settings.group), [tp for tp in assigned if tp.topic in self._retry]
        )
        copartitions = await self._copartitions(assigned)
        copartition_bounds = await self._cluster.bounds(
            sorted({copartition for found in copartitions.values() for copartition in found})
        )
        # Asked after those of our own topics: whatever is read there up to its end names an event before this end.
        bounds = await self._cluster.bounds(assigned)
        starts = self._tail_starts(copartitions, committed, bounds, copartition_bounds)
        ends = {copartition: bound.end for copartition, bound in copartition_bounds.items()}
        known = {
            _place(tp.topic, tp.partition): RecoveredState(
                self._settings.span, committed=self._begins_at(tp, committed, bounds), end=bounds[tp].end
            )
            for tp in copartitions
        }
        read = await self._cluster.read_tail(starts, ends, functools.partial(self._seen, known), wanted=wanted)
        doubtful = {
            tp: known[_place(tp.topic, tp.partition)].newest
            for tp in copartitions
            if self._is_doubtful(tp, committed, copartition_bounds)
        }
        results = self._settings.topics.results
        if problems := await foreign_results(self._cluster, doubtful, results, wanted=wanted):
            raise ConfigurationError(problems)
        chosen = await self._chosen([tp for tp in copartitions if tp not in committed], bounds)

        # Where no result was ever deleted, an event from `start_from` on without one was not sent: the first results
        # need not be of the first events.
        whole = {
            copartition.partition
            for copartition, bound in copartition_bounds.items()
            if copartition.topic == results and bound.begin == 0
        }
        since = {tp: offset for tp, offset in chosen.items() if tp.partition in whole}
        established = {tp.topic for tp in committed}
        opened, problems, notes = [], [], StartNotes()
        for tp in sorted(copartitions):
            found = known[_place(tp.topic, tp.partition)]
            situation = PartitionSituation(
                tp.topic,
                tp.partition,
                committed=committed[tp].offset if tp in committed else None,
                begin=bounds[tp].begin,
                end=bounds[tp].end,
                # A retry topic is read from its beginning: whatever is left in it is ours to finish.
                resume_at=None if tp.topic in self._retry else found.resume_at(since.get(tp)),
                chosen=chosen.get(tp),
                established=tp.topic in established or tp.topic in self._retry,
            )
            start = decide(situation, group=self._settings.group)
            if isinstance(start, Problem):
                problems.append(start)
                continue
            if start.note and tp.topic not in self._retry:
                notes.add(tp, start)
            before = {copartition.topic: starts[copartition] for copartition in copartitions[tp]}
            now = {copartition.topic: ends[copartition] for copartition in copartitions[tp]}
            if tp in committed:
                for offset in owed_of(committed[tp].metadata, committed[tp].offset, bounds[tp].end):
                    found.owed.setdefault(offset, None)
            owed = {at: it for at, it in found.owed.items() if start.offset <= at < bounds[tp].end}
            found.owed = {at: it for at, it in owed.items() if at not in found.settled}
            is_committed = tp in committed and not self._must_be_claimed(committed[tp])
            partition = self._partition(
                tp, start, found, before=before, now=now, is_committed=is_committed, end=bounds[tp].end
            )
            if tp in committed and committed[tp].offset == start.offset:
                partition.counts = CampaignOrdinals(counts_of(committed[tp].metadata))
            opened.append(partition)
        if problems:
            raise ConfigurationError(problems)
        notes.tell()
        log.info("partitions opened", partitions=len(opened), settled_read=read)
        return opened

    def _must_be_claimed(self, committed: Committed) -> bool:
        """Whether its commit says that nobody is at work on it: a later bearer of our id would believe that."""
        return self._settings.static_membership is not None and is_closed(committed.metadata)

    def _is_doubtful(
        self,
        tp: TopicPartition,
        committed: Mapping[TopicPartition, Committed],
        copartition_bounds: Mapping[TopicPartition, Bounds],
    ) -> bool:
        """Whether no commit bears the results out: there is none, or it names ends that our topics do not have."""
        topics = self._settings.topics
        if tp.topic not in topics.source_names or not topics.source(tp.topic).plain:
            return False
        if tp not in committed:
            return True
        ends = self._ends(tp, committed[tp])
        now = {topic: copartition_bounds.get(TopicPartition(topic, tp.partition)) for topic in ends}
        return any(bound is not None and ends[topic] > bound.end for topic, bound in now.items())

    def _begins_at(
        self,
        tp: TopicPartition,
        committed: Mapping[TopicPartition, Committed],
        bounds: Mapping[TopicPartition, Bounds],
    ) -> int | None:
        """Before which offset nothing needs to be known; None where the results have to say it."""
        if tp in committed:
            return committed[tp].offset
        return bounds[tp].begin if tp.topic in self._retry else None

    def _seen(self, known: Mapping[str, RecoveredState], tp: TopicPartition, record: ConsumerRecord) -> None:
        self.seen += 1
        if tp.topic == self._journal:
            self._journalled(known, tp, record)
            return
        place = settled_place(record.headers)
        if place is None:
            self._pass_over(tp, record, Reason.MALFORMED, "no header `settles`, or none of ours")
            return
        self._settled(known, tp, record, *place)
        if tp.topic == self._settings.topics.results and place[0].startswith(self._waiting):
            # The retry record that led here may be purged: the result itself still names its event.
            source = result_source(record.value)
            if source is None:
                self._pass_over(tp, record, Reason.MALFORMED, "the result of a retry record, without its event")
            else:
                self._settled(known, tp, record, _place(source.topic, source.partition), source.offset)

    def _settled(
        self, known: Mapping[str, RecoveredState], tp: TopicPartition, record: ConsumerRecord, place: str, offset: int
    ) -> None:
        """A record in `tp` says that this event is settled. Only those of its own partition's number can be."""
        topic, _, number = place.rpartition("/")
        if number != str(tp.partition) or (topic not in self._events and not topic.startswith(self._waiting)):
            self._pass_over(tp, record, Reason.FOREIGN, "settles an event of another partition")
        elif (found := known.get(place)) is not None:
            if not found.settle(offset):
                self._pass_over(tp, record, Reason.FOREIGN, "settles an event beyond the end of its log")
            elif tp.topic == self._settings.topics.results:
                found.newest.append((offset, record.value))

    def _journalled(self, known: Mapping[str, RecoveredState], tp: TopicPartition, record: ConsumerRecord) -> None:
        debt = debts.decode(record.value)
        if debt is not None:
            found = known.get(_place(debt.topic, tp.partition))
            if found is not None and debt.offset >= found.end:
                self._pass_over(tp, record, Reason.FOREIGN, "owes the result of an event that is not there")
            elif found is not None:
                found.owed[debt.offset] = debt.result
            return
        try:
            entry = journal.decode(record.value)
        except UnreadableError as error:
            self._pass_over(tp, record, Reason.MALFORMED, str(error))
            return
        except VersionError as error:
            self._hold(known, tp, record, error.needed)
            return
        if entry.topic not in self._events:
            self._pass_over(tp, record, Reason.FOREIGN, "names a topic that is none of ours")
            return
        found = known.get(_place(entry.topic, tp.partition))
        if found is not None and not journal.apply(entry, found.journalled):
            self._pass_over(tp, record, Reason.FOREIGN, "names events beyond the end of their log")

    def _hold(
        self, known: Mapping[str, RecoveredState], tp: TopicPartition, record: ConsumerRecord, version: int
    ) -> None:
        """A journal record of another version: whether its events may be sent is not for us to say."""
        self._pass_over(tp, record, Reason.VERSION, f"format version {version}")
        try:
            topic, offsets = journalled_by_another(record.value)
        except UnreadableError:
            return
        found = known.get(_place(topic, tp.partition))
        if found is not None and offsets:
            found.held.add_all(offsets)
            found.held_version = max(found.held_version, version)

    def _pass_over(self, tp: TopicPartition, record: ConsumerRecord, reason: Reason, what: str) -> None:
        self._skipped.note(tp.topic, tp.partition, record.offset, reason, what=what)

    async def _copartitions(
        self, assigned: Collection[TopicPartition]
    ) -> dict[TopicPartition, tuple[TopicPartition, ...]]:
        """Per source partition its same-numbered partitions in our topics; without them it is not admitted."""
        numbers = await self._cluster.partitions(self._read_back)
        optional = set() if self._lanes.reporting else {self._journal}
        copartitions = {}
        for tp in assigned:
            missing = [topic for topic in self._read_back if tp.partition not in numbers[topic]]
            if set(missing) - optional:
                log.error(
                    "partition not admitted: add its number to the topics named, then restart the workers",
                    topic=tp.topic,
                    partition=tp.partition,
                    missing_in=missing,
                )
                continue
            copartitions[tp] = tuple(
                TopicPartition(topic, tp.partition) for topic in self._read_back if topic not in missing
            )
        return copartitions

    def _tail_starts(
        self,
        copartitions: Mapping[TopicPartition, tuple[TopicPartition, ...]],
        committed: Mapping[TopicPartition, Committed],
        bounds: Mapping[TopicPartition, Bounds],
        copartition_bounds: Mapping[TopicPartition, Bounds],
    ) -> dict[TopicPartition, int]:
        """Where to begin to read each twin: at the committed ends, else at the start of its log.

        Source and retry partitions share twins: the earliest begin counts. One that is committed to its end needs
        nothing of them, however old its commit: a retry topic that is hardly used would have everything since read.
        """
        starts = {
            copartition: copartition_bounds[copartition].end for found in copartitions.values() for copartition in found
        }
        for tp, found in copartitions.items():
            if tp in committed and committed[tp].offset >= bounds[tp].end:
                continue
            ends = self._ends(tp, committed[tp]) if tp in committed else {}
            for copartition in found:
                begin, end = copartition_bounds[copartition]
                since = ends.get(copartition.topic, begin)
                starts[copartition] = min(starts[copartition], since if begin <= since <= end else begin)
        return starts

    def _ends(self, tp: TopicPartition, at: Committed) -> Mapping[str, int]:
        """Where a commit says that reading begins; nowhere, which is everywhere, where we cannot read it."""
        try:
            return read_metadata(at.metadata).ends if at.metadata else {}
        except UnreadableError as error:
            reason, what = Reason.MALFORMED, str(error)
        except VersionError as error:
            reason, what = Reason.VERSION, str(error)
        self._skipped.note(tp.topic, tp.partition, at.offset, reason, what=f"commit metadata: {what}")
        return {}

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
        known: RecoveredState,
        *,
        before: Mapping[str, int],
        now: Mapping[str, int],
        is_committed: bool,
        end: int,
    ) -> Partition:
        """A partition from what was read: `before` and `now` are the ends where reading began and where it stopped."""
        offset = start.offset
        newest = max(it.newest for it in (known.settled, known.journalled, known.held))
        last_known = max(newest, max(known.owed, default=-1))
        if last_known < offset:
            marks = ReplayMarks(offset, now)
        else:  # until the position passes them, a new owner must read what we have just read
            marks = ReplayMarks(offset, before)
            marks.add(last_known + 1, now)
        return Partition(
            topic=tp.topic,
            partition=tp.partition,
            ledger=Ledger(offset, known.settled),
            marks=marks,
            ends=dict(now),
            journalled=known.journalled,
            held=known.held if known.held_version else None,
            held_version=known.held_version,
            log_end=end,
            debts=known.owed,
            # Not committed yet: the first commit writes it down, so that `start_from` is applied once and never again.
            committed=offset if is_committed and not start.note else -1,
        )


def _place(topic: str, partition: int) -> str:
    return f"{topic}/{partition}"
