"""The quick start, followed literally on a real Kafka: its files are written, its commands run in their order."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.main import group
from tests.kafka.find import Kafka
from tests.processes import StartConnector
from tests.tooling.pages import ROOT, blocks, lines
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

NAMES = {"RESULTS": "results", "DEAD_LETTERS": "dead", "JOURNAL": "journal", "CONTROL": "control"}
NAMES |= {"RECEIPTS": "receipts", "RETRY_PREFIX": "retry", "SOURCES": "messages"}


def test_the_quick_start(
    kafka: Kafka, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_connector: StartConnector
) -> None:
    """Nothing is changed but where Kafka and the fake provider are, and the names of topics and group."""
    environ = {f"SMS_CONNECTOR_TOPICS__{name}": f"{unique}.{topic}" for name, topic in NAMES.items()}
    environ |= {"SMS_CONNECTOR_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap, "SMS_CONNECTOR_GROUP": unique}
    environ |= {"SMS_CONNECTOR_HEALTH__PORT": "0", "SMS_CONNECTOR_LOG__FORMAT": "json"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    printed: dict[str, str] = {}
    running = {}
    for block in blocks(ROOT / "docs" / "quickstart.md"):
        if block.language == "sh":
            for line in lines(block):
                words = shlex.split(line)[1:]
                if block.word == "background":
                    words = [word.replace("8025", "0") for word in words]
                    running[words[0]] = start_connector(*words, name=words[0], env=environ)
                    running[words[0]].wait_for("simulator on" if words[0] == "simulate" else "partitions opened")
                    if words[0] == "simulate":
                        _turn_to(running["simulate"].output, tmp_path / "definitions" / "acme.yaml")
                    continue
                result = CliRunner().invoke(group, words, standalone_mode=False)
                assert result.exception is None, (line, result.output, result.exception)
                assert not result.return_value, (line, result.output)
                printed[line] = result.stdout
        elif block.word:
            file = tmp_path / block.word
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, "utf-8")
    assert len(printed) == 9
    (shown,) = [block.text for block in blocks(ROOT / "docs" / "quickstart.md") if block.language == "text"]
    assert next(text for line, text in printed.items() if "--message-id m1" in line).split() == shown.split()
    assert "accepted" in next(text for line, text in printed.items() if "contacts.csv" in line)
    assert "state: accepted" in printed["sms-connector trace m2"]
    # Offsets are committed once a second: what was sent last may still be shown.
    wait_until(lambda: CliRunner().invoke(group, ["lag"], standalone_mode=False).stdout == "", "no lag")
    assert running["run"].stop() == 0, running["run"].output


def _turn_to(said: str, definition: Path) -> None:
    """The page's port may be taken here: the fake provider has chosen its own."""
    found = re.search(r"simulator on http://127\.0\.0\.1:(\d+)", said)
    assert found is not None
    definition.write_text(definition.read_text().replace("8025", found[1]))
