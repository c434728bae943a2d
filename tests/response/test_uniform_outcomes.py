"""Entries that are read all at once mean what each by itself would have meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import Outcome, Then, UniformOutcomes
from connector.response import uniform_outcomes

from .build import messages, read, reader, reply

COUNT = 20
ENTRY = {"match": {"To": "to"}, "id": "id", "each": "list"}
OK = {"when": "state == 'ok'", "then": "accept"}
BAD = {"when": "state == 'bad'", "then": "reject", "code": "code"}
READER = reader(
    rules=[{"status": ((200, 200),), "then": "entries", "id": "batch"}], entries=[{**ENTRY, "rules": [OK, BAD]}]
)


def entries(count: int = COUNT, **changes: Any) -> list[dict[str, Any]]:
    return [{"to": it.to, "id": f"i{n}", "state": "ok"} | changes for n, it in enumerate(messages(count))]


def outcomes(found: list[Any], count: int = COUNT) -> Any:
    return read(READER, reply({"batch": "b1", "list": found}), count).outcomes


def one_by_one(found: list[Any], count: int = COUNT) -> list[Outcome]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uniform_outcomes, "MIN_UNIFORM_ENTRIES", 10**9)
        return list(outcomes(found, count))


def test_a_batch_that_was_accepted_is_read_at_once() -> None:
    found = outcomes(entries())
    assert isinstance(found, UniformOutcomes)
    assert list(found) == one_by_one(entries())
    assert found[3] == Outcome("accept", None, None, "i3", "b1", rule="response.entries[0].rules[0]")
    assert found[:2] == [found[0], found[1]]


def test_entries_in_another_order_find_their_messages() -> None:
    found = outcomes(entries()[::-1])
    assert isinstance(found, UniformOutcomes)
    assert list(found) == one_by_one(entries())


ODD: list[Any] = [
    {},
    {"to": "+10000000", "id": "x", "state": "ok"},
    {"to": messages(2)[1].to, "id": "x", "state": "ok"},
    {"to": messages(1)[0].to, "id": "i0", "state": "bad", "code": 3},
    {"to": messages(1)[0].to, "id": None, "state": "ok"},
    {"to": messages(1)[0].to, "id": " x\u200b", "state": "ok"},
    {"to": messages(1)[0].to, "id": "x" * 600, "state": "ok"},
    {"to": messages(1)[0].to, "id": 17, "state": "ok"},
    {"to": [1], "id": "x", "state": "ok"},
    {"to": "", "id": "x", "state": "ok"},
    {"to": 919812300000, "id": "x", "state": "ok"},
    ["ok"],
    "ok",
    None,
]


@given(st.lists(st.sampled_from(range(-1, len(ODD))), min_size=1, max_size=3), st.randoms())
def test_a_reply_that_is_out_of_the_ordinary_is_read_one_by_one(odd: list[int], random: Any) -> None:
    found = entries()
    for number in odd:
        found[random.randrange(COUNT)] = ODD[number] if number >= 0 else random.choice(found)
    random.shuffle(found)
    assert list(outcomes(found)) == one_by_one(found)


@pytest.mark.parametrize("count", [1, COUNT - 1, COUNT + 1])
def test_a_wrong_number_of_entries_leaves_gaps_or_strangers(count: int) -> None:
    assert list(outcomes(entries(count))) == one_by_one(entries(count))


@pytest.mark.parametrize(
    ("rules", "then"),
    [
        ([BAD, OK], None),
        ([{"then": "accept"}], "accept"),
        ([{"status": ((500, 599),), "then": "retry"}, {"then": "reject"}], "reject"),
        ([{"when": "state == 'ok'", "then": "retry"}], None),
        ([{"when": "state != 'ok'", "then": "reject"}, {"then": "accept"}], None),
        ([{"text": "ok", "then": "accept"}], None),
    ],
)
def test_only_a_rule_of_which_nothing_but_an_id_is_read_is_asked_once(rules: Any, then: Then | None) -> None:
    by = reader(rules=[{"then": "entries"}], entries=[{**ENTRY, "rules": rules}])
    found = read(by, reply({"list": entries()}), COUNT).outcomes
    assert isinstance(found, UniformOutcomes) is (then is not None)
    if isinstance(found, UniformOutcomes):
        assert found.shared.then == then
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uniform_outcomes, "MIN_UNIFORM_ENTRIES", 10**9)
        assert list(found) == list(read(by, reply({"list": entries()}), COUNT).outcomes)


def test_messages_that_cannot_be_told_apart_have_no_entries_of_their_own() -> None:
    by = reader(rules=[{"then": "entries"}], entries=[{**ENTRY, "match": {"CampaignID": "to"}, "rules": [OK]}])
    assert {it.then for it in read(by, reply({"list": entries()}), COUNT).outcomes} == {"unknown"}


def test_messages_with_the_same_value_do_not_share_entries_that_all_have_it() -> None:
    by = reader(rules=[{"then": "entries"}], entries=[{**ENTRY, "match": {"Body": "to"}, "rules": [OK]}])
    found = read(by, reply({"list": entries(to="hi")}), COUNT).outcomes  # every body is "hi"
    assert {it.then for it in found} == {"unknown"}
