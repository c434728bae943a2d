"""Which events of a partition are finished by results of another cluster, where they had other offsets. Pure.

Mirroring keeps partitions, keys, values and order, and changes offsets: a result's `settles` names a place that holds
another event here. What stays is the `message_id`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec
from aiokafka import ConsumerRecord

from connector.kafka.produce import Outgoing
from connector.stream.partitions.formats import EventPlace, settled_place, settles
from connector.untrusted import BoundedReader, UnreadableError

ADOPTED = "adopted"
"""Header of a copied result: where the other cluster's one is, as `topic/partition/offset`."""


class MisplacedResultError(Exception):
    """A result of `topics.results` names an event that is not its own."""


class _Event(msgspec.Struct):
    message_id: str


class _Finished(msgspec.Struct):
    source: EventPlace
    message_id: str | None = None
    dry_run: bool = False


_read_event = BoundedReader(_Event)
_read_finished = BoundedReader(_Finished)
_read_all: BoundedReader[dict[str, object]] = BoundedReader(dict[str, object])


class AdoptedPartition:
    """The events of one partition number, of all sources.

    Events without a readable `message_id` are left: a worker ends them `invalid` once more, and sends nothing.

    Args:
        topics: the sources of this cluster.

    Attributes:
        events: how many there are.
        finished: of these by results of this cluster.
        adopted: of these by results of the other one.
        elsewhere: results of the other one whose event is not here.
    """

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = frozenset(topics)
        self._open: dict[str, list[tuple[str, int]]] = {}  # id → places of events without a result
        self._ids: dict[tuple[str, int], str | None] = {}
        self._finished_ids: set[str] = set()
        self.events = self.finished = self.adopted = self.elsewhere = 0

    def event(self, record: ConsumerRecord) -> None:
        """An event of a source, in the order of its log."""
        self.events += 1
        place = (record.topic, record.offset)
        try:
            message_id = _read_event(record.value).message_id
        except UnreadableError:
            message_id = None
        self._ids[place] = message_id
        if message_id is not None:
            self._open.setdefault(message_id, []).append(place)

    def own_result(self, record: ConsumerRecord) -> None:
        """A result of this cluster. Raises MisplacedResultError."""
        settled = settled_place(record.headers)
        try:
            said = _read_finished(record.value)
        except UnreadableError:
            return
        if settled is None:
            return
        place = (said.source.topic, said.source.offset)
        if place not in self._ids:
            return  # its event is gone
        message_id = self._ids[place]
        if said.message_id is not None and said.message_id != message_id:
            raise MisplacedResultError(
                f"the result at {record.topic}/{record.partition}/{record.offset} is of another event than "
                f"{place[0]}/{record.partition}/{place[1]}, which it names"
            )
        if message_id is None:
            del self._ids[place]
            self.finished += 1
        elif place in (places := self._open.get(message_id, [])):
            places.remove(place)
            self.finished += 1

    def copies(self, record: ConsumerRecord, topic: str) -> Iterator[Outgoing]:
        """A result of the other cluster: one for each event here that has its id, and none yet."""
        try:
            said = _read_finished(record.value)
            document = _read_all(record.value)
        except UnreadableError:
            return
        if said.message_id is None or said.dry_run:
            return
        wanted = self._open.get(said.message_id, [])
        there = self._mirrored(said.source.topic)
        mine = [place for place in wanted if place[0] in there]
        if not mine:
            self.elsewhere += said.message_id not in self._finished_ids
            return
        self._finished_ids.add(said.message_id)
        self._open[said.message_id] = [place for place in wanted if place not in mine]
        self.adopted += len(mine)
        headers = [(name, value) for name, value in record.headers if value is not None and name != "settles"]
        headers.append((ADOPTED, f"{record.topic}/{record.partition}/{record.offset}".encode()))
        for source, offset in mine:
            document["source"] = {"topic": source, "partition": record.partition, "offset": offset}
            value = msgspec.json.encode(document)
            settled = ("settles", settles(source, record.partition, offset))
            yield Outgoing(topic, record.key, value, [*headers, settled], record.partition)

    def first_left(self, topic: str, end: int) -> int:
        """The first event of a source that no result finishes; else the end of its log."""
        left = [offset for places in self._open.values() for name, offset in places if name == topic]
        nameless = [offset for (name, offset), message_id in self._ids.items() if message_id is None and name == topic]
        return min([*left, *nameless], default=end)

    def _mirrored(self, there: str) -> frozenset[str]:
        """Which sources are the other cluster's topic: with its name before it, else under its own name."""
        named = frozenset(topic for topic in self._topics if topic.endswith(f".{there}"))
        return named or self._topics & {there}
