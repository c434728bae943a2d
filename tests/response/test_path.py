"""JMESPath as it is run on replies."""

from __future__ import annotations

from collections import Counter
from typing import Any

import jmespath
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from connector.config_text.jmes_checks import OVER_REPLIES
from connector.response.functions import ReplyFunctions
from connector.response.path import PathError, compile_condition, compile_path, truthy
from tests.thorough import examples


def search(source: str, document: Any) -> Any:
    return compile_path(source, Counter())(document)


@pytest.mark.parametrize(
    ("source", "document", "value"),
    [
        ("a", {"a": 1}, 1),
        ("a", None, None),
        ("a", [{"a": 1}], None),
        ("a.b.c", {"a": {"b": {"c": 1}}}, 1),
        ("a.b.c", {"a": {"b": "text"}}, None),
        ("@", 5, 5),
        ('"message-id"', {"message-id": 1}, 1),
        ('a."#text"', {"a": {"#text": "x"}}, "x"),
        ("a || b", {"a": "", "b": 2}, 2),
        ("a || b", {"a": 0, "b": 2}, 0),  # 0 is true
        ("a && b", {"a": 0, "b": 2}, 2),
        ("!a", {"a": 0}, False),
        ("!a", {"a": []}, True),
        ("a == `6`", {"a": "6"}, True),
        ("a == '6'", {"a": 6}, True),
        ("a != '0'", {"a": 0}, False),
        ("a != `0`", {"a": "0"}, False),
        ("a != '0'", {"a": "00"}, True),
        ("a == '007'", {"a": 7}, False),
        ("a == '1.0'", {"a": 1}, False),
        ("a == '200'", {"a": 200.0}, True),
        ("a == '1'", {"a": True}, False),
        ("a == '0'", {"a": False}, False),
        ("a == '0'", {}, False),
        ("a == b", {"a": 5, "b": "5"}, True),
        ("'0' == a", {"a": 0}, True),
        ("a[?b != '0'].b", {"a": [{"b": 0}, {"b": "0"}, {"b": 3}]}, [3]),
        ("contains(['0', '1'], a)", {"a": 1}, True),
        ("contains(`[0, 1]`, a)", {"a": "1"}, True),
        ("contains(['0', '1'], a)", {"a": "01"}, False),
        ("contains(['0', '1'], a)", {"a": True}, False),
        ("contains(a, '3')", {"a": [3]}, True),
        ("contains(a, '3')", {"a": [33]}, False),
        ("a == `1`", {"a": True}, False),
        ("a != 'x'", {}, True),
        ("to_number(a) == `13`", {"a": "013"}, True),
        ("a[-1].b", {"a": [{"b": 1}, {"b": 2}]}, 2),
        ("a[5]", {"a": [1]}, None),
        ("a[1]", {"a": "one"}, None),
        ("a | b", {"a": {"b": 3}}, 3),
        ("a[?b > `1`].b | [0]", {"a": [{"b": 1}, {"b": 2}]}, 2),
        ("contains(['a', 'b'], x)", {"x": "b"}, True),
        ("contains(`[3, 7]`, x)", {"x": 7}, True),
        ("contains(x, 'b')", {"x": "abc"}, True),
        ("items(a)", {"a": {"k": 1}}, [{"key": "k", "value": 1}]),
        ("items(a)", {"a": None}, []),
        ("items(a)", {"a": [1]}, []),
        ("json(a).b", {"a": '{"b": 1}'}, 1),
        ("json(a)", {"a": "{"}, None),
        ("json(a)", {"a": 1}, None),
        ("digits(a)", {"a": "+91 98-12"}, "919812"),
        ("digits(a)", {"a": 9812.0}, "9812"),
        ("digits(a)", {"a": True}, None),
        ("last(a, `2`)", {"a": "abc"}, "bc"),
        ("last(a, `2`)", {"a": [1, 2, 3]}, [2, 3]),
        ("last(a, `0`)", {"a": "abc"}, ""),
        ("last(a, `9`)", {"a": "abc"}, "abc"),
        ("last(a, `2`)", {"a": 5}, None),
        ("trim(a)", {"a": " x\n"}, "x"),
        ("trim(a)", {}, None),
    ],
)
def test_expressions_give(source: str, document: Any, value: Any) -> None:
    assert search(source, document) == value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13", 13),
        (" 013 ", 13),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        (7, 7),
        (10**400, 10**400),
        ("9" * 400, None),
        ("1e999", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("٣", None),
        ("", None),
        (True, None),
        (float("inf"), None),
        ([], None),
        (None, None),
    ],
)
def test_to_number_takes_decimal_numbers_only(text: Any, number: Any) -> None:
    assert search("to_number(@)", text) == number


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, True),
        (0.0, True),
        ("0", True),
        ([0], True),
        ({"a": None}, True),
        (True, True),
        (False, False),
        (None, False),
        ("", False),
        ([], False),
        ({}, False),
    ],
)
def test_truth_is_jmespaths(value: Any, expected: bool) -> None:
    assert truthy(value) is expected
    assert compile_condition("@", Counter())(value) is expected


@pytest.mark.parametrize(
    "source",
    ["ends_with(a, 'x')", "contains(a, 'x')", "contains(['x'], @)", "sum(a)", "!contains(a, 'x')", "a[?sum(@)]"],
)
def test_what_fails_is_null_and_counted(source: str) -> None:
    faults: Counter[str] = Counter()
    get = compile_path(source, faults, name="response.rules[0].when")
    document = None if "@)" in source and "sum" not in source else {"a": None} if "[?" not in source else {"a": [1]}
    assert get(document) is None
    assert faults == {"response.rules[0].when": 1}


@pytest.mark.parametrize(
    ("source", "message", "remedy"),
    [
        ("a ==", "`a ==` is no JMESPath expression", "texts stand in"),
        ("", "`` is no JMESPath expression", ""),
        ("message-id", "is no JMESPath expression", 'double quotes: "message-id"'),
        ("contians(a, b)", "function `contians` is not known", "did you mean `contains`?"),
        ("a[?wxyz(b)]", "function `wxyz` is not known", "known: abs, "),
        ("last(a)", "`last` takes 2 arguments, not 1", "last(value, number)"),
        ("to_number(a, b)", "`to_number` takes 1 argument, not 2", ""),
        ("merge()", "`merge` takes at least 1 argument, not 0", "merge(object, …)"),
        ('a == "b"', "is a field here", "a == 'b'"),
    ],
)
def test_what_is_wrong_is_found_before_the_first_reply(source: str, message: str, remedy: str) -> None:
    with pytest.raises(PathError, match=message) as caught:
        compile_path(source, Counter())
    assert remedy in caught.value.remedy


def test_loading_and_reading_know_the_same_functions() -> None:
    """Names, how many arguments each takes, and of which kinds."""
    declared = {
        name: tuple(each["types"] for each in found["signature"])
        for name, found in ReplyFunctions.FUNCTION_TABLE.items()
    }
    known = {name: tuple(list(kind) for kind in kinds) for name, (kinds, _) in OVER_REPLIES.items()}
    known["to_number"] = tuple([] for _ in known["to_number"])
    assert known == declared


# ---- the closures are the library, only faster ----------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
LITERALS = st.sampled_from(["'x'", "'06'", "`6`", "`0`", "`true`", "`null`", '`["x", 6]`', "['x', '06']"])
EXPRESSIONS = st.recursive(
    NAMES | LITERALS | st.just("@"),
    lambda inner: (
        st.builds("{}.{}".format, NAMES, NAMES)
        | st.builds("({} == {})".format, inner, inner)
        | st.builds("({} != {})".format, inner, inner)
        | st.builds("({} < {})".format, inner, inner)
        | st.builds("({} && {})".format, inner, inner)
        | st.builds("({} || {})".format, inner, inner)
        | st.builds("!{}".format, inner)
        | st.builds("contains({}, {})".format, inner, inner)
        | st.builds("starts_with({}, {})".format, inner, inner)
        | st.builds("length({})".format, inner)
        | st.builds("type({})".format, inner)
        | st.builds("not_null({}, {})".format, inner, inner)
        | st.builds("[{}, {}]".format, inner, inner)
        | st.builds("{{k: {}}}".format, inner)
        | st.builds("({} | {})".format, inner, inner)
    ),
    max_leaves=6,
)
# No text writes a number: that is where we differ.
DOCUMENTS = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 6, 0.5, "", "x", "06"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(500), deadline=None)
@given(source=EXPRESSIONS, document=DOCUMENTS)
def test_closures_agree_with_the_library(source: str, document: Any) -> None:
    faults: Counter[str] = Counter()
    try:
        get = compile_path(source, faults)
    except PathError:  # `!a == 'x'`: it compares true or false
        reject()
    try:
        expected = jmespath.search(source, document)
    except (JMESPathError, TypeError):
        expected = None
        assert get(document) is None
        assert faults
    else:
        found = get(document)
        assert found == expected
        assert type(found) is type(expected)


TESTS = st.builds("{} {} '{}'".format, NAMES, st.sampled_from(["==", "!="]), st.sampled_from(["x", "6", "06", ""]))
TESTED = st.fixed_dictionaries(dict.fromkeys("ab", st.sampled_from(["x", "6", 6, 6.0, "06", "", None, True, [6]])))


@settings(max_examples=examples(500), deadline=None)
@given(source=TESTS, document=TESTED | st.sampled_from([None, "x", 6, [], [{"a": "x"}]]))
def test_a_field_that_is_compared_with_a_text_is_compared_like_any_other_value(source: str, document: Any) -> None:
    faults: Counter[str] = Counter()
    holds = compile_condition(source, faults)
    assert holds(document) is compile_path(f"({source}) && `true`", faults)(document)
    assert not faults
