"""The documents say what the code says: exit codes, metrics, settings, rooms and files."""

from __future__ import annotations

import re

import pytest

from connector.errors import ConnectorError
from connector.health.families import EVERY_METRIC, PREFIX, PROCESS
from connector.settings.names import leaves
from connector.stream.shutdown import deadline
from tests.docs import rooms
from tests.docs.test_pages import PAGES
from tests.tooling.pages import ROOT

OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
SETTINGS = {leaf.name for leaf in leaves()}
FROM_OUTSIDE = {137, 143}
"""128 + the signal that ended it."""


def every(kind: type[ConnectorError]) -> set[int]:
    return {kind.exit_code}.union(*(every(child) for child in kind.__subclasses__()))


def test_every_exit_code_has_its_row_and_no_other_has() -> None:
    section = OPERATIONS.partition("## Exit codes")[2].partition("\n## ")[0]
    told = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE) for code in row.split(",")}
    of_the_code = {0, *every(ConnectorError), deadline.EXIT_DEADLINE, deadline.EXIT_WATCHDOG}
    assert told == of_the_code | FROM_OUTSIDE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_metrics_and_settings_that_a_page_names_exist(page) -> None:
    text = page.read_text("utf-8")
    metrics = {it.exposed for it in EVERY_METRIC.values()} | {PREFIX + name for name in PROCESS}
    known = metrics | {name + suffix for name in metrics for suffix in ("_count", "_sum", "_bucket")}
    assert set(re.findall(r"\bsms_connector_[a-z_]+[a-z]\b", text)) <= known
    sections = {name.partition(".")[0] for name in SETTINGS if "." in name}
    named = set(re.findall(rf"`((?:{'|'.join(sections)})\.[a-z_.]+)`", text))
    within = {name.rpartition(".")[0] for name in SETTINGS}  # a section in a section has a name of its own
    assert {name for name in named if not name.endswith(".py")} <= SETTINGS | within


def test_the_rooms_and_files_of_the_architecture_are_the_tree() -> None:
    page = rooms.PAGE.read_text("utf-8")
    assert rooms.filled(page) == page, "make generated, or: python -m tests.docs.rooms"


def test_every_file_says_what_it_is_for() -> None:
    silent = [
        file for file in rooms.PACKAGE.rglob("*.py") if file.read_text().strip() and not rooms.first_sentence(file)
    ]
    assert silent == []
    folders = {path.name for path in rooms.PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(rooms.ROOMS)
