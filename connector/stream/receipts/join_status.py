"""What `receipts run` is doing and has done, for metrics and pages: plain numbers, read when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from connector.delivery.counts import Histogram
from connector.kafka.skipped import Reason
from connector.receipts.callback import State, Why
from connector.receipts.opt_outs import Ignored
from connector.receipts.states import DROPPED
from connector.stream.epoch.epoch_counts import EpochCounts
from connector.stream.output.dispatch import Acknowledgements
from connector.stream.receipts.index_status import IndexStatus
from connector.stream.status import PartitionStatus

REPORT_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 6 * 3600.0, 86_400.0, 3 * 86_400.0)
"""Bounds from seconds to days: what providers and networks take."""


SUPPRESSED, LIFTED = "suppressed", "lifted"
OPT_OUTS = (SUPPRESSED, LIFTED, *(it.value for it in Ignored))
"""What becomes of an opt-out or opt-in."""


@dataclass(slots=True)
class JoinedCounts:
    """What is to be counted of some entries once what they change is durable; see `JoinCounts`.

    Attributes:
        reported: provider and seconds.
    """

    written: Counter[tuple[str, str]] = field(default_factory=Counter)
    contradictions: Counter[str] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    unmatched: Counter[tuple[str, str]] = field(default_factory=Counter)
    reported: list[tuple[str, float]] = field(default_factory=list)


class JoinCounts(Acknowledgements):
    """Totals since the worker was made.

    Attributes:
        written: states written, by provider and state.
        contradictions: of them, those that contradict another final state, by provider.
        dropped: entries that changed nothing, by provider and why: duplicate, late.
        unmatched: entries that became no state, by provider and why.
        settled: entries done with.
        batches: record batches that were acknowledged.
        reported: by provider, seconds from when it says that something happened to the arrival of its callback.
        durable: seconds from the arrival of a callback to its state in Kafka.
        opt_outs: opt-outs and opt-ins, by provider and what became of them: one of `OPT_OUTS`.
        listed: seconds from the arrival of an opt-out or opt-in to its record in topics.suppressions.
    """

    def __init__(self) -> None:
        self.written: Counter[tuple[str, str]] = Counter()
        self.contradictions: Counter[str] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.unmatched: Counter[tuple[str, str]] = Counter()
        self.settled = 0
        self.batches = 0
        self.reported: dict[str, Histogram] = {}
        self.durable = Histogram(REPORT_SECONDS)
        self.opt_outs: Counter[tuple[str, str]] = Counter()
        self.listed = Histogram(REPORT_SECONDS)

    def expect(self, names: Iterable[str]) -> None:
        """These providers may report: what is counted of them begins at 0, as `increase()` does not see a series that
        begins at 1.
        """
        for name in names:
            self.written.update({(name, state.value): 0 for state in State})
            self.contradictions.update({name: 0})
            self.dropped.update({(name, why): 0 for why in DROPPED})
            self.opt_outs.update({(name, what): 0 for what in OPT_OUTS})
            self.unmatched.update({(name, why.value): 0 for why in Why})
            self.reported.setdefault(name, Histogram(REPORT_SECONDS))

    def acknowledged(self, topic: str) -> None:
        self.batches += 1

    def add(self, joined: JoinedCounts, entries: int) -> None:
        """Count what was done with so many entries, once it is durable."""
        self.written.update(joined.written)
        self.contradictions.update(joined.contradictions)
        self.dropped.update(joined.dropped)
        self.unmatched.update(joined.unmatched)
        for provider, seconds in joined.reported:
            self.note_reported(provider, seconds)
        self.settled += entries

    def note_reported(self, provider: str, seconds: float) -> None:
        """A provider says that something happened so long before its callback came; its clock may be ahead."""
        if (found := self.reported.get(provider)) is None:
            found = self.reported[provider] = Histogram(REPORT_SECONDS)
        found.add(max(0.0, seconds))


@dataclass(frozen=True, slots=True)
class JoinStatus:
    """One look at it.

    Attributes:
        ready: it owns what the group gave it, and takes entries.
        reason: why it is not ready; empty where it is.
        partitions: of topics.receipts_matched, while it owns them.
        replies: partitions of topics.inbound.
        state_bytes: of the states on disk.
        restore_seconds: what making them anew took, when partitions were opened last.
        restored: records that were read for it.
        skipped: records passed over, by topic and reason.
        index: of what looks up receipts without a reference; None where nothing does.
        unused: where definitions on disk are wrong, and so not in use.
    """

    ready: bool
    reason: str
    counts: JoinCounts
    partitions: Sequence[PartitionStatus]
    replies: Sequence[PartitionStatus]
    state_bytes: int
    restore_seconds: float
    restored: int
    epochs: EpochCounts
    skipped: Mapping[tuple[str, Reason], int]
    index: IndexStatus | None
    definitions: Sequence[str]
    unused: Sequence[str]
