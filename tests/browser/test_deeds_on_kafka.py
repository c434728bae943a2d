"""What people see and do on the pages, beside real workers on a real Kafka."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.browser.conftest import RunScript
from tests.integration.console import RunningConsole, workers
from tests.integration.pipeline import Pipeline, event
from tests.integration.small import two_providers
from tests.kafka.local import LocalKafka
from tests.kafka.records import read_all
from tests.processes import ConnectorProcess, StartConnector
from tests.waiting import wait_until

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


async def test_a_pause_while_kafka_is_away_says_so_and_works_once_it_is_back(
    tmp_path: Path, own_kafka: LocalKafka, unique: str, start_connector: StartConnector, run_script: RunScript
) -> None:
    pipeline = Pipeline(tmp_path, own_kafka.bootstrap, unique, start_connector)
    seen = tmp_path / "seen"

    def begin() -> RunningConsole:
        two_providers(pipeline)
        pipeline.configure()
        pipeline.create_topics()
        (worker,), urls = workers(pipeline, 1)
        console = RunningConsole(pipeline, start_connector, workers=urls)
        worker.wait_for("partitions opened", within=120)
        console.wait("/api/workers", lambda it: any(each["ready"] is True for each in it["items"]), "a worker")
        console.wait("/api/overview", lambda it: it["kafka"]["reachable"] and not it["stale"], "Kafka")
        return console

    def told(word: str) -> None:
        wait_until(lambda: script.done() or (seen.exists() and seen.read_text() == word), word, within=120)

    console = await asyncio.to_thread(begin)
    script = asyncio.ensure_future(run_script("deeds.mjs", CONSOLE=f"{console.url}/", STEP="away", SEEN=str(seen)))
    try:
        await asyncio.to_thread(told, "asked")
        await asyncio.to_thread(own_kafka.kill)
        await asyncio.to_thread(told, "refused")
        await asyncio.to_thread(own_kafka.restart)
        await script
    finally:
        script.cancel()
    await asyncio.to_thread(console.wait, "/api/providers/sick", lambda it: it["obeying"] == 1, "the worker obeys")
    deeds = [json.loads(record.value) for record in read_all(pipeline.bootstrap, f"{unique}.audit")]
    assert [(it["what"], it["state"]) for it in deeds] == [("provider.pause", "asked"), ("provider.pause", "done")]
