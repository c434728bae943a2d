"""`sms-connector reply`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.reply import reply
from connector.errors import UsageError

DEFINITION = """
url: https://sms.example.com/send
method: POST
headers: {authkey: "${ACME_KEY}"}
parameters:
  json: {from: $$sender, msgs: [{to: $$To, text: $$Body}]}
batching: {key: msgs, records: 10}
response:
  rules:
    - {when: "ends_with(error, 'quota')", then: pause, reason: error}
    - {status: 200, then: entries, id: job}
  entries:
    - {each: list, match: {"To|digits": to}, id: id, then: accept}
"""

EVENTS = [
    {"message_id": "first", "to": "+15550100", "body": "hi", "custom": {"sender": "A"}},
    {"message_id": "second", "to": "+15550101", "body": "hi", "custom": {"sender": "A"}},
    {"message_id": "other", "to": "+15550102", "body": "hi", "custom": {"sender": "B"}},
    {"message_id": "broken", "to": "+15550103", "body": "hi"},
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "acme.yaml").write_text(DEFINITION)
    (tmp_path / "events.jsonl").write_text("\n".join(json.dumps(event) for event in EVENTS))
    (tmp_path / "reply.json").write_text('{"job": 7, "list": [{"to": "15550101", "id": "x"}]}')
    return tmp_path


def run(files: Path, *arguments: str, stdin: str | None = None) -> str:
    given = [str(files / "acme.yaml"), "--event", str(files / "events.jsonl"), *arguments]
    result = CliRunner().invoke(reply, given, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_each_message_of_the_first_request_is_shown_with_its_rule(files: Path) -> None:
    lines = run(files, "--body", str(files / "reply.json")).splitlines()
    assert lines == [
        "send: HTTP 200, 51 bytes, 2 messages; message by message",
        "  first   unknown    batch 7, reason the reply has no entry for this message  [built-in entries]",
        "  second  accept     id x, batch 7  [response.entries[0]]",
        "  broken  not sent   invalid: " + lines[3].partition("invalid: ")[2],
        "  other   not sent   in another request (send)",
        "  warning: response.rules[0].when failed on this reply (1×), so it did not hold",
    ]
    assert "sender" in lines[3]


def test_one_json_object_per_message(files: Path) -> None:
    lines = run(files, "--status", "429", "--header", "Retry-After: 30", "--json").splitlines()
    first, *_ = (json.loads(line) for line in lines)
    assert first == {
        "message_id": "first",
        "operation": "send",
        "then": "throttle",
        "after": 30.0,
        "reason": "HTTP 429 Too Many Requests",
        "rule": "built-in 429",
    }
    assert len(lines) == 4


def test_the_body_may_come_from_standard_input(files: Path) -> None:
    assert "pause      reason no quota  [response.rules[0]]" in run(files, "--body", "-", stdin='{"error": "no quota"}')


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--operation", "bulk"], "--operation bulk: acme has send"),
        (["--header", "nonsense"], "write 'NAME: VALUE'"),
        (["--body", "/nowhere.json"], "--body /nowhere.json: cannot be read: No such file"),
        (["--event", "-", "--body", "-"], "only one of them"),
    ],
)
def test_wrong_arguments_are_named(files: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match="^.*" + message.replace("-", r"\-").replace("(", r"\(")):
        run(files, *arguments)


def test_events_that_cannot_be_sent_are_a_usage_error(files: Path) -> None:
    (files / "events.jsonl").write_text("nonsense")
    with pytest.raises(UsageError, match="no request to reply to"):
        run(files)


def test_the_help_keeps_its_examples_on_their_lines() -> None:
    output = CliRunner().invoke(reply, ["--help"], terminal_width=120).output
    assert "\n    sms-connector reply providers/acme.yaml --event events.jsonl --body reply.json\n" in output


@pytest.mark.parametrize(
    "echo", ["key hunter2-of-acme is wrong", "url /send?authkey=hunter2%2Dof%2Dacme", "hunter2-typed-in"]
)
def test_a_secret_that_a_reply_echoes_is_not_printed(files: Path, monkeypatch: pytest.MonkeyPatch, echo: str) -> None:
    """Nor one that the definition holds itself."""
    monkeypatch.setenv("ACME_KEY", "hunter2-of-acme")
    typed = DEFINITION.replace("headers: {", "headers: {x-api-key: hunter2-typed-in, ")
    (files / "acme.yaml").write_text(typed)
    (files / "reply.json").write_text(json.dumps({"error": f"{echo}: over quota"}))
    said = run(files, "--body", str(files / "reply.json"))
    assert "hunter2" not in said
    assert "over quota" in said
