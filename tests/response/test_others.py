"""What a reply does not name, what it counts, and ids of which it names only the ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import Message, Outcome

from .build import NOW, batch, messages, read, reader, reply

OK = [{"status": ((200, 200),), "when": "status == 'ok'", "then": "entries", "id": "job"}]
FAILED = {"each": "failed", "match": {"To|digits": "to"}, "then": "reject", "code": "code"}
OTHERS = {"match": "others", "then": "accept"}


def phone(index: int) -> str:
    return messages(index + 1)[index].to[1:]


def outcomes(body: Any, count: int, *entries: dict[str, Any], **given: Any) -> list[Outcome]:
    by = reader(rules=OK, entries=entries or (FAILED, OTHERS), **given)
    return list(read(by, reply(body), count).outcomes)


def thens(body: Any, count: int, *entries: dict[str, Any]) -> list[str]:
    return [outcome.then for outcome in outcomes(body, count, *entries)]


# ---- others ---------------------------------------------------------------------------------------------------------


def test_those_the_reply_does_not_name_have_the_outcome_the_definition_says() -> None:
    found = outcomes({"status": "ok", "job": 7, "failed": [{"to": phone(1), "code": 13}]}, 3)
    assert [(each.then, each.code, each.provider_batch_id, each.rule) for each in found] == [
        ("accept", None, "7", "response.entries[1]"),
        ("reject", "13", "7", "response.entries[0]"),
        ("accept", None, "7", "response.entries[1]"),
    ]


@pytest.mark.parametrize(("status", "named", "then"), [
    (200, (), "accept"), (207, (), "accept"), (500, (), "unknown"), (401, (), "unknown"),
    (500, ((500, 500),), "accept"), (500, ((200, 299),), "uncertain"),
])  # fmt: skip
def test_nobody_is_accepted_for_not_being_named_by_a_failure_of_http(status: int, named: Any, then: str) -> None:
    by = reader(rules=[{**OK[0], "status": named}], entries=(FAILED, OTHERS))
    found = read(by, reply({"status": "ok", "failed": []}, status), 2).outcomes
    assert [outcome.then for outcome in found] == [then, then]
    if then == "unknown":
        assert found[0].reason == f"the reply does not name it, but the reply is HTTP {status}"


def test_failures_in_lines_of_crlf_are_found() -> None:
    lines = {"text": "(?m)^(?P<to>[0-9]+);FAIL$", "match": {"To|digits": "to"}, "then": "reject"}
    rules = [{"status": 200, "then": "entries"}]
    by = reader(rules=rules, entries=(lines, OTHERS), decode=("none",))
    found = read(by, reply(f"{phone(0)};FAIL\r\n{phone(2)};FAIL\r\n"), 3).outcomes
    assert [outcome.then for outcome in found] == ["reject", "accept", "reject"]


@pytest.mark.parametrize("nobody", [{"failed": []}, {"failed": None}, {"failed": ""}, {}])
def test_a_list_of_failures_that_is_empty_or_not_there_names_nobody(nobody: dict[str, Any]) -> None:
    assert thens({"status": "ok", **nobody}, 2) == ["accept", "accept"]


@pytest.mark.parametrize(
    ("failed", "why"),
    [
        ([{"to": "919999999999"}], "1 of its entries belong to no message of the request"),
        ([{"to": phone(0)}, {"number": phone(1)}], "1 of its entries belong to no message of the request"),
        ("all went wrong", "1 of its entries belong to no message of the request"),
        (False, "1 of its entries belong to no message of the request"),
        ({"to": None}, "1 of its entries belong to no message of the request"),
    ],
)
def test_an_entry_that_names_nobody_may_mean_one_of_the_others(failed: Any, why: str) -> None:
    found = outcomes({"status": "ok", "failed": failed}, 3)
    assert {each.then for each in found} <= {"unknown", "reject"}
    assert found[2] == Outcome(
        "unknown", reason=f"the reply does not name it, but {why}", rule="built-in entries", provider_batch_id=None
    )


def test_entries_that_contradict_each_other_leave_the_others_in_doubt() -> None:
    twice = [
        {**FAILED, "then": None, "rules": [{"when": "ok", "then": "accept"}, {"when": "!ok", "then": "reject"}]},
        OTHERS,
    ]
    body = {"status": "ok", "failed": [{"to": phone(0), "ok": True}, {"to": phone(0), "ok": False}]}
    assert thens(body, 2, *twice) == ["unknown", "unknown"]


def test_a_key_that_is_written_twice_may_have_named_one_of_the_others() -> None:
    one, other = f'{{"to":"{phone(0)}"}}', f'{{"to":"{phone(1)}"}}'
    assert thens(f'{{"status":"ok","failed":{one},"failed":{other}}}', 3) == ["unknown", "reject", "unknown"]
    assert thens(f'{{"status":"ok","failed":{one},"failed":{one}}}', 2) == ["reject", "accept"]
    assert thens(f'{{"status":"ok","a":{{"x":1,"x":2}},"failed":{one}}}', 2) == ["reject", "unknown"]


@pytest.mark.parametrize("body", ["<html>ok</html>", b"", '{"status":"ok","failed":['])
def test_a_reply_that_cannot_be_decoded_says_nothing_of_the_others(body: Any) -> None:
    by = reader(rules=[{"status": 200, "then": "entries"}], entries=[FAILED, OTHERS])
    assert {each.then for each in read(by, reply(body), 2).outcomes} == {"unknown"}


def test_failures_whose_expression_fails_name_nobody_and_leave_all_in_doubt() -> None:
    source = {**FAILED, "each": "keys(failed)", "match": {"To|digits": "@"}, "code": None}
    assert thens({"status": "ok", "failed": {phone(0): "x"}}, 2, source, OTHERS) == ["reject", "accept"]
    found = outcomes({"status": "ok", "failed": [phone(0)]}, 2, source, OTHERS)
    assert [each.then for each in found] == ["unknown", "unknown"]
    assert found[0].reason == "the reply does not name it, but response.entries[0].each failed on this reply"


def test_a_text_that_was_cut_off_may_have_named_one_of_the_others() -> None:
    by = reader(
        decode=("none",),
        rules=[{"status": 200, "text": "^OK", "then": "entries"}],
        entries=[{"text": "FAILED (?P<to>[0-9]+);", "match": {"To|digits": "to"}, "then": "reject"}, OTHERS],
    )
    body = f"OK FAILED {phone(0)}; FAI"
    assert [each.then for each in read(by, reply(body), 2).outcomes] == ["reject", "accept"]
    assert [each.then for each in read(by, reply(body, truncated=True), 2).outcomes] == ["reject", "unknown"]


def test_a_message_that_no_entry_could_have_named_is_none_of_the_others() -> None:
    source = {"each": "failed", "match": {"ref": "ref"}, "then": "reject"}
    by = reader(rules=OK, entries=[source, OTHERS])
    sent = [Message(message_id=f"m{i}", to=f"+9198123{i:05d}", body="hi", custom=c) for i, c in
            enumerate([{"ref": "a"}, {"ref": "b"}, None, {"ref": "b"}])]  # fmt: skip
    found = by.read(reply({"status": "ok", "failed": [{"ref": "a"}]}), sent, batch(), NOW)
    assert [each.then for each in found.outcomes] == ["reject", "unknown", "unknown", "unknown"]


def test_others_may_be_what_was_not_taken() -> None:
    taken = {"each": "sent", "match": {"To|digits": "to"}, "then": "accept", "id": "id"}
    others = {"match": "others", "then": "reject", "reason": "'not in the list'"}
    found = outcomes({"status": "ok", "sent": [{"to": phone(1), "id": "x"}]}, 2, taken, others)
    assert [(each.then, each.reason, each.provider_message_id) for each in found] == [
        ("reject", "not in the list", None),
        ("accept", None, "x"),
    ]


@pytest.mark.parametrize(("call", "shift"), [("index()", 0), ("seq()", 1)])
def test_failures_may_be_named_by_their_position(call: str, shift: int) -> None:
    source = {"each": "failed", "match": {call: "@"}, "then": "reject"}
    assert thens({"status": "ok", "failed": [shift, 2 + shift]}, 4, source, OTHERS) == [
        "reject",
        "accept",
        "reject",
        "accept",
    ]


@given(
    st.integers(1, 12).flatmap(
        lambda count: st.tuples(st.just(count), st.lists(st.integers(-2, count + 1), max_size=15), st.booleans())
    )
)
def test_nobody_is_taken_for_accepted_unless_every_failure_is_known(case: tuple[int, list[int], bool]) -> None:
    count, named, counted = case
    failed = [{"to": phone(i) if 0 <= i < count else f"4477{i + 10:08d}"} for i in named]
    others = {**OTHERS, "count": "left"} if counted else OTHERS
    left = count - len({i for i in named if 0 <= i < count})
    found = thens({"status": "ok", "failed": failed, "left": left}, count, FAILED, others)
    stranger = any(not 0 <= i < count for i in named)
    for index, then in enumerate(found):
        assert then == ("reject" if index in named else "unknown" if stranger else "accept")


# ---- totals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "then"),
    [(2, "accept"), ("2", "accept"), (2.0, "accept"), (" 2 ", "accept"), ("02", "accept"), (1, "unknown"),
     (3, "unknown"), (None, "unknown"), ("two", "unknown"), (True, "unknown"), ([2], "unknown"), (-2, "unknown"),
     (2.5, "unknown"), (1e300, "unknown")],
)  # fmt: skip
def test_a_total_that_does_not_agree_makes_all_unknown(total: Any, then: str) -> None:
    rule = {"status": 200, "when": "status == 'ok'", "then": "accept", "count": "sent", "id": "job"}
    by = reader(rules=[rule])
    reading = read(by, reply({"status": "ok", "sent": total, "job": 7}), 2)
    assert [each.then for each in reading.outcomes] == [then, then]
    assert {each.provider_batch_id for each in reading.outcomes} == {"7"}
    if then == "unknown":
        assert reading.outcomes[0].reason is not None
        assert "where 2 are meant" in reading.outcomes[0].reason


def test_a_total_may_be_a_named_group_of_a_text() -> None:
    rule = {"status": 200, "text": "^(?P<n>[0-9]+) messages? sent", "then": "accept", "count": "n"}
    by = reader(decode=("none",), rules=[rule])
    assert read(by, reply("3 messages sent"), 3).outcomes[0].then == "accept"
    found = read(by, reply("2 messages sent"), 3).outcomes[0]
    assert (found.then, found.reason) == ("unknown", "the reply counts 2, where 3 are meant")


def test_others_are_as_many_as_the_reply_says() -> None:
    others = {**OTHERS, "count": "accepted"}
    body = {"status": "ok", "failed": [{"to": phone(0)}], "accepted": 2}
    assert thens(body, 3, FAILED, others) == ["reject", "accept", "accept"]
    assert thens(body, 4, FAILED, others) == ["reject", "unknown", "unknown", "unknown"]
    assert thens({**body, "accepted": None}, 3, FAILED, others) == ["reject", "unknown", "unknown"]


def test_entries_that_are_fewer_than_their_total_say_nothing_and_leave_the_others_in_doubt() -> None:
    counted = {**FAILED, "count": "failures"}
    one = {"status": "ok", "failed": [{"to": phone(0)}]}
    assert thens({**one, "failures": 1}, 2, counted, OTHERS) == ["reject", "accept"]
    assert thens({**one, "failures": 2}, 3, counted, OTHERS) == ["unknown"] * 3
    assert thens({"status": "ok", "failed": [], "failures": 1}, 2, counted, OTHERS) == ["unknown", "unknown"]
    assert thens({"status": "ok", "failures": 0}, 2, counted, OTHERS) == ["accept", "accept"]


def test_a_total_is_asked_of_many_entries_too() -> None:
    rules = [{"when": "state == 'ok'", "then": "accept"}]
    source = {"each": "list", "match": {"To": "to"}, "id": "id", "rules": rules, "count": "total"}
    body = [{"to": f"+{phone(i)}", "id": f"x{i}", "state": "ok"} for i in range(50)]
    assert set(thens({"status": "ok", "list": body, "total": 50}, 50, source)) == {"accept"}
    assert set(thens({"status": "ok", "list": body, "total": 51}, 50, source)) == {"unknown"}


# ---- ranges of ids --------------------------------------------------------------------------------------------------

RANGE = {"match": "index", "range": None, "then": "accept"}


def ids(body: dict[str, Any], count: int, source: dict[str, Any]) -> list[tuple[str, str | None]]:
    from connector.definition.tree import IdRange

    given = {**RANGE, **source}
    given["range"] = IdRange(**given["range"])
    return [(o.then, o.provider_message_id) for o in outcomes({"status": "ok", **body}, count, given)]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"first": 98, "n": 3}, ["98", "99", "100"]),
        ({"first": "098", "n": "3"}, ["098", "099", "100"]),
        ({"first": "AB-9", "n": 3}, ["AB-9", "AB-10", "AB-11"]),
        ({"first": "id7x000", "n": 3}, ["id7x000", "id7x001", "id7x002"]),
        ({"first": 98.0, "n": 3.0}, ["98", "99", "100"]),
    ],
)
def test_ids_of_a_range_count_up_in_the_order_of_the_request(body: dict[str, Any], wanted: list[str]) -> None:
    source = {"range": {"first": "first", "count": "n"}}
    assert ids(body, 3, source) == [("accept", each) for each in wanted]


def test_a_range_may_be_told_by_its_ends_and_there_may_be_several() -> None:
    ends = {"first": "from", "last": "to"}
    assert ids({"from": "A09", "to": "A11"}, 3, {"range": ends}) == [("accept", f"A{n}") for n in ("09", "10", "11")]
    several = {"each": "parts", "range": ends}
    body = {"parts": [{"from": 1, "to": 2}, {"from": 7, "to": 7}]}
    assert ids(body, 3, several) == [("accept", "1"), ("accept", "2"), ("accept", "7")]


@pytest.mark.parametrize(
    "body",
    [
        {"first": 1, "n": 2}, {"first": 1, "n": 4}, {"first": 1}, {"first": "abc", "n": 3}, {"first": None, "n": 3},
        {"first": 1, "n": 10**14}, {"first": 1, "n": 10**18}, {"first": [1], "n": 3}, {"first": True, "n": 3}, {"n": 3},
        {"first": "9" * 40, "n": 3, "x": 1} | {"n": 2},
    ],
)  # fmt: skip
def test_a_range_that_does_not_fit_the_request_gives_no_id_to_anybody(body: dict[str, Any]) -> None:
    assert ids(body, 3, {"range": {"first": "first", "count": "n"}}) == [("unknown", None)] * 3


@pytest.mark.parametrize("ends", [(1, 4), (3, 1), ("A1", "B3"), (1, None), (1, "x")])
def test_ends_that_do_not_belong_together_give_no_id(ends: tuple[Any, Any]) -> None:
    body = {"from": ends[0], "to": ends[1]}
    assert ids(body, 3, {"range": {"first": "from", "last": "to"}}) == [("unknown", None)] * 3


def test_a_range_in_a_text_is_read_from_its_named_groups() -> None:
    from connector.definition.tree import IdRange

    source = {**RANGE, "text": "ids (?P<a>[0-9]+)-(?P<b>[0-9]+)", "range": IdRange("a", last="b")}
    by = reader(decode=("none",), rules=[{"status": 200, "text": "^OK", "then": "entries"}], entries=[source])
    found = read(by, reply("OK ids 41-42"), 2).outcomes
    assert [(each.then, each.provider_message_id) for each in found] == [("accept", "41"), ("accept", "42")]
