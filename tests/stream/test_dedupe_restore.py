"""Which events repeat an earlier one, in a worker and for the next owner, who reads back what the first one knew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from connector.clock import ManualClock
from connector.delivery.queue.item import Item
from connector.delivery.uniform_results import UniformResults
from connector.kafka.reader import Bounds
from connector.model import Message, Result, Source, Status
from connector.settings.model import Duplicates as DuplicatesSettings
from connector.settings.model import Settings, SourceTopic, Topics
from connector.stream.intake.dedupe import REPLAY_OF, DedupedRefusals, DedupeIndex
from connector.stream.intake.dedupe_restore import DedupeRestore
from connector.stream.partitions.cluster import Cluster, Committed
from connector.stream.partitions.formats import Metadata, encode_metadata, settles
from connector.stream.partitions.partition import Partition
from connector.stream.retry import retry_records

HORIZON = 600.0
LATEST = HORIZON * 7 / 6
"""Ids are forgotten in sixths of the horizon."""

SOURCE, RESULTS, RETRY = (TopicPartition(topic, 0) for topic in ("sms.messages", "sms.results", "sms.retry.5s"))


class Record(SimpleNamespace):
    """As much of a record as is looked at."""


class Event:
    """One event of the input, and what the test knows of it."""

    def __init__(self, offset: int, message_id: str, *, replay: bool) -> None:
        self.offset = offset
        self.message_id = message_id
        self.replay = replay
        self.raw = msgspec.json.encode({"message_id": message_id, "to": "+919812345678"})
        self.retry_offset: int | None = None
        self.result: Result | None = None  # decided
        self.ended_at = 0.0
        self.durable_at: float | None = None


class World:
    """A source partition, its results and retry records on disk, and a worker that may lose its memory at any time."""

    def __init__(self, *, messages: int = 1000, live: bool = True) -> None:
        self.clock = ManualClock()
        self.events: list[Event] = []
        self.results: list[Record] = []
        self.retries: list[Record] = []
        self.finished: set[int] = set()  # retry records
        self.unwritten: list[Event] = []
        self.open: dict[int, Event] = {}
        self.duplicates = DedupeIndex(messages=messages, horizon=HORIZON, clock=self.clock)
        settings = Settings(
            duplicates=DuplicatesSettings(horizon=HORIZON, messages=messages),
            topics=Topics(sources=(SourceTopic(topic=SOURCE.topic),), retry_tiers=(5.0,)),
            delivery="live" if live else "dry-run",
        )
        self.dedupe_restore = DedupeRestore(cast(Cluster, self), settings, duplicates=self.duplicates, clock=self.clock)
        self.duplicates.own({(SOURCE.topic, 0)})
        self.origin, self.retried = self._origins()

    @staticmethod
    def _origins() -> tuple[Any, Any]:
        return tuple(SimpleNamespace(topic=tp.topic, partition=0, live=True) for tp in (SOURCE, RETRY))

    # ---- what DedupeRestore asks of the cluster

    async def bounds(self, partitions: Any) -> dict[TopicPartition, Bounds]:
        return {tp: Bounds(0, len(self.results if tp == RESULTS else self.retries)) for tp in partitions}

    async def committed(self, group: str, topics: Any) -> dict[TopicPartition, Committed]:
        assert (group, set(topics)) == ("sms-connector-retry", {RETRY.topic})
        position = next((it.offset for it in self.retries if it.offset not in self.finished), len(self.retries))
        if not position:
            return {}
        ends = self.retries[position].results if position < len(self.retries) else len(self.results)
        return {RETRY: Committed(position, encode_metadata(Metadata({RESULTS.topic: ends})))}

    async def offsets_at(self, partitions: Any, instant: datetime) -> dict[TopicPartition, int]:
        since = instant.timestamp() * 1000
        return {RESULTS: next((it.offset for it in self.results if it.timestamp >= since), len(self.results))}

    async def read_tail(
        self,
        starts: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
        seen: Callable[[TopicPartition, ConsumerRecord], None],
        *,
        wanted: Callable[[], bool],
    ) -> int:
        assert wanted()
        for tp, log in ((RESULTS, self.results), (RETRY, self.retries)):
            for record in log[starts[tp] : ends[tp]]:
                seen(tp, cast(ConsumerRecord, record))
        return 0

    # ---- what happens

    def produce(self, *message_ids: str, replay: bool = False) -> list[Event]:
        """Events, admitted as intake does it."""
        first = len(self.events)
        self.events += [Event(first + n, message_id, replay=replay) for n, message_id in enumerate(message_ids)]
        self.admit(self.events[first:])
        return self.events[first:]

    def admit(self, events: Sequence[Event]) -> None:
        items = [self._item(event) for event in events]
        messages = [msgspec.json.decode(event.raw, type=Message) for event in events]
        if self.duplicates.admit_all(items, messages):
            self.open |= {event.offset: event for event in events}
            return
        for item, event in zip(items, events, strict=True):
            self._admit(item, event)

    def _admit(self, item: Item, event: Event) -> None:
        headers = [(REPLAY_OF, b"sms.messages/0/0")] if event.replay else []
        earlier = self.duplicates.admit(item, event.message_id, cast(ConsumerRecord, Record(headers=headers)))
        self.open[event.offset] = event
        if earlier is not None:
            assert earlier != item.event()
            self.end(event, Status.DUPLICATE, earlier)

    def _item(self, event: Event) -> Item:
        now = datetime.fromtimestamp(self.clock.wall(), UTC)
        if event.retry_offset is None:
            return Item(event.raw, self.origin, event.offset, None, now)
        item = Item(event.raw, self.retried, event.retry_offset, None, now)
        item.source = Source(SOURCE.topic, 0, event.offset)
        return item

    def end(self, event: Event, status: Status, earlier: Source | None = None, *, dry_run: bool = False) -> None:
        """Its result is known, and not written yet."""
        at = datetime.fromtimestamp(self.clock.wall(), UTC)
        item = self._item(event)
        event.result = Result(status, item.event(), at, event.message_id, duplicate_of=earlier, dry_run=dry_run)
        event.ended_at = self.clock.wall()
        self.duplicates.finished([item], [event.result])
        del self.open[event.offset]
        self.unwritten.append(event)

    def write(self) -> None:
        """The results are durable."""
        for event in self.unwritten:
            event.durable_at = self.clock.wall()
            retried = event.retry_offset is not None
            header = settles(
                RETRY.topic if retried else SOURCE.topic, 0, event.retry_offset if retried else event.offset
            )
            self.results.append(
                Record(
                    offset=len(self.results),
                    timestamp=self.clock.wall() * 1000,
                    value=msgspec.json.encode(event.result),
                    headers=[("settles", header)],
                )
            )
            if event.retry_offset is not None:
                self.finished.add(event.retry_offset)
        self.unwritten.clear()

    def park(self, event: Event) -> None:
        """It waits in a retry topic."""
        item = self._item(event)
        header = settles(item.origin.topic, 0, item.offset)
        if event.retry_offset is not None:
            self.finished.add(event.retry_offset)
        event.retry_offset = len(self.retries)
        self.retries.append(
            Record(
                offset=event.retry_offset,
                value=event.raw,
                headers=[("settles", header), retry_records.header(item, 0.0)],
                results=len(self.results),
            )
        )
        del self.open[event.offset]

    def due(self, event: Event) -> None:
        """It comes back."""
        self._admit(self._item(event), event)

    async def crash(self) -> None:
        """The next owner reads back what there is, and then the events that are open."""
        self.origin.live = self.retried.live = False
        self.origin, self.retried = self._origins()
        for event in self.unwritten:
            event.result = None
        self.unwritten.clear()
        self.open.clear()
        opened = [SimpleNamespace(topic=tp.topic, partition=0) for tp in (SOURCE, RETRY)]
        await self.dedupe_restore.read(cast(list[Partition], opened), wanted=lambda: True)

    async def restart(self) -> None:
        await self.crash()
        for event in self.events:
            if event.result is None and event.retry_offset is None:
                self.admit([event])

    @property
    def parked(self) -> list[Event]:
        return [
            it for it in self.events if it.retry_offset is not None and it.result is None and it.offset not in self.open
        ]


def status_of(event: Event) -> str:
    return "open" if event.result is None else event.result.status.value


SENT = [Status.ACCEPTED, Status.UNKNOWN]
NOT_SENT = [Status.REJECTED, Status.FAILED, Status.EXPIRED, Status.CANCELLED, Status.INVALID]


@pytest.mark.parametrize("restart", [False, True], ids=["in memory", "after a restart"])
@pytest.mark.parametrize("status", [*SENT, *NOT_SENT])
async def test_only_what_was_sent_or_may_have_been_makes_a_later_event_a_duplicate(status: Status, restart: bool):
    world = World()
    [first] = world.produce("a")
    world.end(first, status)
    world.write()
    if restart:
        await world.restart()
    [second] = world.produce("a")
    assert status_of(second) == ("duplicate" if status in SENT else "open")


@pytest.mark.parametrize("status", [*SENT, *NOT_SENT])
async def test_results_that_are_alike_end_their_messages_as_others_do(status: Status):
    world = World()
    events = world.produce("a", "b")
    items = [world._item(it) for it in events]
    messages = [msgspec.json.decode(it.raw, type=Message) for it in events]
    shared = Result(status, items[0].event(), datetime.fromtimestamp(world.clock.wall(), UTC))
    world.duplicates.finished(items, UniformResults(shared, items, messages, None))
    expected = "duplicate" if status in SENT else "open"
    assert [status_of(it) for it in world.produce("b", "a")] == [expected, expected]
    world.clock.advance(LATEST)
    assert status_of(*world.produce("b")) == ("open" if status in SENT else "duplicate")


async def test_a_duplicate_names_the_first_one_and_so_does_the_next():
    world = World()
    world.produce("a")
    for _ in range(3):
        [again] = world.produce("a")
        assert again.result is not None
        assert again.result.duplicate_of == Source(SOURCE.topic, 0, 0)
        world.write()
        await world.restart()


async def test_of_two_in_one_slice_the_second_is_the_duplicate():
    events = World().produce("a", "b", "a")
    assert [status_of(it) for it in events] == ["open", "open", "duplicate"]


async def test_what_waits_in_a_retry_topic_is_open_for_the_next_owner_and_repeats_nothing_when_it_comes_back():
    world = World()
    [first] = world.produce("a")
    world.park(first)
    world.clock.advance(10 * HORIZON)
    await world.restart()
    [second] = world.produce("a")
    assert status_of(second) == "duplicate"
    world.due(first)
    assert status_of(first) == "open"


async def test_what_comes_back_from_a_retry_topic_counts_again_where_its_id_was_forgotten_for_their_number():
    world = World(messages=1000)
    [first] = world.produce("a")
    world.park(first)
    for number in range(2000):
        world.produce(f"m{number}")
    world.due(first)
    assert status_of(*world.produce("a")) == "duplicate"


async def test_nothing_is_known_of_a_partition_that_has_gone():
    world = World()
    world.produce("a")
    world.duplicates.own(set())
    assert world.duplicates.of(SOURCE.topic, 0) is None
    assert status_of(*world.produce("a")) == "open"


async def test_what_was_finished_in_a_retry_topic_is_not_open_for_the_next_owner():
    world = World()
    waits, first = world.produce("w", "a")
    world.park(waits)  # the commit stays before it
    world.park(first)
    world.due(first)
    world.end(first, Status.FAILED)
    world.write()
    world.clock.advance(10 * HORIZON)
    await world.restart()
    assert status_of(*world.produce("a")) == "open"
    assert status_of(*world.produce("w")) == "duplicate"


async def test_a_redelivered_event_repeats_nothing():
    world = World()
    [first] = world.produce("a")
    [second] = world.produce("a")
    world.write()
    await world.restart()
    assert [status_of(first), status_of(second)] == ["open", "duplicate"]


async def test_a_replayed_event_is_sent_and_repeated_by_later_ones():
    world = World()
    [first] = world.produce("a")
    world.end(first, Status.ACCEPTED)
    world.write()
    [replayed] = world.produce("a", replay=True)
    assert status_of(replayed) == "open"
    [later] = world.produce("a")
    assert later.result is not None
    assert later.result.duplicate_of == Source(SOURCE.topic, 0, replayed.offset)


@pytest.mark.parametrize(("live", "status"), [(True, "open"), (False, "duplicate")])
async def test_results_of_a_dry_run_count_in_a_dry_run_only(live: bool, status: str):
    world = World(live=live)
    [first] = world.produce("a")
    world.end(first, Status.ACCEPTED, dry_run=True)
    world.write()
    await world.restart()
    assert status_of(*world.produce("a")) == status


async def test_a_late_completion_of_a_closed_epoch_changes_nothing():
    world = World()
    [first] = world.produce("a")
    late = world._item(first)
    await world.restart()
    at = datetime.fromtimestamp(world.clock.wall(), UTC)
    world.duplicates.finished([late], [Result(Status.FAILED, late.event(), at, "a")])
    assert status_of(*world.produce("a")) == "duplicate"


async def test_a_message_that_no_retry_topic_takes_gives_its_id_free():
    world = World()
    [first] = world.produce("a")
    at = datetime.fromtimestamp(world.clock.wall(), UTC)
    item = world._item(first)
    refusals: Any = SimpleNamespace(too_large=lambda item, _topic, _now: Result(Status.FAILED, item.event(), at, "a"))
    refused = DedupedRefusals(world.duplicates, refusals).too_large(item, RETRY.topic, 0.0)
    assert refused.status is Status.FAILED
    assert status_of(*world.produce("a")) == "open"


async def test_records_that_are_not_ours_are_passed_over():
    world = World()
    world.results.append(Record(offset=0, timestamp=world.clock.wall() * 1000, value=b"hello", headers=[]))
    world.retries.append(Record(offset=0, value=None, headers=[], results=0))
    await world.crash()
    assert len(world.duplicates) == 0


async def test_no_more_is_read_back_than_ids_are_kept_and_reading_shows():
    world = World(messages=1000)
    for number in range(1500):
        world.produce(f"m{number}")
    for event in list(world.open.values()):
        world.end(event, Status.ACCEPTED)
    world.write()
    await world.crash()
    assert world.dedupe_restore.seen == 1000
    assert 800 <= len(world.duplicates) <= 1000
    assert status_of(*world.produce("m1499")) == "duplicate"
    assert status_of(*world.produce("m10")) == "open"


STEPS = st.one_of(
    st.tuples(st.just("produce"), st.lists(st.sampled_from("abc"), min_size=1, max_size=3)),
    st.tuples(st.just("replay"), st.sampled_from("abc")),
    st.tuples(st.just("end"), st.tuples(st.integers(0, 9), st.sampled_from([*SENT, Status.FAILED, Status.REJECTED]))),
    st.tuples(st.just("park"), st.integers(0, 9)),
    st.tuples(st.just("due"), st.integers(0, 9)),
    st.tuples(st.just("write"), st.none()),
    st.tuples(st.just("pass"), st.sampled_from([1.0, HORIZON / 5, HORIZON, LATEST])),
    st.tuples(st.just("restart"), st.none()),
)


class Watched(World):
    """Compares every admission with a plain look at all events."""

    def _counts(self, event: Event, *, surely: bool) -> list[int]:
        """Events with this id that count: as memory and Kafka would have it at least, or at most."""
        now, found = self.clock.wall(), []
        for it in self.events:
            if it is event or it.message_id != event.message_id:
                continue
            if it.result is None:
                if it.offset in self.open or it in self.parked:
                    found.append(it.offset)
            elif it.result.status in SENT:
                latest = now if it.durable_at is None else it.durable_at
                if (now - it.ended_at < HORIZON) if surely else (now - latest < LATEST):
                    found.append(it.offset)
        return found

    def _admit(self, item: Item, event: Event) -> None:
        surely, perhaps = self._counts(event, surely=True), self._counts(event, surely=False)
        super()._admit(item, event)
        if event.result is not None:
            assert event.result.duplicate_of is not None
            assert event.result.duplicate_of.offset in perhaps
        else:
            assert event.replay or item.source is not None or not surely

    def admit(self, events: Sequence[Event]) -> None:
        expected = {event.offset: self._counts(event, surely=True) for event in events}
        super().admit(events)
        for event in events:
            if event.result is None and not event.replay:
                assert not expected[event.offset]


@given(st.lists(STEPS, max_size=40))
async def test_what_repeats_what_follows_from_all_that_happened_whatever_the_order_and_the_crashes(steps: list[Any]):
    world = Watched()
    for step, argument in steps:
        opened = list(world.open.values())
        match step:
            case "produce":
                world.produce(*argument)
            case "replay":
                world.produce(argument, replay=True)
            case "end" if opened:
                world.end(opened[argument[0] % len(opened)], argument[1])
            case "park" if opened:
                world.park(opened[argument % len(opened)])
            case "due" if world.parked:
                world.due(world.parked[argument % len(world.parked)])
            case "write":
                world.write()
            case "pass":
                world.clock.advance(argument)
            case "restart":
                await world.restart()
    for event in world.events:  # nobody waits for nobody: what a duplicate names leads to one that is none
        passed: set[int] = set()
        result = event.result
        while result is not None and result.duplicate_of is not None:
            assert result.source.offset not in passed
            passed.add(result.source.offset)
            result = world.events[result.duplicate_of.offset].result
