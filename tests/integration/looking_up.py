"""Receipts without a reference of ours, for a test: results as workers write them, entries as receivers do.

What a key is is the connector's own rule; that a key finds its message, and nobody else's, is what is tested with it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiokafka.errors
import msgspec
import orjson

from connector.definition.receipt_tree import ReceiptMatch
from connector.model import Result, Source, Status
from connector.receipts.callback import ReceiptEntry, State
from connector.receipts.correlation import HEADER, Correlation, IndexKeys
from connector.receipts.index_records import lookup_record
from connector.receipts.receipt_records import partition
from tests.crash.lookups import LOOKED_UP
from tests.crash.states import WORDS
from tests.integration.pipeline import Pipeline
from tests.integration.way_back import WayBack
from tests.kafka.records import Event, committed, end_offsets, produce, read_all
from tests.waiting import wait_until

URL_KEY = "u" * 32


class LookingUp(WayBack):
    """Results, entries, `receipts run`, and states."""

    def __init__(self, pipeline: Pipeline, *, wait: str = "10m", **options: Any) -> None:
        super().__init__(pipeline, receipts=LOOKED_UP, keep={"wait": wait}, **options)
        self.secrets = [URL_KEY]

    @property
    def _known(self) -> Correlation:
        """What the definition says, without the simulator's part of it."""
        match = ReceiptMatch("lookup", None, (("id", None, "id"),))
        return Correlation("batched", match, IndexKeys(self.secrets), asks=False)

    def result(
        self, offset: int, status: Status = Status.ACCEPTED, *, partition: int = 0, called: str | None = None
    ) -> Event:
        """The result of the message at `offset` of its source."""
        identity = f"p{offset}" if called is None else called
        source = Source(self.pipeline.source, partition, offset)
        result = Result(status, source, datetime.now(UTC), f"m{offset}", "batched", "c0", "+919812345678", identity)
        result.batch_id, result.batch_size = "ab" * 16, 10
        headers = {"settles": f"{source.topic}/{partition}/{offset}".encode(), HEADER: self._known.of_result(result)}
        return Event(msgspec.json.encode(result), f"m{offset}".encode(), partition, headers)

    def asked(self, offset: int, state: State, *, called: str | None = None, n: int = 0) -> Event:
        """A receipt about the message at `offset`, which says only what the provider calls it."""
        identity = f"p{offset}" if called is None else called
        document = orjson.dumps({"state": WORDS[state.value], "id": identity, "n": n})
        keys = tuple(self._known.of_entry(None, {"id": identity}))
        key, value, headers = lookup_record(ReceiptEntry("batched", time.time(), 0, 1, document, None, {}, keys))
        assert key is not None
        return Event(value, key, partition(key, self.pipeline.partitions), dict(headers))

    def send(self, results: Iterable[Event]) -> None:
        produce(self.pipeline.bootstrap, self.pipeline.results, results)

    def report(self, entries: Iterable[Event]) -> None:
        produce(self.pipeline.bootstrap, self.entries, entries)

    def wait_for(self, states: int) -> None:
        """Wait until so many states are written."""
        wait_until(lambda: len(self.written()) >= states, f"{states} states", within=60)

    def why(self) -> list[str]:
        """Why each entry is unmatched that is."""
        found = read_all(self.pipeline.bootstrap, self.unmatched)
        return sorted(orjson.loads(record.headers["unmatched"])["why"] for record in found)

    def wait_until_looked_up(self, within: float = 60.0) -> None:
        """Wait until all entries are committed: done with, or waiting."""

        def done() -> bool:
            ends = end_offsets(self.pipeline.bootstrap, self.entries)
            group = f"{self.pipeline.unique}-receipts-index"
            found: dict[int, Any] = {}
            with suppress(aiokafka.errors.KafkaError):  # a coordinator that is just beginning
                found = committed(self.pipeline.bootstrap, group, self.entries)
            return all(end == 0 or (number in found and found[number].offset >= end) for number, end in ends.items())

        wait_until(done, "all entries to be looked up", within=within)
