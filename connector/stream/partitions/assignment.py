"""What this worker owns: the partitions of one epoch, from the group's assignment until they are given back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from connector.stream.partitions.partition import Partition


class Assignment:
    """The partitions of the current epoch. Whoever waits remembers `epoch` and looks again: it may have gone.

    Attributes:
        epoch: changes whenever partitions come or go.
        generation: the group's, to which the partitions belong.
        live: events may be admitted, requests may be sent.
        sources, retries: partitions of source topics, and of retry topics.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.generation = -1
        self.live = False
        self.sources: list[Partition] = []
        self.retries: list[Partition] = []
        self._indexes: dict[tuple[str, int], int] = {}
        self._by_place: dict[tuple[str, int], Partition] = {}

    def begin(self) -> int:
        """A change begins: nothing of what was is live any more. Returns the new epoch."""
        self.live = False
        self.epoch += 1
        return self.epoch

    def own(self, sources: Sequence[Partition], retries: Sequence[Partition], generation: int) -> None:
        """These are ours from now on; not live yet."""
        self.sources, self.retries = list(sources), list(retries)
        self.generation = generation
        self._by_place = {(it.topic, it.partition): it for it in self.partitions}

    def go_live(self) -> None:
        """Events may be admitted, requests may be sent."""
        self.live = True

    @property
    def partitions(self) -> list[Partition]:
        return [*self.sources, *self.retries]

    def find(self, topic: str, number: int) -> Partition | None:
        """The partition, where it is ours."""
        return self._by_place.get((topic, number))

    def end(self, topic: str, number: int) -> int | None:
        """One past the newest offset that a partition is known to have; None where it is not ours."""
        partition = self.find(topic, number)
        return None if partition is None else partition.end

    def know(self, numbers: Mapping[str, Collection[int]]) -> None:
        """These are the partitions of all source topics, whoever owns them."""
        places = sorted((topic, number) for topic, found in numbers.items() for number in found)
        self._indexes = {place: index for index, place in enumerate(places)}

    def index(self, topic: str, number: int) -> tuple[int, int]:
        """Which of all source partitions one is, from 0, and how many there are."""
        return self._indexes.get((topic, number), len(self._indexes)), max(1, len(self._indexes))

    def disown(self) -> None:
        """Forget them; late completions are ignored from now on."""
        for partition in self.partitions:
            partition.live = False
        self.sources, self.retries, self._by_place = [], [], {}
