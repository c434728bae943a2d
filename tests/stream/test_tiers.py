"""Minutes of random traffic through the retry tiers, in virtual time.

Everything between the logs of Kafka and the provider is real: admission, intake, budget, relief, parking, the reader of
retry topics and lanes. The logs are lists, and a write is acknowledged a moment later.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition

from connector.definition.tree import Batching, Definition, Limits, Rate, Retry
from connector.delivery.lane import Lane
from connector.delivery.limits.circuit_breaker import BreakerSettings
from connector.delivery.limits.lane_settings import LaneSettings
from connector.delivery.queue.expiry import EXPIRE_SECONDS
from connector.delivery.queue.item import Item
from connector.delivery.route import Route
from connector.errors import Phase, RequestError
from connector.kafka.fetched import Fetched, ReadOptions
from connector.kafka.outage import Outlast
from connector.kafka.skipped import Skipped
from connector.model import Outcome, Result
from connector.stream.control.failover import Failover
from connector.stream.control.table import ControlTable
from connector.stream.intake.admission import SLICE_RECORDS, Admission
from connector.stream.intake.budget import Budget
from connector.stream.intake.intake import Intake
from connector.stream.intake.refusals import Refusals
from connector.stream.intake.unknown_fields import EventDecoder
from connector.stream.intake.unknown_names import UnknownNames
from connector.stream.partitions.assignment import Assignment
from connector.stream.partitions.formats import SETTLES, settles
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet
from connector.stream.partitions.partition import Partition
from connector.stream.retry import retry_reader, retry_records
from connector.stream.retry.head_of_line import HeadOfLine
from connector.stream.retry.retry_reader import RetryReader
from connector.stream.retry.retry_records import RetryRecord
from connector.stream.retry.routing import RetryRouting
from connector.stream.retry.tiers import Tiers
from tests.delivery.hosts import FakeHost
from tests.delivery.virtual import LoopClock, simulate
from tests.delivery.world import ACCEPT, Call, FakeProvider, FakeReader, FakeRenderer, operation
from tests.stream.restoring import restorer

DELAYS = {1.0: "r.1s", 4.0: "r.4s", 15.0: "r.15s", 60.0: "r.60s"}
SHORTEST, PARK_MAX = 1.0, 15.0
MEMORY, SPAN, RECORDS = 300, 400, 10
PROBE_CAP = 10.0
FAST = Limits(concurrency=4)
NUMBERS = (0, 1)
"""Of the partitions."""

Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass
class Logs:
    """Topics as lists of records."""

    clock: LoopClock
    records: defaultdict[TopicPartition, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def append(self, topic: str, number: int, value: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> Place:
        log = self.records[TopicPartition(topic, number)]
        stamp = int(self.clock.wall() * 1000)
        log.append(SimpleNamespace(offset=len(log), key=None, value=value, timestamp=stamp, headers=headers))
        return topic, number, len(log) - 1


class FakeConsumer:
    """What the reader of retry topics uses of aiokafka's."""

    def __init__(self, logs: Logs, most: int) -> None:
        self._logs = logs
        self._most = most
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    async def start(self) -> None: ...

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._positions = dict.fromkeys(partitions, 0)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._positions[tp] = offset

    def pause(self, tp: TopicPartition) -> None:
        self._paused.add(tp)

    def resume(self, tp: TopicPartition) -> None:
        self._paused.discard(tp)

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, Fetched]:
        found: dict[TopicPartition, Fetched] = {}
        for tp, position in self._positions.items():
            if tp not in self._paused and (records := self._logs.records[tp][position : position + self._most]):
                found[tp] = fetched = Fetched(position)
                fetched += records
                fetched.end = self._positions[tp] = position + len(records)
        if not found:
            await asyncio.sleep(timeout_ms / 1000)
        return found


class Host(FakeHost):
    """What the lanes live in."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream._finish, park=stream.retry_routing.park)
        self._stream = stream

    @property
    def caught_up(self) -> bool:  # type: ignore[override]
        return all(it.ledger.high == len(self._stream._log(it)) for it in self._stream.owned.sources)

    @property
    def memory_full(self) -> bool:  # type: ignore[override]
        return self._stream.budget.blocked


class Stream:
    """One worker's stream, with providers that behave as they are told.

    Attributes:
        duty: event → the record that stands for it now: the event's own, or one in a retry topic.
        counted: event → requests that count as attempts.
        sick: providers that refuse connections; the others answer at random, unless `refuses` is False.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, limits: dict[str, Limits], seed: int) -> None:
        self.clock = clock = LoopClock()
        self.random = Random(seed)
        self.logs = Logs(clock)
        self.duty: dict[Place, Place] = {}
        self.results: dict[Place, tuple[Result, float]] = {}
        self.deadlines: dict[Place, float] = {}
        self.produced_at: dict[Place, float] = {}
        self.send_ats: dict[Place, float] = {}
        self.first_sent: dict[Place, float] = {}
        self.counted: Counter[Place] = Counter()
        self.tiers_used: Counter[str] = Counter()
        self.sick: set[str] = set()
        self.refuses = True
        self.places: dict[str, Place] = {}
        self.most_held = 0
        tiers = Tiers(DELAYS)
        self.owned = owned = Assignment()
        self.budget = Budget(messages=MEMORY, bytes_=1 << 30)
        self.retry_routing = RetryRouting(
            tiers, retries=SimpleNamespace(move=self._move), clock=clock, longest=PARK_MAX
        )
        self.host = Host(self)
        self.lanes = {name: self._lane(name, it) for name, it in limits.items()}
        failover, control = Failover(self.lanes), ControlTable(clock, most=1 << 20, topic="c")
        self.intake = Intake(
            self.lanes,
            control=control,
            failover=failover,
            results=SimpleNamespace(add=self._finish),
            retries=SimpleNamespace(move=self._move),
            retry_routing=self.retry_routing,
            sources=["m"],
            refusals=Refusals(dry_run=False),
            restorer=restorer(tiers),
            unknown=UnknownNames(self.lanes, grace=60.0, clock=clock),
            reader=EventDecoder("report", clock),
            budget=self.budget,
            clock=clock,
            allowed=lambda _to: True,
            max_age=None,
        )
        self.admission = Admission(
            owned,
            intake=self.intake,
            budget=self.budget,
            head_of_line=HeadOfLine(self.lanes, retry_routing=self.retry_routing, span=SPAN, clock=clock),
            lanes=self.lanes,
            progress=SimpleNamespace(caught_up=False),  # type: ignore[arg-type]
            span=SPAN,
            cluster=SimpleNamespace(),  # type: ignore[arg-type]  only asked for gaps
            outlast=Outlast(clock, patience=0),
        )
        monkeypatch.setattr(
            retry_reader, "GuardedConsumer", lambda max_poll_records, **_: FakeConsumer(self.logs, max_poll_records)
        )
        self.reader = RetryReader(
            {},
            reading=ReadOptions(Skipped()),
            group="g",
            delays=tiers.delays,
            clock=clock,
        )
        sources = [self._partition("m", number) for number in NUMBERS]
        retries = [self._partition(topic, number) for topic in DELAYS.values() for number in NUMBERS]
        owned.own(sources, retries, 1)
        owned.live = True

    def _partition(self, topic: str, number: int) -> Partition:
        return Partition(topic, number, Ledger(0), ReplayMarks(0, {}), {}, 0, OffsetSet(0))

    def _lane(self, name: str, limits: Limits) -> Lane:
        provider = FakeProvider(self.clock, latency=0.1, answer=lambda call: self._answer(name, call))
        single = operation(batching=Batching((("m",),), 1, RECORDS))
        return Lane(
            Definition(name, f"{name}.yaml", (single,), limits=limits, retry=Retry(attempts=6, base=1.0, cap=90.0)),
            host=self.host,
            transport=provider,
            clock=self.clock,
            settings=LaneSettings(park_after=SHORTEST * 5, breaker=BreakerSettings(cap=PROBE_CAP)),
            routes=[Route(single, FakeRenderer(RECORDS), FakeReader())],  # type: ignore[arg-type]
            uniform=self.random.random,
        )

    def _log(self, partition: Partition) -> list[Any]:
        return self.logs.records[TopicPartition(partition.topic, partition.partition)]

    # ---- the provider, and what is written ---------------------------------------------------------------------------

    def _answer(self, name: str, call: Call) -> object:
        for message_id in call.ids:
            place = self.places[message_id]
            assert place not in self.results, "nothing that has a result is sent"
            at = call.at - 1000 + 1_700_000_000
            assert at <= self.deadlines.get(place, math.inf), "nothing is sent late"
            assert at >= self.send_ats.get(place, 0.0), "nothing is sent early"
            self.first_sent.setdefault(place, at)
        if name in self.sick:
            return RequestError(Phase.CONNECT, "refused", uncertain=False)
        answers = {it: self._one_answer() if self.refuses else ACCEPT for it in call.ids}
        for message_id, outcome in answers.items():
            self.counted[self.places[message_id]] += outcome.then in {"accept", "reject", "retry"}
        return answers

    def _one_answer(self) -> Outcome:
        roll = self.random.random()
        if roll < 0.85:
            return ACCEPT
        return Outcome(self.random.choice(["reject", "retry", "defer"]), after=self.random.choice([None, 3.0, 40.0]))

    def _finish(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        for item, result in zip(items, results, strict=True):
            place = self._dutiful(item)
            assert place not in self.results, "one result per event"
            self.results[place] = result, self.clock.wall()
            self._acknowledged(item)

    def _move(self, items: Sequence[Item], moved: Sequence[RetryRecord]) -> None:
        now = self.clock.wall()
        for item, it in zip(items, moved, strict=True):
            place = self._dutiful(item)
            header = retry_records.read([it.header])
            assert header.attempts == self.counted[place], "waiting is no attempt"
            assert_tier(it.topic, header, now=now)
            self.tiers_used[it.topic] += 1
            headers = [(SETTLES, settles(item.origin.topic, item.origin.partition, item.offset)), it.header]
            self.duty[place] = self.logs.append(it.topic, item.origin.partition, item.raw, headers)
            self._acknowledged(item)

    def _dutiful(self, item: Item) -> Place:
        """The event of an item, which must be the only one that stands for it."""
        event = item.event()
        place = (event.topic, event.partition, event.offset)
        assert self.duty[place] == (item.origin.topic, item.origin.partition, item.offset), "moved or ended twice"
        return place

    def _acknowledged(self, item: Item) -> None:
        def acknowledged() -> None:
            item.origin.ledger.settle([item.offset])
            self.budget.release(item.origin.topic, 1, len(item.raw))

        asyncio.get_running_loop().call_later(0.01, acknowledged)

    # ---- traffic ----------------------------------------------------------------------------------------------------

    async def run(self, scenario: Any) -> None:
        """Run everything while `scenario` produces; then until every event has its result."""
        await self.reader.start()
        self.reader.assign(self.owned.retries)
        self.reader.feed()
        loops = [
            self.reader.run(Outlast(self.clock, patience=0), self.admission),
            *(lane.run() for lane in self.lanes.values()),
            *map(self._agent, self.owned.sources),
        ]
        tasks = [asyncio.ensure_future(loop) for loop in loops]
        done, _ = await asyncio.wait([asyncio.ensure_future(scenario), *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _agent(self, partition: Partition) -> None:
        """Hands on what is in the log, a chunk at a time."""
        position = 0
        while True:
            chunk = Fetched(position)
            chunk += self._log(partition)[position : position + 500]
            chunk.end = position = position + len(chunk)
            if chunk:
                value = [(partition.partition, chunk)]
                await self.admission.admit(SimpleNamespace(topic=partition.topic, generation_id=1, value=value))
            self.most_held = max(self.most_held, self.budget.messages)
            await asyncio.sleep(0.05)

    def produce(
        self, provider: str, campaign: str, *, expires_in: float | None = None, send_in: float | None = None
    ) -> None:
        """One event."""
        number, now = len(self.duty), self.clock.wall()
        event: dict[str, Any] = {"message_id": f"{provider}-{number}", "to": f"+9198{number:08d}", "body": "Hi"}
        event |= {"provider": provider, "campaign_id": campaign}
        if expires_in is not None:
            event["expires_at"] = datetime.fromtimestamp(now + expires_in, UTC).isoformat()
        if send_in is not None:
            event["send_at"] = datetime.fromtimestamp(now + send_in, UTC).isoformat()
        place = self.logs.append("m", NUMBERS[number % len(NUMBERS)], msgspec.json.encode(event))
        self.duty[place] = place
        self.places[event["message_id"]] = place
        self.produced_at[place] = now
        if expires_in is not None:
            self.deadlines[place] = now + expires_in
        if send_in is not None:
            self.send_ats[place] = now + send_in - 1e-6  # events say it in microseconds

    async def traffic(self, seconds: float, rates: dict[str, float], *, expiring: bool = True) -> None:
        """Events of each provider at its rate; some expire soon."""
        for _ in range(int(seconds / 0.1)):
            await asyncio.sleep(0.1)
            for provider, rate in rates.items():
                for _ in range(int(rate / 10) + (self.random.random() < rate / 10 % 1)):
                    expires_in = self.random.choice([None, None, None, 2.0, 20.0, 200.0]) if expiring else None
                    self.produce(provider, f"c{self.random.randrange(4)}", expires_in=expires_in)

    async def all_settled(self, within: float) -> None:
        end = self.clock.monotonic() + within
        while len(self.results) < len(self.duty):
            assert self.clock.monotonic() < end, f"{len(self.duty) - len(self.results)} events wait after {within} s"
            await asyncio.sleep(0.5)
        await asyncio.sleep(1.0)  # the last writes are acknowledged


def assert_tier(topic: str, header: retry_records.Retry, *, now: float) -> None:
    """The rule of the tiers, said anew."""
    delays = {topic: delay for delay, topic in DELAYS.items()}
    chosen = delays[topic]
    left = math.inf if header.deadline is None else header.deadline - now
    if header.due > 0:  # it has a time: the longest tier that does not go beyond it
        limit = min(header.due - now, left)
        assert chosen == max((it for it in DELAYS if it <= limit), default=SHORTEST)
    else:  # it makes room: its lane is looked at again after `park_max` at the latest
        assert chosen <= max(SHORTEST, min(PARK_MAX, left))


RECOVERY_SECONDS = PARK_MAX + 1.25 * PROBE_CAP + 5
"""After a provider works again: the breaker has probed, and what had climbed is back once more."""


def run(seed: int, limits: dict[str, Limits], story: Callable[[Stream], Coroutine[Any, Any, None]]) -> Stream:
    """The story of a stream in virtual time, to its end."""

    async def scenario() -> Stream:
        with pytest.MonkeyPatch.context() as monkeypatch:
            stream = Stream(monkeypatch, limits, seed)
            await stream.run(story(stream))
            return stream

    stream: Stream = simulate(scenario())
    return stream


@pytest.mark.parametrize("seed", range(6))
def test_no_message_is_lost_doubled_or_starved_between_the_tiers(seed: int) -> None:
    """A provider fails, recovers and fails again beside one that works and one with a low limit."""

    async def story(stream: Stream) -> None:
        for _ in range(2):
            rates = {
                "sick": stream.random.choice([4.0, 30.0]),
                "well": 10.0,
                "limited": stream.random.choice([4.0, 12.0]),
            }
            stream.sick.add("sick")
            await stream.traffic(stream.random.choice([4.0, 12.0, 24.0]), rates)
            stream.sick.clear()
            await stream.traffic(stream.random.choice([0.5, 5.0]), rates)
        backlog = len(stream.duty) - len(stream.results)
        await stream.all_settled(within=RECOVERY_SECONDS + 2 * backlog / 10 + 6 * 90.0)

    stream = run(seed, {"sick": FAST, "well": FAST, "limited": Limits(concurrency=2, records=(Rate(10, 1.0),))}, story)
    assert stream.most_held <= MEMORY + SLICE_RECORDS * (len(NUMBERS) + 1)
    assert stream.budget.messages == 0
    for place, (result, at) in stream.results.items():
        deadline = stream.deadlines.get(place, math.inf)
        assert result.attempts == stream.counted[place]
        if result.status == "expired":
            assert deadline <= at <= deadline + SHORTEST + EXPIRE_SECONDS + 2
        else:
            assert result.status in {"accepted", "rejected", "failed"}


def test_providers_that_are_down_leave_room_for_those_that_work() -> None:
    """However many: each holds no more than it leaves free, so that something always is."""

    async def story(stream: Stream) -> None:
        stream.refuses = False
        stream.sick |= {"a", "b", "c"}
        await stream.traffic(40.0, {"a": 30.0, "b": 30.0, "c": 30.0, "well": 10.0}, expiring=False)
        await asyncio.sleep(2.0)
        ended = Counter(result.provider for result, _ in stream.results.values())
        assert ended == {"well": sum(it.startswith("well-") for it in stream.places)}
        stream.sick.clear()
        backlog = len(stream.duty) - len(stream.results)
        await stream.all_settled(within=RECOVERY_SECONDS + backlog / 100)

    run(1, dict.fromkeys(("a", "b", "c", "well"), FAST), story)
