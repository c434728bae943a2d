"""The README is true: its definition loads, its event renders, its commands are commands."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector.cli.main import COMMANDS, group
from connector.definition.files import CATALOGUE
from connector.model import Message, Result

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
FILES = sorted(CATALOGUE.glob("*.yaml"))
COUNTED = {21: "Twenty-one", 22: "Twenty-two", 23: "Twenty-three", 24: "Twenty-four"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_definition_and_the_event_make_the_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Copied from the page into two files: `check` passes and `render` shows the request without the secret."""
    monkeypatch.setenv("ACME_USER", "acme")
    monkeypatch.setenv("ACME_PASSWORD", "hidden-password")
    (definition,), (event, _) = blocks("yaml"), blocks("json")
    (tmp_path / "acme.yaml").write_text(definition)
    (tmp_path / "event.json").write_text(event)
    checked = CliRunner().invoke(group, ["check", str(tmp_path / "acme.yaml")])
    assert checked.exit_code == 0, checked.output
    command = ["render", str(tmp_path / "acme.yaml"), "--event", str(tmp_path / "event.json")]
    rendered = CliRunner().invoke(group, command)
    assert rendered.exit_code == 0, rendered.output
    assert '"msgs":[{"to":"+919812345670","ref":"u1","variables":{"name":"Zoë"}}]' in rendered.output
    assert "hidden-password" not in rendered.output


def test_the_event_and_the_result_are_of_the_types():
    """No field of the examples is unknown to the code."""
    event, result = blocks("json")
    msgspec.json.decode(event, type=Message)
    msgspec.json.decode(result, type=Result)
    assert set(json.loads(event)) <= set(Message.__struct_fields__)
    assert set(json.loads(result)) <= set(Result.__struct_fields__)


def test_commands_of_the_page_exist():
    """`sms-connector NAME` with a NAME the command line knows."""
    named = set(re.findall(r"sms-connector ([a-z][a-z-]*)", README))
    assert named
    assert named <= set(COMMANDS)


def test_every_built_in_provider_is_named():
    """By the first word of its title, and as many as the page says."""
    titles = {str(YAML(typ="safe").load(file)["about"]["title"]).split(",")[0].split()[0] for file in FILES}
    section = README.split("## Providers\n")[1].split("\n## ")[0]
    assert f"{COUNTED[len(FILES)]} definitions are built in" in section
    assert {title for title in titles if title not in section} == set()
