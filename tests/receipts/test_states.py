"""The state of a message over every order of its receipts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.receipts.callback import State
from connector.receipts.states import FINALS, RANK, is_final, step


def _written(order: tuple[State, ...] | list[State]) -> tuple[list[tuple[State, bool]], int]:
    seen, found = 0, []
    for state in order:
        seen, dropped, contradicts = step(seen, state)
        if dropped is None:
            found.append((state, contradicts))
    return found, seen


def test_over_all_orders_of_up_to_five_receipts() -> None:
    for length in range(1, 6):
        for order in product(State, repeat=length):
            written, seen = _written(order)
            states = [state for state, _ in written]
            assert len(set(states)) == len(states), "a state is written once"
            ranks = [RANK[state] for state in states]
            assert ranks == sorted(ranks), "nothing falls back"
            sure = {state for state in order if is_final(state) and state is not State.UNKNOWN}
            assert sure <= set(states), "no final is lost"
            assert sum(contradicts for _, contradicts in written) == max(len(sure) - 1, 0)
            assert 0 <= seen < 128
            for state in order:
                assert step(seen, state).dropped is not None, "a replay writes nothing"


@given(st.lists(st.sampled_from(State), max_size=40))
def test_a_replay_of_any_order_writes_nothing(order: list[State]) -> None:
    _, seen = _written(order)
    for state in order:
        assert step(seen, state)[0] == seen


@pytest.mark.parametrize(
    ("order", "written"),
    [
        ("sent delivered", ["sent", "delivered"]),
        ("delivered sent", ["delivered"]),
        ("undelivered delivered", ["undelivered", "delivered!"]),
        ("unknown delivered", ["unknown", "delivered"]),
        ("delivered unknown", ["delivered"]),
        ("unknown delivered expired", ["unknown", "delivered", "expired!"]),
    ],
)
def test_an_order_gives_these_records(order: str, written: list[str]) -> None:
    found, _ = _written([State(word) for word in order.split()])
    assert [state + "!" * contradicts for state, contradicts in found] == written


def test_the_finals_are_five() -> None:
    assert FINALS.bit_count() == 5
