"""Every command of ours that a document names exists, with its options and arguments."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from connector.cli.main import group
from tests.tooling.pages import ROOT, commands

FOLDERS = [ROOT, ROOT / "docs", ROOT / "deploy"]
PAGES = [*(page for folder in FOLDERS for page in folder.glob("*.md")), *(ROOT / "examples").rglob("*.md")]
# A placeholder of a document, and what it stands for.
MEANT = {r"\bN\b": "3", r"\bNAME\b": "plivo"}


def understood(words: list[str]) -> None:
    """Raises click's UsageError where the command line would not be taken. Files need not exist."""
    command: click.Command = group
    context = click.Context(group, info_name="sms-connector")
    while isinstance(command, click.Group):
        if not words:
            return  # the document speaks of the group
        found = command.get_command(context, words[0])
        if found is None:
            raise click.UsageError(f"no command {words[0]!r}")
        context, command, words = click.Context(found, parent=context, info_name=words[0]), found, words[1:]
    if not words:
        return  # the document speaks of the command, not of a call
    try:
        command.make_context(context.info_name, list(words), parent=context.parent)
    except click.BadParameter as error:
        if "does not exist" not in str(error) and "No such file" not in str(error):
            raise
    except click.exceptions.Exit:
        return  # --help


def _meant(word: str) -> str:
    for placeholder, value in MEANT.items():
        word = re.sub(placeholder, value, word)
    return word


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_one(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(page):
        try:
            understood([_meant(word) for word in words if word != "…"])
        except click.UsageError as error:
            pytest.fail(f"{page.name}: sms-connector {' '.join(words)}: {error.format_message()}")


def test_a_wrong_command_is_found() -> None:
    for wrong in (["trace", "m1", "--sinse", "2h"], ["reslts"], ["topics", "grow"]):
        with pytest.raises(click.UsageError):
            understood(wrong)
