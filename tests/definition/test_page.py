"""docs/definition.md: its examples do what they show, its tables are the code's, its definitions are sound."""

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
PAGE = (DOCS / "definition.md").read_text("utf-8")
SIGNING = (DOCS / "signing.md").read_text("utf-8")
REWRITE = "python -m tests.definition.page docs/definition.md docs/signing.md"


@pytest.mark.parametrize("page", [PAGE, SIGNING], ids=["definition", "signing"])
def test_every_command_prints_what_the_page_shows(tmp_path: Path, page: str) -> None:
    assert executed(page, tmp_path) == page, REWRITE


def test_every_table_is_the_one_of_the_code() -> None:
    assert (filled(PAGE), filled(SIGNING)) == (PAGE, SIGNING), REWRITE
    assert set(re.findall(r"<!-- table: ([a-z ]+) -->", PAGE + SIGNING)) == set(TABLES)


@pytest.mark.parametrize("name", re.findall(r"^```yaml (\S+)$", PAGE + SIGNING, re.MULTILINE))
def test_every_definition_of_the_page_loads_but_the_wrong_one(tmp_path: Path, name: str) -> None:
    for each, text in re.findall(r"^```yaml (\S+)\n(.*?)^```$", PAGE + SIGNING, re.MULTILINE | re.DOTALL):
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
    assert re.search(rf"`[^`]*{re.escape(word.removesuffix('()'))}[^`]*`", PAGE)
