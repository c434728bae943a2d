"""Events in: decoded, looked at, filed with their lane. What cannot be sent becomes a result, never an exception."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import repeat

import msgspec
import structlog
from aiokafka import ConsumerRecord

from connector.clock import Clock
from connector.delivery.http.tracing import HEADER, HEADER_BYTES
from connector.delivery.lane import Lane
from connector.delivery.outcomes.unsent import PartialIdentity
from connector.delivery.queue.expiry import REASONS
from connector.delivery.queue.item import CarryingItem, Item, TracedItem
from connector.errors import MessageError
from connector.kafka.record_batch import Unreadable
from connector.kafka.skipped import Reason, Skipped
from connector.model import CampaignState, Message, Priority, Result, Status
from connector.stream.control.apply import Refiler
from connector.stream.control.failover import Failover
from connector.stream.control.table import ControlTable
from connector.stream.intake.budget import Budget, weight
from connector.stream.intake.caps import Caps
from connector.stream.intake.carried_headers import CarriedHeaders
from connector.stream.intake.dedupe import DedupeIndex
from connector.stream.intake.intake_counts import IntakeCounts
from connector.stream.intake.refusals import Refusals
from connector.stream.intake.send_times import LONGEST_SECONDS, SendTimes
from connector.stream.intake.translation import UntranslatedRecord
from connector.stream.intake.unknown_fields import EventDecoder
from connector.stream.intake.unknown_names import Cause, UnknownNames
from connector.stream.partitions.formats import VersionError
from connector.stream.partitions.ledger import Ledger
from connector.stream.partitions.partition import Partition
from connector.stream.partitions.result_sink import ResultSink
from connector.stream.retry.retry_records import Restorer, RetryRecord
from connector.stream.retry.routing import RetryRouting, RetrySink
from connector.suppressions.policy import SuppressionPolicy
from connector.untrusted import UnreadableError

log = structlog.get_logger(__name__)

HIGH = Priority.HIGH  # looking it up on its enumeration takes longer than comparing it


class Intake(Refiler):
    """Turns records into waiting items, or into results.

    Args:
        lanes: by provider name; may change.
        control: campaigns.
        failover: who takes over from whom.
        results: takes those of items that go no further.
        retries: takes items that go on waiting in a retry topic.
        retry_routing: says which.
        refusals: builds the results.
        sources: topics that events come from.
        restorer: makes items of retry topics what they were.
        unknown: names that no definition has, and how long their events wait for one.
        reader: reads events of sources.
        allowed: whether a number may be texted.
        refusal: why one is of a country that is not texted; None where nobody asks.
        max_age: seconds after which an event is stale, None for never.
        ahead: seconds that `send_at` of an event may lie ahead when it is read.
        traced: items carry the trace of their event.
        carries: headers that items carry; None where none are asked for.
        duplicates: the ids of events that were admitted; None where nobody asks.
        skipped: where events are counted that only another version can read.
        suppressions: says who must not be texted; None where nobody asks.
        index: which of all source partitions one is, and how many there are.

    Attributes:
        counts: totals, for metrics.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        *,
        control: ControlTable,
        failover: Failover,
        results: ResultSink,
        retries: RetrySink,
        retry_routing: RetryRouting,
        refusals: Refusals,
        sources: Collection[str],
        restorer: Restorer,
        unknown: UnknownNames,
        reader: EventDecoder,
        budget: Budget,
        clock: Clock,
        allowed: Callable[[str], bool],
        refusal: Callable[[str], str | None] | None = None,
        max_age: float | None,
        ahead: float = LONGEST_SECONDS,
        traced: bool = False,
        carries: CarriedHeaders | None = None,
        duplicates: DedupeIndex | None = None,
        skipped: Skipped | None = None,
        suppressions: SuppressionPolicy | None = None,
        index: Callable[[str, int], tuple[int, int]] = lambda _topic, _number: (0, 1),
    ) -> None:
        self._skipped = skipped or Skipped()
        self.counts = IntakeCounts([*sources, *restorer.retries])
        self._lanes = lanes
        self._control = control
        self._failover = failover
        self._assigned: defaultdict[Lane, tuple[list[Item], list[Message]]] = defaultdict(lambda: ([], []))
        self._results = results
        self._retries = retries
        self._retry_routing = retry_routing
        self._refusals = refusals
        self._restorer = restorer
        self._retry_topics = restorer.retries
        self._rooms: dict[Lane, int] = {}
        self._free: tuple[int, int] | None = None  # asked for once per slice: it looks at every lane
        self._unknown_names = unknown
        self._reader = reader
        self._budget = budget
        self._clock = clock
        self._allowed = allowed
        self._refusal = refusal
        self._send_times = SendTimes(max_age=max_age, ahead=ahead)
        self._item = CarryingItem if carries is not None else TracedItem if traced else Item
        self._traced = traced
        self._carries = carries
        self._duplicates = duplicates
        self._suppressions = suppressions
        self._caps = Caps(control, index)
        self._ordinals: dict[
            int, int
        ] = {}  # of what is at hand: which event of its campaign each is, where that counts

    def admit(self, partition: Partition, records: Sequence[ConsumerRecord]) -> None:
        """Admit these records of a partition. Offsets that are settled already are passed over.

        Args:
            partition: whose they are.
            records: those of sources are raw: they have offset, timestamp, key, value and headers only. An Unreadable
                stands for one that cannot be read.
        """
        now = self._clock.wall()
        received_at = datetime.fromtimestamp(now, UTC)
        counts = bool(self._control.capped) and partition.topic not in self._retry_topics
        self._ordinals = self._caps.count(partition, records) if counts else {}
        records = _fresh(partition.ledger, records)
        journalled, foreign = partition.journalled or (), partition.held or ()
        deadlines, late = self._send_times.deadlines(records, now)
        items: list[Item] = list(
            map(
                self._item,
                [record.value or b"" for record in records],
                repeat(partition),
                [record.offset for record in records],
                [record.key for record in records],
                repeat(received_at),
                deadlines,
            )
        )
        if self._traced:
            _trace(items, records)
        if self._carries is not None:
            late = self._carries.hand_over(items, records) or late
        ended: list[tuple[Item, Result | RetryRecord]] = []
        kept: set[int] = set()
        self._rooms.clear()
        self._free = None
        if late or partition.topic in self._retry_topics or journalled or foreign or not self._together(items):
            for item, record in zip(items, records, strict=True):
                try:
                    if item.offset in foreign:
                        raise VersionError(partition.held_version)
                    end = self._admit_item(item, now, record, item.offset in journalled)
                except VersionError as error:  # open in the ledger for as long as we own it, and nowhere else
                    kept.add(item.offset)
                    self._keep_unsettled(partition, item, error)
                    continue
                if end is not None:
                    ended.append((item, end))
        ended += self._offer_assigned(now)
        if kept:
            items = [item for item in items if item.offset not in kept]
        self._budget.charge(partition.topic, len(items), sum([len(item.raw) for item in items]))
        self.counts.events[partition.topic] += len(records)
        self._pass_on(ended)

    def _keep_unsettled(self, partition: Partition, item: Item, error: VersionError) -> None:
        """Keep an event as it is: neither sent nor settled, so that nothing is committed past it."""
        partition.note_needed(error.needed)
        self._skipped.note(partition.topic, partition.partition, item.offset, Reason.VERSION, what=str(error))

    def refile(self, items: Sequence[Item]) -> None:
        """File items anew that were admitted before: their campaign, or their provider's definition, has changed."""
        now = self._clock.wall()
        self._ordinals = {}  # they are within their cap
        ours = [item for item in items if item.origin.live]
        self._rooms.clear()
        self._free = None
        ended = [(item, end) for item in ours if (end := self._admit_item(item, now, None, False)) is not None]
        self._pass_on(ended + self._offer_assigned(now))

    def _pass_on(self, ended: Sequence[tuple[Item, Result | RetryRecord]]) -> None:
        """Hand over what does not wait in a lane."""
        refused = [(item, end) for item, end in ended if isinstance(end, Result)]
        moved = [(item, end) for item, end in ended if isinstance(end, RetryRecord)]
        if refused:
            self._results.add([item for item, _ in refused], [result for _, result in refused])
            for _, result in refused:
                provider = result.provider if result.provider in self._lanes else ""
                self.counts.refused[provider or "", result.status.value] += 1
        if moved:
            self._retries.move([item for item, _ in moved], [it for _, it in moved])

    def _together(self, items: Sequence[Item]) -> bool:
        """Assign all of them to their lanes at once, as it nearly always is. False, with nothing done, where one of
        them needs a look of its own.
        """
        if self._control.campaigns:
            return False
        messages = self._reader.read_all(items)
        if messages is None or [
            1 for it in messages if it.expires_at is not None or it.send_at is not None or it.priority is HIGH
        ]:
            return False
        if not all(map(self._allowed, [message.to for message in messages])):
            return False
        if self._refusal is not None and any(map(self._refusal, [message.to for message in messages])):
            return False
        if self._suppressions is not None and self._suppressions.some(messages):
            return False
        providers = _by_provider(items, messages)
        for name, fitting in providers.items():
            lane = None if name is None else self._lanes.get(name)
            if lane is None or len(fitting[0]) > self._room(lane):
                return False
        if self._duplicates is not None and not self._duplicates.admit_all(items, messages):
            return False
        self._assigned.update({self._lanes[name or ""]: fitting for name, fitting in providers.items()})
        return True

    def _admit_item(
        self, item: Item, now: float, record: ConsumerRecord | None, interrupted: bool
    ) -> Result | RetryRecord | None:
        """Admit one item: the result or the retry record that it ends in here, or None where it is assigned to a lane.

        Args:
            item: admitted.
            now: wall seconds.
            record: what it was just read from; None where it is filed anew.
            interrupted: it is journalled.

        Raises:
            VersionError: another version has to read it.
        """
        try:
            if isinstance(record, Unreadable):
                return self._poison(item, record, now)
            if record is not None and item.origin.topic in self._retry_topics:
                self._ordinals[item.offset] = self._restorer.restore(item, record.headers, now)
            return self._interrupted(item, now) if interrupted else self._assign_lane(item, now, record)
        except VersionError:
            raise
        except UnreadableError as error:
            place = f"{item.origin.topic}/{item.origin.partition}/{item.offset}"
            reason = f"its retry record {place} cannot be understood: {error}"
            return self._refusals.unreadable(item, MessageError(reason), now)
        except (MessageError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self._refusals.unreadable(item, error, now)
        except Exception as error:
            return self._fault(item, error, now)

    def _poison(self, item: Item, record: Unreadable, now: float) -> Result:
        """Kafka's framing of it is broken, or it is too large. Of a retry record the event may still be known."""
        if item.origin.topic in self._retry_topics:
            with suppress(UnreadableError):
                self._restorer.restore(item, record.headers, now)
            if item.source is None:
                log.error(
                    "retry record cannot be read; which event it stood for is not known, and that gets no other result",
                    topic=item.origin.topic,
                    partition=item.origin.partition,
                    offset=item.offset,
                    why=record.why,
                )
        known = record.identity if isinstance(record, UntranslatedRecord) else PartialIdentity()
        return self._refusals.poison(item, record.why, known, now)

    def _assign_lane(self, item: Item, now: float, record: ConsumerRecord | None) -> Result | RetryRecord | None:
        """Choose the item's lane, and collect it there for `_offer_assigned`: None. Else the result or the retry record
        that it ends in here.
        """
        if record is not None and item.origin.topic not in self._retry_topics:
            message = self._control.supplied(self._reader.read(item))
        else:  # it was taken for one before
            message = self._control.message_of(item)
        steered, send_at = self._control.steers(message.campaign_id), 0.0
        if (steered or message.send_at is not None) and (send_at := self._control.sends_at(message)):
            item.deadline = self._send_times.stale_at(item, send_at)
        if message.expires_at is not None:
            expires = message.expires_at.timestamp()
            item.deadline = expires if item.deadline is None else min(item.deadline, expires)
        early = send_at > now
        refused = self._refused(item, message, now, steered)
        if refused is None and early and record is not None and item.source is None:  # it is read from its source
            refused = self._unsendable(item, message, now, send_at)
        if refused is not None:
            return refused
        if self._duplicates is not None and record is not None:
            earlier = self._duplicates.admit(item, message.message_id, record)
            if earlier is not None:
                return self._refusals.duplicate(item, message, earlier, now)
        ordinal = self._ordinals.get(item.offset, 0) if self._ordinals else 0
        if ordinal and self._caps.exceeded(message.campaign_id, item.event(), ordinal):
            self.counts.capped += 1
            return self._retry_routing.next_tier(item, ordinal=ordinal)
        lane = None if message.provider is None else self._lanes.get(message.provider)
        if lane is None:
            return self._unknown(item, message, now)
        lane = self._failover.choose(lane, item, message)
        items, messages = self._assigned[lane]
        crowded = len(items) >= self._room(lane)
        if (steered or crowded or item.due or early) and (
            waiting := self._waiting(item, message, lane, now, crowded=crowded, send_at=send_at)
        ):
            (self.counts.scheduled if early else self.counts.diverted)[lane.name] += 1
            return waiting
        item.priority = message.priority is HIGH
        items.append(item)
        messages.append(message)
        return None

    def _unsendable(self, item: Item, message: Message, now: float, send_at: float) -> Result | None:
        """The result of a message that cannot wait until its time."""
        fault = self._send_times.fault(item, send_at, now)
        return None if fault is None else self._refusals.result(item, message, Status.INVALID, fault, now)

    def _refused(self, item: Item, message: Message, now: float, steered: bool) -> Result | None:
        """The result of a message that is not to be sent: asked whenever it is looked at."""
        if item.deadline is not None and item.deadline <= now:
            status, reason = Status.EXPIRED, "older than max_age or past expires_at"
        elif not self._allowed(message.to):
            status, reason = Status.CANCELLED, "the recipient is not in recipients.allow"
        elif self._refusal is not None and (fault := self._refusal(message.to)) is not None:
            status, reason = Status.INVALID, fault
        elif steered and self._control.state(message.campaign_id) is CampaignState.CANCELLED:
            status, reason = Status.CANCELLED, "its campaign was cancelled"
        elif self._suppressions is not None and self._suppressions.suppresses(item.event().topic, message):
            status, reason = Status.SUPPRESSED, REASONS[Status.SUPPRESSED]
        else:
            return None
        return self._refusals.result(item, message, status, reason, now)

    def _offer_assigned(self, now: float) -> list[tuple[Item, Result | RetryRecord]]:
        """Give the lanes what is assigned to them. Returns the results of what they do not take."""
        ended: list[tuple[Item, Result | RetryRecord]] = []
        for lane, (items, messages) in self._assigned.items():
            if lane.offer_all(items, messages):
                continue
            for item, message in zip(items, messages, strict=True):
                try:
                    lane.offer(item, message)
                except MessageError as error:
                    ended.append((item, self._refusals.result(item, message, Status.INVALID, error.reason, now)))
                except Exception as error:
                    ended.append((item, self._fault(item, error, now)))
        self._assigned.clear()
        return ended

    def _waiting(
        self, item: Item, message: Message, lane: Lane, now: float, *, crowded: bool, send_at: float
    ) -> RetryRecord | None:
        """The retry record of an item that is not to wait in memory."""
        told = max(item.due, self._control.opens_at(message.campaign_id))
        if math.isinf(told):
            return self._retry_routing.next_tier(item)
        if (due := max(told, send_at)) > now:  # its tier has passed, its time has not come
            if message.send_at is not None:  # an event says the same for ever, its campaign may think better of it
                told = due
            return self._retry_routing.until(item, due, told=told)
        if not crowded or self._budget.reserved(item.origin.topic):
            return None
        if (opens_in := lane.status.opens_in) > self._retry_routing.shortest:
            return self._retry_routing.until(item, now + opens_in)
        return self._retry_routing.divert(item, lane.expected_wait())

    def _room(self, lane: Lane) -> float:
        """How many messages more a lane may take of those at hand before it holds as much as it leaves free.

        So one holds half of the memory, two that are down a third each or the second half of what the first one left;
        however many there are, something is free for those that work (the dynamic threshold of Choudhury and Hahne,
        "Dynamic queue length thresholds for shared-memory packet switches", 1998).
        """
        if len(self._lanes) < 2:  # there is no other provider to leave room for
            return math.inf
        room = self._rooms.get(lane)
        if room is None:
            messages, bytes_ = self._free = self._free or self._budget.free()
            crowded = weight(lane.open_count, lane.open_bytes, lane.windows) >= bytes_
            room = self._rooms[lane] = 0 if crowded else messages - lane.open_count
        return room

    def _unknown(self, item: Item, message: Message, now: float) -> Result | RetryRecord:
        """A provider that nobody has defined, or none at all: perhaps its definition or its campaign is on the way."""
        if message.provider is None and message.campaign_id is None:
            reason = "no provider: the event names none, and no campaign"
            return self._refusals.result(item, message, Status.INVALID, reason, now)
        cause = Cause.CAMPAIGN if message.provider is None else Cause.PROVIDER
        name = message.provider or message.campaign_id or ""
        self._unknown_names.note(cause, name, first=item.origin.topic not in self._retry_topics)
        age = max(0.0, now - item.received_at.timestamp())  # in whole microseconds it may lie a little ahead
        if (left := self._unknown_names.grace - age) > 0:
            return self._retry_routing.next_tier(item, ends_in=left)
        return self._refusals.result(item, message, Status.INVALID, self._unknown_names.reason(cause, name), now)

    def _interrupted(self, item: Item, now: float) -> Result:
        """Journalled and without a result: a worker died while the provider may have had it. Never sent again."""
        reason = "a worker stopped while this message may have been at the provider (on_uncertain: report)"
        message = self._control.message_of(item)
        if self._duplicates is not None:
            self._duplicates.note(item, message.message_id)
        return self._refusals.result(item, message, Status.UNKNOWN, reason, now)

    def _fault(self, item: Item, error: Exception, now: float) -> Result:
        """A fault of ours that one event brings out must not stop every other event for ever."""
        log.error("intake failed on an event", partition=item.origin.partition, offset=item.offset, exc_info=error)
        return self._refusals.internal(item, error, now)


def _by_provider(
    items: Sequence[Item], messages: Sequence[Message]
) -> Mapping[str | None, tuple[list[Item], list[Message]]]:
    """Items and their messages by provider."""
    names = [message.provider for message in messages]
    if names and names.count(names[0]) == len(names):
        return {names[0]: (list(items), list(messages))}
    found: defaultdict[str | None, tuple[list[Item], list[Message]]] = defaultdict(lambda: ([], []))
    for name, item, message in zip(names, items, messages, strict=True):
        found[name][0].append(item)
        found[name][1].append(message)
    return found


def _fresh(ledger: Ledger, records: Sequence[ConsumerRecord]) -> Sequence[ConsumerRecord]:
    """Admit these; without those that are settled already."""
    start, end = records[0].offset, records[-1].offset + 1
    if end - start == len(records) and ledger.admit_run(start, end):
        return records
    return [record for record in records if ledger.admit(record.offset)]


def _trace(items: Sequence[Item], records: Sequence[ConsumerRecord]) -> None:
    for item, record in zip(items, records, strict=True):
        if isinstance(item, TracedItem):
            found = next((value for name, value in record.headers if name == HEADER), None)
            item.traceparent = found if found is not None and len(found) <= HEADER_BYTES else None
