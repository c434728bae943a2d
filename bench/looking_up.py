"""What it costs to look receipts up: CPU of `receipts run` per record of the index and per receipt, and its memory.

The index is made anew from its topic first, with as many keys as are asked for; then receipts come that are looked up
in it, and then as many that bring a reference: what they differ in is what looking up costs. All records are real ones.
"""

from __future__ import annotations

import itertools
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import psutil
from confluent_kafka import Producer

from connector.kafka.batches import RecordFields
from connector.model import Source
from connector.receipts.callback import MessageToken, ReceiptEntry
from connector.receipts.index_records import index_records, lookup_record
from connector.receipts.receipt_records import entry_record, partition, place
from tests.kafka.find import Kafka
from tests.kafka.records import committed, end_offsets
from tests.processes import ConnectorProcess
from tests.waiting import wait_until

PARTITIONS = 12
RECEIPTS = 200_000
KEYS = 1_000_000
SECONDS = 1_800.0
LEAST_RESTORED = 100_000
LEAST_LOOKED_UP = 15_000
"""A second, of one core."""
MOST_MEGABYTES = 256.0
DEFINITION = """\
name: acme
method: POST
url: https://acme.example.com/send
parameters: {pairs: {to: $$To, text: $$Body}}
receipts:
  verify: url
  match: {id: id}
  state: state
  states: {delivered: DELIVRD, sent: ACCEPTD, pending: ENROUTE}
  id: id
  code: err
"""


@dataclass(frozen=True, slots=True)
class LookupFigures:
    """What it came to.

    Attributes:
        keys: in the index.
        restored: records of the index a second of CPU.
        whole, states: microseconds of CPU per receipt: looked up and made a state, and only made a state.
        megabytes: of the process, at most.
        disk: bytes of the index per key.
    """

    keys: int
    restored: float
    whole: float
    states: float
    megabytes: float
    disk: float

    @property
    def looked_up(self) -> float:
        """Receipts a second of CPU, without what is made of them then."""
        return 1e6 / max(1e-9, self.whole - self.states)


def measure(kafka: Kafka, folder: Path, keys: int = KEYS) -> LookupFigures:
    """Restore, look up, and take as many that need not be looked up."""
    bench = _Lookups(kafka.bootstrap, folder)
    try:
        return bench.figures(keys)
    finally:
        bench.stop()


class _Lookups:
    """One `receipts run` on topics of its own."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._unique = f"bench-{uuid.uuid4().hex[:6]}"
        self._started: list[ConnectorProcess] = []
        self._config = folder / "connector.yaml"
        names = ("results", "dead_letters", "journal", "control", "receipts", "receipts_matched", "inbound")
        names += ("receipts_unmatched", "receipts_in", "receipts_index")
        self._topics = {name: f"{self._unique}.{name.replace('_', '-')}" for name in names}
        (folder / "acme.yaml").write_text(DEFINITION)
        document = {
            "kafka": {"bootstrap.servers": bootstrap},
            "group": self._unique,
            "topics": {
                "sources": [f"{self._unique}.messages"],
                "retry_prefix": f"{self._unique}.retry",
                **self._topics,
            },
            "providers": [str(folder / "acme.yaml")],
            "receive": {"url": "https://sms.example.com", "keys": ["k" * 32], "url_keys": ["u" * 32]},
            "receipts": {"folder": str(folder / "states")},
            "health": {"port": None},
            "log": {"format": "json"},
        }
        self._config.write_bytes(orjson.dumps(document))
        made = self._command("topics", "create", "--partitions", str(PARTITIONS), "--replication", "1")
        assert made.wait(120) == 0, made.output

    def _command(self, *arguments: str) -> ConnectorProcess:
        name = f"{len(self._started)}-{arguments[0]}"
        started = ConnectorProcess(self._folder / f"{name}.out", *arguments, "--config", str(self._config))
        self._started.append(started)
        return started

    def stop(self) -> None:
        for process in self._started:
            process.kill()

    def figures(self, keys: int) -> LookupFigures:
        self._produce("receipts_index", _indexed(keys))
        run = self._command("receipts", "run")
        process = psutil.Process(run.pid)
        most = [0.0]

        def spent(until: Callable[[], bool], what: str) -> float:
            """Seconds of CPU until then."""

            def done() -> bool:
                most[0] = max(most[0], process.memory_info().rss / 1e6)
                assert run.running, run.output[-4_000:]
                return until()

            before = sum(process.cpu_times()[:2])
            wait_until(done, what, within=SECONDS, every=0.25)
            return sum(process.cpu_times()[:2]) - before

        run.wait_for("partitions of the index opened", within=60)
        restored = spent(
            lambda: '"restoring": 0' in run.output or '"restoring":0' in run.output, "the index to be read"
        )
        disk = sum(it.stat().st_size for it in (self._folder / "states").rglob("*.sst"))
        numbers = random.Random(1).choices(range(keys), k=RECEIPTS)
        group, topic = f"{self._unique}-receipts", "receipts_matched"
        # Once for what is only paid once: caches, code that is not warm yet.
        self._produce("receipts_in", _asked(numbers[: RECEIPTS // 4], "ENROUTE"))
        spent(lambda: self._done(group, topic, RECEIPTS // 4), "the first receipts")
        self._produce("receipts_in", _asked(numbers, "ACCEPTD"))
        whole = spent(lambda: self._done(group, topic, RECEIPTS // 4 + RECEIPTS), "receipts that are looked up")
        self._produce("receipts_matched", _known(numbers, "DELIVRD"))
        states = spent(lambda: self._done(group, topic, RECEIPTS // 4 + 2 * RECEIPTS), "receipts with a reference")
        return LookupFigures(
            keys=keys,
            restored=keys / restored,
            whole=whole / RECEIPTS * 1e6,
            states=states / RECEIPTS * 1e6,
            megabytes=most[0],
            disk=disk / keys,
        )

    def _done(self, group: str, topic: str, number: int) -> bool:
        """Whether so many records of a topic are committed."""
        name = self._topics[topic]
        if sum(end_offsets(self._bootstrap, name).values()) < number:
            return False
        return sum(it.offset for it in committed(self._bootstrap, group, name).values()) >= number

    def _produce(self, topic: str, records: Iterable[tuple[int, RecordFields]]) -> None:
        options: dict[str, Any] = {"linger.ms": 20, "batch.size": 500_000, "queue.buffering.max.messages": 1_000_000}
        producer = Producer({"bootstrap.servers": self._bootstrap, "acks": "1", **options})
        name = self._topics[topic]
        for number, (key, value, headers) in records:
            while True:
                try:
                    producer.produce(name, value, key, number, headers=headers)
                except BufferError:
                    producer.poll(0.1)
                else:
                    break
        producer.flush(120)


def _key(number: int) -> bytes:
    return blake2b(number.to_bytes(8, "big"), digest_size=16).digest()


def _token(number: int) -> MessageToken:
    day = int(time.time() // 86_400)
    return MessageToken(
        Source("sms.messages", number % PARTITIONS, number), day, str(uuid.UUID(int=number)), "spring-sale"
    )


def _indexed(keys: int) -> Iterator[tuple[int, RecordFields]]:
    """Records of the index as the indexer writes them."""
    template: dict[str, Any] = {"status": "accepted", "completed_at": datetime.now(UTC).isoformat()}
    for number in range(keys):
        token = _token(number)
        source = {"topic": token.source.topic, "partition": token.source.partition, "offset": number}
        result = template | {"source": source, "message_id": token.message_id, "campaign_id": token.campaign_id}
        key = _key(number)
        ((_, value, headers),) = index_records(key, orjson.dumps(result))
        yield partition(key, PARTITIONS), (key, value, headers)


def _document(number: int, word: str) -> bytes:
    said = {"id": f"{number:020d}", "to": "919812345678", "state": word, "err": "000", "date": "2026-11-27 12:00:00"}
    return orjson.dumps(said)


def _asked(numbers: Iterable[int], word: str) -> Iterator[tuple[int, RecordFields]]:
    """Receipts as receivers write them, that have to be looked up."""
    for number, count in zip(numbers, itertools.count(), strict=False):
        keys = (_key(number),)
        entry = ReceiptEntry("acme", time.time(), count % 10, 10, _document(number, word), None, {}, keys)
        yield partition(keys[0], PARTITIONS), lookup_record(entry)


def _known(numbers: Iterable[int], word: str) -> Iterator[tuple[int, RecordFields]]:
    """Receipts that bring a reference."""
    for number, count in zip(numbers, itertools.count(), strict=False):
        token = _token(number)
        entry = ReceiptEntry("acme", time.time(), count % 10, 10, _document(number, word), token)
        yield partition(place(token.source), PARTITIONS), entry_record(entry, token)
