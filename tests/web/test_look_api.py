"""What reads answer: of memory, with nothing where nothing is known; and what cannot be changed while Kafka is away."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from connector.clock import ManualClock, SystemClock
from connector.kafka.reader import GroupMember, Members
from connector.model import ProviderState
from connector.operating.audit_trail import AuditRecord, DeedState, encode_audit
from connector.operating.group_progress import GroupProgress, Oldest, Row
from connector.operating.kafka_writer import open_writer
from connector.operating.worker_pages import WorkerAnswer
from connector.settings import Settings, load_settings
from connector.settings.web import Web
from connector.stream.control.table import provider_record
from connector.web.console_view import ConsoleView
from connector.web.look_api import LookApi
from connector.web.steer_api import SteerApi
from tests.kafka.ports import free_ports
from tests.waiting import eventually
from tests.web.fleet import lane, worker
from tests.web.serving import BROWSER, Asker, served

A, B = "http://10.0.0.1:8080", "http://10.0.0.2:8080"
JSON = BROWSER | {"Content-Type": "application/json"}


def view_of(clock: ManualClock | None = None) -> ConsoleView:
    """Two workers of which one is silent, a paused provider, and a group that Kafka knows."""
    clock = clock or ManualClock()
    view = ConsoleView(Settings(), clock)
    view.fleet.note([WorkerAnswer(A, (worker("w1", control={"0": 1}),)), WorkerAnswer(B, (worker("w2"),))])
    clock.advance(2)
    view.fleet.note([WorkerAnswer(A, (worker("w1", control={"0": 1}),)), WorkerAnswer(B, (), "no answer in time")])
    topic = view.settings.topics.control
    key, value = provider_record("acme", ProviderState(paused=True))
    view.control.note([record(topic, 0, b"junk", b"{"), record(topic, 1, key, value)])
    view.control.caught_up = view.control.audit_there = True
    member = GroupMember("member-w1", "c", "10.0.0.1", frozenset({TopicPartition("sms.messages", 0)}))
    rows = [
        Row("sms.messages", 0, 5, 9, 4, 0, Oldest("m1", "acme", None, 60.0, "provider acme is paused")),
        Row("sms.retry.5s", 0, 7, 7, 0),
    ]
    state = view.kafka.state
    state.members = Members("Stable", 2, (member,))
    state.quick = state.holds = GroupProgress(state.members, rows)
    view.kafka.reachability.answered(clock.wall())
    return view


def record(topic: str, offset: int, key: bytes, value: bytes | None, **headers: bytes) -> Any:
    told = headers or {"by": b"arun", "reason": b"call +919812345678"}
    return SimpleNamespace(
        topic=topic,
        partition=0,
        offset=offset,
        key=key,
        value=value,
        headers=tuple(told.items()),
        timestamp=1_700_000_000_000,
    )


@asynccontextmanager
async def asking(view: ConsoleView) -> AsyncIterator[Asker]:
    writer = functools.partial(open_writer, view.settings, ("sms.control", "sms.audit"))
    async with served(Web(port=0), [LookApi(view), SteerApi(view, ManualClock(), writer)]) as ask:
        yield ask


async def got(ask: Asker, path: str, status: int = 200) -> Any:
    answer = await ask("GET", path)
    assert answer.status == status, answer.text
    return json.loads(answer.text)


async def test_a_silent_worker_has_what_it_said_last_and_nothing_where_nothing_is_known() -> None:
    async with asking(view_of()) as ask:
        silent, there = (await got(ask, "/api/workers"))["items"]
        assert (silent["id"], silent["silent"], silent["ready"], silent["rate"]) == ("w2", True, None, None)
        assert silent["error"] == "no answer in time"
        assert (there["id"], there["ready"], there["obeys"]) == ("w1", True, True)
        overview = await got(ask, "/api/overview")
        assert [it["what"] for it in overview["stale"]] == ["worker"]
        assert {it["kind"] for it in overview["attention"]} == {"worker-missing", "provider-paused"}


async def test_who_paused_it_is_told_without_a_number() -> None:
    async with asking(view_of()) as ask:
        answer = await ask("GET", "/api/providers/acme")
        found = json.loads(answer.text)
        assert answer.headers["ETag"] == '"1"'
        assert (found["state"], found["obeying"], found["workers"]) == ("paused", 1, 1)
        assert (found["paused_by"]["who"], found["paused_by"]["reason"]) == ("arun", "call +**********78")
        assert [it["worker"] for it in found["shares"]] == ["w1"]
        (listed,) = (await got(ask, "/api/providers"))["items"]
        assert listed["shares"] == []
        await got(ask, "/api/providers/nobody", 404)


async def test_partitions_have_owners_and_what_holds_them() -> None:
    view = view_of()
    async with asking(view) as ask:
        source, retry = (await got(ask, "/api/partitions"))["items"]
        assert (source["owner"], source["lag"], source["oldest"]["holds"]) == ("w1", 4, "provider acme is paused")
        assert (retry["owner"], retry["oldest"]) == ("w1", None)
        assert view.kafka.state.quick is not None
        view.kafka.state.quick.rows[0] = Row("sms.messages", 0, 6, 9, 3)  # something was committed meanwhile
        source, _ = (await got(ask, "/api/partitions"))["items"]
        assert source["oldest"] is None


@pytest.mark.parametrize(
    "query",
    ["", "?names=passwords", "?names=results&by=number", "?names=results&range=3d", "?names=results&range=x"],
)
async def test_a_series_that_there_is_not_is_refused(query: str) -> None:
    async with asking(view_of()) as ask:
        assert (await got(ask, f"/api/series{query}", 400))["title"]


async def test_what_people_did_comes_page_by_page_the_newest_first() -> None:
    view = view_of()
    for offset in range(250):
        it = AuditRecord(
            at=datetime(2026, 11, 27, tzinfo=UTC),
            who="priya" if offset % 2 else "arun",
            via="console",
            what="provider.pause",
            target="acme",
            state=DeedState.DONE,
            request=f"r{offset}",
        )
        view.control.note([record("sms.audit", offset, b"acme", encode_audit(it))])
    view.control.note([record("sms.audit", 250, b"x", b"no record")])
    async with asking(view) as ask:
        seen: list[str] = []
        path = "/api/audit?who=priya"
        while path:
            page = await got(ask, path)
            seen += [it["request"] for it in page["items"]]
            path = f"/api/audit?who=priya&cursor={page['next']}" if page["next"] else ""
        assert seen == [f"r{offset}" for offset in range(249, 0, -2)]
        assert (await got(ask, "/api/audit?what=campaign"))["items"] == []
        await got(ask, "/api/audit?cursor=x", 400)


STEERING: list[tuple[str, str, dict[str, str], int]] = [
    ("a provider nobody has", "/api/providers/acne/state", {}, 404),
    ("no name", "/api/providers/%20/state", {}, 404),
    ("of another state", "/api/providers/acme/state", {"If-Match": '"0"'}, 412),
]


@pytest.mark.parametrize(("what", "path", "headers", "status"), STEERING, ids=[what for what, *_ in STEERING])
async def test_what_was_not_seen_is_not_changed(what: str, path: str, headers: dict[str, str], status: int) -> None:
    async with asking(view_of()) as ask:
        answer = await ask("PUT", path, JSON | headers, '{"paused": false, "reason": "approved"}')
    assert answer.status == status
    if status == 412:
        assert json.loads(answer.text)["title"] == "arun has paused it meanwhile: call +**********78"
        assert answer.headers["ETag"] == '"1"'


@pytest.mark.parametrize(
    "body", ['{"paused": true}', '{"paused": true, "reason": "ab"}', '{"paused": 1, "reason": "abc"}']
)
async def test_a_change_needs_a_reason(body: str) -> None:
    async with asking(view_of()) as ask:
        assert (await ask("PUT", "/api/providers/acme/state", JSON, body)).status == 422


async def test_while_kafka_is_away_pages_say_since_when_and_nothing_is_changed() -> None:
    (port,) = free_ports(1)
    overrides = {"kafka.bootstrap.servers": f"127.0.0.1:{port}"}
    view = ConsoleView(load_settings(file=None, environ={}, overrides=overrides).settings, SystemClock())
    view.control.caught_up = True
    view.fleet.note([WorkerAnswer(A, (worker("w1", {"acme": lane()}),))])
    watching = asyncio.create_task(view.kafka.run())
    try:
        await eventually(lambda: view.kafka.reachability.away_since, "Kafka is away")
        async with asking(view) as ask:
            overview = await got(ask, "/api/overview")
            assert overview["sentence"].startswith("Kafka has not answered the console for")
            assert overview["kafka"]["reachable"] is False
            assert overview["kafka"]["away_since"] is not None
            assert "kafka" in {it["what"] for it in overview["stale"]}
            assert [it["name"] for it in overview["providers"]] == ["acme"]  # workers still answer
            answer = await ask("PUT", "/api/providers/acme/state", JSON, '{"paused": true, "reason": "stop it"}')
            assert answer.status == 503
            assert "nothing can be changed" in answer.text
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
