"""What is written of a message, in whatever order its receipts come: each state once, none that falls back, each final.

All that is remembered of a message is one byte: the states that were written.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from connector.receipts.callback import State

RANK: Final[dict[State, int]] = {
    State.PENDING: 1,
    State.SENT: 2,
    State.UNKNOWN: 3,
    State.DELIVERED: 3,
    State.UNDELIVERED: 3,
    State.EXPIRED: 3,
    State.BLOCKED: 3,
}
BIT: Final[dict[State, int]] = {state: 1 << position for position, state in enumerate(RANK)}
FINAL: Final = 3
FINALS: Final = sum(BIT[state] for state, rank in RANK.items() if rank == FINAL)
_ABOVE: Final = {rank: sum(BIT[state] for state, other in RANK.items() if other > rank) for rank in set(RANK.values())}


DROPPED: Final = ("duplicate", "late")


class Step(NamedTuple):
    """What one receipt changes.

    Attributes:
        seen: the message's byte from now on.
        dropped: why nothing is written, one of `DROPPED`; None where it is written.
        contradicts: it is written, and another final was before.
    """

    seen: int
    dropped: str | None
    contradicts: bool


def is_final(state: State) -> bool:
    """Whether nothing is expected after it."""
    return RANK[state] == FINAL


def step(seen: int, state: State) -> Step:
    """A receipt that says `state` about a message of which `seen` was written (0: nothing).

    `unknown` gives way: any other final after it is no contradiction, and after any other it says nothing new.
    """
    bit = BIT[state]
    if seen & bit:
        return Step(seen, "duplicate", contradicts=False)
    if seen & _ABOVE[RANK[state]] or (state is State.UNKNOWN and seen & FINALS):
        return Step(seen, "late", contradicts=False)
    contradicts = bool(seen & FINALS & ~BIT[State.UNKNOWN])
    return Step(seen | bit, None, contradicts)
