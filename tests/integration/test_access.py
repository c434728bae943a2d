"""The access rules of docs/security.md are enough for each role, and no more: a real broker refuses the rest."""

from __future__ import annotations

import argparse
import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import TopicAuthorizationFailedError
from click.testing import CliRunner, Result
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from connector.cli.main import group
from connector.errors import ConnectorError
from connector.kafka.clients import connect
from connector.receipts.tokens import Tokens
from connector.settings.model import Settings
from tests.integration.console import RunningConsole
from tests.integration.pipeline import Pipeline
from tests.integration.receiving import KEY, Answers, Receiving, caller, report
from tests.kafka.local import LocalKafka
from tests.kafka.ports import free_ports
from tests.kafka.records import end_offsets
from tests.processes import StartConnector
from tests.tooling.pages import ROOT, blocks
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Delete": AclOperation.DELETE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}
PATTERNS = {"literal": ResourcePatternType.LITERAL, "prefixed": ResourcePatternType.PREFIXED}


def bindings(line: str) -> list[AclBinding]:
    """What a line `kafka-acls.sh …` of the page would add; an option it has not ends the test."""
    parser = argparse.ArgumentParser(prog="kafka-acls.sh", exit_on_error=False, allow_abbrev=False)
    for option in ("bootstrap-server", "command-config", "allow-principal"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--operation", action="append", choices=OPERATIONS, required=True)
    parser.add_argument("--topic", action="append", default=[])
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--resource-pattern-type", choices=PATTERNS, default="literal")
    given = parser.parse_args(line.split()[1:])
    resources = [(ResourceType.TOPIC, name) for name in given.topic]
    resources += [(ResourceType.GROUP, name) for name in given.group]
    assert resources, line
    return [
        AclBinding(
            kind,
            name,
            PATTERNS[given.resource_pattern_type],
            given.allow_principal,
            "*",
            OPERATIONS[operation],
            AclPermissionType.ALLOW,
        )
        for kind, name in resources
        for operation in given.operation
    ]


@pytest.fixture
def ruled(secure_kafka: LocalKafka) -> LocalKafka:
    """With the page's rules."""
    (block,) = [it for it in blocks(ROOT / "docs" / "security.md") if it.word == "acls"]
    lines = [line for line in block.text.splitlines() if not line.startswith("#")]
    wanted = [binding for line in lines for binding in bindings(line)]
    assert {it.principal.removeprefix("User:") for it in wanted} == set(secure_kafka.security.others)
    admin = AdminClient({"bootstrap.servers": secure_kafka.bootstrap, "log_level": 0})
    for answer in admin.create_acls(wanted).values():
        answer.result(30)
    return secure_kafka


def test_each_role_can_do_its_work_and_nothing_else(
    ruled: LocalKafka, tmp_path: Path, start_connector: StartConnector
) -> None:
    """The names are the default ones, as on the page; no other test uses them on this broker."""
    pipeline = Pipeline(tmp_path, ruled.bootstrap, "access", start_connector)
    pipeline.simulate()
    pipeline.define()
    as_admin = configure(ruled, tmp_path, None)
    made = start_connector("topics", "create", "--config", str(as_admin), "--replication", "1", name="create")
    assert made.wait() == 0, made.output

    def run(role: str, *arguments: str) -> Result:
        config = configure(ruled, tmp_path, role)
        return CliRunner().invoke(group, [*arguments, "--config", str(config)], standalone_mode=False)

    def may(role: str, *arguments: str) -> str:
        ran = run(role, *arguments)
        assert ran.exception is None, (role, arguments, ran.exception)
        assert not ran.return_value, ran.output
        return ran.output

    worker = start_connector("run", "--config", str(configure(ruled, tmp_path, "sms-connector")), name="worker")
    worker.wait_for("partitions opened")
    events = tmp_path / "events.jsonl"
    good = {"message_id": "m1", "provider": "batched", "campaign_id": "c", "to": "+919810000010", "template_id": "t"}
    good |= {"template_variables": {}, "custom": {"hid": "h", "uid": "m1"}}
    bad = {**good, "message_id": "m2", "custom": {}}  # becomes a dead letter
    lines = [good, bad]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    may("campaigns", "send", str(events))
    wait_until(lambda: "accepted" in run("support", "trace", "m1").output, "the result of m1", within=30)
    assert "m1" in may("support", "results", "--status", "accepted")
    may("support", "lag")
    may("oncall", "provider", "pause", "batched")
    may("oncall", "provider", "resume", "batched")
    assert "1" in may("oncall", "replay")
    assert worker.stop() == 0, worker.output
    assert "uthoriz" not in worker.output

    for role, *arguments in (
        ("campaigns", "results"),
        ("reports", "trace", "m1"),
        ("reports", "provider", "list"),
        ("support", "provider", "pause", "batched"),
        ("support", "send", str(events)),
    ):
        refused = run(role, *arguments)
        assert isinstance(refused.exception, ConnectorError), (role, arguments, refused)
        assert "uthoriz" in str(refused.exception)


def test_a_console_that_may_only_read_shows_everything_and_changes_nothing(
    ruled: LocalKafka, tmp_path: Path, start_connector: StartConnector
) -> None:
    """With the rights of support; then with those of a console, which pauses and resumes, and sends no message."""
    pipeline = Pipeline(tmp_path, ruled.bootstrap, "access", start_connector)
    pipeline.simulate()
    pipeline.define()
    made = start_connector("topics", "create", "--config", str(configure(ruled, tmp_path, None)), "--replication", "1")
    assert made.wait() == 0, made.output
    (port,) = free_ports(1)
    config = str(configure(ruled, tmp_path, "sms-connector"))
    worker = start_connector("run", "--config", config, "--set", f"health.port={port}", name="worker")
    worker.wait_for("partitions opened")
    test = {"provider": "batched", "number": 0, "reason": "does it arrive"}

    def console(role: str) -> RunningConsole:
        pipeline.config = configure(ruled, tmp_path, role)
        return RunningConsole(
            pipeline,
            start_connector,
            name=f"console-{role}",
            workers=f"http://127.0.0.1:{port}",
            test_numbers="['+919899999999']",
        )

    viewer = console("support")
    found = viewer.wait("/api/workers", lambda it: it["members"] == 1 and it["items"][0]["ready"], "the worker")
    assert not found["items"][0]["silent"]
    assert viewer.wait("/api/partitions", lambda it: it["looked"], "partitions")["kafka"]["reachable"]
    overview = viewer.wait("/api/overview", lambda it: not it["stale"], "everything")
    assert overview["sentence"] == "Nothing waits: whatever came has its result."
    with viewer.tail() as events:
        assert next(events)[1]["away"] is False
    before = end_offsets(ruled.bootstrap, "sms.control")
    code, refused = viewer.steer("batched", paused=True)
    assert (code, "uthoriz" in refused["title"]) == (503, True)
    assert viewer.ask("POST", "/api/studio/test", test)[0] == 503
    assert end_offsets(ruled.bootstrap, "sms.control") == before
    assert viewer.process.stop() == 0, viewer.process.output

    steering = console("console")
    steering.wait("/api/overview", lambda it: not it["stale"] and it["providers"], "everything")
    assert steering.steer("batched", paused=True)[0] == 200
    assert steering.steer("batched", paused=False)[0] == 200
    code, refused, _ = steering.ask("POST", "/api/studio/test", test)
    assert (code, "uthoriz" in refused["title"]) == (503, True)
    deeds = steering.wait("/api/audit", lambda it: len(it["items"]) >= 6, "records")["items"]
    assert [(it["what"], it["done"]) for it in deeds[:2]] == [("test.send", "failed"), ("test.send", "asked")]
    assert steering.process.stop() == 0, steering.process.output
    assert worker.stop() == 0, worker.output
    for process in (viewer.process, steering.process):
        assert "could not answer" not in process.output


async def test_a_receiver_writes_what_providers_call_back_and_reads_nothing_and_states_are_made_of_it(
    ruled: LocalKafka, tmp_path: Path, start_connector: StartConnector
) -> None:
    receiving = Receiving(tmp_path, ruled.bootstrap, "access", start_connector)
    receiving.topics, receiving.source = {}, "sms.messages"
    receiving.tokens = Tokens([KEY], [receiving.source])
    receiving.kafka = kafka_of(ruled, None)
    receiving.configure()
    receiving.create_topics("--partitions", "12")
    receiving.kafka = kafka_of(ruled, "receivers")
    receiving.configure()
    receiver, answers = receiving.receiver(), Answers()
    async with caller() as session:
        assert await report(session, receiving, receiver.url, 1, answers) == 200
    assert receiver.process.stop() == 0, receiver.process.output
    assert "uthoriz" not in receiver.process.output
    refused = receiving.command("results")
    assert "uthoriz" in refused.output

    receiving.kafka = kafka_of(ruled, "receipts")
    receiving.configure()
    process = receiving.states("--set", "group=sms-connector")
    wait_until(lambda: sum(end_offsets(ruled.bootstrap, "sms.receipts").values()) == 1, "its state")
    assert process.stop() == 0, process.output
    assert "uthoriz" not in process.output


@pytest.mark.parametrize(("topic", "allowed"), [("sms.results", True), ("sms.dead-letters", False)])
async def test_reports_read_results_and_no_dead_letters(ruled: LocalKafka, topic: str, allowed: bool) -> None:
    options = connect(Settings.model_validate({"kafka": kafka_of(ruled, "reports")}).kafka).options()
    reader = AIOKafkaConsumer(topic, **options, group_id="reports")
    try:
        with nullcontext() if allowed else pytest.raises(TopicAuthorizationFailedError):
            await reader.start()
            await reader.getmany(timeout_ms=2000)
    finally:
        await reader.stop()


def kafka_of(kafka: LocalKafka, role: str | None) -> dict[str, str]:
    if role is None:
        return {"bootstrap.servers": kafka.bootstrap}
    assert kafka.security is not None
    return {
        "bootstrap.servers": kafka.sasl_bootstrap,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": role,
        "sasl.password": kafka.security.password,
        "ssl.ca.location": str(kafka.security.certificates.ca),
    }


def configure(kafka: LocalKafka, folder: Path, role: str | None) -> Path:
    """Settings of a role: every name of a topic and of the group is the default."""
    document = {
        "kafka": kafka_of(kafka, role),
        "providers": [str(folder / "definitions")],
        "start_from": "earliest",
        "health": {"port": None},
        "log": {"format": "json"},
    }
    file = folder / f"{role or 'admin'}.yaml"
    file.write_text(json.dumps(document))
    return file
