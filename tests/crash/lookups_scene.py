"""What scenarios of looking up do: results as workers write them, entries as receivers do, and `receipts run`."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime

import aiokafka.errors
import msgspec
import orjson

from connector.definition.receipt_tree import ReceiptMatch
from connector.model import Result, Source, Status
from connector.receipts.callback import ReceiptEntry
from connector.receipts.correlation import HEADER, Correlation, IndexKeys
from connector.receipts.index_records import lookup_record
from connector.receipts.receipt_records import partition
from tests.crash.lookups import ALIKE, called
from tests.crash.poison import MARK
from tests.crash.receipts_scene import COURSES, DOUBLED, SHUFFLED, ReceiptsScene
from tests.crash.scene import Scene
from tests.crash.states import WORDS
from tests.kafka import records

PAIRS = 50
"""So many times two messages are called alike."""
NOW, NEXT = "u" * 32, "n" * 32
"""Secrets of the keys; the first is in the settings of a scene."""


class LookupsScene(ReceiptsScene):
    """Results, entries, `receipts run`, and its disk.

    Attributes:
        secrets: of the keys that workers and receivers write.
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self.secrets = [NOW]
        self._known, self._asked, self._numbers = itertools.count(), itertools.count(), itertools.count()

    @property
    def _correlation(self) -> Correlation:
        match = ReceiptMatch("lookup", None, (("id", None, "id"),))
        return Correlation(self._scene.size.providers[0], match, IndexKeys(self.secrets), asks=False)

    def know(self, messages: int = 3_000) -> None:
        """Results of the next so many messages."""
        scene = self._scene
        results = [self._result(number) for number in itertools.islice(self._known, messages)]
        scene.dice.shuffle(results)
        records.produce(scene.kafka.bootstrap, scene.topics.results, results)

    def ask(self, messages: int = 3_000) -> None:
        """Receipts of the next so many messages: doubled, out of order, whatever is known of them."""
        scene = self._scene
        entries = list(self._entries_of(messages))
        for start in range(0, len(entries), SHUFFLED):
            part = entries[start : start + SHUFFLED]
            scene.dice.shuffle(part)
            entries[start : start + SHUFFLED] = part
        records.produce(scene.kafka.bootstrap, scene.topics.entries, entries)

    def know_alike(self) -> None:
        """Results of messages of which two each are called alike, and wait until both are in the index."""
        scene = self._scene
        found = [self._result(ALIKE + number, place=number // 2) for number in range(2 * PAIRS)]
        records.produce(scene.kafka.bootstrap, scene.topics.results, found)

        def indexed() -> bool:
            with suppress(aiokafka.errors.KafkaError):  # a coordinator that is just beginning
                return scene.topics.unindexed(scene.group) == 0
            return False

        scene.wait(indexed, "the results to be indexed")

    def ask_alike(self) -> None:
        """Receipts that may mean two messages each."""
        scene = self._scene
        asked = [event for number in range(PAIRS) for event in self._entries_about(ALIKE + 2 * number, ("delivered",))]
        records.produce(scene.kafka.bootstrap, scene.topics.entries, asked)

    def both(self, messages: int = 3_000) -> None:
        """Half of the results before the receipts, half of them after."""
        self.know(messages // 2)
        self.ask(messages)
        self.know(messages - messages // 2)

    def until_asked(self, part: float) -> None:
        """Wait until so much of the entries is done with, as far as counting tells."""
        self._scene.wait(lambda: self._done() >= part * self._entries_count(), f"{part:.0%} of what was asked")

    def until_found(self) -> None:
        """Wait until nothing waits any more."""
        scene = self._scene

        def done() -> bool:
            # Entries that are looked up by another key stand in their topic twice: only the audit can tell.
            return scene.topics.lookups().lost == 0

        scene.wait(done, "every receipt to be found or kept")

    def until_healed(self) -> None:
        """Wait until whatever was given up is found, as its results are there now."""
        topics = self._scene.topics
        self._scene.wait(lambda: topics.lookups().found == self._entries_count(), "what was given up to be found")

    def copy_disk(self, name: str) -> None:
        """Keep the disk as it is now."""
        shutil.rmtree(self._scene.folder / name, ignore_errors=True)
        shutil.copytree(self.folder, self._scene.folder / name)

    def put_back(self, name: str) -> None:
        """The disk is as it was then."""
        self.lose_disk()
        shutil.copytree(self._scene.folder / name, self.folder)

    def mix_up_disk(self) -> None:
        """Every partition has the index of another one."""
        folders = sorted(self.folder.glob(f"{self._scene.topics.index}-*"))
        names = [it.name for it in folders]
        for it in folders:
            it.rename(it.with_name(f"was-{it.name}"))
        for it, name in zip(folders, [*names[1:], names[0]], strict=True):
            it.with_name(f"was-{it.name}").rename(it.with_name(name))

    def _done(self) -> int:
        bootstrap, topics = self._scene.kafka.bootstrap, self._scene.topics
        return sum(sum(records.end_offsets(bootstrap, it).values()) for it in (topics.matched, topics.unmatched))

    def _entries_count(self) -> int:
        return sum(records.end_offsets(self._scene.kafka.bootstrap, self._scene.topics.entries).values())

    def _result(self, number: int, *, place: int | None = None) -> records.Event:
        scene = self._scene
        place = (number if place is None else place) % scene.size.partitions
        source = Source(scene.topics.source, place, number)
        result = Result(Status.ACCEPTED, source, datetime.now(UTC), f"m{number}", scene.size.providers[0], "c0")
        result.provider_message_id, result.batch_id, result.batch_size = called(number), "ab" * 16, 10
        # Marked as nothing that the audit of messages counts: no event of this source is sent here.
        headers = dict([MARK]) | {HEADER: self._correlation.of_result(result)}
        return records.Event(msgspec.json.encode(result), f"m{number}".encode(), place, headers)

    def _entries_of(self, messages: int) -> Iterator[records.Event]:
        for number in itertools.islice(self._asked, messages):
            yield from self._entries_about(number, COURSES[number % len(COURSES)])

    def _entries_about(self, number: int, course: Iterable[str]) -> Iterator[records.Event]:
        scene, name = self._scene, called(number)
        keys = tuple(self._correlation.of_entry(None, {"id": name}))
        for state in course:
            for _ in range(2 if scene.dice.random() < 1 / DOUBLED else 1):
                document = orjson.dumps({"state": WORDS[state], "id": name, "n": next(self._numbers)})
                entry = ReceiptEntry(scene.size.providers[0], time.time(), 0, 1, document, None, {}, keys)
                key, value, headers = lookup_record(entry)
                assert key is not None
                yield records.Event(value, key, partition(key, scene.size.partitions), dict(headers))
