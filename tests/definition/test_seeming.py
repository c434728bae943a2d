# ruff: noqa: E501 - a table is read across
"""JMESPath that says something else than it seems to is an error wherever it stands, and the error says what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.config_text.environment import Environment
from connector.definition.files import CATALOGUE

from .write import EMPTY, FIXTURES, SOUND, loaded, problems_of

RULE = "- {status: 200, then: entries}"
ENTRY = "- {each: results, match: {To: to}, then: accept}"
ROOT = Path(__file__).parents[2]

# The expression, what is wrong with it, what the remedy writes out.
WRONG = [
    ('status == "success"', '`"success"` is a field here', "write status == 'success'; where a field is meant, @.\"success\""),
    ('status != "success"', '`"success"` is a field', "write status != 'success'"),
    ('"success" == status', '`"success"` is a field', "write 'success' == status"),
    ('error.code >= "5"', '`"5"` is a field', "write error.code >= '5'"),
    ('error.code < "5"', '`"5"` is a field', "write error.code < '5'"),
    ('to_string(code) == "306"', '`"306"` is a field', "write to_string(code) == '306'"),
    ('a[0] == "x-y"', '`"x-y"` is a field', "write a[0] == 'x-y'"),
    ('"a-b" == "c-d"', '`"c-d"` is a field', "write \"a-b\" == 'c-d'"),
    ('@ == "x"', '`"x"` is a field', "write @ == 'x'"),
    ("a == (\"it's\")", "is a field", "write a == ('it\\'s')"),
    ('a == \'b\' && !(c == \'d\' || e == "f")', '`"f"` is a field', "|| e == 'f')"),
    ('length(messages[?status == "0"]) > `0`', '`"0"` is a field', "write length(messages[?status == '0']) > `0`"),
    ('messages[?status == "0"] | [0].id == `1`', '`"0"` is a field', "write messages[?status == '0'] |"),
    ('contains(message, "success")', '`"success"` is a field', "write contains(message, 'success')"),
    ('contains(["105"], code)', '`"105"` is a field', "write contains(['105'], code)"),
    ('starts_with(code, "E")', '`"E"` is a field', "write starts_with(code, 'E')"),
    ('join(",", codes) == \'1\'', '`","` is a field', "write join(',', codes) == '1'"),
    ("ok == true", "bare `true` is a field called so, not true", "write ok == `true`"),
    ("ok == false", "bare `false` is a field", "write ok == `false`"),
    ("error != null", "bare `null` is a field", "write error != `null`"),
    ("null == error.code", "bare `null` is a field", "write `null` == error.code"),
    ("ok == True", "bare `True` is a field called so, not true", "write ok == `true`"),
    ("ok == None", "bare `None` is a field called so, not null", "write ok == `null`"),
    ("items[?done == true].id", "bare `true` is a field", "write items[?done == `true`].id"),
    ("contains([true, 'yes'], ok)", "bare `true` is a field", "write contains([`true`, 'yes'], ok)"),
    ("not_null(error, null) == 'x'", "bare `null` is a field", "write not_null(error, `null`) == 'x'"),
    ("{ok: true}.ok == 'x'", "bare `true` is a field", "write {ok: `true`}.ok == 'x'"),
    ("max_by(a, &true) == 'x'", "bare `true` is a field", "&`true`"),
]  # fmt: skip

# What is asked for its truth only.
CONSTANT = [
    ("status == 'ok' || 'queued'", "`'queued'` alone is a constant", "compare it as well: code == 'queued'"),
    ("'success'", "`'success'` alone is a constant", "code == 'success'"),
    ("a == 'b' && !`0`", "`0` alone is a constant", "compare it"),
    ("!status == 'ok'", "`!` belongs to what follows it alone", "a != 'b', or !(a == 'b')"),
    ("true", "bare `true` is a field", "write `true`"),
]

PEACE = [
    "\"x-y\".z == 'a'",
    "\"x-y\" == 'a'",
    "'a' == \"x-y\"",
    '"x-y" == `null`',
    'a."x-y" == a."y-x"',
    'a == @."x-y"',
    'contains("x-y", \'a\')',
    "contains(['a', 'b'], \"x-y\")",
    'length("x-y") > `0`',
    'sort_by(a, &"x-y")[0].b == `1`',
    "a.true == 'x'",
    "\"true\" == 'x'",
    "{true: a}.true == 'x'",
    "a.null.b == 'x'",
    "`true`",
    'a == `"success"`',
    "submitted == @.accepted",
]  # fmt: skip


def ruled(key: str, expression: str) -> str:
    quoted = "'" + expression.replace("'", "''") + "'"
    rule = f"- {{status: 500, when: {quoted}, then: reject}}"
    if key != "when":
        rule = f"- {{status: 500, then: retry, {key}: {quoted}}}"
    return SOUND.replace(RULE, f"{RULE}\n    {rule}")


@pytest.mark.parametrize(
    ("expression", "message", "remedy"), WRONG + CONSTANT, ids=[row[0] for row in WRONG + CONSTANT]
)
def test_what_only_seems_to_compare_is_an_error_that_says_what_to_write(
    tmp_path: Path, expression: str, message: str, remedy: str
) -> None:
    errors, _ = problems_of(tmp_path, ruled("when", expression), environment=EMPTY)
    assert len(errors) == 1
    assert errors[0].startswith("acme.yaml:12:27: response.rules[1].when: ")
    assert message in errors[0]
    assert remedy in errors[0].partition("; ")[2]


@pytest.mark.parametrize("key", ["id", "code", "reason", "after"])
@pytest.mark.parametrize("row", WRONG, ids=[row[0] for row in WRONG])
def test_it_is_one_in_every_key_that_holds_an_expression(tmp_path: Path, key: str, row: tuple[str, str, str]) -> None:
    errors, _ = problems_of(tmp_path, ruled(key, row[0]), environment=EMPTY)
    assert len(errors) == 1
    assert f"response.rules[1].{key}: " in errors[0]
    assert row[1] in errors[0]
    assert row[2] in errors[0]


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("operations[0].when", SOUND.replace("method: POST", "operations: [{when: 'custom.a == \"b\"'}]\nmethod: POST")),
        ("operations[0].when", SOUND.replace("method: POST", "operations: [{when: custom.vip == true}]\nmethod: POST")),
        ("operations[0].when", SOUND.replace("method: POST", "operations: [{when: \"to == 'a' || 'b'\"}]\nmethod: POST")),
        ("response.entries[0].each", SOUND.replace(ENTRY, "- {each: 'a[?b == \"c\"]', match: {To: to}, then: accept}")),
        ("response.entries[0].match.To", SOUND.replace(ENTRY, "- {each: a, match: {To: 'to || null'}, then: accept}")),
        ("response.entries[0].id", SOUND.replace(ENTRY, "- {each: a, match: {To: to}, id: 'a[?b == \"c\"].d', then: accept}")),
        ("response.entries[0].rules[0].when", SOUND.replace(ENTRY, "- {each: a, match: {To: to}, rules: [{when: ok == true, then: accept}]}")),
        ("response.rules[1].until", SOUND.replace(RULE, f"{RULE}\n    - {{status: 500, then: defer, until: 'a[?b == \"c\"].d'}}")),
    ],
)  # fmt: skip
def test_it_is_one_wherever_an_expression_stands(tmp_path: Path, place: str, text: str) -> None:
    errors, _ = problems_of(tmp_path, text, environment=EMPTY)
    assert [place in error for error in errors] == [True]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("code < `true`", "nothing is below or above `true`"),
        ("`null` >= code", "nothing is below or above `null`"),
        ("length(a[?b > `[1]`]) > `0`", "nothing is below or above `[1]`"),
        ("a[::0] == 'x'", "has a slice that steps by 0"),
        ("a == `NaN`", "a number in backticks that JSON does not know"),
        ("a < `1e999`", "a number in backticks that JSON does not know"),
    ],
)
def test_what_no_reply_can_meet_is_an_error(tmp_path: Path, expression: str, message: str) -> None:
    errors, _ = problems_of(tmp_path, ruled("when", expression), environment=EMPTY)
    assert [message in error for error in errors] == [True]


@pytest.mark.parametrize("expression", ["code >= '200'", "'-1.5' < code", "length(a[?code > '0']) > `1`"])
def test_a_number_in_quotes_that_is_put_in_order_is_a_warning(tmp_path: Path, expression: str) -> None:
    errors, warnings = problems_of(tmp_path, ruled("when", expression), environment=EMPTY)
    assert errors == []
    assert [" is a text: " in warning and "to_number(code)" in warning for warning in warnings] == [True]


@pytest.mark.parametrize("expression", ["code >= `200`", "to_number(code) < `0`", "at > '2024-01-01'", "a < b.c"])
def test_what_has_an_order_is_left_in_peace(tmp_path: Path, expression: str) -> None:
    assert problems_of(tmp_path, ruled("when", expression), environment=EMPTY) == ([], [])


@pytest.mark.parametrize(
    ("key", "written"),
    [
        *(("when", written) for written in ("", "null", "~")),
        *(("status", written) for written in ("", "null", "[]")),
        *(("text", written) for written in ("", "null", "''", '""')),
        *(("header", written) for written in ("", "null", "{}")),
    ],
)
def test_a_condition_that_says_nothing_is_an_error_for_it_would_hold_of_every_reply(
    tmp_path: Path, key: str, written: str
) -> None:
    text = SOUND.replace(RULE, f"{RULE}\n    - {key}: {written}\n      then: accept")
    errors, _ = problems_of(tmp_path, text, environment=EMPTY)
    assert [f"response.rules[1].{key}: " in error and "empty" in error for error in errors] == [True]


def test_so_it_is_in_a_rule_of_entries(tmp_path: Path) -> None:
    ruled_entry = ENTRY.replace("then: accept", "rules: [{when: , then: accept}]")
    errors, _ = problems_of(tmp_path, SOUND.replace(ENTRY, ruled_entry), environment=EMPTY)
    assert ["response.entries[0].rules[0].when: `when` is empty" in error for error in errors] == [True]


@pytest.mark.parametrize("expression", PEACE)
def test_a_name_that_needs_its_quotes_is_left_in_peace(tmp_path: Path, expression: str) -> None:
    assert problems_of(tmp_path, ruled("when", expression), environment=EMPTY) == ([], [])


@pytest.mark.parametrize(
    ("expression", "remedy"),
    [
        ("status == success", "write status == 'success'; where a field is meant, @.success"),
        ("starts_with(code, E)", "write starts_with(code, 'E')"),
        ("contains([OK], status)", "write contains(['OK'], status)"),
    ],
)
def test_a_bare_word_beside_a_field_is_a_warning(tmp_path: Path, expression: str, remedy: str) -> None:
    errors, warnings = problems_of(tmp_path, ruled("when", expression), environment=EMPTY)
    assert (errors, len(warnings)) == ([], 1)
    assert remedy in warnings[0]


@pytest.mark.parametrize(
    ("expression", "message", "remedy"),
    [
        ("contains(code)", "`contains` takes 2 arguments, not 1", "write contains(array or string, value)"),
        ("containz(code)", "`containz` is not known", "did you mean `contains`?"),
        ("last(code)", "`last` takes 2 arguments, not 1", "write last(value, number)"),
        ("sort_by(a, b)", "`sort_by` takes an expression here", "&field"),
        ("length(&a)", "`length` takes no expression", "leave out &"),
    ],
)
def test_a_function_called_wrongly_is_told_with_place_and_remedy(
    tmp_path: Path, expression: str, message: str, remedy: str
) -> None:
    errors, _ = problems_of(tmp_path, ruled("when", expression), environment=EMPTY)
    assert len(errors) == 1
    assert errors[0].startswith("acme.yaml:12:27: response.rules[1].when: ")
    assert message in errors[0]
    assert remedy in errors[0]


FILES = [
    *sorted(CATALOGUE.glob("*.yaml")),
    *sorted((ROOT / "examples").rglob("providers/*.yaml")),
    *sorted((ROOT / "connector" / "cli" / "demo" / "definitions").glob("*.yaml")),
    *sorted(FIXTURES.rglob("*.yaml")),
]


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_no_definition_of_ours_says_something_else_than_it_seems_to(tmp_path: Path, file: Path) -> None:
    text = file.read_text("utf-8")
    definition = loaded(tmp_path, text, name=file.name, environment=Environment.placeholders())
    assert not any("is a field here" in warning.message for warning in definition.warnings)


def test_the_tutorial_says_it_where_when_first_appears() -> None:
    page = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    first = page.index("`when` is [JMESPath]")
    assert "double quotes" in page[first : page.index("```", first)]
