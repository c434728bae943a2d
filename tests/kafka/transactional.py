"""A producer with transactions, from outside the connector."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer

from tests.kafka.records import Event

SECONDS = 30.0


class Transaction:
    """One that has begun; ends with `commit` or `abort`, or is left open."""

    def __init__(self, bootstrap: str, name: str, *, timeout: float = 600.0) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "transactional.id": name,
                "transaction.timeout.ms": round(timeout * 1000),
                "log_level": 0,
            }
        )
        self._producer.init_transactions(SECONDS)
        self.begin()

    def begin(self) -> None:
        """The next one, once this one has ended."""
        self._producer.begin_transaction()

    def write(self, topic: str, *events: Event) -> None:
        """Durable, and not decided."""
        for event in events:
            headers = list(event.headers.items())
            self._producer.produce(topic, event.value, event.key, event.partition, headers=headers)
        assert self._producer.flush(SECONDS) == 0

    def commit(self) -> None:
        self._producer.commit_transaction(SECONDS)

    def abort(self) -> None:
        self._producer.abort_transaction(SECONDS)


@contextmanager
def aborted(bootstrap: str, name: str) -> Iterator[Transaction]:
    """One that is aborted at the end."""
    transaction = Transaction(bootstrap, name)
    yield transaction
    transaction.abort()
