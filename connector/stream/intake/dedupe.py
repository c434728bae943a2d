"""Duplicates in the input: message ids of a source partition that are open, or were sent within the horizon.

An id counts while its message is open, however long that is, and for the horizon after a result that says it was sent,
or may have been. A result that says it was not gives the id free at once: who sends a failed message again means it.

Nothing of this is written anywhere: a new owner reads it back (`dedupe_restore`) from the results, which name message,
event and status, and from the retry topics, which hold the events that wait. So an id is kept as 60 bits of Python's
hash: seeded per process, so that nobody can choose ids that collide, and the smallest key a dict can have (100 bytes
per id with its offset). Beside a million others, one new id in 10¹² is taken for one of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from aiokafka import ConsumerRecord

from connector.clock import Clock
from connector.delivery.queue.item import Item, ItemOrigin
from connector.delivery.uniform_results import UniformResults
from connector.model import Message, Result, Source, Status
from connector.stream.partitions.result_sink import ResultSink
from connector.stream.retry.routing import RetryRefusals

REPLAY_OF = "replay_of"
"""Header of an event that is sent again on purpose (`sms-connector replay`): the record it was made from. It is never a
duplicate, and not replayed twice."""

SENT = frozenset({Status.ACCEPTED, Status.UNKNOWN})
"""Statuses after which an id still counts: the provider took the message, or may have."""

# Ids are forgotten in so many parts, which costs nothing per id: up to a sixth of the horizon late. Of a million the
# sixth is what fills the table of a dict best.
PARTS = 6
BITS = (1 << 60) - 1


class _Part:
    """Ids whose messages ended within a sixth of the horizon: id → offset."""

    __slots__ = ("ids", "newest", "since")

    def __init__(self, since: float) -> None:
        self.ids: dict[int, int] = {}
        self.since = self.newest = since


class Recent:
    """The ids of one source partition.

    Args:
        messages: how many ids are kept; beyond that the oldest go, those that are open last.
        horizon: seconds an id counts after its message was sent.
    """

    __slots__ = ("_also", "_clock", "_horizon", "_messages", "_open", "_parts")

    def __init__(self, *, messages: int, horizon: float, clock: Clock) -> None:
        self._messages = messages
        self._horizon = horizon
        self._clock = clock
        self._open: dict[int, int] = {}
        self._also: dict[int, set[int]] = {}  # further open events of an id that is open: replays
        self._parts: deque[_Part] = deque()  # the oldest first

    def __len__(self) -> int:
        return len(self._open) + sum(len(part.ids) for part in self._parts)

    def admit_all(self, message_ids: Iterable[str], offsets: Iterable[int]) -> bool:
        """Note these events as open. False, with nothing done, where an id of them counts, or two are alike.

        The hot path: a slice at a time, and no work of Python's per id but its hash.
        """
        self._forget()
        ids = [hash(it) & BITS for it in message_ids]
        new = set(ids)
        if len(new) < len(ids) or not self._open.keys().isdisjoint(new):
            return False
        if not all(part.ids.keys().isdisjoint(new) for part in self._parts):
            return False
        self._open.update(zip(ids, offsets, strict=True))
        return True

    def admit(self, message_id: str, offset: int) -> int | None:
        """Note an event as open; the offset of the earlier one, with nothing done, where its id counts."""
        earlier = self.find(message_id)
        if earlier is None:
            self.note(message_id, offset)
        return None if earlier == offset else earlier

    def note(self, message_id: str, offset: int) -> None:
        """An event is open whatever came before it."""
        key = hash(message_id) & BITS
        if self._open.setdefault(key, offset) != offset:
            self._also.setdefault(key, set()).add(offset)

    def finish(self, message_id: str, offset: int, *, sent: bool) -> None:
        """An event has ended: its id goes on counting for the horizon where it was `sent`, and is free where not."""
        key = hash(message_id) & BITS
        also = self._also.get(key) if self._also else None
        if also:
            also = {self._open[key], *also} - {offset}
            self._open[key] = also.pop()
            self._also[key] = also
            if not also:
                del self._also[key]
        elif self._open.get(key) == offset:
            del self._open[key]
        if sent:
            at = self._clock.monotonic()
            self._part(at)[key] = offset

    def remember(self, message_id: str, offset: int, at: float) -> None:
        """An event was sent, `at` monotonic seconds."""
        self._part(at)[hash(message_id) & BITS] = offset

    def find(self, message_id: str) -> int | None:
        """The offset of the event whose id counts, the newest where there are several; None where it is free."""
        self._forget()
        key = hash(message_id) & BITS
        found = self._open.get(key)
        if found is None:
            found = next((part.ids[key] for part in reversed(self._parts) if key in part.ids), None)
        return found

    def _part(self, at: float) -> dict[int, int]:
        """Where ids of that time go."""
        part = self._parts[-1] if self._parts else None
        if part is None or at - part.since >= self._horizon / PARTS or len(part.ids) >= self._messages // PARTS:
            self._forget()
            part = _Part(at)
            self._parts.append(part)
        elif at > part.newest:
            part.newest = at
        return part.ids

    def _forget(self) -> None:
        """Drop what is too old, or too much."""
        oldest = self._clock.monotonic() - self._horizon
        while self._parts and (self._parts[0].newest <= oldest or len(self) > self._messages):
            self._parts.popleft()
        if len(self._open) > self._messages:  # many at once: each time walks over what was deleted at the front
            for key in list(islice(self._open, len(self._open) - self._messages + self._messages // PARTS)):
                del self._open[key]
                self._also.pop(key, None)


class DedupeIndex:
    """The ids of all source partitions this worker owns.

    Args:
        messages, horizon: of each; see `Recent`.
    """

    def __init__(self, *, messages: int, horizon: float, clock: Clock) -> None:
        self.horizon = horizon
        self._messages = messages
        self._clock = clock
        self._recent: dict[tuple[str, int], Recent] = {}

    def __len__(self) -> int:
        return sum(map(len, self._recent.values()))

    def own(self, places: Collection[tuple[str, int]]) -> None:
        """These source partitions are ours from now on; nothing is known of them yet."""
        self._recent.clear()  # first: both would not fit
        for place in places:
            self._recent[place] = Recent(messages=self._messages, horizon=self.horizon, clock=self._clock)

    def of(self, topic: str, partition: int) -> Recent | None:
        """The ids of a partition; None where it is not ours."""
        return self._recent.get((topic, partition))

    def admit_all(self, items: Sequence[Item], messages: Sequence[Message]) -> bool:
        """Take in events of one source partition. False, with nothing done, where one of them may be a duplicate."""
        recent = self.of(items[0].origin.topic, items[0].origin.partition) if items else None
        return recent is None or recent.admit_all([it.message_id for it in messages], [it.offset for it in items])

    def admit(self, item: Item, message_id: str, record: ConsumerRecord) -> Source | None:
        """Take in one event; the earlier one that it repeats.

        An event that was admitted before and comes back from a retry topic repeats nothing, and neither does a replay.
        """
        if item.source is not None or any(name == REPLAY_OF for name, _ in record.headers):
            self.note(item, message_id)
            return None
        topic, partition = item.origin.topic, item.origin.partition
        recent = self.of(topic, partition)
        earlier = None if recent is None else recent.admit(message_id, item.offset)
        return None if earlier is None else Source(topic, partition, earlier)

    def note(self, item: Item, message_id: str) -> None:
        """An event is open whatever came before it."""
        source = item.event()
        recent = self.of(source.topic, source.partition)
        if recent is not None:
            recent.note(message_id, source.offset)

    def finished(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        """These items have these results."""
        if type(results) is UniformResults:  # the hot path: no result is made, and none came from a retry topic
            sent = results.shared.status in SENT
            for item, message in zip(items, results.messages, strict=True):
                origin = item.origin
                self._finish(origin, origin.topic, item.offset, message.message_id, sent=sent)
            return
        for item, result in zip(items, results, strict=True):
            if result.message_id is not None:
                source, sent = result.source, result.status in SENT
                self._finish(item.origin, source.topic, source.offset, result.message_id, sent=sent)

    def _finish(self, origin: ItemOrigin, topic: str, offset: int, message_id: str, *, sent: bool) -> None:
        """Of a closed epoch nothing is written: whoever owns the partition now admits the event again."""
        recent = self._recent.get((topic, origin.partition))
        if recent is not None and origin.live:
            recent.finish(message_id, offset, sent=sent)


class DedupedResults(ResultSink):
    """Between those who make results and the writer: the index hears of each first.

    Args:
        index: of ids.
        results: takes them.
    """

    def __init__(self, index: DedupeIndex, results: ResultSink) -> None:
        self._index = index
        self._results = results

    def add(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        self._index.finished(items, results)
        self._results.add(items, results)


class DedupedRefusals(RetryRefusals):
    """The same for results that the writer makes itself.

    Args:
        index: of ids.
        refusals: builds them.
    """

    def __init__(self, index: DedupeIndex, refusals: RetryRefusals) -> None:
        self._index = index
        self._refusals = refusals

    def too_large(self, item: Item, topic: str, now: float) -> Result:
        result = self._refusals.too_large(item, topic, now)
        self._index.finished([item], [result])
        return result
