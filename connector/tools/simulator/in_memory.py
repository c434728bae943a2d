"""A fake provider that is asked without a network: the same faults, told as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from connector.tools.simulator.call import Answer, Call, LogEntry
from connector.tools.simulator.echo import echoed
from connector.tools.simulator.fake import Magic
from connector.tools.simulator.http_app import decide, delivered_headers
from connector.tools.simulator.providers import PROVIDERS


@dataclass(frozen=True, slots=True)
class ToldReply:
    """What comes back for one request.

    Attributes:
        status: of HTTP; None where the connection was closed without an answer.
        headers: of the reply.
        body: whole, or as far as it came.
        broken: why it is not whole; empty where it is.
        seconds: until it is there.
        taken: messages that the provider would now send, as they reached it.
    """

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    broken: str
    seconds: float
    taken: list[LogEntry]


class InMemoryFake:
    """One fake.

    Args:
        name: of `PROVIDERS`.
        knobs: faults and options, by name. Raises ValueError for those it does not have.
    """

    def __init__(self, name: str, knobs: Mapping[str, Any]) -> None:
        if name not in PROVIDERS:
            raise ValueError(f"there is no fake {name!r}; there are {', '.join(PROVIDERS)}")
        self._fake = PROVIDERS[name]()
        try:
            self._fake.set(msgspec.convert(dict(knobs), type=self._fake.options))
        except msgspec.ValidationError as error:
            known = ", ".join(field.name for field in msgspec.structs.fields(self._fake.options))
            raise ValueError(f"{error}; {name} has {known}") from None
        self._busy = 0

    def begin(self) -> None:
        """A request has arrived; the fake may be asked for no more than so many at once."""
        self._busy += 1

    def end(self) -> None:
        """It is answered."""
        self._busy -= 1

    def ask(self, call: Call) -> ToldReply:
        """What it answers."""
        fake = self._fake
        knobs = fake.chaos.strike(fake.knobs)
        if knobs.down:
            return ToldReply(None, {}, b"", "", 0.0, [])
        crowded = fake.knobs.concurrent is not None and self._busy > fake.knobs.concurrent
        fault, answer = decide(fake, call, knobs, crowded=crowded)
        seconds = knobs.latency + fake.chaos.dice.random() * knobs.jitter + knobs.drip
        if fault in {"drop before", "drop after"}:
            return ToldReply(None, {}, b"", "", seconds, answer.taken)
        body = self._body(call, answer, knobs.echo)
        if knobs.malformed:
            body = body[: len(body) // 2]
        broken = "it broke off" if (fault or "").startswith("broken") else ""
        headers = {name.lower(): value for name, value in delivered_headers(answer, knobs).items()}
        return ToldReply(answer.status, headers, b"" if broken else body, broken, seconds, answer.taken)

    @staticmethod
    def _body(call: Call, answer: Answer, echo: str | None) -> bytes:
        return answer.encode() if echo is None else echoed(answer.encode(), call, echo)


def magic_numbers() -> dict[str, str]:
    """Outcome → the last six digits of numbers that ask for it."""
    return {magic.name.lower(): magic.value for magic in Magic}
