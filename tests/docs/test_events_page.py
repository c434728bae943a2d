"""docs/events-and-results.md says everything a producer may write and a consumer may read; its examples are sound."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from connector.model import Message, Result, Status
from tests.tooling.pages import ROOT, blocks

PAGE = ROOT / "docs" / "events-and-results.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of the tables of a section."""
    section = PAGE.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in section.splitlines() if line[:1] == "|"]


def named(heading: str) -> list[str]:
    """What stands in code in the first column."""
    return [name for row in rows(heading) for name in re.findall(r"`(\w+)`", row[0])]


def test_every_field_of_an_event_is_there() -> None:
    assert sorted(named("An event")) == sorted(Message.__struct_fields__)


def test_every_status_and_every_field_of_a_result_is_there() -> None:
    found = named("A result")
    assert set(found) == {*map(str, Status), *Result.__struct_fields__}
    assert len(found) == len(set(found))


def test_each_status_says_what_to_do() -> None:
    told = {row[0].strip("`"): row[2] for row in rows("A result") if row[0].strip("`") in set(map(str, Status))}
    assert told.keys() == set(map(str, Status))
    assert all(told.values())


def test_its_event_and_result_are_some() -> None:
    event, result = (block.text for block in blocks(PAGE) if block.language == "json")
    message = msgspec.json.decode(event, type=Message)
    assert set(msgspec.json.decode(event)) <= set(Message.__struct_fields__)
    found = msgspec.json.decode(result, type=Result)
    assert set(msgspec.json.decode(result)) <= set(Result.__struct_fields__)
    assert (found.message_id, found.to, found.provider) == (message.message_id, message.to, message.provider)


def test_the_lines_for_kcat_are_what_a_shell_reads(tmp_path: Path) -> None:
    (block,) = (it for it in blocks(PAGE) if it.language == "sh")
    assert subprocess.run(["sh", "-n"], input=block.text, text=True, check=False).returncode == 0
    echoed = re.search(r"echo '([^']*)'", block.text)
    assert echoed is not None
    key, _, value = echoed[1].partition(":")
    assert msgspec.json.decode(value, type=Message).to == key


@pytest.mark.parametrize("language", ["python", "java", "js"])
def test_there_is_one_example_of_each(language: str) -> None:
    assert [block.word for block in blocks(PAGE) if block.language == language] == [EXAMPLES[language]]


EXAMPLES = {"python": "produce_and_wait.py", "java": "ProduceAndWait.java", "js": "produce_and_wait.mjs"}
"""Run by tests/integration/test_examples.py."""
