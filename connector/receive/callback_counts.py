"""What came, as plain numbers: metrics read them when they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from connector.delivery.counts import Histogram
from connector.receipts.callback import Kind, Reading, Why

SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""From a broker's answer to the longest that a provider waits."""

OUTCOMES = ("written", "probe", "refused", "busy", "kafka", "fetch", "error", "malformed", "undefined")
"""What became of a callback. `busy`, `kafka`, `fetch` (of a certificate) and `error` are answered 503, so that it comes
again, as is `undefined`, where our own token or secret names a definition that is not here. `refused` is answered 403,
`malformed` another 4xx."""

REFUSALS = ("url", "signature")
"""What did not hold: the secret or token in the URL, or what the definition's `verify` asks for."""

RECEIPT, IGNORED = "receipt", "ignored"


class CallbackCounts:
    """By provider. All that is known beforehand begins at 0: `increase()` does not see a series that begins at 1.

    Attributes:
        requests: by provider and outcome. What is for no provider of ours stands under an empty name.
        refused: by provider and what did not hold.
        entries: by provider and kind: receipt, reply, opt-out, …, ignored.
        unmatched: by provider and reason.
        seconds: per provider, from the arrival of a written callback to its answer.
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter({("", "undefined"): 0, ("", "malformed"): 0})
        self.refused: Counter[tuple[str, str]] = Counter()
        self.entries: Counter[tuple[str, str]] = Counter()
        self.unmatched: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[str, Histogram] = {}

    def expect(self, names: Iterable[str]) -> None:
        """These providers may call."""
        for name in names:
            if name in self.seconds:
                continue
            self.seconds[name] = Histogram(SECONDS)
            self.requests.update({(name, outcome): 0 for outcome in OUTCOMES})
            self.refused.update({(name, what): 0 for what in REFUSALS})
            self.entries.update({(name, kind): 0 for kind in (RECEIPT, *Kind, IGNORED)})
            self.unmatched.update({(name, why): 0 for why in Why})

    def read(self, name: str, reading: Reading) -> None:
        """What stands in a callback."""
        entries = self.entries
        entries[name, RECEIPT] += len(reading.entries) + len(reading.unmatched)
        for inbound in reading.inbound:
            entries[name, inbound.kind.value] += 1
        if reading.ignored:
            entries[name, IGNORED] += reading.ignored
