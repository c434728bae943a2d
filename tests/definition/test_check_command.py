"""`sms-connector check`: what people and programs see, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.cli.main import group

from .write import FIXTURES, SOUND


def run(*arguments: Any, environment: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(group, ["check", *map(str, arguments)], env=environment)


def test_every_draft_passes_and_says_what_shares_a_request() -> None:
    result = run(FIXTURES, "--no-environment")
    assert result.exit_code == 0
    assert result.output.count(": ok (") == 10
    assert (
        "seed-batched.yaml: ok (seed-batched)\n  send: POST json\n    up to 1,000 messages in a request\n"
        in result.output
    )
    assert "    share a request: operation and campaign; $$hid; $$TemplateID; $$CampaignID\n" in result.output
    assert "    2 to 100 messages in a request\n" in result.output


def test_every_error_of_every_file_comes_with_exit_code_78(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(SOUND)
    (tmp_path / "bad.yaml").write_text(SOUND.replace("records: 100", "records: 5000").replace("POST", "BREW"))
    result = run(tmp_path, "nobody", tmp_path / "none.yaml")
    assert result.exit_code == 78
    assert "bad.yaml: 2 wrong" in result.output
    assert (
        "bad.yaml:8:32: batching.records: 5000 cannot stand here; write a whole number from 1 to 1,000" in result.output
    )
    assert "good.yaml: ok (good)" in result.output
    assert "no definition is called `nobody`" in result.output
    assert "there is no such file" in result.output


def test_the_environment_is_asked_unless_it_shall_not_be(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SOUND.replace("ACME", "${ACME_SENDER}"))
    assert "the environment variable ACME_SENDER is not set" in run(tmp_path, environment={}).output
    assert run(tmp_path, environment={"ACME_SENDER": "x"}).exit_code == 0
    assert run(tmp_path, "--no-environment").exit_code == 0


def test_strict_makes_warnings_count(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SOUND.replace("https:", "http:"))
    assert run(tmp_path).exit_code == 0
    assert "  warning: " in run(tmp_path).output
    assert run(tmp_path, "--strict").exit_code == 78


def test_programs_get_one_object_per_file(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("method: POST\n")
    documents = [
        json.loads(line)
        for line in run(FIXTURES / "exotel.yaml", tmp_path, "--no-environment", "--json").output.splitlines()
    ]
    good, bad = documents
    assert (good["name"], good["ok"], [each["records"] for each in good["operations"]]) == (
        "exotel",
        True,
        [[2, 100], [1, 1]],
    )
    assert good["operations"][0]["key"].startswith("operation and campaign; ")
    assert not bad["ok"]
    assert bad["errors"][0] == {
        "message": "the key `url` is missing", "remedy": "write url: https://…",
        "file": str(tmp_path / "bad.yaml"), "path": "", "line": 1, "column": 1,
    }  # fmt: skip


def test_what_only_the_compilers_find_is_an_error_with_its_file(tmp_path: Path) -> None:
    text = "method: POST\nurl: https://a/b\nparameters: {xml: {r: {'a b': $$To, t: $$Body}}}\n"
    (tmp_path / "a.yaml").write_text(text)
    result = run(tmp_path)
    assert result.exit_code == 78
    assert "a.yaml:3:23: parameters.xml" in result.output.replace(str(tmp_path) + "/", "")


def test_two_files_with_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(SOUND + "name: same\n")
    result = run(tmp_path)
    assert result.exit_code == 78
    assert "`same` is defined in" in result.output


@pytest.mark.parametrize("arguments", [[], ["--nope"]])
def test_a_wrong_command_line_is_usage(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_it_says_what_receipts_are_known_by_and_what_proves_them() -> None:
    run = CliRunner().invoke(group, ["check", "msg91", "twilio", "exotel", "--no-environment"])
    for line in (
        "receipts: known by our reference in `CRQID`; proved by what stands in the URL",
        "receipts: known by the reference in the URL; proved by twilio",
        "receipts: known by the reference in the URL, else looked up by `To|digits|last(10)`",
    ):
        assert f"  {line}" in run.output
