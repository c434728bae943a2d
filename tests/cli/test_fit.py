"""Definitions against settings: every request ends before the drain does, or nothing starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli.main import group
from connector.errors import DefinitionError

DEFINITION = """\
method: POST
url: https://sms.example.com/send
parameters: {pairs: {to: $$To, text: $$Body}}
"""
SAID = (
    "http.total: total 36s does not fit timeouts.drain 40s: a request must end 5s before the drain does, or it is cut "
    "off; lower it to 35s, or raise timeouts.drain to 41s"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.yaml").write_text(DEFINITION + "http: {total: 36s}\n")
    (tmp_path / "quick.yaml").write_text(DEFINITION + "http: {total: 35s}\n")
    (tmp_path / "silent.yaml").write_text(DEFINITION)
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner(env={"SMS_CONNECTOR_CONFIG": ""}).invoke(group, list(arguments), standalone_mode=False)


def test_a_worker_does_not_start(folder: Path) -> None:
    (folder / "connector.yaml").write_text("providers: [slow.yaml, quick.yaml, silent.yaml]\n")
    error = run("run").exception
    assert isinstance(error, DefinitionError)
    assert str(error) == f"slow.yaml: {SAID}"


def test_check_says_it_where_there_are_settings(folder: Path) -> None:
    files = ("slow.yaml", "quick.yaml", "silent.yaml")
    assert "error" not in run("check", *files).output
    (folder / "connector.yaml").write_text("providers: [slow.yaml]\n")
    found = run("check", *files)
    assert found.output.count("error:") == 1
    assert f"error: slow.yaml: {SAID}" in found.output
    (folder / "long.yaml").write_text("timeouts: {drain: 45s}\n")
    assert "error" not in run("check", *files, "--config", "long.yaml").output


def test_settings_that_cannot_be_read_are_an_error_only_where_they_were_asked_for(folder: Path) -> None:
    (folder / "connector.yaml").write_text("providers: [slow.yaml]\nnonsense: 1\n")
    found = run("check", "slow.yaml")
    assert found.exception is None
    assert "connector.yaml: not sound" in found.stderr
    assert "nonsense" in str(run("check", "slow.yaml", "--config", "connector.yaml").exception)
