"""The simulator over a real socket: routing, faults, control endpoints, log."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from connector.tools.simulator import Simulator
from connector.tools.simulator.broken import BROKEN
from connector.tools.simulator.costly import COSTLY

MESSAGES = [{"seq": 1, "to": f"+9198100{n:05d}", "uid": f"u{n}", "variables": {"name": "Zoë"}} for n in range(10, 15)]
BATCH = {"hid": "H", "tid": "T", "cid": "C", "type": "template", "msgs": MESSAGES}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(simulator.url) as client:
        yield client


async def control(client: aiohttp.ClientSession, provider: str, **knobs: Any) -> None:
    async with client.put(f"/_control/{provider}", json=knobs) as reply:
        assert reply.status == 200, await reply.text()


async def test_the_log_holds_every_message_of_a_batch_with_the_id_that_was_answered(
    simulator: Simulator, client: aiohttp.ClientSession
) -> None:
    async with client.post("/json/send", json=BATCH) as reply:
        results = (await reply.json())["results"]
    [entry] = simulator.log.entries("json")
    assert [(r["ref"], r["to"], r["id"]) for r in entry["taken"]] == [(r["uid"], r["to"], r["id"]) for r in results]
    assert [r["text"] for r in entry["taken"]] == [{"name": "Zoë"}] * 5
    assert (entry["status"], entry["count"], entry["path"]) == (200, 5, "/json/send")
    assert entry["values"] == {"hid": "H", "tid": "T", "cid": "C", "type": "template"}


async def test_the_log_file_outlives_the_simulator_and_is_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    for _ in range(2):
        async with (
            Simulator(["json"], log=file) as simulator,
            aiohttp.ClientSession(simulator.url) as client,
            client.post("/json/send", json=BATCH) as reply,
        ):
            assert reply.status == 200
    entries = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    ids = [record["id"] for entry in entries for record in entry["taken"]]
    assert len(entries) == 2
    assert len(set(ids)) == 10


async def test_an_unknown_provider_is_named_with_the_known_ones(client: aiohttp.ClientSession) -> None:
    async with client.get("/jsn/send") as reply:
        assert reply.status == 404
        assert "/json/" in (await reply.json())["known"]


@pytest.mark.parametrize(
    ("knobs", "taken", "logged"),
    [
        ({"down": True}, 0, (None, "down")),
        ({"drop": "before"}, 0, (None, "drop before")),
        ({"drop": "after"}, 5, (None, "drop after")),
    ],
)
async def test_a_dropped_connection_answers_nothing_and_the_log_says_whether_it_was_taken(
    simulator: Simulator, client: aiohttp.ClientSession, knobs: dict[str, Any], taken: int, logged: tuple[None, str]
) -> None:
    await control(client, "json", **knobs)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post("/json/send", json=BATCH)
    [entry] = simulator.log.entries()
    assert len(entry["taken"]) == taken
    assert (entry["status"], entry["fault"]) == logged


@pytest.mark.parametrize(("error_taken", "taken"), [(False, 0), (True, 5)])
async def test_a_gateway_error_is_html_and_may_hide_a_request_that_was_taken(
    simulator: Simulator, client: aiohttp.ClientSession, error_taken: bool, taken: int
) -> None:
    await control(client, "json", error=502, error_taken=error_taken)
    async with client.post("/json/send", json=BATCH) as reply:
        assert (reply.status, reply.content_type) == (502, "text/html")
        assert "<h1>502" in await reply.text()
    [entry] = simulator.log.entries()
    assert len(entry["taken"]) == taken


@pytest.mark.parametrize("retry_after", [None, 7, "Sun, 06 Nov 1994 08:49:37 GMT"])
async def test_throttling_takes_nothing_and_says_retry_after_when_told_to(
    simulator: Simulator, client: aiohttp.ClientSession, retry_after: int | str | None
) -> None:
    await control(client, "json", throttle=True, retry_after=retry_after)
    async with client.post("/json/send", json=BATCH) as reply:
        assert reply.status == 429
        assert reply.headers.get("Retry-After") == (None if retry_after is None else str(retry_after))
    assert simulator.log.counters["json"]["taken"] == 0


async def test_requests_above_the_concurrency_are_throttled(client: aiohttp.ClientSession) -> None:
    await control(client, "json", concurrent=1, drop="before", latency=60)
    first = asyncio.create_task(client.post("/json/send", json=BATCH))
    while (await (await client.get("/_stats")).json())["open"]["json"] == 0:
        pass
    await control(client, "json", concurrent=1)
    async with client.post("/json/send", json=BATCH) as reply:
        assert reply.status == 429
    first.cancel()


async def test_results_are_shuffled_and_cut_short_but_the_log_is_not(
    simulator: Simulator, client: aiohttp.ClientSession
) -> None:
    await control(client, "json", shuffle=True, truncate=1)
    many = {"msgs": [{"to": f"+9198100{n:05d}", "uid": f"u{n}"} for n in range(100, 200)]}
    async with client.post("/json/send", json=many) as reply:
        uids = [result["uid"] for result in (await reply.json())["results"]]
    sent = [message["uid"] for message in many["msgs"]]
    assert len(uids) == 99
    assert uids != sent[:99]
    assert set(uids) < set(sent)
    [entry] = simulator.log.entries()
    assert [record["ref"] for record in entry["taken"]] == sent


async def test_a_malformed_reply_breaks_off_in_the_middle(client: aiohttp.ClientSession) -> None:
    await control(client, "json", malformed=True)
    async with client.post("/json/send", json=BATCH) as reply:
        text = await reply.read()
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(text)


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_reply_begins_with_200_and_nobody_can_read_what_it_said(
    simulator: Simulator, client: aiohttp.ClientSession, kind: str
) -> None:
    await control(client, "json", broken=kind)
    host, port = simulator.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = orjson.dumps(BATCH)
    writer.write(b"POST /json/send HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.read()  # until it closes
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200")
    with pytest.raises((aiohttp.ClientError, ValueError, zlib.error)):
        async with client.post("/json/send", json=BATCH) as reply:
            orjson.loads(await reply.read())
    entries = list(simulator.log.entries())
    assert {(len(entry["taken"]), entry["status"], entry["fault"]) for entry in entries} == {(5, 200, f"broken {kind}")}


async def test_any_kind_of_broken_reply_is_another_one_each_time(
    simulator: Simulator, client: aiohttp.ClientSession
) -> None:
    await control(client, "json", broken="any")
    for _ in range(60):
        with contextlib.suppress(aiohttp.ClientError, ValueError):
            async with client.post("/json/send", json=BATCH) as reply:
                await reply.read()
    assert {entry["fault"] for entry in simulator.log.entries()} == {f"broken {kind}" for kind in BROKEN}


@pytest.mark.parametrize("kind", COSTLY)
async def test_a_costly_reply_is_large_and_says_nothing_of_the_messages(
    simulator: Simulator, client: aiohttp.ClientSession, kind: str
) -> None:
    await control(client, "json", costly=kind)
    async with client.post("/json/send", json=BATCH) as reply:
        answer = await reply.read()
    assert 40_000 < len(answer) <= 4 * 1024 * 1024
    assert b"u10" not in answer
    [entry] = simulator.log.entries()
    assert (len(entry["taken"]), entry["fault"]) == (5, f"costly {kind}")


async def test_the_content_type_can_be_wrong_and_the_body_can_drip(client: aiohttp.ClientSession) -> None:
    await control(client, "json", content_type="text/html; charset=latin-1", drip=0.01)
    async with client.post("/json/send", json=BATCH) as reply:
        assert reply.headers["Content-Type"] == "text/html; charset=latin-1"
        assert len(orjson.loads(await reply.read())["results"]) == 5


async def test_faults_strike_only_so_many_times(client: aiohttp.ClientSession) -> None:
    await control(client, "json", error=500, times=2)
    statuses = []
    for _ in range(4):
        async with client.post("/json/send", json=BATCH) as reply:
            statuses.append(reply.status)
    assert statuses == [500, 500, 200, 200]


async def test_share_strikes_some_requests_and_the_same_ones_every_time() -> None:
    runs = []
    for _ in range(2):
        async with Simulator(["json"]) as simulator, aiohttp.ClientSession(simulator.url) as client:
            await control(client, "json", error=500, share=0.5)
            statuses = []
            for _ in range(30):
                async with client.post("/json/send", json=BATCH) as reply:
                    statuses.append(reply.status)
            runs.append(statuses)
    assert set(runs[0]) == {200, 500}
    assert runs[0] == runs[1]


async def test_knobs_can_be_read_and_reset_and_a_wrong_one_changes_nothing(client: aiohttp.ClientSession) -> None:
    await control(client, "json", latency=0.001)
    async with client.put("/_control/json", json={"latncy": 1}) as reply:
        assert reply.status == 400
        document = await reply.json()
        assert "latncy" in document["error"]
        assert "latency" in document["known"]
    async with client.put("/_control/json", json={"share": 2}) as reply:
        assert reply.status == 400
    async with client.get("/_control/json") as reply:
        assert await reply.json() == {"latency": 0.001}
    async with client.delete("/_control/json") as reply:
        assert await reply.json() == {}
    async with client.put("/_control/nobody", json={}) as reply:
        assert reply.status == 404


async def test_log_and_stats_are_served_and_can_be_cleared(client: aiohttp.ClientSession) -> None:
    for path in ("/pairs/send?to=919810000010&text=a", "/text/send?to=919810000010&text=a"):
        async with client.get(path) as reply:
            assert reply.status == 200
    async with client.get("/_stats") as reply:
        assert (await reply.json())["providers"]["pairs"] == {"requests": 1, "taken": 1, "refused": 0, "status 200": 1}
    async with client.get("/_log?provider=text") as reply:
        [entry] = [orjson.loads(line) for line in (await reply.read()).splitlines()]
        assert entry["taken"][0]["to"] == "919810000010"
    async with client.delete("/_log") as reply:
        assert reply.status == 204
    async with client.get("/_log") as reply:
        assert await reply.read() == b""
