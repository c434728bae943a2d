"""What scenarios of the list do: numbers that join it and leave it while workers send, and its snapshot on disk."""

from __future__ import annotations

import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.suppressions import snapshot
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.record import Phone
from tests.crash.scene import Scene
from tests.crash.suppressed import EFFECT_SECONDS, Word
from tests.kafka import records

EVERY = 3
"""One number in so many is on the list from the beginning."""
LATER = 4_000
"""Messages that come at the end, when some of their numbers have left the list."""
COMPACTED = {"cleanup.policy": "compact"}


class SuppressionScene:
    """The list, as other systems write it; workers keep a snapshot of it in one folder."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._said: set[int] = set()
        self.folder = scene.folder / "list"

    def begin(self) -> None:
        """The list, and the messages."""
        self.stop(range(0, self._scene.size.messages + LATER, EVERY))
        self._scene.produce()

    def start(self, name: str, *faults: str, settings: Mapping[str, str] | None = None) -> None:
        self._scene.start(name, *faults, settings={"suppressions.folder": str(self.folder), **(settings or {})})

    def stop(self, numbers: Iterable[int]) -> None:
        """The numbers of these messages must not be texted."""
        self._say(numbers, stop=True)

    def lift(self, numbers: Iterable[int]) -> None:
        """They may be again."""
        self._say(numbers, stop=False)

    def stop_ahead(self, count: int) -> None:
        """So many numbers join whose messages wait. Not those that are about to leave: what a worker had sent when it
        was killed, and its successor may not send, has a result that does not know of it.
        """
        scene = self._scene
        refs = (message.ref or "m0" for send in scene.sends() for message in send.seen)
        first = max((int(ref[1:]) for ref in refs), default=0) + 2 * scene.size.at_once
        waiting = [number for number in range(first, scene.produced) if number not in self._said]
        self.stop(scene.dice.sample(waiting, min(count, len(waiting))))

    def end(self) -> None:
        """Half of those leave the list whose messages are still to come; then they come."""
        later = range(self._scene.produced, self._scene.produced + LATER)
        self.lift(number for number in later if number in self._said and number % 2)
        self._scene.hold(EFFECT_SECONDS)
        self._scene.produce(LATER)

    def _say(self, numbers: Iterable[int], *, stop: bool) -> None:
        scene = self._scene
        chosen = list(numbers)
        phones = [self._phone(number) for number in chosen]
        value = b'{"by":"a shop"}' if stop else b'{"state":"lifted"}'
        begun = time.time()
        said = (records.Event(value, phone.removeprefix("+").encode(), 0) for phone in phones)
        records.produce(scene.kafka.bootstrap, scene.topics.suppressions, said)
        durable = time.time()
        scene.words += [Word(phone, stop, begun, durable) for phone in phones]
        (self._said.update if stop else self._said.difference_update)(chosen)

    def _phone(self, number: int) -> str:
        return self._scene.size.phone(number)

    # ---- the topic and the snapshot ---------------------------------------------------------------------------------

    def make_topic_anew(self) -> None:
        """As somebody does who has deleted it by mistake: nobody is in it."""
        scene = self._scene
        scene.topics.delete(scene.topics.suppressions)
        records.create_topics(scene.kafka.bootstrap, scene.topics.suppressions, partitions=1, settings=COMPACTED)

    @property
    def snapshot(self) -> Path:
        return self.folder / "suppressions.snapshot"

    def wipe(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def damage(self) -> None:
        """A bit in the middle of it."""
        held = bytearray(self.snapshot.read_bytes())
        held[len(held) // 2] ^= 1
        self.snapshot.write_bytes(held)

    def replace_by_another_clusters(self) -> None:
        """It holds whom nobody may forget here to text, and lacks everybody else."""
        others = PhoneList()
        for number in range(1, self._scene.produced, EVERY):
            others.add(Phone(int(self._phone(number).removeprefix("+")), None))
        others.finish(others.prepare())
        last = snapshot.LastRecord(10**6, 0, b"")
        topic, now = self._scene.topics.suppressions, time.time()
        snapshot.write(self.snapshot, others, cluster="another", topic=topic, last=last, complete_at=now)

    # ---- the definition ---------------------------------------------------------------------------------------------

    def send_from_next_minute(self) -> float:
        """Let messages wait for their hours, which begin within 45 to 105 seconds: how many there are until then."""
        now = datetime.now(UTC)
        begins = (now + timedelta(seconds=105)).replace(second=0, microsecond=0)
        ends = begins - timedelta(minutes=5)
        definition = self._scene.folder / f"{self._scene.size.providers[0]}.yaml"
        definition.write_text(f"{definition.read_text()}hours: {begins:%H:%M}-{ends:%H:%M} UTC\n")
        return (begins - now).total_seconds()


def readiness(port: int) -> tuple[int, str]:
    """What a worker's /health/ready says; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()
    except OSError:
        return 0, ""
