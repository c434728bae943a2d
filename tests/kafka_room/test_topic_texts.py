"""The topics for others to make: every one of them, with every setting, as the tools read it."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector.cli.main import group
from connector.kafka.receipt_topics import with_receipts
from connector.kafka.topic_plan import TopicPlan, plan
from connector.kafka.topic_texts import written
from connector.settings.model import Settings

SETTINGS = Settings.model_validate(
    {
        "topics": {"sources": ["sms.messages", "2FA_codes"]},
        "receive": {"url": "https://sms.example.com", "keys": ["k" * 32], "url_keys": ["u" * 32]},
    }
)
PLAN = with_receipts(plan(SETTINGS.topics, {}, partitions=24, replication=3), SETTINGS, {})
WANTED = {it.name: (it.partitions, dict(it.configs)) for it in PLAN.topics}


def from_commands(text: str) -> dict[str, Any]:
    found = {}
    for line in text.splitlines()[1:]:
        words = shlex.split(line)
        options = [(a, b) for a, b in pairwise(words) if a.startswith("--")]
        of = dict(options)
        configs = dict(value.split("=", 1) for name, value in options if name == "--config")
        assert of["--replication-factor"] == "3"
        found[of["--topic"]] = int(of["--partitions"]), configs
    return found


def from_terraform(text: str) -> dict[str, Any]:
    found = {}
    identifiers = re.findall(r'resource "kafka_topic" "([A-Za-z_][A-Za-z0-9_]*)"', text)
    assert len(set(identifiers)) == len(WANTED)
    for block in text.split("resource ")[1:]:
        (name,) = re.findall(r"name +=(.+)", block)
        (partitions,) = re.findall(r"partitions += (\d+)", block)
        configs = re.findall(r'^    (".+") = (".*")$', block, re.MULTILINE)
        found[json.loads(name)] = int(partitions), {json.loads(a): json.loads(b) for a, b in configs}
    return found


def from_strimzi(text: str) -> dict[str, Any]:
    found = {}
    for document in YAML(typ="safe").load_all(text):
        assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", document["metadata"]["name"])
        spec = document["spec"]
        assert spec["replicas"] == 3
        found[spec["topicName"]] = spec["partitions"], spec["config"]
    return found


@pytest.mark.parametrize(
    ("form", "read"), [("commands", from_commands), ("terraform", from_terraform), ("strimzi", from_strimzi)]
)
def test_every_topic_is_written_with_every_setting(form: Any, read: Any) -> None:
    assert isinstance(PLAN, TopicPlan)
    assert read(written(PLAN, form)) == WANTED


def test_with_a_number_of_partitions_the_cluster_is_not_asked() -> None:
    options = ["--set", "kafka.bootstrap.servers=127.0.0.1:1", "--set", "providers=plivo"]
    result = CliRunner().invoke(group, ["topics", "check", "--print", "commands", "--partitions", "7", *options])
    assert result.exit_code == 0, result.output
    assert {number for number, _ in from_commands(result.output).values()} == {7, 1}  # one of the control topic


def test_partitions_alone_are_refused() -> None:
    result = CliRunner().invoke(group, ["topics", "check", "--partitions", "7"])
    assert "is for --print" in f"{result.output}{result.exception}"
