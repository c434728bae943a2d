"""docs/lanes.md: its definitions, settings and campaign are taken, and its commands print what it shows.

Those that need Kafka are run by tests/integration/test_steering_on_kafka.py.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec

from connector.model import Campaign
from connector.settings import load_settings
from connector.settings.model import Topics
from connector.stream.retry.tiers import Tiers
from tests.definition.page import executed
from tests.tooling.pages import ROOT, blocks

FILE = ROOT / "docs" / "lanes.md"
PAGE = FILE.read_text("utf-8")


def test_its_definitions_are_checked_as_the_page_shows(tmp_path: Path) -> None:
    assert executed(PAGE, tmp_path) == PAGE, "python -m tests.definition.page docs/lanes.md"
    assert "ok (acme)" in PAGE


def test_its_settings_and_its_campaign_are_taken(tmp_path: Path) -> None:
    """The priority topic has its share; no field of the campaign is unknown."""
    for block in blocks(FILE):
        if block.word:
            (tmp_path / block.word).write_text(block.text)
    loaded = load_settings(file=tmp_path / "connector.yaml", environ={}, overrides={})
    assert [source.share for source in loaded.settings.topics.sources] == [0.0, 0.2]
    text = (tmp_path / "diwali.json").read_bytes()
    campaign = msgspec.json.decode(text, type=Campaign)
    assert campaign.provider == "acme"
    assert set(msgspec.json.decode(text)) <= set(Campaign.__struct_fields__)


def test_a_wait_of_ten_minutes_takes_as_many_records_as_the_page_says() -> None:
    """Each is read a moment after it is due."""
    tiers, moment, wait = Tiers(Topics().retry), 0.2, 600.0
    found: Counter[float] = Counter()
    while wait > 0:
        delay = tiers.within(wait).delay
        found[delay] += 1
        wait -= delay + moment
    assert found == {300.0: 1, 30.0: 9, 5.0: 6}
    assert f"{found.total()} records: one of `5m`, nine of `30s`" in PAGE
    assert "six of `5s`" in PAGE
