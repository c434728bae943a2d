"""What README.md, operations.md and scaling.md tell an operator to type, typed: on a real Kafka, with a worker."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.main import group
from tests import marked
from tests.docs.test_pages import page
from tests.integration.pipeline import Pipeline, event
from tests.kafka.find import Kafka
from tests.processes import StartConnector
from tests.tooling.pages import blocks, commands, lines

pytestmark = pytest.mark.kafka

MEANT = {"NAME": "batched", "MESSAGE_ID": "m1", "ID": "spring"}
WAY_BACK = {"receive", "receipt", "receipts"}
"""They need settings of their own, and are played in test_way_back.py and test_receiving.py."""
GROUPS = {"reply", "simulate", "campaign put"}
"""Named in a sentence; what they do is tested elsewhere."""
TOPICS = {"RESULTS": "results", "DEAD_LETTERS": "dead-letters", "JOURNAL": "journal", "CONTROL": "control"}
TOPICS |= {"RECEIPTS": "receipts", "RETRY_PREFIX": "retry", "SOURCES": "messages"}


def meant(words: list[str]) -> list[str]:
    return [re.sub(r"\b(NAME|MESSAGE_ID|ID)\b", lambda found: MEANT[found[0]], word) for word in words]


def test_every_command_of_operations_and_scaling(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the pages; those that run a worker are left to the next tests."""
    pipeline.simulate()
    pipeline.define()
    pipeline.configure()
    pipeline.create_topics()
    pipeline.produce([{**event(1), "campaign_id": "spring"}, {**event(2), "custom": {}}])
    pipeline.worker()
    pipeline.wait_for_results(2)
    monkeypatch.chdir(pipeline.folder)
    monkeypatch.setenv("SMS_CONNECTOR_CONFIG", str(pipeline.config))
    monkeypatch.setenv("PROVIDER_PASSWORD", marked.PASSWORD)
    ran: set[str] = set()
    for name in ("operations.md", "scaling.md"):
        for words in commands(page(name)):
            if words[0] in {"run", "console"} or words[0] in WAY_BACK or " ".join(words) in GROUPS | ran:
                continue
            result = CliRunner().invoke(group, meant(words), standalone_mode=False)
            assert result.exception is None, (name, words, result.exception)
            assert not result.return_value, (name, words, result.output)
            ran.add(" ".join(words))
    assert len(ran) >= 15


def test_the_readmes_way_to_run_and_the_one_with_traces(
    kafka: Kafka, unique: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_connector: StartConnector
) -> None:
    """As typed, but for the address of Kafka, the names of topics and group, and the port of its pages."""
    (definition,) = [block.text for block in blocks(page("README.md")) if block.language == "yaml"]
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions" / "acme.yaml").write_text(definition)
    environ = {f"SMS_CONNECTOR_TOPICS__{name}": f"{unique}.{topic}" for name, topic in TOPICS.items()}
    environ |= {"SMS_CONNECTOR_GROUP": unique, "SMS_CONNECTOR_HEALTH__PORT": "0"}
    environ |= {"ACME_USER": "acme", "ACME_PASSWORD": "hunter2-password"}
    monkeypatch.chdir(tmp_path)
    started = []
    for name in ("README.md", "operations.md"):
        for block in [it for it in blocks(page(name)) if it.language == "sh"]:
            exports = re.findall(r"(\w+)=(\S+)", " ".join(re.findall(r"^export (.*)$", block.text, re.MULTILINE)))
            environ |= {variable: value.replace("broker:9092", kafka.bootstrap) for variable, value in exports}
            environ = {key: value.replace("collector:4318", "127.0.0.1:9") for key, value in environ.items()}
            for line in lines(block):
                words = shlex.split(line)[1:]
                if name == "README.md":
                    words += ["--replication", "1"] if words[0] == "topics" else []
                process = start_connector(*words, name=f"{len(started)}", env={**os.environ, **environ})
                started.append(words[0])
                if words[0] == "run":
                    process.wait_for("partitions opened")
                    assert process.stop() == 0, process.output
                else:
                    assert process.wait() == 0, process.output
    assert started == ["topics", "run", "run"]
