"""Working directory and home cannot be written, as in a container with a read-only root: everything works in TMPDIR."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.processes import ConnectorProcess, StartConnector
from tests.unwritable import AND

pytestmark = pytest.mark.kafka


def test_worker_and_commands_need_no_folder_but_the_temporary_one(
    pipeline: Pipeline, tmp_path: Path, start_connector: StartConnector
) -> None:
    (folder := tmp_path / "cwd").mkdir()
    (temporary := tmp_path / "tmp").mkdir()
    config = ["--config", str(pipeline.folder / "connector.yaml")]
    (tmp_path / "event.json").write_text(json.dumps(event(1)))
    definition = str(pipeline.folder / "definitions" / "batched.yaml")

    def start(*arguments: str, name: str) -> ConnectorProcess:
        environ = {"TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[2])}
        return start_connector(str(folder), *arguments, name=name, env=environ, module="tests.unwritable")

    pipeline.simulate()
    pipeline.define()
    pipeline.configure(health={"port": 0})
    made = start("topics", "create", *config, "--partitions", "4", AND, "topics", "check", *config, name="topics")
    assert made.wait() == 0, made.output
    worker = start("run", *config, "--workers", "2", name="run")
    pipeline.workers.append(worker)
    worker.wait_for("partitions opened", within=60)
    commands = [
        ["send", str(tmp_path / "event.json"), "--wait", *config],
        ["results", *config],
        ["trace", "m1", *config],
        ["lag", *config],
        ["replay", *config],
        ["campaign", "list", *config],
        ["provider", "pause", "batched", *config],
        ["provider", "list", *config],
        ["config", "show", *config],
        ["check", definition],
        ["render", definition, "--event", str(tmp_path / "event.json")],
        ["import-curl", "curl", "https://sms.example.com/send", "-d", "to=919812345678", "-d", "text=Hello"],
        ["providers", "list"],
        ["completion", "bash"],
    ]
    ran = start(*[word for command in commands for word in [AND, *command]][1:], name="commands")
    assert ran.wait(within=60) == 0, ran.output
    assert "state: accepted" in ran.output
    assert worker.stop() == 0, worker.output
    refused = start("schemas", name="schemas")
    assert refused.wait() == 2, refused.output
    assert "Traceback" not in refused.output
    assert list(folder.iterdir()) == list(temporary.iterdir()) == []
    folder.chmod(0o755)
