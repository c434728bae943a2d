"""What scenarios of `receipts run` do: entries as receivers write them, and processes that make states of them."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator, Mapping

import orjson

from connector.model import Source
from connector.receipts.callback import MessageToken, ReceiptEntry
from connector.receipts.receipt_records import entry_record, partition, place
from tests.crash.scene import LAUNCHER, REPOSITORY, Scene
from tests.crash.states import WORDS
from tests.kafka import records
from tests.processes import ConnectorProcess

DAY = 86_400.0
COURSES = (
    ("pending", "sent", "delivered"),
    ("sent", "delivered"),
    ("sent", "undelivered"),
    ("delivered",),
    ("pending", "expired", "delivered"),  # contradicts itself
    ("sent", "unknown", "delivered"),
)
DOUBLED = 5
"""One receipt in so many comes again."""
SHUFFLED = 400
"""Receipts come out of order by so many at most."""


class ReceiptsScene:
    """Entries, `receipts run`, and its disk."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._messages = itertools.count()
        self.folder = scene.folder / "states"

    def produce(self, messages: int = 4_000) -> None:
        """Receipts of so many messages: doubled, out of order, some that contradict each other."""
        scene = self._scene
        entries = list(self._entries(messages))
        for start in range(0, len(entries), SHUFFLED):
            part = entries[start : start + SHUFFLED]
            scene.dice.shuffle(part)
            entries[start : start + SHUFFLED] = part
        records.produce(scene.kafka.bootstrap, scene.topics.matched, entries)

    def repeat(self) -> None:
        """Everything that was ever reported comes once more, the other way round."""
        found = records.read_all(self._scene.kafka.bootstrap, self._scene.topics.matched)
        again = [records.Event(it.value, it.key, it.partition, it.headers) for it in reversed(found)]
        records.produce(self._scene.kafka.bootstrap, self._scene.topics.matched, again)

    def _entries(self, messages: int) -> Iterator[records.Event]:
        scene, now = self._scene, time.time()
        for number in itertools.islice(self._messages, messages):
            source = Source(scene.topics.source, number % scene.size.partitions, number)
            token = MessageToken(source, int(now // DAY), f"m{number}", "c0")
            for state in COURSES[number % len(COURSES)]:
                for _ in range(2 if scene.dice.random() < 1 / DOUBLED else 1):
                    document = orjson.dumps({"state": WORDS[state], "id": f"p{number}", "code": "0"})
                    entry = ReceiptEntry(scene.size.providers[0], now, 0, 1, document, token)
                    key, value, headers = entry_record(entry, token)
                    yield records.Event(value, key, partition(place(source), scene.size.partitions), dict(headers))

    def start(self, name: str, *faults: str, settings: Mapping[str, str] | None = None) -> ConnectorProcess:
        """Start `receipts run`; `faults` are the launcher's options. All of one scene share a folder."""
        scene = self._scene
        command = [*scene.faults, *faults, "--marks", str(scene.folder / "marks.jsonl"), "receipts", "run"]
        command += ["--config", str(scene.folder / "connector.yaml"), "--set", f"receipts.folder={self.folder}"]
        command += [part for key, value in (settings or {}).items() for part in ("--set", f"{key}={value}")]
        env = {"WORKER": name, "PYTHONPATH": str(REPOSITORY)}
        scene.workers[name] = process = scene._start(*command, name=name, module=LAUNCHER, env=env)
        return process

    def until_written(self, count: int) -> None:
        """Wait until so many states are written."""
        self._scene.wait(lambda: self._scene.topics.count_states() >= count, f"{count} states")

    def lose_disk(self) -> None:
        """Nothing runs that uses it."""
        shutil.rmtree(self.folder, ignore_errors=True)
