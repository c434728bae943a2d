"""What was found of a message, and what it means. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.cli.known_receipts import outcome
from connector.cli.output import masked
from connector.model import Source


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """A record that is about the message.

    Attributes:
        place: where it stands.
        at: when it was written.
        about: what it says.
    """

    place: Source
    at: datetime
    about: dict[str, Any]

    @property
    def where(self) -> str:
        return f"{self.place.topic}/{self.place.partition}/{self.place.offset}"


@dataclass(slots=True)
class Trace:
    """All that was found of one event, or of a message whose event is gone.

    Attributes:
        event: the event itself; None where it is no longer in its topic.
        retries: records in retry topics: each stands for a wait.
        sends: entries of the journal: each says that a request with it was about to leave.
        dead_letters: copies kept for a person.
        results: final; more than one only after a hard kill.
        receipts: what its provider has reported afterwards: a record for each state.
        committed: the group's offset in the event's partition.
        held_by: what its provider does, while it has no result; as far as a worker says so.
    """

    event: FoundRecord | None
    retries: list[FoundRecord] = field(default_factory=list)
    sends: list[FoundRecord] = field(default_factory=list)
    dead_letters: list[FoundRecord] = field(default_factory=list)
    results: list[FoundRecord] = field(default_factory=list)
    receipts: list[FoundRecord] = field(default_factory=list)
    committed: int | None = None
    held_by: str | None = None

    @property
    def unfinished(self) -> bool:
        """It has an event, and no result is to be found, nor was one."""
        passed = self.event is not None and self.committed is not None and self.event.place.offset < self.committed
        return self.event is not None and not self.results and (bool(self.retries) or not passed)

    def state(self, now: datetime) -> str:
        """In a word, or in a few, what became of it."""
        reported = outcome(str(it.about.get("status")) for it in self.receipts)
        if self.results:
            status = str(self.results[-1].about.get("status"))
            return status if reported is None else f"{status}, {reported}"
        if reported is not None:
            return f"{reported}, by a receipt"
        if self.retries:
            last = self.retries[-1]
            due = last.about["due"]
            return f"waiting in {last.place.topic}" + (f" until {due}" if due > now.isoformat() else "")
        if self.event is None:
            return "not found"
        if self.committed is not None and self.event.place.offset < self.committed:
            return "finished, and its result is no longer in the results topic"
        if self.sends:
            return "may be at the provider: a request with it was about to leave, and no result is written yet"
        return "open: not read yet, waiting in a worker's memory, or at the provider"

    def document(self, now: datetime) -> dict[str, Any]:
        """As JSON-able data."""

        def plain(seen: FoundRecord) -> dict[str, Any]:
            return {"at": seen.at.isoformat(), "place": seen.where, **seen.about}

        return {
            "state": self.state(now),
            "held_by": self.held_by,
            "event": None if self.event is None else plain(self.event),
            "retries": [plain(it) for it in self.retries],
            "sends": [plain(it) for it in self.sends],
            "dead_letters": [plain(it) for it in self.dead_letters],
            "results": [plain(it) for it in self.results],
            "receipts": [plain(it) for it in self.receipts],
        }

    def lines(self, now: datetime) -> Iterator[str]:
        """For people, in the order of time; numbers masked."""
        yield f"state: {self.state(now)}"
        if self.held_by is not None:
            yield f"held by: {self.held_by}"
        rows = [
            *([("event", self.event)] if self.event is not None else []),
            *(("wait", it) for it in self.retries),
            *(("send", it) for it in self.sends),
            *(("dead letter", it) for it in self.dead_letters),
            *(("result", it) for it in self.results),
            *(("receipt", it) for it in self.receipts),
        ]
        for name, seen in sorted(rows, key=lambda row: row[1].at):
            about = ", ".join(f"{key} {_shown(key, value)}" for key, value in seen.about.items() if value is not None)
            yield f"  {seen.at.isoformat(timespec='milliseconds')[:23]}  {name:<11}  {seen.where}  {about}"


def _shown(key: str, value: Any) -> str:
    return masked(str(value)) if key == "to" else str(value)
