"""The audit of who must not be texted: what was said long enough before counts, what was said meanwhile does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.cli.demo.audit import SeenMessage
from connector.model import Result, Source, Status
from tests.crash.audit import Findings, Recorded, Send
from tests.crash.suppressed import EFFECT_SECONDS, Word, compare_words

PHONE, NOW = "+919800000001", 1_000.0
LONG = NOW - EFFECT_SECONDS - 1
JUST = NOW - EFFECT_SECONDS / 2


def said(stop: bool, at: float) -> Word:
    return Word(PHONE, stop, at - 0.1, at)


STOP, START = True, False


@pytest.mark.parametrize(
    ("words", "texted", "withheld"),
    [
        ([], 0, 1),
        ([said(STOP, LONG)], 1, 0),
        ([said(STOP, JUST)], 0, 0),  # either may be right
        ([said(STOP, NOW + 1)], 0, 1),
        ([said(STOP, LONG - 1), said(START, LONG)], 0, 1),
        ([said(STOP, LONG - 1), said(START, JUST)], 0, 0),
        ([said(STOP, LONG - 2), said(START, LONG - 1), said(STOP, LONG)], 1, 0),
        ([said(STOP, LONG), Word(PHONE, START, NOW - 0.1, NOW + 1)], 0, 0),  # it was in the topic before that was known
        ([said(STOP, LONG), said(STOP, JUST)], 1, 0),
    ],
)
def test_what_was_said_of_a_number_is_held_against_what_was_sent_to_it(
    words: list[Word], texted: int, withheld: int
) -> None:
    send = Send(NOW, "w0", (SeenMessage(PHONE, "m1", taken=True),), {}, answered=True)
    result = Result(Status.SUPPRESSED, Source("in", 0, 0), datetime.now(UTC), "m1", to=PHONE)
    found = compare_words(words, [send], [Recorded(result, "in/0/0", NOW, 0)])
    assert (len(found.texted), len(found.withheld)) == (texted, withheld)
    findings = Findings()
    findings.note_words(found)
    assert len(list(findings.complaints())) == bool(texted) + bool(withheld)
