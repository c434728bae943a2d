"""Reading files: what YAML and JSON with comments say, where it stands, and what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config_text.json_text import read_json
from connector.config_text.source import Map, Place, Value, plain
from connector.config_text.yaml_text import YamlSyntaxError, read_yaml
from connector.errors import Problem


def yaml(text: str) -> tuple[Any, list[str]]:
    problems: list[Problem] = []
    try:
        source = read_yaml(text, "f.yaml", problems)
    except YamlSyntaxError as error:
        return None, [str(error.problem)]
    return (None if source is None else plain(source)), [str(problem) for problem in problems]


def json_text(text: str) -> tuple[Any, list[str]]:
    problems: list[Problem] = []
    source = read_json(Value(text, text, Place("f.yaml", "parameters.json", 3, 9), indent=4), problems)
    return (None if source is None else plain(source)), [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("off", "off"),
        ("21:00", "21:00"),
        ("2026-11-22", "2026-11-22"),
        ("1.2.3", "1.2.3"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("-5", -5),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        (".5", ".5"),
        (".inf", ".inf"),
        ("9007199254740992", 2**53),
        ('"040"', "040"),
        ("'true'", "true"),
        ("$${To|digits}", "$${To|digits}"),
        ("${NAME:-x}", "${NAME:-x}"),
        ("^a\\d+$", "^a\\d+$"),
    ],
)
def test_only_true_false_null_and_decimal_numbers_are_special(text: str, value: Any) -> None:
    assert yaml(f"a: {text}\n") == ({"a": value}, [])


def test_a_number_keeps_its_spelling() -> None:
    source = read_yaml("a: 1.10", "f", [])
    assert isinstance(source, Map)
    assert source.members["a"].text == "1.10"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["040", "+919812345678", "1_000", "0x1F", "0o17", "-007", "00"])
def test_what_programs_read_differently_is_refused_unless_quoted(text: str) -> None:
    _, problems = yaml(f"a:\n  b: {text}\n")
    assert problems == [f'f.yaml:2:6: a.b: {text} is read differently by different programs; quote it: "{text}"']
    assert yaml(f'a: "{text}"\n') == ({"a": text}, [])


@pytest.mark.parametrize("text", ["9007199254740993", "-9007199254740993", "9" * 400, "1e999"])
def test_a_number_that_others_would_round_is_refused(text: str) -> None:
    _, problems = yaml(f"a: {text}\n")
    assert len(problems) == 1
    assert "f.yaml:1:4: a: " in problems[0]
    assert "quote it" in problems[0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('a: "foo\nb: "bar"\nc: 1\n', '1:4: the quote " that opens here is not closed on its line; write " at its end'),
        ('a: "foo\nb: 1', '1:4: the quote " that opens here is not closed'),
        ("x: 1\na: 'foo\nb: 1", "2:4: the quote ' that opens here is not closed"),
        ("a: 'it's'", "1:8: a text after the end of a quoted one; write ''"),
        ("a: {b: $${To|x}, c: 1}", "1:10: `{` ends a value inside { } or [ ]; put `$${…}` and `${…}` in quotes"),
        ("a: [1, 2\nb: 3\n", "2:2: `,` or `]` is missing for what opens at line 1, column 4"),
        ("a: @x", "1:4: a value cannot start with this character; put the whole value in quotes"),
        ("a: `x`", "1:4: a value cannot start with this character"),
        ("a: b: c", "1:5: a `: ` inside a value"),
        ("a: 1\n b: 2", "2:3: a `: ` inside a value, or a line indented too far"),
        ("a:\n\tb: 1", "2:1: a tab; indent with spaces"),
        ("a: *x", "1:4: a: `*x` names no anchor; quote it"),
        ("a: &x [*x]", "1:8: a[0]: `*x` names no anchor"),
        ("a: 1\n---\nb: 2", "2:1: a second document; one file holds one"),
        ("? [a]\n: 1", "1:3: a key must be a text"),
        ('a: "\\d"', "1:6: a \\ in double quotes is an escape; use single quotes"),
        ("a: !!int 3", "1:4: a: the tag tag:yaml.org,2002:int is not understood; leave it out"),
        ("a: 1\nb: 2\na: 3", "3:1: a: the key `a` stands here twice; it stands in line 1 already"),
        ("a: \x01", "not YAML"),
        ("[" * 200, "too many levels"),
    ],
)
def test_a_syntax_error_says_where_and_what_to_write(text: str, problem: str) -> None:
    _, problems = yaml(text)
    assert len(problems) == 1
    assert problem in problems[0]


def test_a_file_that_multiplies_itself_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    _, problems = yaml("\n".join(lines))
    assert "more than 10,000 values" in problems[0]


def test_anchors_may_be_used_as_shorthand() -> None:
    assert yaml("a: &x {b: 1}\nc: *x") == ({"a": {"b": 1}, "c": {"b": 1}}, [])


@given(st.text(alphabet=st.sampled_from("ab:{}[]'\"|>-#&*!%@`,? \n\t\\$~0.1"), max_size=40))
def test_any_text_is_read_or_explained(text: str) -> None:
    yaml(text)


# ---- JSON with comments --------------------------------------------------------------------------------------------


def test_comments_stand_anywhere_between_values() -> None:
    text = '/* a */ {"a": 1, // one\n "b" /* : */ : ["//", "/*"], // two\r\n "c": {} } // end'
    assert json_text(text) == ({"a": 1, "b": ["//", "/*"], "c": {}}, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": $$To}', '4:11: parameters.json: `$$To` is no JSON value; put it in quotes: "$$To"'),
        ('{"a": 1,\n "b": 2,}', "5:12: parameters.json: a comma before `}`; take it away"),
        ("[1,]", "a comma before `]`"),
        ('{"a" 1}', "4:10: parameters.json: `:` is missing after the key"),
        ("{a: 1}", "`a` cannot stand here; a key stands in double quotes"),
        ("{'a': 1}", "a key stands in double quotes"),
        ('{"a": "x\n}', '4:11: parameters.json: the quote " that opens here is not closed on its line'),
        ('{"a": "x', '4:11: parameters.json: the quote " that opens here is not closed'),
        ('{"a": [1}', "`}` cannot stand here; values are separated by `,` and end with `]`"),
        ('{"a": 1', "4:5: parameters.json: `{` that opens here is not closed; end it with `}`"),
        ('{"a":1}}', "4:12: parameters.json: something follows the end"),
        ('{"a":01}', '4:10: parameters.json.a: 01 is read differently by different programs; quote it: "01"'),
        ('{"a":9007199254740993}', "too large for a number (over 2^53)"),
        ('{"a":None}', "`None` is no JSON value; write null"),
        ('{"a":NaN}', "`NaN` is no JSON value"),
        ('{"a":"\\ud83d"}', "half of a surrogate pair"),
        ('{"a":"\\d"}', "4:11: parameters.json: a \\ escape that JSON does not know"),
        ('{"a":1,"a":2}', "4:12: parameters.json.a: the key `a` stands here twice"),
        ("/* x", "the comment is not closed"),
        ("", "a value is missing"),
        ("[" * 5000, "too many levels"),
    ],
)
def test_what_is_no_json_is_said_with_line_and_column(text: str, problem: str) -> None:
    _, problems = json_text(text)
    assert len(problems) == 1
    assert problem in problems[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_what_the_standard_library_writes_is_read_back(value: Any, ascii_only: bool, indent: int | None) -> None:
    assert json_text(json.dumps(value, ensure_ascii=ascii_only, indent=indent)) == (value, [])


@given(st.text(alphabet=st.sampled_from('{}[]",:/* \n\\u0d8$1-.etrufalsn'), max_size=40))
def test_any_text_is_json_or_explained(text: str) -> None:
    value, problems = json_text(text)
    assert problems or value == json_text(text)[0]
