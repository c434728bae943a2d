"""What can be made to go wrong, per fake: `PUT /_control/{provider}` or `simulate --set provider.knob=value`."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from connector.tools.simulator.broken import BROKEN
from connector.tools.simulator.costly import COSTLY
from connector.tools.simulator.echo import ENCODINGS
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs

KnobSeconds = Annotated[float, Meta(ge=0)]
Encoding = Annotated[str, Meta(pattern=rf"^(?:{'|'.join(ENCODINGS)})\Z")]
Broken = Annotated[str, Meta(pattern=rf"^(?:any|{'|'.join(BROKEN)})\Z")]
Costly = Annotated[str, Meta(pattern=rf"^(?:any|{'|'.join(COSTLY)})\Z")]


class Knobs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Faults common to every fake; a fake adds options by subclassing. The defaults are a well-behaved provider.

    Attributes:
        latency: seconds between taking the request and answering it.
        jitter: up to so many seconds more, evenly distributed.
        concurrent: above so many requests at once: 429.
        down: connections are closed before the request is read (the port is shared, so it cannot refuse them).
        drop: `before`: the request is read, not taken, the connection closed; `after`: it is taken, then closed.
        throttle: 429; nothing is taken.
        retry_after: value of Retry-After on every 429: seconds, an HTTP date, or None for no header.
        error: this 5xx status with an HTML body, as a gateway in front of the provider answers.
        error_taken: the request behind that 5xx was taken all the same.
        shuffle: the reply's list of results in random order.
        truncate: so many results missing at the end of the list.
        drip: seconds over which the reply's body dribbles in.
        content_type: this Content-Type instead of the right one.
        echo: every word of the reply is followed by all that the request held, in this encoding (`echo.ENCODINGS`).
        malformed: the reply's body breaks off in the middle, with a matching Content-Length.
        broken: the request is taken, and the reply breaks off or breaks the rules of HTTP after its 200
            (`broken.BROKEN`), then the connection is closed; `any`: each time another one.
        costly: the request is taken, and the reply is one that takes much work to read (`costly.COSTLY`), and says
            nothing of what it was asked; `any`: each time another one.
        share: the part of requests these faults strike (0 to 1).
        times: only the next so many requests are struck.
        receipts: what the fake reports of the messages it took, and where to.
    """

    latency: KnobSeconds = 0.0
    jitter: KnobSeconds = 0.0
    concurrent: Annotated[int, Meta(ge=1)] | None = None
    down: bool = False
    drop: Literal["before", "after"] | None = None
    throttle: bool = False
    retry_after: int | str | None = None
    error: Annotated[int, Meta(ge=500, le=599)] | None = None
    error_taken: bool = False
    shuffle: bool = False
    truncate: Annotated[int, Meta(ge=0)] = 0
    drip: KnobSeconds = 0.0
    content_type: str | None = None
    echo: Encoding | None = None
    malformed: bool = False
    broken: Broken | None = None
    costly: Costly | None = None
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    times: Annotated[int, Meta(ge=0)] | None = None
    receipts: ReceiptKnobs = ReceiptKnobs()


class AccountKnobs(Knobs, frozen=True, kw_only=True):
    """Knobs of a fake that checks credentials: `account` is the user, id or key name, `secret` what must be kept."""

    account: str = "demo"
    secret: str = "demo-secret"  # noqa: S105  public on purpose: it opens nothing but the fake


CALM = Knobs()
"""No fault at all."""


class Chaos:
    """Decides which requests the knobs strike; reproducible, because its dice are seeded."""

    def __init__(self, seed: int = 1) -> None:
        self.dice = random.Random(seed)  # noqa: S311  faults, not secrets
        self._left: int | None = None

    def arm(self, knobs: Knobs) -> None:
        """Start counting `times` anew."""
        self._left = knobs.times

    def strike(self, knobs: Knobs) -> Knobs:
        """The faults for the next request: `knobs`, or CALM where they do not strike."""
        if self._left == 0 or (knobs.share < 1 and self.dice.random() >= knobs.share):
            return CALM
        if self._left is not None:
            self._left -= 1
        return knobs

    def choose(self, asked: str, kinds: Iterable[str]) -> str:
        """The kind that is asked for; of `any` one of them."""
        return self.dice.choice(sorted(kinds)) if asked == "any" else asked

    def disorder(self, results: list[Any], knobs: Knobs) -> list[Any]:
        """The results as the reply lists them."""
        if knobs.shuffle:
            results = self.dice.sample(results, len(results))
        return results[: -knobs.truncate] if knobs.truncate else results
