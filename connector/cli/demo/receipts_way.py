"""The demo's way back: a receiver, `receipts run`, and what providers were told is held against what was written."""

from __future__ import annotations

import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from connector.cli.demo.audit import TAIL_DIGITS, Audit, Event
from connector.cli.demo.children import Child, Children
from connector.cli.demo.report import Witness
from connector.cli.demo.stage import Stage
from connector.model import Source, Status
from connector.receipts.callback import State
from connector.receipts.receipt_records import read_receipt
from connector.receipts.states import is_final
from connector.receipts.tokens import UrlSecrets
from connector.settings.model import Topics
from connector.tools.simulator.broker import PARTITIONS
from connector.tools.simulator.texts import digits

FAKES = {"demo-batch": "json", "demo-single": "single", "demo-pairs": "pairs"}
"""Definitions of the demo, and the fake that serves each."""
STALL_SECONDS = 30.0
"""Without a new receipt for so long the demo waits for no more of them."""
LOOK_SECONDS = 0.2
READ = 2_000

MISBEHAVIOUR = {
    "delay": "[0.05,0.4]",
    "duplicate": "0.02",
    "before_reply": "0.02",
    # Sooner than the provider's ten minutes: a receipt may come while the receiver has not found its topics yet.
    "retry": "[0.2,0.5,1,2,5,10]",
}
"""Of the fakes' receipts."""


@dataclass(frozen=True, slots=True)
class ReceiptRoute:
    """Where callbacks go.

    Attributes:
        port: of the receiver.
        key, url_key: tokens and secrets of URLs are made from them.
        log: what the fakes called, and were answered.
    """

    port: int
    key: str
    url_key: str
    log: Path

    @classmethod
    def make(cls, folder: Path) -> ReceiptRoute:
        """On a free port."""
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            keys = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
            return cls(bound.getsockname()[1], *keys, folder / "receipts.jsonl")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, folder: Path) -> dict[str, Any]:
        """For connector.yaml, which the worker, the receiver and `receipts run` share."""
        listen = f"127.0.0.1:{self.port}"
        receive = {"listen": listen, "url": self.url, "keys": [self.key], "url_keys": [self.url_key]}
        return {"receive": receive, "receipts": {"folder": str(folder / "states")}}

    def knobs(self) -> dict[str, str]:
        """For the fakes: what is registered in their panels, and how badly they report."""
        made = {}
        for definition, fake in FAKES.items():
            made[f"{fake}.receipts.url"] = f"{self.url}/r/{definition}/{UrlSecrets([self.url_key]).of(definition)}"
            made |= {f"{fake}.receipts.{name}": value for name, value in MISBEHAVIOUR.items()}
        return made


@dataclass(slots=True)
class ReceiptTally:
    """What `topics.receipts` holds.

    Attributes:
        states: whose, and which, in the order in which they were written.
        final: messages of which a final state is known.
        unmatched: records of receipts that belong to no message.
    """

    states: list[tuple[Source, State]] = field(default_factory=list)
    final: set[Source] = field(default_factory=set)
    unmatched: int = 0

    def add(self, value: bytes) -> None:
        record = read_receipt(value)
        source = Source(record.source.topic, record.source.partition, record.source.offset)
        state = State(record.status)
        self.states.append((source, state))
        if is_final(state):
            self.final.add(source)


class WayBack:
    """A receiver, `receipts run`, and a consumer of what they write. A context manager.

    Attributes:
        tally: what was written.
        children: the two, once they are started.
    """

    def __init__(self, route: ReceiptRoute, bootstrap: str, topics: Topics) -> None:
        self.tally = ReceiptTally()
        self.children: list[Child] = []
        self._route = route
        self._unmatched = topics.receipts_unmatched
        reading = {"group.id": "demo-receipts-reader", "enable.auto.commit": False, "fetch.wait.max.ms": 20}
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "log_level": 0, **reading})
        self._consumer.assign(
            [
                TopicPartition(topic, number, OFFSET_BEGINNING)
                for topic in (topics.receipts, topics.receipts_unmatched)
                for number in range(PARTITIONS)
            ]
        )

    def start(self, children: Children, stage: Stage) -> None:
        """Start both."""
        for name, command in (("receiver", ["receive"]), ("joiner of receipts", ["receipts", "run"])):
            line = [*command, "--config", str(stage.config)]
            self.children.append(children.start(name, line, environ=stage.environ))

    def wait(self, results: Iterable[tuple[Source, Status]]) -> None:
        """Until a final state of each accepted message is known, or no receipt comes any more."""
        wanted = {source for source, status in results if status is Status.ACCEPTED}
        progress = time.monotonic()
        while not wanted <= self.tally.final and time.monotonic() - progress < STALL_SECONDS:
            if self._read(LOOK_SECONDS):
                progress = time.monotonic()
            elif any(it.exit_code is not None for it in self.children):
                return

    def conclude(self, events: Iterable[Event], witness: Witness, report: Audit) -> None:
        """After everybody has stopped: what the fakes were told is held against what was written."""
        while any(self._behind(place) for place in self._consumer.position(self._consumer.assignment())):
            self._read(LOOK_SECONDS)
        witness.delivered = delivered(events, self.tally, self._route.log)
        report.reported = audit_receipts(events, self.tally, self._route.log, report)

    def _read(self, wait: float) -> int:
        """Take in what is there; returns how many."""
        records = self._consumer.consume(READ, wait)
        for record in records:
            if record.error() is not None or (value := record.value()) is None:
                continue
            if record.topic() == self._unmatched:
                self.tally.unmatched += 1
            else:
                self.tally.add(value)
        return len(records)

    def _behind(self, place: TopicPartition) -> bool:
        _, end = self._consumer.get_watermark_offsets(place, timeout=5)
        return max(place.offset, 0) < end

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._consumer.close()


def delivered(events: Iterable[Event], tally: ReceiptTally, log: Path) -> Counter[str]:
    """Messages that are `delivered`, by the fake that said so."""
    sources = _by_number(events)
    fakes = {sources.get(tail): fake for fake, tail, _ in _told(log)}
    found = {source for source, state in tally.states if state is State.DELIVERED}
    return Counter(fakes[source] for source in found if source in fakes)


def audit_receipts(events: Iterable[Event], tally: ReceiptTally, log: Path, report: Audit) -> int:
    """Every receipt that was acknowledged to a fake is written, once, of the message it is about, and nothing else is.

    Returns how many states were acknowledged.
    """
    sources = _by_number(events)
    told = {(sources.get(tail), state) for _, tail, state in _told(log)}
    written = Counter(tally.states)
    for source, state in told:
        if source is None or (source, state) not in written:
            report.find("unreported", f"{state} of {_named(source)}")
    for (source, state), number in written.items():
        if (source, state) not in told:
            report.find("misreported", f"{state} of {_named(source)}")
        if number > 1:
            report.find("twice reported", f"{state} of {_named(source)}", number - 1)
    if tally.unmatched:
        report.find("unmatched", "see topics.receipts_unmatched", tally.unmatched)
    return len(told)


def _by_number(events: Iterable[Event]) -> Mapping[str, Source]:
    """The demo's numbers are used once each."""
    return {digits(event.to)[-TAIL_DIGITS:]: event.source for event in events if event.to is not None}


def _told(log: Path) -> Iterator[tuple[str, str, State]]:
    """Fake, number and state of every receipt that was acknowledged."""
    with log.open("rb") as lines:
        for line in lines:
            attempt = orjson.loads(line)
            if attempt["outcome"] != "taken" or attempt["forged"] or attempt["kind"] != "receipt":
                continue
            for news in attempt["news"]:
                yield attempt["provider"], digits(news["to"])[-TAIL_DIGITS:], State(news["state"])


def _named(source: Source | None) -> str:
    return "no event" if source is None else f"{source.topic}/{source.partition}/{source.offset}"
