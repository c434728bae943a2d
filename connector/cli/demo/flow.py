"""Events in, results out: the demo's own Kafka clients."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition

from connector.cli.demo.audit import Event
from connector.cli.demo.sample_events import Made
from connector.cli.demo.timeline import Timeline
from connector.errors import ConnectorError
from connector.model import Result, Source, Status
from connector.tools.simulator.broker import PARTITION_BYTES, PARTITIONS

OPEN_MESSAGES = 100_000
"""Produced and without a result: the embedded broker forgets the oldest records of a full partition."""
OPEN_BYTES = PARTITIONS * PARTITION_BYTES // 4
STALL_SECONDS = 60.0
"""Without a new result for so long the demo gives up: longer than a retry, shorter than patience."""
READ = 2_000
SAMPLES = 3


class StalledError(ConnectorError):
    """No result came for too long, or the worker ended."""


@dataclass(slots=True)
class Tally:
    """What came back.

    Attributes:
        results: source and status of every record of the results topic.
        samples: some results, of different providers where there are.
        timeline: is told every result, where there is one.
        first, last: when the first event was read and the last result was known, seconds since the epoch.
    """

    results: list[tuple[Source, Status]] = field(default_factory=list)
    samples: dict[tuple[str | None, Status], Result] = field(default_factory=dict)
    timeline: Timeline | None = None
    first: float = float("inf")
    last: float = 0.0
    done: set[Source] = field(default_factory=set)

    def add(self, result: Result) -> None:
        self.results.append((result.source, result.status))
        self.done.add(result.source)
        self.samples.setdefault((result.provider, result.status), result)
        if result.received_at is not None:
            self.first = min(self.first, result.received_at.timestamp())
        self.last = max(self.last, result.completed_at.timestamp())
        if self.timeline is not None:
            self.timeline.add(result)

    @property
    def seconds(self) -> float:
        return max(self.last - self.first, 0.0)


class Flow:
    """Produces events and reads results. Close it."""

    def __init__(
        self, bootstrap: str, source: str, results: str, tally: Tally | None = None, *, rate: float | None = None
    ) -> None:
        self.events: list[Event] = []
        self.tally = tally or Tally()
        self._source = source
        self._bytes = 0
        self._rate = rate
        self._at_once = READ if rate is None else max(1, int(rate / 5))  # what is delivered counts only afterwards
        self._began = time.monotonic()
        common = {"bootstrap.servers": bootstrap, "log_level": 0}
        self._producer = Producer({**common, "linger.ms": 20, "enable.idempotence": True})
        # The embedded broker answers one request after the other: what waits for records delays every question behind.
        reading = {"group.id": "demo-reader", "enable.auto.commit": False, "fetch.wait.max.ms": 20}
        self._consumer = Consumer({**common, **reading})
        self._consumer.assign([TopicPartition(results, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
        self._decoder = msgspec.json.Decoder(Result)

    def run(
        self,
        events: Iterable[Made],
        count: int,
        *,
        alive: Callable[[], bool],
        show: Callable[[int], None],
        patience: float = STALL_SECONDS,
    ) -> None:
        """Produce all and wait for all results; raises StalledError.

        Args:
            events: what to produce.
            count: how many they are.
            alive: whether the worker still runs.
            show: told how many events have a result.
            patience: seconds without a result after which it is given up.
        """
        waiting = iter(events)
        progress = time.monotonic()
        while len(self.tally.done) < count:
            produced = self._produce(waiting)
            if self.read(0.0 if produced else 0.2):
                progress = time.monotonic()
                show(len(self.tally.done))
            elif not alive():
                raise StalledError("the worker ended before the demo did")
            elif time.monotonic() - progress > patience:
                missing = count - len(self.tally.done)
                raise StalledError(f"no result for {patience:.0f} s; {missing} of {count} events have none")

    def read(self, wait: float) -> int:
        """Take in what is on the results topic; returns how many."""
        records = self._consumer.consume(READ, wait)
        for record in records:
            if record.error() is None and (value := record.value()) is not None:
                self.tally.add(self._decoder.decode(value))
        return len(records)

    def read_rest(self) -> None:
        """After the worker has stopped: everything up to the end of the topic."""
        while self._behind():
            self.read(0.2)

    def close(self) -> None:
        self._consumer.close()

    def _produce(self, waiting: Iterator[Made]) -> int:
        """As many as the broker can hold; returns how many."""
        produced = 0
        while produced < self._at_once and self._room():
            made = next(waiting, None)
            if made is None:
                break
            key = made.to.encode() if made.to else None
            self._producer.produce(self._source, made.value, key, on_delivery=self._delivered(made))
            self._bytes += len(made.value)
            produced += 1
        if produced:
            self._producer.flush(STALL_SECONDS)
        return produced

    def _room(self) -> bool:
        count = len(self.events)
        if self._rate is not None and count >= self._rate * (time.monotonic() - self._began):
            return False
        open_messages = count - len(self.tally.done)
        return open_messages < OPEN_MESSAGES and open_messages * (self._bytes / max(count, 1)) < OPEN_BYTES

    def _delivered(self, made: Made) -> Callable[[KafkaError | None, Message], None]:
        def delivered(error: KafkaError | None, record: Message) -> None:
            if error is not None:
                raise StalledError(f"the broker did not take an event: {error.str()}")
            topic, partition, offset = record.topic(), record.partition(), record.offset()
            assert topic is not None
            assert partition is not None
            assert offset is not None
            self.events.append(Event(Source(topic, partition, offset), made.message_id, made.to))

        return delivered

    def _behind(self) -> bool:
        for place in self._consumer.position(self._consumer.assignment()):
            _, end = self._consumer.get_watermark_offsets(place, timeout=5)
            if max(place.offset, 0) < end:
                return True
        return False
