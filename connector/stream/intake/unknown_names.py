"""Names in events that nobody has defined: counted and told once each, in bounded memory.

A mistyped provider is one letter in a producer's configuration, and every event of that producer then waits for a
definition that never comes. A producer may also write a new name into every event: neither the log nor memory may grow
with them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from difflib import get_close_matches
from enum import StrEnum

import structlog

from connector.clock import Clock
from connector.masking import mask_phone

log = structlog.get_logger(__name__)

NAMES = 100
"""Names that are kept at once."""
FORGET_SECONDS = 3600.0
"""A name that did not come for so long is forgotten: when it comes again it is told again."""
NAME_CHARACTERS = 64
KNOWN_NAMES = 20


class Cause(StrEnum):
    """Why an event has no definition."""

    PROVIDER = "provider"  # no definition has the name that it, or its campaign, gives
    CAMPAIGN = "campaign"  # it gives no name, and neither does its campaign: perhaps nobody has set that campaign


class Unknown:
    """One name.

    Attributes:
        cause: what it is the name of.
        name: as it is shown.
        nearest: the definition that may have been meant, or "".
        events: that came with it.
        seen: monotonic seconds of the last of them.
    """

    __slots__ = ("cause", "events", "name", "nearest", "seen")

    def __init__(self, cause: Cause, name: str, nearest: str, seen: float) -> None:
        self.cause = cause
        self.name = name
        self.nearest = nearest
        self.events = 0
        self.seen = seen


class UnknownNames:
    """Keeps them.

    Args:
        known: the names of all definitions; may change.
        grace: seconds an event waits for its definition.

    Attributes:
        grace: see above.
        counts: events, by cause. Each is counted once, when it is read from its source topic.
    """

    def __init__(self, known: Collection[str], *, grace: float, clock: Clock) -> None:
        self.counts = dict.fromkeys(Cause, 0)
        self._known = known
        self.grace = grace
        self._clock = clock
        self._names: OrderedDict[tuple[Cause, str], Unknown] = OrderedDict()  # the longest unseen first
        self._overflow_told: float | None = None

    def note(self, cause: Cause, name: str, *, first: bool) -> None:
        """An event has this name; `first`: it was not looked at before."""
        self.counts[cause] += first
        now = self._clock.monotonic()
        key = (cause, name[:NAME_CHARACTERS])
        found = self._names.get(key)
        if found is None:
            self._forget(now)
            if len(self._names) >= NAMES:
                self._tell_overflow(now)
                return
            found = self._names[key] = Unknown(cause, shown(name), self._nearest(cause, name), now)
            self._tell(found)
        found.events += first
        found.seen = now
        self._names.move_to_end(key)

    def names(self) -> list[Unknown]:
        """Those that came lately, the most frequent first; not those that were defined since."""
        self._forget(self._clock.monotonic())
        names = [it for it in self._names.values() if it.cause is not Cause.PROVIDER or it.name not in self._known]
        return sorted(names, key=lambda it: -it.events)

    def reason(self, cause: Cause, name: str) -> str:
        """Why an event of this name ends `invalid`."""
        if cause is Cause.CAMPAIGN:
            return f"no provider: neither the event nor campaign `{shown(name)}` names one"
        nearest = self._nearest(cause, name) if (cause, name[:NAME_CHARACTERS]) in self._names else ""
        return f"no provider definition `{shown(name)}`" + (f"; did you mean `{nearest}`?" if nearest else "")

    def _forget(self, now: float) -> None:
        while self._names and now - next(iter(self._names.values())).seen >= FORGET_SECONDS:
            self._names.popitem(last=False)

    def _nearest(self, cause: Cause, name: str) -> str:
        near = get_close_matches(name[:NAME_CHARACTERS].lower(), self._known, n=1) if cause is Cause.PROVIDER else []
        return near[0] if near else ""

    def _tell(self, it: Unknown) -> None:
        if it.cause is Cause.CAMPAIGN:
            log.warning(
                "no provider for the events of a campaign: neither they nor the campaign name one; they wait",
                campaign=it.name,
                invalid_after_seconds=self.grace,
            )
            return
        known = sorted(self._known)
        log.warning(
            "unknown provider: no definition has this name; its events wait",
            provider=it.name,
            did_you_mean=it.nearest or None,
            known=", ".join(known[:KNOWN_NAMES]) + (", …" if len(known) > KNOWN_NAMES else ""),
            invalid_after_seconds=self.grace,
        )

    def _tell_overflow(self, now: float) -> None:
        if self._overflow_told is not None and now - self._overflow_told < FORGET_SECONDS:
            return
        self._overflow_told = now
        log.warning("unknown providers: too many different names to tell each; further ones are only counted")


def shown(name: str) -> str:
    """A name somebody else wrote, for logs, pages and reasons: bounded, printable, without phone numbers."""
    text = name[:NAME_CHARACTERS]
    return mask_phone(text if text.isprintable() else ascii(text)[1:-1])
