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
PAGE = ROOT / "docs" / "quickstart.md"


def test_from_nothing_to_a_result_and_from_a_curl_command_to_a_refused_message_that_is_found(
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
    port = ""
    for block in blocks(PAGE):
        if block.language == "sh":
            for line in lines(block):
                words = shlex.split(line, comments=True)[1:]
                if block.word == "background":
                    words = [word.replace("8025", "0") for word in words]
                    running[words[0]] = start_connector(*words, name=words[0], env=environ)
                    running[words[0]].wait_for("simulator on" if words[0] == "simulate" else "partitions opened")
                    if words[0] == "simulate":
                        port = _port(running["simulate"].output)
                        for file in tmp_path.rglob("*.yaml"):
                            _turn(file, port)
                    continue
                result = CliRunner().invoke(group, words, standalone_mode=False)
                assert result.exception is None, (line, result.output, result.exception)
                ends = re.search(r"# ends with (\d)$", line)
                assert (result.return_value or 0) == int(ends[1] if ends else 0), (line, result.output)
                printed[line] = result.stdout + ("" if "reply" in line else result.stderr)
        elif block.word:
            file = tmp_path / block.word
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, "utf-8")
            if port:
                _turn(file, port)
    assert len(printed) == 16
    accepted, refused = [block.text for block in blocks(PAGE) if block.language == "text" and not block.word]
    assert next(text for line, text in printed.items() if "--message-id m1" in line).split() == accepted.split()
    assert "accepted" in next(text for line, text in printed.items() if "contacts.csv" in line)
    assert "state: accepted" in printed["sms-connector trace m2"]
    drafted = next(text for line, text in printed.items() if "import-curl" in line)
    assert "private_hosts" in drafted
    assert "without `response`, every 2xx counts as accepted" in (tmp_path / "draft.yaml").read_text()
    assert "102" in next(text for line, text in printed.items() if line.startswith("sms-connector reply"))
    assert refused.strip() in printed["sms-connector trace m4"]
    assert "code 102" in printed["sms-connector trace m4"]
    # Offsets are committed once a second: what was sent last may still be shown.
    wait_until(lambda: CliRunner().invoke(group, ["lag"], standalone_mode=False).stdout == "", "no lag")
    assert running["run"].stop() == 0, running["run"].output


def _port(said: str) -> str:
    found = re.search(r"simulator on http://127\.0\.0\.1:(\d+)", said)
    assert found is not None
    return found[1]


def _turn(file: Path, port: str) -> None:
    """The page's port may be taken here: the fake provider has chosen its own."""
    file.write_text(file.read_text().replace("8025", port))
