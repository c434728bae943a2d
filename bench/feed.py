"""The events of a cell: a backlog before the workers start, or a stream while they run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import orjson
from confluent_kafka import Producer

from bench.events import event
from tests.integration.pipeline import Pipeline
from tests.kafka.records import Event
from tests.kafka.transactional import Transaction

if TYPE_CHECKING:
    from bench.cell import Cell


def produce(pipeline: Pipeline, cell: Cell) -> None:
    """The backlog. In transactions one after the other, each committed: what a producer with exactly-once writes."""
    if not cell.transactions:
        pipeline.produce(_event(number, cell) for number in range(cell.messages))
        return
    transaction = Transaction(pipeline.bootstrap, pipeline.unique)
    for first in range(0, cell.messages, cell.transactions):
        numbers = range(first, min(first + cell.transactions, cell.messages))
        events = [Event(orjson.dumps(_event(it, cell)), partition=it % cell.partitions) for it in numbers]
        transaction.write(pipeline.source, *events)
        transaction.commit()
        if numbers.stop < cell.messages:
            transaction.begin()


def _event(number: int, cell: Cell) -> dict[str, Any]:
    campaign = number % cell.campaigns
    return event(number, provider=f"p{campaign % cell.providers}", campaign=f"c{campaign}")


def pace(bootstrap: str, topic: str, cell: Cell) -> None:
    """Produce at the cell's rate, in steps of a hundredth of a second at most."""
    assert cell.rate is not None
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    started = time.monotonic()
    for number in range(cell.messages):
        wait = started + number / cell.rate - time.monotonic()
        if wait > 0.001:
            producer.poll(0)
            time.sleep(min(wait, 1.0))
        producer.produce(topic, orjson.dumps(_event(number, cell)), partition=number % cell.partitions)
    producer.flush(30)
