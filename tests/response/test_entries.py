"""Entries: whose they are, what they say, and what happens when they contradict."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from connector.model import Message, Outcome
from connector.response.reply_reader import compile_response

from .build import NOW, batch, messages, operation, read, reader, reply, response

ENTRIES = [{"status": 200, "then": "entries", "id": "job"}]
BY_PHONE = {"each": "list", "match": {"To|digits": "to"}, "id": "id", "code": "code", "reason": "why"}
BY_STATE = [{"when": "state == 'ok'", "then": "accept"}, {"when": "state == 'no'", "then": "reject"}]


def outcomes(entries: list[dict[str, Any]], body: Any, count: int, **given: Any) -> list[Outcome]:
    return read(reader(rules=ENTRIES, entries=entries, **given), reply(body), count).outcomes


def thens(entries: list[dict[str, Any]], body: Any, count: int) -> list[str]:
    return [outcome.then for outcome in outcomes(entries, body, count)]


def phone(index: int) -> str:
    return messages(index + 1)[index].to[1:]


# ---- match by value -------------------------------------------------------------------------------------------------


def test_entries_find_their_messages_in_any_order() -> None:
    source = {**BY_PHONE, "then": "accept"}
    body = [{"to": phone(i), "id": f"id{i}"} for i in range(4)]
    for order in itertools.permutations(body):
        found = outcomes([source], {"list": order, "job": 9}, 4)
        assert [(o.then, o.provider_message_id, o.provider_batch_id) for o in found] == [
            ("accept", f"id{i}", "9") for i in range(4)
        ]


@pytest.mark.parametrize(
    "written", ["919812300000", 919812300000, 919812300000.0, "+91 98123-00000", " 919812300000 ", "+919812300000"]
)
def test_both_sides_of_a_match_go_through_the_same_filters(written: Any) -> None:
    assert thens([{**BY_PHONE, "then": "accept"}], {"list": [{"to": written}]}, 1) == ["accept"]


@pytest.mark.parametrize("written", [None, "", [], {}, True, 1.5, ["919812300000"], {"a": "919812300000"}, 1e300])
def test_a_value_that_is_no_scalar_belongs_to_nobody(written: Any) -> None:
    (outcome,) = outcomes([{**BY_PHONE, "then": "accept"}], {"list": [{"to": written}]}, 1)
    assert outcome.then == "unknown"
    assert outcome.reason is not None
    assert "1 of its entries belong to no message of the request" in outcome.reason


def test_the_last_digits_are_enough_where_the_definition_says_so() -> None:
    source = {**BY_PHONE, "match": {"To|digits|last(10)": "to"}, "then": "accept"}
    assert thens([source], {"list": [{"to": "09812300001"}, {"to": "9812300000"}]}, 2) == ["accept", "accept"]


def test_all_pairs_of_a_match_must_agree() -> None:
    source = {**BY_PHONE, "match": {"To|digits": "to", "message_id()": "ref"}, "then": "accept"}
    body = {"list": [{"to": phone(0), "ref": "m0"}, {"to": phone(1), "ref": "m0"}, {"to": phone(2)}]}
    assert thens([source], body, 3) == ["accept", "unknown", "unknown"]


def test_the_position_we_wrote_into_a_record_is_a_value_like_any_other() -> None:
    source = {**BY_PHONE, "match": {"seq()": "seq"}, "then": "accept"}
    by = reader(rules=ENTRIES, entries=[source])
    ours = batch()
    ours.seq = 77
    reading = by.read(reply({"list": [{"seq": 2, "id": "b"}, {"seq": "1", "id": "a"}]}), messages(3), ours, NOW)
    assert [outcome.provider_message_id for outcome in reading.outcomes] == ["a", "b", None]
    assert ours.seq == 77


def test_messages_that_cannot_be_told_apart_are_unknown() -> None:
    source = {**BY_PHONE, "match": {"To|last(3)": "to"}, "then": "accept"}
    given = [Message(message_id=str(i), to=to) for i, to in enumerate(["+15550100111", "+15550200111", "+15550100222"])]
    by = reader(rules=ENTRIES, entries=[source])
    reading = by.read(reply({"list": [{"to": "111"}, {"to": "222"}, {"to": "111"}]}), given, batch(), NOW)
    assert [outcome.then for outcome in reading.outcomes] == ["unknown", "unknown", "accept"]


def test_a_message_without_the_value_is_unknown_and_the_others_are_found() -> None:
    source = {**BY_PHONE, "match": {"ref": "ref"}, "then": "accept"}
    given = [Message(message_id="a", to="+15550100"), Message(message_id="b", to="+15550101", custom={"ref": "r1"})]
    by = reader(rules=ENTRIES, entries=[source])
    reading = by.read(reply({"list": [{"ref": "r1"}, {"ref": None}]}), given, batch(), NOW)
    assert [outcome.then for outcome in reading.outcomes] == ["unknown", "accept"]


def test_a_filter_that_refuses_a_message_leaves_the_others() -> None:
    source = {**BY_PHONE, "match": {"number|int": "n"}, "then": "accept"}
    given = [Message(message_id=str(i), to=f"+1555010{i}", custom={"number": n}) for i, n in enumerate(["x", "7"])]
    by = reader(rules=ENTRIES, entries=[source])
    reading = by.read(reply({"list": [{"n": 7}, {"n": "y"}]}), given, batch(), NOW)
    assert [outcome.then for outcome in reading.outcomes] == ["unknown", "accept"]


def test_true_is_no_value_to_match_by() -> None:
    source = {**BY_PHONE, "match": {"flag": "flag"}, "then": "accept"}
    given = [Message(message_id="a", to="+15550100", custom={"flag": "true"})]
    by = reader(rules=ENTRIES, entries=[source])
    assert by.read(reply({"list": [{"flag": True}]}), given, batch(), NOW).outcomes[0].then == "unknown"


# ---- what entries say -----------------------------------------------------------------------------------------------


def test_an_entrys_own_rules_come_before_its_then() -> None:
    source = {**BY_PHONE, "rules": [{"when": "state == 'no'", "then": "reject", "code": "why"}], "then": "accept"}
    found = outcomes([source], {"list": [{"to": phone(0), "state": "no", "why": 3}, {"to": phone(1), "id": 4}]}, 2)
    assert [(o.then, o.code, o.rule) for o in found] == [
        ("reject", "3", "response.entries[0].rules[0]"),
        ("accept", None, "response.entries[0]"),
    ]


def test_what_a_rule_of_an_entry_leaves_out_is_the_sources() -> None:
    source = {**BY_PHONE, "rules": [{"when": "state == 'no'", "then": "reject", "reason": "state"}]}
    (outcome,) = outcomes([source], {"list": [{"to": phone(0), "id": 1, "code": 2, "why": 3, "state": "no"}]}, 1)
    assert (outcome.provider_message_id, outcome.code, outcome.reason) == ("1", "2", "no")


def test_an_entry_no_rule_fits_is_unknown() -> None:
    found = outcomes([{**BY_PHONE, "rules": BY_STATE}], {"job": 5, "list": [{"to": phone(0), "state": "odd"}]}, 1)
    assert (found[0].then, found[0].reason, found[0].provider_batch_id) == ("unknown", "no rule fits its entry", "5")


def test_rules_of_entries_may_ask_for_status_header_and_text() -> None:
    rules = [
        {"status": 201, "then": "reject"},
        {"header": {"x-all": "ok"}, "then": "accept"},
        {"text": "^(?P<word>[a-z]+):(?P<n>[0-9]+)$", "when": "word == 'err'", "then": "retry", "code": "n"},
    ]
    by = reader(rules=ENTRIES, entries=[{"each": "list", "match": "index", "rules": rules}])
    assert read(by, reply({"list": ["err:5"]}), 1).outcomes[0].code == "5"
    assert read(by, reply({"list": ["err:5"]}, x_all="ok"), 1).outcomes[0].then == "accept"
    assert read(by, reply({"list": ["oh:5"]}), 1).outcomes[0].then == "unknown"


def test_the_id_of_the_rule_is_the_messages_where_there_is_no_batch() -> None:
    by = reader(rules=ENTRIES, entries=[{**BY_PHONE, "then": "accept"}], batched=False)
    own = read(by, reply({"job": 9, "list": [{"to": phone(0), "id": 1}]})).outcomes[0]
    assert (own.provider_message_id, own.provider_batch_id) == ("1", None)
    lent = read(by, reply({"job": 9, "list": [{"to": phone(0)}]})).outcomes[0]
    assert (lent.provider_message_id, lent.provider_batch_id) == ("9", None)


def test_entries_that_wait_take_the_replys_retry_after() -> None:
    by = reader(rules=ENTRIES, entries=[{**BY_PHONE, "then": "throttle"}])
    assert read(by, reply({"list": [{"to": phone(0)}]}, retry_after="9")).outcomes[0].after == 9.0


# ---- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("each", "body"),
    [
        ("list", {"list": {"to": phone(0)}}),
        ("list[]", {"list": {"to": phone(0)}}),
        ("list[*]", {"list": {"to": phone(0)}}),
        ("list[?to]", {"list": {"to": phone(0)}}),
        ("list[0]", {"list": {"to": phone(0)}}),
        ("@", {"to": phone(0)}),
        ("messages[].messages[]", {"messages": {"messages": {"to": phone(0)}}}),
    ],
)
def test_where_a_list_is_expected_one_value_is_a_list_of_one(each: str, body: Any) -> None:
    assert thens([{**BY_PHONE, "each": each, "then": "accept"}], body, 1) == ["accept"]


@pytest.mark.parametrize("body", [{}, {"list": None}, {"list": []}, {"list": ""}, [], None, 5, '"text"'])
def test_no_list_is_no_entries(body: Any) -> None:
    (outcome,) = outcomes([{**BY_PHONE, "then": "accept"}], body, 1)
    assert (outcome.then, outcome.reason) == ("unknown", "the reply has no entry for this message")


def test_a_map_of_results_is_read_by_items() -> None:
    source = {"each": "items(Result)", "match": {"To": "key"}, "id": "value.id", "then": "accept"}
    body = {"Result": {messages(2)[1].to: {"id": "b"}, messages(2)[0].to: {"id": "a"}}}
    assert [outcome.provider_message_id for outcome in outcomes([source], body, 2)] == ["a", "b"]


def test_a_map_that_names_a_recipient_twice_is_a_contradiction() -> None:
    source = {
        "each": "items(Result)",
        "match": {"To": "key"},
        "rules": [{**rule, "when": f"value.{rule['when']}"} for rule in BY_STATE],
    }
    one, two = (message.to for message in messages(2))
    body = f'{{"Result": {{"{one}": {{"state": "no"}}, "{two}": {{"state": "ok"}}, "{one}": {{"state": "ok"}}}}}}'
    assert thens([source], body, 2) == ["unknown", "accept"]


def test_text_sources_are_a_repeated_expression() -> None:
    source = {
        "text": r"(?m)^(?P<state>success|error) \| (?P<to>\d+) \| (?P<id>\S+)$",
        "match": {"To|digits": "to"},
        "id": "id",
        "rules": [{"when": "state == 'success'", "then": "accept"}, {"when": "state == 'error'", "then": "reject"}],
    }
    body = f"success | {phone(1)} | 35-1\nerror | {phone(0)} | 102\nsuccess | {phone(2)} | 35-3"
    found = outcomes([source], body, 4, decode=("none",))
    assert [(o.then, o.provider_message_id) for o in found] == [
        ("reject", "102"),
        ("accept", "35-1"),
        ("accept", "35-3"),
        ("unknown", None),
    ]


def test_a_text_that_was_cut_off_gives_up_its_last_entry() -> None:
    source = {"text": r"(?P<to>\d{12}) (?P<id>\d+)", "match": {"To|digits": "to"}, "id": "id", "then": "accept"}
    by = reader(rules=ENTRIES, entries=[source], decode=("none",))
    to = reply(f"{phone(0)} 111\n{phone(1)} 22", truncated=True)
    assert [outcome.then for outcome in read(by, to, 2).outcomes] == ["accept", "unknown"]


# ---- contradictions -------------------------------------------------------------------------------------------------


def test_entries_that_agree_are_parts_of_one_message_with_the_first_id() -> None:
    source = {**BY_PHONE, "rules": BY_STATE}
    parts = [{"to": phone(0), "state": "ok"}, {"to": phone(0), "state": "ok", "id": "b"}]
    parts += [{"to": phone(0), "state": "ok", "id": "c"}]
    (outcome,) = outcomes([source], {"list": parts}, 1)
    assert (outcome.then, outcome.provider_message_id) == ("accept", "b")


def test_entries_that_disagree_make_that_message_unknown_and_no_other() -> None:
    body = {"list": [{"to": phone(i), "state": "ok"} for i in range(3)] + [{"to": phone(1), "state": "no"}]}
    found = outcomes([{**BY_PHONE, "rules": BY_STATE}], body, 3)
    assert [outcome.then for outcome in found] == ["accept", "unknown", "accept"]
    assert found[1].reason == "its entries disagree: accept and reject"


def test_sources_that_disagree_make_that_message_unknown() -> None:
    sources = [{**BY_PHONE, "each": "good", "then": "accept"}, {**BY_PHONE, "each": "bad", "then": "reject"}]
    body = {"good": [{"to": phone(0)}, {"to": phone(1)}], "bad": [{"to": phone(1)}, {"to": phone(2)}]}
    assert thens(sources, body, 3) == ["accept", "unknown", "reject"]


def test_a_stranger_does_not_touch_messages_found_by_value() -> None:
    body = {"list": [{"to": "15550199"}, {"to": phone(1)}]}
    assert thens([{**BY_PHONE, "then": "accept"}], body, 2) == ["unknown", "accept"]


# ---- rest -----------------------------------------------------------------------------------------------------------

BAD = {"each": "bad", "match": {"To|digits": "@"}, "then": "reject", "reason": "'invalid number'"}
REST = {"each": "ids", "match": "rest", "id": "@", "then": "accept"}


def test_rest_is_all_that_are_not_claimed_and_gets_no_ids() -> None:
    found = outcomes([BAD, REST], {"bad": [phone(1)], "ids": ["x", "y"], "job": "j"}, 3)
    assert [(o.then, o.provider_message_id, o.provider_batch_id) for o in found] == [
        ("accept", None, "j"),
        ("reject", None, "j"),
        ("accept", None, "j"),
    ]


def test_a_rest_of_one_message_and_one_entry_has_its_id() -> None:
    assert outcomes([BAD, REST], {"ids": ["x"]}, 1)[0].provider_message_id == "x"
    found = outcomes([BAD, REST], {"bad": [phone(0)], "ids": ["x"]}, 2)
    assert [outcome.provider_message_id for outcome in found] == [None, "x"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"ids": ["x", "y"]}, ["unknown"] * 3),  # one too few
        ({"ids": ["x", "y", "z", "w"]}, ["unknown"] * 3),  # one too many
        ({"bad": [phone(0)], "ids": ["x"]}, ["reject", "unknown", "unknown"]),
        ({"bad": ["nobody"], "ids": ["x", "y"]}, ["unknown"] * 3),
        ({"bad": ["nobody"], "ids": ["x", "y", "z"]}, ["unknown"] * 3),  # the count fits, but a stranger is among them
        ({"bad": [phone(0), phone(0)], "ids": ["x", "y"]}, ["reject", "accept", "accept"]),
        ({"ids": []}, ["unknown"] * 3),
        ({}, ["unknown"] * 3),
    ],
)
def test_rest_holds_only_when_everything_fits(body: Any, expected: list[str]) -> None:
    assert thens([BAD, REST], body, 3) == expected


def test_a_contradiction_read_after_the_rest_takes_all_of_it_back() -> None:
    assert thens([REST, BAD], {"bad": [phone(0)], "ids": ["x", "y", "z"]}, 3) == ["unknown"] * 3


def test_a_rest_whose_entries_disagree_is_unknown() -> None:
    source = {"each": "list", "match": "rest", "rules": BY_STATE}
    assert thens([source], {"list": [{"state": "ok"}, {"state": "no"}]}, 2) == ["unknown", "unknown"]
    assert thens([source], {"list": [{"state": "no"}, {"state": "no"}]}, 2) == ["reject", "reject"]


def test_a_rest_has_code_and_reason_only_where_all_have_the_same() -> None:
    source = {"each": "list", "match": "rest", "then": "reject", "code": "code", "reason": "why"}
    body = {"list": [{"code": 1, "why": "same"}, {"code": 2, "why": "same"}]}
    assert [(o.code, o.reason) for o in outcomes([source], body, 2)] == [(None, "same")] * 2


def test_a_wrong_count_is_not_made_good_by_a_later_rest() -> None:
    sources = [{**REST, "each": "good"}, {**REST, "each": "bad", "then": "reject"}]
    assert thens(sources, {"good": ["x"], "bad": ["y", "z"]}, 2) == ["unknown", "unknown"]
    assert thens(sources, {"good": [], "bad": ["y", "z"]}, 2) == ["reject", "reject"]


# ---- index ----------------------------------------------------------------------------------------------------------

INDEX = {"each": "list", "match": "index", "id": "id", "rules": BY_STATE}


def test_index_goes_in_order_and_gives_ids() -> None:
    body = {"list": [{"state": "ok", "id": "a"}, {"state": "no"}, {"state": "ok", "id": "c"}]}
    found = outcomes([INDEX], body, 3)
    assert [(o.then, o.provider_message_id) for o in found] == [("accept", "a"), ("reject", None), ("accept", "c")]


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_a_list_of_another_length_is_never_shifted(count: int) -> None:
    body = {"list": [{"state": "ok", "id": "a"}] * 3}
    assert thens([INDEX], body, count) == ["unknown"] * count


def test_a_null_keeps_its_place() -> None:
    body = {"list": [{"state": "ok", "id": "a"}, None, {"state": "ok", "id": "c"}]}
    found = outcomes([INDEX], body, 3)
    assert [(o.then, o.provider_message_id) for o in found] == [("accept", "a"), ("unknown", None), ("accept", "c")]


def test_a_projection_that_drops_nulls_is_never_shifted() -> None:
    source = {**INDEX, "each": "list[*].id", "id": "@", "rules": [], "then": "accept"}
    assert thens([source], {"list": [{"id": "a"}, {}, {"id": "c"}]}, 3) == ["unknown"] * 3


# ---- bodies that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>ok</html>", b'{"list": [{"to": "919812300000"', b"\xff\xfe\x00", b"[" * 5000, b'"' + b"9" * 5000],
)
def test_a_reply_that_promises_entries_and_cannot_be_decoded_is_unknown(body: bytes) -> None:
    (outcome,) = outcomes([{**BY_PHONE, "then": "accept"}], body, 1)
    assert outcome.then == "unknown"
    assert outcome.reason is not None
    assert outcome.reason.startswith("the reply cannot be decoded: not JSON (")


def test_a_reply_cut_off_at_the_limit_is_unknown_even_where_it_parses() -> None:
    by = reader(rules=ENTRIES, entries=[{**BY_PHONE, "then": "accept"}])
    (outcome,) = read(by, reply({"list": [{"to": phone(0)}]}, truncated=True)).outcomes
    assert (outcome.then, outcome.reason) == ("unknown", "the reply is longer than the limit and was cut off")


def test_a_reply_with_far_too_many_entries_is_unknown_at_once() -> None:
    body = {"list": [{"to": phone(0)}] + [0] * 1050}
    assert thens([{**BY_PHONE, "then": "accept"}], body, 1) == ["unknown"]
    assert thens([{**BY_PHONE, "then": "accept"}], {"list": body["list"][:1050]}, 1) == ["accept"]


def test_an_expression_that_fails_is_no_match_and_counted() -> None:
    by = compile_response(
        operation(
            response(rules=[{"when": "ends_with(type, 'x')", "then": "pause"}, {"status": 200, "then": "accept"}])
        )
    )
    assert read(by, reply({"type": 5})).outcomes[0].then == "accept"
    assert read(by, reply({})).outcomes[0].then == "accept"
    assert by.faults == {"response.rules[0].when": 2}
