"""A newcomer's path on a real Kafka: from the curl line of a documentation to the first message that is accepted."""

from __future__ import annotations

import asyncio
import json
import re
import sys

import pytest

from tests.browser.conftest import RunScript
from tests.integration.console import RunningConsole, workers
from tests.integration.pipeline import Pipeline
from tests.integration.small import two_providers
from tests.kafka.records import read_all
from tests.processes import ConnectorProcess, StartConnector

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

NUMBER = "+919812345671"
NAME = "provider"
"""What a draft is called whose address has no name."""

MOST_CLICKS = 8
"""From the curl line to `accepted`: what a person has to do takes two minutes only while it is little."""


async def test_from_a_curl_line_to_the_first_message_that_is_accepted(
    pipeline: Pipeline, start_connector: StartConnector, run_script: RunScript
) -> None:
    def begin() -> tuple[RunningConsole, ConnectorProcess]:
        two_providers(pipeline)
        pipeline.configure()
        pipeline.create_topics()
        (worker,), urls = workers(pipeline, 1)
        folder, numbers = str(pipeline.folder / "definitions"), json.dumps([NUMBER])
        console = RunningConsole(pipeline, start_connector, workers=urls, definitions=folder, test_numbers=numbers)
        worker.wait_for("partitions opened", within=120)
        return console, worker

    console, worker = await asyncio.to_thread(begin)
    curl = (
        f"curl {pipeline.address}/generic/v1/send -H 'Content-Type: application/json' "
        """-d '{"messages": [{"to": "+919812345678", "text": "Hello"}]}'"""
    )
    given = {"CONSOLE": f"{console.url}/", "CURL": curl, "NAME": NAME}
    said = await run_script("newcomer.mjs", STEP="write", **given)
    await asyncio.to_thread(worker.wait_for, "definitions reloaded", 60)
    said += await run_script("newcomer.mjs", STEP="send", **given)

    took = re.findall(r"(?:write|send): ([0-9.]+) s, ([0-9]+) clicks", said)
    seconds, clicks = sum(float(each) for each, _ in took), sum(int(each) for _, each in took)
    sys.stdout.write(f"from the curl line to `accepted`: {seconds:.1f} s, {clicks} clicks\n")
    assert len(took) == 2
    assert clicks <= MOST_CLICKS
    (result,) = [json.loads(record.value) for record in read_all(pipeline.bootstrap, pipeline.results)]
    assert (result["status"], result["provider"], result["to"]) == ("accepted", NAME, NUMBER)
    assert result["message_id"].startswith("test-")
    deeds = [json.loads(record.value) for record in read_all(pipeline.bootstrap, f"{pipeline.unique}.audit")]
    assert sorted((it["what"], it["state"]) for it in deeds) == [
        ("definition.save", "asked"),
        ("definition.save", "done"),
        ("test.send", "asked"),
        ("test.send", "done"),
    ]
