"""Numbers that were to be texted no more, and what was sent to them all the same. Pure.

What was said of whom is the suite's own record of what it wrote, so that it outlives the topic.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.crash.audit import Recorded, Send

EFFECT_SECONDS = 2.0
"""From the acknowledged record to its effect, at most; and from a decision to its result. Some milliseconds where the
machine has nothing else to do."""


class Word(NamedTuple):
    """What was said of a phone number. Times in seconds since the epoch.

    Attributes:
        phone: as in an event.
        stop: it must not be texted from now on; else it may be again.
        begun, durable: when its record was handed to the producer, and when it was known to be in the topic.
    """

    phone: str
    stop: bool
    begun: float
    durable: float


@dataclass(frozen=True, slots=True)
class WordAudit:
    """Counts that must be zero, with the messages.

    Attributes:
        texted: messages at a provider whose number must not be texted.
        withheld: results `suppressed` of messages whose number might be texted.
    """

    texted: Sequence[str]
    withheld: Sequence[str]


def compare_words(words: Iterable[Word], sends: Iterable[Send], withheld: Iterable[Recorded]) -> WordAudit:
    """Compare what was said with what was sent, and with what was not: `withheld` are the results `suppressed`."""
    said: defaultdict[str, list[Word]] = defaultdict(list)
    for word in words:
        said[word.phone].append(word)
    return WordAudit(
        [
            message.ref or "?"
            for send in sends
            for message in send.seen
            if _surely(said.get(message.to, []), send.time, stop=True)
        ],
        [
            it.result.message_id or "?"
            for it in withheld
            if _surely(said.get(it.result.to or "", []), it.appended, stop=False)
        ],
    )


def _surely(words: Sequence[Word], at: float, *, stop: bool) -> bool:
    """Whether a number was in this state from long before `at` until then: nothing else was said meanwhile."""
    known = bisect_right(words, at - EFFECT_SECONDS, key=lambda it: it.durable)
    state = words[known - 1].stop if known else False
    return state is stop and not any(it.stop is not stop and it.begun <= at for it in words[known:])
