"""Results against what the provider saw: pure, and blind to the connector's own counters.

Three parties are compared: the events as they were produced (source → message), the results topic, and the simulator's
log. The audit holds when each event has exactly one result, and each was at the provider exactly as often as its status
says: once where it is accepted or rejected, never where it is invalid, expired, cancelled or a duplicate, at most once
where it is unknown or failed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from connector.model import Source, Status
from connector.tools.simulator.texts import digits

EXAMPLES = 10
TAIL_DIGITS = 10  # providers that want national numbers get the last ten digits

TIMES_SEEN: dict[Status, tuple[int, int]] = {
    Status.ACCEPTED: (1, 1),
    Status.REJECTED: (1, 1),
    Status.FAILED: (0, 1),
    Status.UNKNOWN: (0, 1),
    Status.INVALID: (0, 0),
    Status.EXPIRED: (0, 0),
    Status.CANCELLED: (0, 0),
    Status.DUPLICATE: (0, 0),
    Status.SUPPRESSED: (0, 0),
}
"""Status → how often such a message may have been in a request, at least and at most."""

NOT_TAKEN = frozenset(Status) - {Status.ACCEPTED, Status.UNKNOWN}
"""A message with this status was never taken by the provider."""

SENTENCES = {
    "lost": "events without a result",
    "doubled": "events with more than one result",
    "strangers": "results of no event",
    "unsent": "messages at the provider less often than their result says",
    "repeated": "messages at the provider more often than their result says",
    "denied": "messages the provider took although their result says it did not",
    "untaken": "messages accepted in their result that the provider refused",
    "unasked": "messages at the provider that no event asked for",
    "unreported": "receipts that were acknowledged to the provider and are not in the topic of receipts",
    "misreported": "receipts in the topic that no provider has sent",
    "twice reported": "receipts in the topic more often than once",
    "unmatched": "receipts that belong to no message",
}


@dataclass(frozen=True, slots=True)
class Event:
    """What was produced. `to` as in the event; None where the event cannot be read."""

    source: Source
    message_id: str | None
    to: str | None


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """One message in one request, from the simulator's log.

    Attributes:
        to: phone number as the provider received it.
        ref: our message_id, where the request carried it.
        taken: the provider would send it.
        sure: the fake knows what a recipient is; one that accepts anything logs all that looks like one.
    """

    to: str
    ref: str | None
    taken: bool
    sure: bool = True


@dataclass(slots=True)
class Audit:
    """What was found.

    Attributes:
        events, results, seen, reported: how many were compared.
        findings: name (see SENTENCES) → how many.
        examples: name → message ids or sources, a few.
    """

    events: int = 0
    results: int = 0
    seen: int = 0
    reported: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.findings

    def find(self, name: str, example: object, times: int = 1) -> None:
        self.findings[name] += times
        examples = self.examples.setdefault(name, [])
        if len(examples) < EXAMPLES:
            examples.append(str(example))


def audit(events: Iterable[Event], results: Iterable[tuple[Source, Status]], seen: Iterable[SeenMessage]) -> Audit:
    """Compare the three. `results` in any order, every record of the results topic."""
    book = _Book(events)
    report = Audit(events=len(book.events))
    for source, status in results:
        report.results += 1
        if source not in book.events:
            report.find("strangers", _place(source))
        elif source in book.status:
            report.find("doubled", book.name(source))
        else:
            book.status[source] = status
    for source in book.events:
        if source not in book.status:
            report.find("lost", book.name(source))
    for sighting in seen:
        if book.enter(sighting):
            report.seen += 1
        elif sighting.sure:
            report.seen += 1
            report.find("unasked", sighting.ref or f"…{digits(sighting.to)[-2:]}")
    for group in book.groups():
        _compare(book, group, report)
    return report


class _Book:
    """Who is who: finds the event a sighting belongs to."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.events = {event.source: event for event in events}
        self.status: dict[Source, Status] = {}
        self.taken: Counter[object] = Counter()  # by source, or by phone where several events share it
        self.refused: Counter[object] = Counter()
        self._by_id: dict[str, list[Source]] = defaultdict(list)
        self._by_phone: dict[str, list[Source]] = defaultdict(list)
        self._tails: dict[str, set[str]] = defaultdict(set)
        for source, event in self.events.items():
            if event.message_id is not None:
                self._by_id[event.message_id].append(source)
            if phone := digits(event.to or ""):
                self._by_phone[phone].append(source)
                self._tails[phone[-TAIL_DIGITS:]].add(phone)

    def name(self, source: Source) -> str:
        return self.events[source].message_id or _place(source)

    def enter(self, sighting: SeenMessage) -> bool:
        """Count a sighting for its event; False where there is none."""
        key = self._owner(sighting)
        if key is None:
            return False
        (self.taken if sighting.taken else self.refused)[key] += 1
        return True

    def groups(self) -> Iterator[tuple[list[Source], list[object]]]:
        """Events that cannot be told apart, with the keys their sightings were counted under."""
        pooled = {key for key in (*self.taken, *self.refused) if isinstance(key, str)}
        for phone in pooled:
            sources = self._by_phone[phone]
            yield sources, [phone, *sources]
        together = {source for phone in pooled for source in self._by_phone[phone]}
        for source in self.events:
            if source not in together:
                yield [source], [source]

    def _owner(self, sighting: SeenMessage) -> object | None:
        owners = self._by_id.get(sighting.ref, ()) if sighting.ref else ()
        if len(owners) == 1:
            return owners[0]
        phone = self._phone(digits(sighting.to))
        if phone is None:
            return None
        sources = self._by_phone[phone]
        return sources[0] if len(sources) == 1 else phone

    def _phone(self, number: str) -> str | None:
        """The event's number that `number` writes, internationally or nationally."""
        if number in self._by_phone:
            return number
        national = number.lstrip("0")
        full = self._tails.get(national[-TAIL_DIGITS:], ())
        fitting = [phone for phone in full if phone.endswith(national)]
        return fitting[0] if len(fitting) == 1 else None


def _compare(book: _Book, group: tuple[list[Source], list[object]], report: Audit) -> None:
    sources, keys = group
    statuses = [book.status[source] for source in sources if source in book.status]
    if len(statuses) < len(sources):
        return  # already lost
    taken = sum(book.taken[key] for key in keys)
    seen = taken + sum(book.refused[key] for key in keys)
    least = sum(TIMES_SEEN[status][0] for status in statuses)
    most = sum(TIMES_SEEN[status][1] for status in statuses)
    name = ", ".join(book.name(source) for source in sources[:EXAMPLES])
    if seen < least:
        report.find("unsent", name, least - seen)
    elif seen > most:
        report.find("repeated", name, seen - most)
    accepted = sum(status is Status.ACCEPTED for status in statuses)
    if taken < min(accepted, seen):
        report.find("untaken", name, min(accepted, seen) - taken)
    may_be_taken = sum(status not in NOT_TAKEN for status in statuses)
    if taken > may_be_taken and seen <= most:
        report.find("denied", name, taken - may_be_taken)


def _place(source: Source) -> str:
    return f"{source.topic}/{source.partition}/{source.offset}"
