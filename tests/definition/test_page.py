"""Pages on definitions: examples do what they show, tables are the code's, definitions are sound."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.config_text.jmes_checks import OVER_REPLIES, STANDARD
from connector.definition.expression import CALLS, called
from connector.definition.reference import TABLES, filled
from connector.definition.replies import OUTCOMES
from connector.definition.signing import CALLS as SIGNING_CALLS
from connector.definition.system import SYSTEM_NAMES

from .page import executed
from .write import problems_of

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = (DOCS / "tutorial.md").read_text("utf-8")
PAGE = (DOCS / "definition.md").read_text("utf-8")
SIGNING = (DOCS / "signing.md").read_text("utf-8")
ALL = TUTORIAL + PAGE + SIGNING
REWRITE = "python -m tests.definition.page docs/tutorial.md docs/definition.md docs/signing.md"
_file = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", [TUTORIAL, PAGE, SIGNING], ids=["tutorial", "definition", "signing"])
def test_every_command_prints_what_the_page_shows(tmp_path: Path, page: str) -> None:
    """The reference goes on from the files of the tutorial."""
    for name, text in _file.findall(TUTORIAL):
        (tmp_path / name).write_text(text)
    assert executed(page, tmp_path) == page, REWRITE


def test_every_table_is_the_one_of_the_code() -> None:
    assert filled(ALL) == ALL, REWRITE
    assert set(re.findall(r"<!-- table: ([a-z ]+) -->", ALL)) == set(TABLES)


@pytest.mark.parametrize("name", re.findall(r"^```yaml (\S+)$", ALL, re.MULTILINE))
def test_every_definition_of_the_page_loads_but_the_wrong_one(tmp_path: Path, name: str) -> None:
    for each, text in re.findall(r"^```yaml (\S+)\n(.*?)^```$", ALL, re.MULTILINE | re.DOTALL):
        (tmp_path / each).write_text(text)
    errors, warnings = problems_of(tmp_path, (tmp_path / name).read_text())
    assert bool(errors) is (name == "wrong.yaml")
    assert [each for each in warnings if "`response` is missing" not in each] == []


@pytest.mark.parametrize("call", sorted(SIGNING_CALLS))
def test_every_call_of_signatures_is_explained(call: str) -> None:
    assert f"`$${{{call}()}}`" in SIGNING


WORDS = [*SYSTEM_NAMES, *(called(call) for call in CALLS), *OUTCOMES, *sorted(OVER_REPLIES.keys() - STANDARD.keys())]


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_language_is_explained(word: str) -> None:
    assert re.search(rf"`[^`]*{re.escape(word.removesuffix('()'))}[^`]*`", PAGE), "the reference has every word"
