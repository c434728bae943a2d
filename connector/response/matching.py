"""Which entry of a reply belongs to which message: claimed one by one, doubted where the entries contradict."""

from __future__ import annotations

from collections.abc import Sequence

from connector.model import Outcome


class Matching:
    """The outcomes of one request's messages while the entries of its reply are read.

    An entry found by a value says something about one message, and only another entry for the same message can make
    that doubtful. An entry found by its position (`rest`, `index`) leans on all the others: one stranger, contradiction
    or wrong count anywhere makes every such claim doubtful, because the list may have shifted. So does what is said of
    messages that no entry names (`others`): a stranger may have meant one of them.

    Attributes:
        outcomes: what each message's entries say so far; None where there was none.
        strangers: entries that belong to no message, or to one that cannot be told from another.
    """

    def __init__(self, count: int) -> None:
        self.outcomes: list[Outcome | None] = [None] * count
        self.strangers = 0
        self._contradictions: dict[int, str] = {}
        self._by_position: set[int] = set()
        self._others: list[int] = []
        self._others_doubted: str | None = None
        self._shifted: str | None = None
        self._refused: str | None = None

    def free(self) -> list[int]:
        """The messages no entry has claimed, in order."""
        return [index for index, outcome in enumerate(self.outcomes) if outcome is None]

    def add(self, index: int, outcome: Outcome) -> None:
        """One more entry for a message that has one: a part of it if they agree, else a contradiction."""
        earlier = self.outcomes[index]
        if earlier is None:
            self.outcomes[index] = outcome
        elif earlier.then != outcome.then:
            self._contradictions.setdefault(index, f"its entries disagree: {earlier.then} and {outcome.then}")
        elif earlier.provider_message_id is None:  # the first id there is
            self.outcomes[index] = outcome

    def add_by_position(self, indexes: Sequence[int], outcomes: Sequence[Outcome]) -> None:
        """One entry each for messages that have none, found by nothing but their position."""
        for index, outcome in zip(indexes, outcomes, strict=True):
            self.outcomes[index] = outcome
        self._by_position.update(indexes)

    def doubt_positions(self, reason: str) -> None:
        """Something says that positions cannot be trusted in this reply."""
        self._shifted = self._shifted or reason

    def add_others(self, indexes: Sequence[int], outcome: Outcome) -> None:
        """What messages mean that no entry has claimed. Comes last."""
        self._others = list(indexes)
        for index in indexes:
            self.outcomes[index] = outcome

    def doubt_others(self, reason: str) -> None:
        """Something says that an entry may have been missed: whoever is not named may have been."""
        self._others_doubted = self._others_doubted or reason

    def refuse(self, reason: str) -> None:
        """Something says that no entry of this reply can be trusted."""
        self._refused = self._refused or reason

    def decided(self, gap: str, batch: str | None) -> list[Outcome]:
        """One outcome per message; `unknown` for exactly those in doubt. `gap`: why a message may have no entry."""
        if self._refused is not None:
            return [_unknown(self._refused, batch)] * len(self.outcomes)
        missing = gap
        shifted = self._shifted
        if self.strangers:
            strangers = f"{self.strangers} of its entries belong to no message of the request"
            missing = f"{gap}; {strangers}"
            shifted = shifted or strangers
        if self._contradictions:
            shifted = shifted or "its entries contradict each other"
        if self._shifted:
            missing = f"{missing}; {self._shifted}"
        doubted: dict[int, str] = {}
        if shifted is not None:
            doubted.update(dict.fromkeys(self._by_position, f"the reply's order cannot be trusted: {shifted}"))
        unnamed = self._others_doubted or shifted
        if unnamed is not None:
            doubted.update(dict.fromkeys(self._others, f"the reply does not name it, but {unnamed}"))
        doubted.update(self._contradictions)
        decided = [outcome or _unknown(missing, batch) for outcome in self.outcomes]
        for index, reason in doubted.items():
            decided[index] = _unknown(reason, batch)
        return decided


def _unknown(reason: str, batch: str | None) -> Outcome:
    return Outcome("unknown", reason=reason, provider_batch_id=batch, rule="built-in entries")
