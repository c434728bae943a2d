"""The base of every fake provider: routes, knobs, ids, magic numbers."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from connector.tools.simulator.call import Answer, Call, RefusedCall
from connector.tools.simulator.knobs import Chaos, Knobs
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import Reporter
from connector.tools.simulator.texts import digits

Handler = TypeVar("Handler", bound=Callable[..., Answer])


class Magic(StrEnum):
    """Fixed outcomes by the last six digits of a phone number, the same suffix in every fake that knows the outcome."""

    INVALID = "000001"  # not a valid number
    BLOCKED = "000002"  # opted out, do-not-disturb, blacklisted
    THROTTLED = "000003"  # refused for now: too fast
    TEMPORARY = "000004"  # refused for now: a fault inside the provider
    PERMANENT = "000005"  # refused for good for another reason
    SILENT = "000006"  # taken, and missing from the reply
    CREDIT = "000007"  # the whole request is refused: no credit
    HOURS = "000008"  # the whole request is refused: not at this hour


_MAGIC = {magic.value: magic for magic in Magic}


def magic(phone: object) -> Magic | None:
    """The fixed outcome a phone number asks for."""
    return _MAGIC.get(digits(phone)[-6:])


def route(method: str, pattern: str) -> Callable[[Handler], Handler]:
    """Mark a method as the answer to `method` (`GET|POST` for both) on paths that match `pattern` wholly."""

    def mark(handler: Handler) -> Handler:
        handler.__dict__.setdefault("routes", []).append((method.split("|"), re.compile(pattern)))
        return handler

    return mark


class Fake:
    """One fake provider; `http://HOST:PORT/{name}` stands for its scheme and host, the path after that is the real one.

    Attributes:
        name: prefix of its paths and its name on the command line.
        about: one line.
        paths: the addresses to show, below the prefix.
        options: the type of its knobs.
        knobs: those now in force.
        reports: how its provider reports; None: it sends no receipts.
        reporter: the one of this fake.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    paths: ClassVar[tuple[str, ...]]
    options: ClassVar[type[Knobs]] = Knobs
    reports: ClassVar[type[Reporter] | None] = None
    _routes: ClassVar[list[tuple[list[str], re.Pattern[str], str]]]

    def __init_subclass__(cls) -> None:
        cls._routes = [
            (methods, pattern, name)
            for base in reversed(cls.__mro__)
            for name, member in vars(base).items()
            for methods, pattern in getattr(member, "routes", ())
        ]

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.chaos = Chaos()
        # Ids stay unique over restarts, so that an audit may join several logs.
        self._ids = itertools.count(int(now() * 1000) << 20)
        self.knobs: Any = self.options()
        self.reporter = self.reports(*self._credentials()) if self.reports else None

    def set(self, chosen: Knobs) -> None:
        """Put other faults and options in force. Raises ValueError where its provider has no receipts to be set."""
        if self.reporter is None and chosen.receipts != ReceiptKnobs():
            raise ValueError(f"receipts: {self.name} sends none")
        self.knobs = chosen
        if self.reporter is not None:
            self.reporter.account, self.reporter.secret = self._credentials()
        self.chaos.arm(chosen)

    def _credentials(self) -> tuple[str, str]:
        return getattr(self.knobs, "account", "demo"), getattr(self.knobs, "secret", "demo-secret")

    def number(self) -> int:
        """A fresh id."""
        return next(self._ids)

    def uuid(self) -> str:
        """A fresh id in the shape of a random UUID."""
        text = f"{self.number():032x}"
        return f"{text[12:20]}-{text[20:24]}-4{text[9:12]}-8{text[6:9]}-{text[20:32]}"

    def answer(self, call: Call) -> Answer:
        """The reply of a provider without faults."""
        allowed = False
        try:
            for methods, pattern, name in self._routes:
                if found := pattern.fullmatch(call.path):
                    allowed = True
                    if call.method in methods:
                        reply: Answer = getattr(self, name)(call, **found.groupdict())
                        return reply
            return self.stray(call, 405 if allowed else 404)
        except RefusedCall as refusal:
            return refusal.answer

    def stray(self, call: Call, status: int) -> Answer:
        """The reply to a path (404) or method (405) the provider does not have."""
        return Answer(status, {"error": f"{self.name} has no {call.method} {call.path}"})

    def action(self, name: str) -> bool:
        """Do what `POST /_control/{provider}/{name}` asks; False where the fake knows no such action."""
        del name
        return False
