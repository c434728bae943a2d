"""What `send` makes of CSV, JSON lines and flags."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.event_input import Prepared, from_csv, from_json_lines
from connector.cli.main import group
from connector.errors import Problem, UsageError

ACME = {"provider": "acme"}


def events(found: object) -> list[dict[str, object]]:
    prepared = list(found)  # type: ignore[call-overload]
    assert all(isinstance(it, Prepared) for it in prepared), prepared
    return [json.loads(it.value) for it in prepared]


def test_csv_columns_are_fields_and_dotted_ones_fill_objects() -> None:
    lines = ["message_id,to,custom.uid,template_variables.name,body\n", 'm1,+919800000001,u1,"Zoë, Ms",\n']
    assert events(from_csv(lines, {"provider": "acme", "custom": {"hid": "h"}}, "a.csv")) == [
        {
            "message_id": "m1",
            "to": "+919800000001",
            "provider": "acme",
            "custom": {"hid": "h", "uid": "u1"},
            "template_variables": {"name": "Zoë, Ms"},
        }
    ]


def test_a_whole_object_may_stand_in_a_cell() -> None:
    (event,) = events(from_csv(["to,template_variables\n", '+919800000001,"[1, 2]"\n'], ACME, "a.csv"))
    assert event["template_variables"] == [1, 2]


def test_what_an_event_says_goes_before_the_flags_and_an_id_is_made() -> None:
    lines = [b'{"to": "+919800000001", "provider": "b"}\n', b"\n", b'{"message_id": "m2", "to": "+919800000002"}']
    first, second = from_json_lines(lines, {"provider": "a", "body": "Hello"}, "a.jsonl")
    assert isinstance(first, Prepared)
    assert isinstance(second, Prepared)
    assert json.loads(first.value)["provider"] == "b"
    assert len(first.message_id) == 32
    assert json.loads(second.value) == {"message_id": "m2", "to": "+919800000002", "provider": "a", "body": "Hello"}
    assert second.key == b"+919800000002"


@pytest.mark.parametrize(
    ("lines", "line", "told"),
    [
        (["to,bdy\n", "+919800000001,x\n"], 1, "did you mean body"),
        (["to\n", "+919800000001\n", "someone\n"], 3, "to: not a phone number"),
        (["to\n", "+919800000001,surplus\n"], 2, "more cells"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_line(lines: list[str], line: int, told: str) -> None:
    (problem,) = [it for it in from_csv(lines, ACME, "a.csv") if isinstance(it, Problem)]
    assert problem.line == line
    with pytest.raises(UsageError, match=told):
        raise UsageError(str(problem))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(group, ["send", *arguments, "--dry-run"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_dry_run_prints_the_events_and_sends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    printed = run(
        "--to",
        "+919800000001",
        "--provider",
        "acme",
        "--variable",
        "name=Zoë",
        "--custom",
        "uid=1",
        "--message-id",
        "m",
    )
    assert json.loads(printed) == {
        "message_id": "m",
        "to": "+919800000001",
        "provider": "acme",
        "custom": {"uid": "1"},
        "template_variables": {"name": "Zoë"},
    }


def test_every_bad_event_is_told_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("events.jsonl").write_text('{"to": "x"}\nno\n{"to": "+919800000001"}\n[]\n')
    with pytest.raises(UsageError) as caught:
        run("events.jsonl", "--provider", "acme")
    assert "nothing was sent: 3 bad events" in str(caught.value)
    assert [f"events.jsonl:{line}" in str(caught.value) for line in (1, 2, 3, 4)] == [True, True, False, True]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name a FILE"),
        (("nothing.csv", "--to", "+919800000001"), "name a FILE"),
        (("nothing.csv",), "No such file"),
        (("--to", "+919800000001", "--custom", "uid"), "NAME=VALUE"),
        (("--to", "+919800000001", "--topic", "other"), "not one of topics.sources"),
    ],
)
def test_usage_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=told):
        run(*arguments)
