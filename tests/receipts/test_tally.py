"""What became of a campaign's messages: compared with counting them the slow way."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from connector.model import Source
from connector.receipts.callback import State
from connector.receipts.receipt_records import ReceiptPlace, ReceiptRecord, place
from connector.receipts.states import is_final, step
from connector.receipts.tally import MOST_CODES, OTHER_CODES, DeliverySummary, DeliveryTally

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = ("delivered", "undelivered", "expired", "blocked", "unknown", "sent", "pending")


def source(number: int) -> Source:
    return Source("sms.messages", number % 12, number)


def receipt(number: int, state: State, *, after: float = 1.0, code: str | None = None) -> ReceiptRecord:
    event = source(number)
    where = ReceiptPlace(event.topic, event.partition, event.offset)
    at = BEGAN + timedelta(seconds=number + after)
    return ReceiptRecord(where, "acme", state.value, is_final(state), at, 1, where, code=code)


def counted(messages: int, receipts: list[tuple[int, State, float, str | None]]) -> DeliverySummary:
    tally = DeliveryTally()
    for number in range(messages):
        tally.accept(place(source(number)), BEGAN + timedelta(seconds=number))
    for number, state, after, code in receipts:
        if tally.note(place(source(number)), state) and is_final(state):
            tally.detail(place(source(number)), receipt(number, state, after=after, code=code))
    return tally.summary()


@given(
    st.integers(0, 20),
    st.lists(
        st.tuples(st.integers(0, 25), st.sampled_from(State), st.floats(0, 1e5, width=32), st.sampled_from(["9", None]))
    ),
)
def test_every_message_is_counted_once_by_what_is_said_of_it(
    messages: int, said: list[tuple[int, State, float, str | None]]
) -> None:
    # As they are written: each state of a message once, and none that falls back.
    seen: defaultdict[int, int] = defaultdict(int)
    written = []
    for number, state, after, code in said:
        made = step(seen[number], state)
        seen[number] = made.seen
        if made.dropped is None:
            written.append((number, state, after, code))

    found = counted(messages, written)

    states: defaultdict[int, set[str]] = defaultdict(set)
    for number, state, _, _ in written:
        states[number].add(state.value)
    ours = {number: states[number] for number in range(messages)}
    words = Counter(next(word for word in ORDER if word in known) for known in ours.values() if known)
    assert found.accepted == messages
    assert found.reported == dict(words)
    assert found.silent == sum(not known for known in ours.values())
    assert found.accepted == found.silent + sum(found.reported.values())
    failed = Counter(
        (state.value, code or "-")
        for number, state, _, code in written
        if number < messages and is_final(state) and state is not State.DELIVERED
    )
    assert {(status, code): number for status, code, number in found.codes} == dict(failed)
    finals = {state.value for state in State if is_final(state) and state is not State.UNKNOWN}
    assert found.contradicted == sum(len(known & finals) > 1 for known in ours.values())
    times = sorted(after for number, state, after, _ in written if number < messages and state is State.DELIVERED)
    if not times:
        assert found.seconds is None
    else:
        assert found.seconds is not None
        for shown, part in zip(found.seconds, (0.5, 0.95), strict=True):
            assert abs(shown - times[ceil(len(times) * part) - 1]) <= 0.01


def test_a_message_that_has_two_results_is_counted_once_and_from_the_first() -> None:
    tally = DeliveryTally()
    for seconds in (1, 0, 5):
        tally.accept(place(source(1)), BEGAN + timedelta(seconds=seconds))
    assert tally.note(place(source(1)), State.DELIVERED)
    tally.detail(place(source(1)), receipt(1, State.DELIVERED, after=3))
    found = tally.summary()
    assert (found.accepted, found.silent, found.seconds) == (1, 0, (3.0, 3.0))


def test_codes_are_bounded() -> None:
    found = counted(MOST_CODES + 5, [(number, State.UNDELIVERED, 1, f"c{number}") for number in range(MOST_CODES + 5)])
    assert len(found.codes) == MOST_CODES + 1
    assert found.codes[0] == ("undelivered", OTHER_CODES, 5)


def test_a_million_messages_take_seventeen_bytes_each() -> None:
    tally = DeliveryTally()
    for number in range(20_000):
        tally.accept(place(source(number)), BEGAN)
    tally.note(place(source(1)), State.SENT)
    kept = sum(sys.getsizeof(it) for it in (tally._keys, tally._accepted, tally._seen))
    assert kept < 20 * 20_000
