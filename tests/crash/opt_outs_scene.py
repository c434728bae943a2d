"""What scenarios of opt-outs do: replies as receivers write them, and `receipts run`, which makes the list of them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

from connector.receipts.callback import Inbound, Kind
from connector.receipts.receipt_records import inbound_record, partition
from tests.crash.receipts_scene import DOUBLED, SHUFFLED, ReceiptsScene
from tests.crash.scene import Scene
from tests.kafka import records

STOP, START = Kind.OPT_OUT, Kind.OPT_IN
COURSES = ((STOP,), (STOP, START), (START, STOP), (STOP, START, STOP), (STOP, STOP, START), (START,))
"""What somebody says, one after the other."""
APART = 10.0


class OptOutsScene(ReceiptsScene):
    """Replies, `receipts run`, and the list."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._people = itertools.count()

    def say(self, people: int = 4_000) -> None:
        """Replies of so many people: doubled, and out of order."""
        scene = self._scene
        replies = list(self._replies(people))
        for start in range(0, len(replies), SHUFFLED):
            part = replies[start : start + SHUFFLED]
            scene.dice.shuffle(part)
            replies[start : start + SHUFFLED] = part
        records.produce(scene.kafka.bootstrap, scene.topics.inbound, replies)

    def say_again(self) -> None:
        """Everything that was ever said comes once more, the other way round."""
        found = records.read_all(self._scene.kafka.bootstrap, self._scene.topics.inbound)
        again = [records.Event(it.value, it.key, it.partition, it.headers) for it in reversed(found)]
        records.produce(self._scene.kafka.bootstrap, self._scene.topics.inbound, again)

    def until_listed(self, count: int) -> None:
        """Wait until the list has so many records."""
        self._scene.wait(lambda: self._scene.topics.count_listed() >= count, f"{count} records of the list")

    def _replies(self, people: int) -> Iterator[records.Event]:
        scene, now = self._scene, time.time()
        for number in itertools.islice(self._people, people):
            for index, kind in enumerate(COURSES[number % len(COURSES)]):
                said = Inbound(
                    kind,
                    scene.size.providers[0],
                    now,
                    "url",
                    f"+9198{number:08d}",
                    text=kind.value,
                    id=f"r{number}-{index}",
                    at=now - 1_000 + APART * index,
                )
                key, value, headers = inbound_record(said)
                for _ in range(2 if scene.dice.random() < 1 / DOUBLED else 1):
                    yield records.Event(value, key, partition(key or b"", scene.size.partitions), dict(headers))
