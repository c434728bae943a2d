"""What people see and do on the pages, beside real workers on a real Kafka."""

from __future__ import annotations

import asyncio

import pytest

from tests.browser.conftest import RunScript
from tests.integration.console import RunningConsole, workers
from tests.integration.pipeline import Pipeline, event
from tests.integration.small import two_providers
from tests.processes import ConnectorProcess, StartConnector

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


async def test_a_person_pauses_looks_and_resumes(
    pipeline: Pipeline, start_connector: StartConnector, run_script: RunScript
) -> None:
    def begin() -> tuple[RunningConsole, list[ConnectorProcess]]:
        two_providers(pipeline)
        pipeline.configure()
        pipeline.create_topics()
        started, urls = workers(pipeline, 2)
        console = RunningConsole(pipeline, start_connector, workers=urls)
        for worker in started:
            worker.wait_for("partitions opened")
        console.wait("/api/workers", lambda it: sum(each["ready"] is True for each in it["items"]) == 2, "two workers")
        console.wait("/api/overview", lambda it: it["kafka"]["reachable"] and not it["stale"], "Kafka")
        return console, started

    console, started = await asyncio.to_thread(begin)
    url = f"{console.url}/"
    await run_script("deeds.mjs", CONSOLE=url, STEP="pause")

    pipeline.produce(event(n, provider="sick" if n % 2 else "healthy") for n in range(400))
    await asyncio.to_thread(pipeline.wait_for_results, 200)
    await run_script("deeds.mjs", CONSOLE=url, STEP="resume")
    await asyncio.to_thread(pipeline.wait_for_results, 400)

    started[0].kill()
    await run_script("deeds.mjs", CONSOLE=url, STEP="silent")
