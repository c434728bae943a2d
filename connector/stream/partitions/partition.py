"""One assigned source partition in one epoch: what Items point at as their origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connector.delivery.queue.item import Item
from connector.model import Result
from connector.stream.partitions.campaign_counts import CampaignOrdinals
from connector.stream.partitions.ledger import Ledger, ReplayMarks
from connector.stream.partitions.offset_set import OffsetSet


def partition_of(item: Item) -> Partition:
    """The partition that an item came from. Intake alone makes items, and gives each its Partition."""
    return item.origin  # type: ignore[return-value]


@dataclass(slots=True, eq=False)
class Partition:
    """A source partition while this worker owns it.

    Attributes:
        topic, partition: its place in Kafka.
        ledger: what is settled.
        marks: where the records that settle its events may begin.
        ends: per topic we write to, one past the newest offset known to be acknowledged.
        journalled: events that an earlier owner was about to send under `report`: without a result they end `unknown`.
        committed: the last offset known to be committed.
        held: events whose journal record another version of the connector has to read: neither sent nor settled.
        held_version: that version.
        log_end: of its log, when it was opened.
        needs: versions that have to read what is kept unsettled, and how many events that are.
        debts: events whose results an earlier owner owes; None where only that is known.
        counts: events of campaigns with a cap.
        owed: events whose results this owner owes, to stand in the commit's metadata.
        live: False once the epoch has closed; late completions are then ignored.
        settles: the constant part of the header `settles`.
    """

    topic: str
    partition: int
    ledger: Ledger
    marks: ReplayMarks
    ends: dict[str, int]
    committed: int
    journalled: OffsetSet
    held: OffsetSet | None = None
    held_version: int = 0
    log_end: int = 0
    needs: Counter[int] = field(default_factory=Counter)
    debts: dict[int, Result | None] = field(default_factory=dict)
    counts: CampaignOrdinals = field(default_factory=CampaignOrdinals)
    owed: set[int] = field(default_factory=set)
    live: bool = True
    settles: str = field(init=False)

    def __post_init__(self) -> None:
        self.settles = f"{self.topic}/{self.partition}/"

    @property
    def end(self) -> int:
        """One past the newest offset its log is known to have."""
        return max(self.log_end, self.ledger.high)

    def note_needed(self, version: int) -> None:
        """One more event is kept unsettled, until a worker of that version reads it."""
        self.needs[version] += 1

    def note_end(self, topic: str, end: int) -> None:
        """A batch of ours was acknowledged in `topic` up to `end`."""
        if end > self.ends.get(topic, 0):
            self.ends[topic] = end


def known_ends(partitions: Iterable[Partition]) -> Mapping[int, dict[str, int]]:
    """By number, and per topic we write to, one past the newest offset known to be acknowledged.

    Whoever owns partitions alone writes to those of their number: what one of them has heard of holds for all.
    """
    found: dict[int, dict[str, int]] = {}
    for it in partitions:
        ends = found.setdefault(it.partition, {})
        for topic, end in it.ends.items():
            ends[topic] = max(end, ends.get(topic, 0))
    return found
