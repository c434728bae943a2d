"""From 0.1.0 to this version and back, as docs/upgrading.md says it, typed on a real Kafka."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from connector.cli.main import group
from tests import marked
from tests.earlier_release import release
from tests.integration.pipeline import Pipeline
from tests.kafka.find import Kafka
from tests.processes import ConnectorProcess, StartConnector
from tests.tooling.pages import ROOT, blocks, lines
from tests.waiting import wait_until

__all__ = ["release"]

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

KNOWN_TOPICS = ("sources", "results", "dead_letters", "journal", "control", "receipts", "retry_prefix")
PAGE = ROOT / "docs" / "upgrading.md"


class Site:
    """One installation: files of 0.1.0, a provider, and workers of either release."""

    def __init__(self, pipeline: Pipeline, release: Path, start: StartConnector) -> None:
        self.pipeline = pipeline
        self._release = release
        self._start = start
        self._environ = {"PROVIDER_PASSWORD": marked.PASSWORD}
        pipeline.simulate()
        pipeline.define(more="on_uncertain: report")
        pipeline.configure(console={"port": None})
        document = orjson.loads(pipeline.config.read_bytes())
        del document["health"]  # which 0.1.0 does not know, and neither some topics
        document["topics"] = {name: document["topics"][name] for name in KNOWN_TOPICS}
        pipeline.config.write_bytes(orjson.dumps(document))

    def old(self, *words: str) -> str:
        """A command of 0.1.0."""
        command = [sys.executable, "-m", "connector", *words, "--config", str(self.pipeline.config)]
        environ = {**os.environ, **self._environ, "PYTHONPATH": str(self._release)}
        ran = subprocess.run(
            command, cwd=self.pipeline.folder, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
        return ran.stdout

    def worker(self, name: str, *, of: str) -> ConnectorProcess:
        """A worker of a release; returns once it owns partitions."""
        environ = self._environ | ({"PYTHONPATH": str(self._release)} if of == "0.1" else {})
        started = self._start("run", "--config", str(self.pipeline.config), name=name, env=environ)
        self.pipeline.workers.append(started)
        started.wait_for("partitions opened", within=60)
        return started


@pytest.fixture
def site(tmp_path: Path, kafka: Kafka, unique: str, release: Path, start_connector: StartConnector) -> Site:
    return Site(Pipeline(tmp_path, kafka.bootstrap, unique, start_connector, partitions=4), release, start_connector)


def test_an_upgrade_and_the_way_back_as_the_page_says(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = site.pipeline
    site.old("topics", "create", "--partitions", "4", "--replication", "1")
    old = [site.worker(f"old-{number}", of="0.1") for number in range(2)]
    sent = 0

    def send(count: int = 100) -> None:
        nonlocal sent
        pipeline.produce(_event(number) for number in range(sent, sent + count))
        sent += count

    send()
    pipeline.wait_for_results(100)

    monkeypatch.chdir(pipeline.folder)
    monkeypatch.setenv("SMS_CONNECTOR_CONFIG", str(pipeline.config))
    typed = [line for block in blocks(PAGE) if block.language == "sh" for line in lines(block)]
    replaced = typed.index("sms-connector lag")
    for line in typed[:replaced]:
        _type(line)
    new = []
    for number, each in enumerate(old):
        send()
        assert each.stop() == 0, each.output
        new.append(site.worker(f"new-{number}", of="this"))
    send()
    pipeline.wait_for_results(sent)
    for line in typed[replaced:]:
        _type(line)

    for number, each in enumerate(new):
        send()
        assert each.stop() == 0, each.output
        site.worker(f"back-{number}", of="0.1")
    send()
    pipeline.wait_for_results(sent)
    audit = pipeline.audit()
    assert (audit.lost, audit.duplicated, audit.sent_again) == (0, 0, 0)
    assert audit.statuses == {"accepted": sent}
    wait_until(lambda: '"lag"' not in site.old("lag", "--json"), "no lag, as 0.1 sees it")
    for worker in pipeline.workers[-2:]:
        assert worker.stop() == 0, worker.output


def _event(number: int) -> dict[str, object]:
    return {
        "message_id": f"m{number}",
        "provider": "batched",
        "campaign_id": f"c{number % 3}",
        "to": f"+9198{number:07d}9",
        "template_id": "t1",
        "template_variables": {"n": number},
        "custom": {"hid": "h1", "uid": f"m{number}"},
    }


def _type(line: str) -> None:
    result = CliRunner().invoke(group, shlex.split(line, comments=True)[1:], standalone_mode=False)
    assert result.exception is None, (line, result.output, result.exception)
    assert not result.return_value, (line, result.output)
