"""The way back for a test: a definition with receipts, entries as receivers write them, and the audit of the states.

Entries are written to the topic itself: what a receiver makes of callbacks is tested with it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import aiokafka.errors
import orjson

from connector.model import Source
from connector.receipts.callback import Inbound, Kind, MessageToken, ReceiptEntry, State
from connector.receipts.receipt_records import entry_record, inbound_record, partition, place
from tests.crash.states import RECEIPTS, WORDS, StateAudit, compare_states
from tests.integration.pipeline import ASK_SECONDS, Pipeline
from tests.kafka.records import Event, Record, committed, end_offsets, produce, read_all
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

DAY = 86_400.0


class WayBack:
    """Entries, `receipts run`, and states."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        receipts: str = RECEIPTS,
        keep: dict[str, Any] | None = None,
        receive: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.pipeline = pipeline
        self._numbers = itertools.count()
        unique = pipeline.unique
        self.matched, self.receipts = f"{unique}.matched", f"{unique}.receipts"
        self.unmatched, self.inbound = f"{unique}.unmatched", f"{unique}.inbound"
        self.suppressions = f"{unique}.suppressions"
        self.entries, self.index = f"{unique}.in", f"{unique}.index"
        pipeline.address = "http://127.0.0.1:9"
        pipeline.define(more=receipts)
        pipeline.configure(
            topics={
                "sources": [pipeline.source],
                "results": pipeline.results,
                "dead_letters": pipeline.dead_letters,
                "journal": pipeline.journal,
                "control": f"{unique}.control",
                "retry_prefix": f"{unique}.retry",
                "receipts": self.receipts,
                "receipts_matched": self.matched,
                "receipts_unmatched": self.unmatched,
                "inbound": self.inbound,
                "receipts_in": self.entries,
                "receipts_index": self.index,
                "suppressions": self.suppressions,
            },
            receive={"url": "https://sms.example.com", "keys": ["k" * 32], "url_keys": ["u" * 32], **(receive or {})},
            receipts={"folder": str(pipeline.folder / "states"), "keep": "5d", **(keep or {})},
            suppressions={"enabled": True},
            **(settings or {}),
        )
        pipeline.create_topics()

    def start(self, name: str = "r0", *options: str, module: str = "connector", before: Iterable[str] = ()) -> Any:
        """`receipts run`, with options; `before` are those of a launcher."""
        arguments = [*before, "receipts", "run", "--config", str(self.pipeline.config), *options]
        return self.pipeline._start(*arguments, name=name, module=module)

    def entry(
        self,
        offset: int,
        state: State | str,
        *,
        day: int = 0,
        partition: int = 0,
        provider: str = "batched",
        short: bool = False,
        **fields: Any,
    ) -> Event:
        """A receipt of the message at `offset` of its source, sent so many days ago."""
        now = time.time()
        source = Source(self.pipeline.source, partition, offset)
        identity = (None, None) if short else (f"m{offset}", "c0")
        token = MessageToken(source, int(now // DAY) - day, *identity)
        said = WORDS[state.value] if isinstance(state, State) else state
        document = orjson.dumps({"state": said, "id": f"p{offset}", "n": next(self._numbers), **fields})
        key, value, headers = entry_record(ReceiptEntry(provider, now, 0, 1, document, token), token)
        return Event(value, key, self.number(source), dict(headers))

    def number(self, source: Source) -> int:
        return partition(place(source), self.pipeline.partitions)

    def produce(self, entries: Iterable[Event]) -> int:
        return produce(self.pipeline.bootstrap, self.matched, entries)

    def said(
        self,
        kind: Kind,
        phone: str | None,
        *,
        at: float | None = None,
        by: str = "hmac",
        offset: int | None = None,
        **more: Any,
    ) -> Event:
        """A reply as receivers write it; `offset`: of the message that it answers."""
        now = time.time()
        token = (
            None if offset is None else MessageToken(Source(self.pipeline.source, 0, offset), int(now // DAY), "m", "c")
        )
        more = {"text": "x", "id": f"r{next(self._numbers)}"} | more
        key, value, headers = inbound_record(Inbound(kind, "batched", now, by, phone, at=at, token=token, **more))
        return Event(value, key, partition(key or b"", self.pipeline.partitions), dict(headers))

    def tell(self, *replies: Event) -> None:
        produce(self.pipeline.bootstrap, self.inbound, replies)

    def listed(self) -> dict[str, str]:
        """Phone → state, as the last record of each says."""
        found = read_all(self.pipeline.bootstrap, self.suppressions)
        return {
            (record.key or b"").decode(): orjson.loads(record.value or b"").get("state", "suppressed")
            for record in found
        }

    def lag(self) -> int:
        """Entries and replies that are not committed."""
        return self._lag(self.matched) + self._lag(self.inbound)

    def _lag(self, topic: str) -> int:
        ends = end_offsets(self.pipeline.bootstrap, topic)
        done = committed(self.pipeline.bootstrap, f"{self.pipeline.unique}-receipts", topic)
        return sum(end - (done[number].offset if number in done else 0) for number, end in ends.items())

    def wait_until_done(self, *processes: ConnectorProcess, within: float = 90.0) -> None:
        """Wait until all entries are committed."""

        def done() -> bool:
            with suppress(aiokafka.errors.KafkaError):  # a coordinator that is just beginning
                if self.lag() == 0:
                    return True
            assert not processes or any(it.running for it in processes), processes[-1].output[-4000:]
            return False

        wait_until(done, "all entries to be done with", within=within, every=ASK_SECONDS)

    def written(self) -> list[dict[str, Any]]:
        """What is in the topic of states, in order within partitions."""
        return [orjson.loads(record.value or b"") for record in self.records()]

    def records(self) -> list[Record]:
        return read_all(self.pipeline.bootstrap, self.receipts)

    def states(self, offset: int) -> list[str]:
        """States of one message, in order; a contradicting one ends with `!`."""
        return [
            it["status"] + ("!" if it.get("contradicts") else "")
            for it in self.written()
            if it["source"]["offset"] == offset
        ]

    def audit(self) -> StateAudit:
        """Compare entries with what became of them."""
        bootstrap = self.pipeline.bootstrap
        return compare_states(read_all(bootstrap, self.matched), self.records(), read_all(bootstrap, self.unmatched))
