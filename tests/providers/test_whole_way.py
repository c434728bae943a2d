"""Every definition from send to the final state, against its fake at its worst: a fifth of the receipts twice, those of
each message the other way round, a tenth before the reply. Each state is written once, and none of another message.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from connector.model import Source
from connector.receipts.callback import MessageToken, ReceiptEntry, State
from connector.receipts.correlation import AskedMessage, IndexKeys, correlation
from connector.receipts.states import is_final, step
from connector.request.renderer import compile_operation
from connector.tools.simulator.receipts.fate import Fate
from tests.waiting import eventually

from .way_back import MEANS, Way, back, definition, fated, source, told

AT_ITS_WORST = {"duplicate": 0.2, "disorder": 1.0, "before_reply": 0.1, "delay": [0, 0.05]}
MESSAGES = 30
TOGETHER = 7
FATES = (None, Fate.UNDELIVERED, Fate.EXPIRED, Fate.BLOCKED, Fate.CONTRADICTION, Fate.SENT_ONLY, Fate.FIVE, Fate.EARLY)


@pytest.mark.parametrize("name", sorted(MEANS))
async def test_every_state_of_every_message_is_written_once_and_none_of_another(name: str) -> None:
    fates = {number: FATES[number % len(FATES)] for number in range(1, MESSAGES + 1)}
    async with back(name, **AT_ITS_WORST) as (way, _):
        for numbers in requests(way):
            await way.send(*(fated(number, fates[number]) for number in numbers))
        waiting = way.provider.simulator._courier.counts
        await eventually(lambda: waiting() == {}, "every callback to be sent", within=30)
        assert set(way.answers) <= {200, 204}
        assert [each.reason for reading in way.readings for each in reading.unmatched] == []
        written = states(way, whose(name, way))
    assert len(way.entries) > sum(len(told(name, fate)) for fate in fates.values()), "some came twice"
    for number, fate in fates.items():
        said, expected = written.pop(Source("sms.messages", 3, number), []), told(name, fate)
        assert len(said) == len(set(said)), number
        assert set(said) <= set(expected), f"{number}: of another message"
        assert finals(said) == finals(expected), number
        assert said or not expected, number
    assert written == {}


def requests(way: Way) -> list[list[int]]:
    """Messages that go together: one alone, then as many as the provider takes, up to TOGETHER."""
    fits = max(
        (min(compile_operation(each).max_records, TOGETHER) for each in way.provider.definition.operations), default=1
    )
    numbers = list(range(1, MESSAGES + 1))
    return [numbers[:1], *(numbers[start : start + fits] for start in range(1, MESSAGES, fits))]


def whose(name: str, way: Way) -> dict[int, Source]:
    """Place of an entry → its message: by its reference, else by what is looked up once all replies are read."""
    lookup, index = correlation(definition(name), IndexKeys(["hunter2-index-key-01"])), defaultdict(set)
    for request in way.sent if lookup is not None else ():
        asked = [
            AskedMessage(sent.to, sent.message_id, outcome.provider_message_id)
            for sent, outcome in zip(request.messages, request.outcomes, strict=True)
        ]
        batch = request.outcomes[0].provider_batch_id
        headers = lookup.of_results(request.batch_id, batch, len(asked), asked)
        for sent, header in zip(request.messages, headers, strict=True):
            for start in range(0, len(header), 16):
                index[header[start : start + 16]].add(source(sent))
    found = {}
    for place, entry in enumerate(way.entries):
        if isinstance(entry.token, MessageToken):
            found[place] = entry.token.source
            continue
        assert lookup is not None
        candidates = set().union(*(index[key] for key in lookup.of_entry(entry.token, entry.match)))
        assert len(candidates) == 1, f"{entry.match}: {candidates}"
        (found[place],) = candidates
    return found


def states(way: Way, whose: dict[int, Source]) -> dict[Source, list[str]]:
    """What is written of each message, in the order in which its receipts came."""
    seen: defaultdict[Source, int] = defaultdict(int)
    written: defaultdict[Source, list[str]] = defaultdict(list)
    for place, entry in enumerate(way.entries):
        state = said(way, entry)
        change = step(seen[whose[place]], state)
        seen[whose[place]] = change.seen
        if change.dropped is None:
            written[whose[place]].append(state.value)
    return dict(written)


def said(way: Way, entry: ReceiptEntry) -> State:
    return State(way.state(entry))


def finals(states: list[str]) -> set[str]:
    """`unknown` gives way to any other."""
    found = {state for state in states if is_final(State(state))}
    return found if found == {"unknown"} else found - {"unknown"}
