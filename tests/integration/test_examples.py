"""The programs of docs/events-and-results.md, run as they stand there: each produces an event, and finds its result."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_events_page import EXAMPLES, PAGE
from tests.integration.pipeline import Pipeline
from tests.kafka.jars import JarsUnavailableError, jars, release
from tests.tooling.pages import blocks

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

SECONDS = 90
KAFKAJS = "kafkajs@2.2.4"


def command(language: str, program: Path) -> list[str]:
    """What runs it; skips, with a plain line, where that cannot be had here."""
    if language == "python":
        return [sys.executable, str(program)]
    if language == "java":
        if shutil.which("javac") is None:
            pytest.skip("no Java development kit here: it reads source files")
        try:
            return ["java", "-Xmx128m", "-cp", f"{jars(release())}/*", str(program)]
        except JarsUnavailableError as reason:
            pytest.skip(f"no Kafka client for Java here: {reason}")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no Node here")
    options = ["install", "--silent", "--no-audit", "--no-fund", "--prefix", str(program.parent), KAFKAJS]
    if subprocess.run([npm, *options], capture_output=True, timeout=SECONDS, check=False).returncode != 0:
        assert subprocess.run(["node", "--check", str(program)], check=False).returncode == 0
        pytest.skip(f"{KAFKAJS} cannot be installed here: its syntax was looked at, and nothing more")
    return ["node", str(program)]


@pytest.mark.parametrize("language", EXAMPLES)
def test_an_example_produces_an_event_and_finds_its_result(language: str, pipeline: Pipeline, tmp_path: Path) -> None:
    (block,) = (it for it in blocks(PAGE) if it.language == language)
    program = tmp_path / block.word
    names = {"sms.messages": pipeline.source, "sms.results": pipeline.results, '"acme': '"batched'}
    text = block.text.replace('\\"acme', '\\"batched')
    for name, ours in names.items():
        text = text.replace(name, ours)
    program.write_text(text)
    start = command(language, program)
    pipeline.simulate()
    pipeline.define(more="")
    pipeline.configure(delivery="dry-run")
    pipeline.create_topics()
    pipeline.worker().wait_for("partitions opened")
    to = "+919812345679"
    done = subprocess.run(
        [*start, pipeline.bootstrap, to], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    (result,) = pipeline.read_results()
    assert result["to"] == to
    assert result["status"] in done.stdout
