"""docs/personal-data.md has a row for every topic, folder and page that the code knows."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel

from connector.kafka import receipt_topics, topic_plan
from connector.settings.model import Settings, Topics
from tests.tooling.pages import ROOT

TEXT = (ROOT / "docs" / "personal-data.md").read_text("utf-8")
NAMES_NO_TOPIC = {"retry_tiers"}
DAY = 24 * 3600 * 1000


def rows(heading: str, *, by: int = 0) -> dict[str, list[str]]:
    """The cell `by` → all cells, of the table below a heading."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    found = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {cells[by].partition(",")[0].strip("`"): cells for cells in found}


def folders(model: type[BaseModel], path: str = "") -> list[str]:
    """Settings that name a folder on disk."""
    found = []
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += folders(kind, f"{path}{name}.")
        elif name.endswith("folder") or path + name == "web.definitions":
            found.append(path + name)
    return found


@pytest.mark.parametrize("name", sorted(Topics.model_fields.keys() - NAMES_NO_TOPIC))
def test_every_topic_has_a_row_with_what_it_holds_for_how_long_and_how_a_number_goes(name: str) -> None:
    default = Topics.model_fields[name].default
    topic = {"sources": "sms.messages", "retry_prefix": f"{default}.*"}.get(name, default)
    _setting, _topic, numbers, texts, how_long, erased = rows("Topics", by=1)[topic]
    assert all((numbers, texts, how_long, erased))


def test_every_folder_has_a_row() -> None:
    assert folders(Settings)
    assert set(folders(Settings)) <= set(rows("Files"))


def test_every_page_is_named() -> None:
    served = "".join(file.read_text("utf-8") for file in (ROOT / "connector" / "health").glob("*.py"))
    pages = set(re.findall(r'^ +"(/[a-z][a-z/]*)": ', served, re.MULTILINE))
    assert len(pages) >= 4
    assert [page for page in pages if f"`{page}`" not in TEXT] == []


def test_the_times_that_the_page_names_are_those_that_topics_are_made_with() -> None:
    said = {setting: cells[1:] for setting, cells in rows("Topics").items()}
    assert topic_plan.DEFAULT_RETENTION_MS == 7 * DAY
    assert "7 days" in said["topics.sources"][3]
    assert receipt_topics.UNMATCHED_RETENTION_MS == 14 * DAY
    assert "14 days" in said["topics.receipts_unmatched"][3]
    assert Settings.model_fields["receipts"].default.keep == 5 * DAY / 1000
    assert "5 days" in said["topics.receipts_matched"][3]
