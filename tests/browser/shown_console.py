"""A console over figures that are made up, for looking at its pages: no Kafka, no workers. Everything else is real."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import ConsumerRecord, TopicPartition

from connector.clock import SystemClock
from connector.errors import ConnectorError
from connector.health.status_report import (
    ApartReport,
    LaneReport,
    MemoryReport,
    PartitionReport,
    RateReport,
    WorkerReport,
)
from connector.kafka.reader import GroupMember, Members
from connector.operating.audit_trail import AuditRecord, DeedState, encode_audit
from connector.operating.group_progress import GroupProgress, Oldest, Row
from connector.operating.kafka_writer import KafkaWriter
from connector.operating.worker_pages import WorkerAnswer
from connector.settings import Settings
from connector.settings.web import Web
from connector.web.console_view import ConsoleView
from connector.web.deeds import LoggedDeeds
from connector.web.definition_files import DefinitionFiles
from connector.web.look_api import LookApi
from connector.web.results_tail import ResultsTail
from connector.web.serving import WebServer, bind
from connector.web.steer_api import SteerApi
from connector.web.studio_api import StudioApi, StudioPlaces
from connector.web.tail_api import TailApi
from connector.workbench.child.studio_children import StudioChildren
from tests.web.fleet import lane, worker
from tests.web.serving import with_tokens

PAGES = ("overview", "providers", "studio", "tail", "workers", "audit")
SITUATIONS = ("busy", "empty", "away", "locked", "hostile")
WORKERS = 3
CAMPAIGN = "a-campaign-with-a-name-that-somebody-thought-had-to-say-all-of-it-2026-11-27"
SCRIPT = "<img src=x onerror=alert(1)><script>alert(2)</script>"
TURNED = "\u202egnp.exe\u2066\u200f\x07\x1b[31m\u2028"
ENDLESS = "W" * 10_000
STACKED = "Z" + "\u0337\u0322\u031b\u0352" * 30
FLAGS = "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308" * 12


def hostile(situation: str) -> str:
    """What somebody else wrote: little in most situations, everything at once in one of them."""
    return SCRIPT + TURNED + STACKED + FLAGS + ENDLESS if situation == "hostile" else ""


class PlayedTail(ResultsTail):
    """Plays results instead of reading them."""

    def __init__(self, settings: Settings, words: str) -> None:
        super().__init__(settings)
        self._words = words

    async def _run(self) -> None:
        self.begun = True
        for offset in itertools.count():
            self.note([_result(offset, self._words)])
            await asyncio.sleep(0.1)


@asynccontextmanager
async def shown(situation: str, *, definitions: Path | None = None) -> AsyncIterator[str]:
    """A console in one of these situations: `busy`, `empty`, `away` (Kafka does not answer, a worker is silent),
    `locked` (who asks has to sign in), `hostile` (others have written what they should not). Its address.

    Args:
        definitions: where Studio saves.
    """
    web: dict[str, Any] = {"port": 0, "environment": "production", "time_zone": "Asia/Kolkata"}
    if definitions is not None:
        web["definitions"] = str(definitions)
    settings = Settings(web=with_tokens(**web) if situation == "locked" else Web.model_validate(web))
    clock = SystemClock()
    view = ConsoleView(settings, clock)
    tail = PlayedTail(settings, hostile(situation))
    look = asyncio.ensure_future(_play(view, situation))

    def no_writer() -> AbstractAsyncContextManager[KafkaWriter]:
        raise ConnectorError("Kafka does not answer")

    children = StudioChildren(definitions, seconds=20.0, count=1)
    places = StudioPlaces(settings.web, DefinitionFiles([], definitions))
    server = WebServer(
        settings.web,
        bind(settings.web),
        chapters=[
            LookApi(view),
            SteerApi(view, clock, no_writer),
            TailApi(tail, clock, allowed=True, away=view.kafka.reachability.away),
            StudioApi(children, places, LoggedDeeds()),
        ],
        pages=PAGES,
        clock=clock,
    )
    await children.start()
    await server.start()
    try:
        yield server.url
    finally:
        await children.stop()
        look.cancel()
        await tail.stop()
        await server.stop()


async def _play(view: ConsoleView, situation: str) -> None:
    now = view.now
    _tell_kafka(view, situation)
    if situation != "empty":
        _tell_deeds(view, now, hostile(situation))
        _draw(view, now.timestamp())
    # The reports of an hour ago and of now make rates; each look a little more, as if they went on.
    for step in itertools.count():
        reports = (
            [] if situation == "empty" else [_worker(index, step, now, hostile(situation)) for index in range(WORKERS)]
        )
        answers = [
            WorkerAnswer(f"http://10.4.0.{index + 11}:8080", error="no answer in time")
            if situation == "away" and index == 1 and step > 0
            else WorkerAnswer(f"http://10.4.0.{index + 11}:8080", (report,))
            for index, report in enumerate(reports)
        ]
        view.fleet.note(answers)
        await asyncio.sleep(1)


def _worker(index: int, step: int, now: datetime, words: str) -> WorkerReport:
    since = now - timedelta(minutes=16)
    grown = 400 * step
    refuses = "HTTP 402: balance too low" + words
    lanes = {
        "msg91": _lane(
            results={"accepted": 90_000 + grown, "rejected": 900 + 6 * step, "unknown": 12},
            requests=94 + step,
            waiting=6_800,
            open=7_100,
            slots=20,
            in_flight=18,
            full=1000,
            apart=ApartReport("uid", 41_000),
        ),
        "plivo": _lane("open", reason=refuses, waiting=6_134, open=6_134, since=since, slots=16, in_flight=0,
                      until=now + timedelta(minutes=7), oldest=960.0, expires=now + timedelta(minutes=52)),
        "nimbus-with-a-rather-long-name": _lane("closed", waiting=0, since=since, until=now + timedelta(hours=3)),
        "twilio-otp": _lane(results={"accepted": 2_000 + 13 * step}, requests=2_000, full=1, slots=64, in_flight=9),
        "unused-yet": _lane("unused"),
    }  # fmt: skip
    lanes["msg91"].limits.requests = [RateReport(300, 5.0)]
    lanes["msg91"].limits.concurrency = 20
    lanes["msg91"].counters.rules = {
        "response.rules[0]": 90_000 + grown,
        "response.rules[1]": 900,
        "response.rules[2]": 0,
    }
    lanes["nimbus-with-a-rather-long-name"].limits.hours = "Mon-Fri 09:00-18:00 Asia/Kolkata"
    made = worker(f"worker-{index}{words}", lanes)
    made.memory = MemoryReport(16_000, 50_000, 12_000_000, 64_000_000, False, 180_000_000)
    topics = [PartitionReport("sms.messages", number, 400, 300, 900) for number in range(index, 6, WORKERS)]
    made.owned, made.partitions = topics, {"sms.messages": [it.partition for it in topics]}
    made.retry_backlog = {"sms.retry.30s": 120} if index == 0 else {}
    made.loop_lag, made.at = 0.004, now
    if index == 2:
        made.ready, made.reason = False, "opening partitions" + words
    return made


def _lane(state: str = "sending", *, in_flight: int = 0, **fields: Any) -> LaneReport:
    made = lane(state, **fields)
    made.requests = in_flight
    return made


def _tell_kafka(view: ConsoleView, situation: str) -> None:
    number = 0 if situation == "empty" else WORKERS
    partitions = [
        frozenset(TopicPartition("sms.messages", it) for it in (each, each + WORKERS)) for each in range(number)
    ]
    each = tuple(GroupMember(f"member-worker-{it}", "sms", f"10.4.0.{it + 11}", partitions[it]) for it in range(number))
    members = Members("Stable" if each else "Empty", number, each)
    holds = "provider plivo refuses: its breaker is open"
    oldest = Oldest("m-1842", "plivo" + hostile(situation), CAMPAIGN, 960.0, holds + hostile(situation))
    rows = [Row("sms.messages", each, 1000 + each, 19_000, 18_000 - each, 0, oldest) for each in range(6)]
    progress = GroupProgress(members, [] if situation == "empty" else rows)
    view.kafka.state.members, view.kafka.state.quick, view.kafka.state.holds = members, progress, progress
    now = view.now.timestamp()
    view.kafka.reachability.answered(now)
    view.control.caught_up = view.control.audit_there = True
    if situation == "away":
        view.kafka.reachability.answered(now - 300)
        view.kafka.reachability.failed(now - 290, "NodeNotReadyError")


def _tell_deeds(view: ConsoleView, now: datetime, words: str) -> None:
    words = words[:3000]  # a record of the audit topic holds no more
    deeds = [
        ("on-call", "provider.pause", "nimbus", "sender id under review", DeedState.DONE, ""),
        ("mira" + words, "provider.resume", "nimbus" + words, "approved by the operator" + words, DeedState.DONE, ""),
        (
            "ravi",
            "provider.pause",
            "plivo",
            "no balance",
            DeedState.FAILED,
            "the control topic does not answer" + words,
        ),
        ("mira", "definition.save", "plivo", "new sender", DeedState.DONE, ""),
    ]
    for number, (who, what, target, reason, state, error) in enumerate(deeds):
        at = now - timedelta(minutes=41 - 8 * number)
        told = AuditRecord(at, who, "console", what, target, state, f"r{number}", "operator", reason, error=error)
        view.control.note([_record(view.settings.topics.audit, number, encode_audit(told))])


def _draw(view: ConsoleView, until: float) -> None:
    """An hour of curves: they go up and down, and one provider stops."""
    chance = random.Random(7)  # the same in every picture
    for step in range(720, 0, -1):
        at, stopped = until - 5 * step, step < 192
        wave = 1 + 0.1 * math.sin(step / 40) + 0.05 * chance.random()
        for name, status, rate in (
            ("msg91", "accepted", 1200.0), ("plivo", "accepted", 0.0 if stopped else 600.0),
            ("msg91", "rejected", 17.0), ("msg91", "unknown", 0.01),
        ):  # fmt: skip
            view.curves.add(at, "results", rate * wave, provider=name, status=status)
        view.curves.add(at, "waiting_messages", (12_000 + (192 - step) * 190 if stopped else 12_000) * wave)


def _record(topic: str, offset: int, value: bytes, key: bytes = b"k") -> ConsumerRecord:
    stamp = int(datetime.now(UTC).timestamp() * 1000)
    return ConsumerRecord(topic, 0, offset, stamp, 0, key, value, None, len(key), len(value), ())


def _result(offset: int, words: str) -> ConsumerRecord:
    status = ("accepted", "accepted", "rejected", "unknown")[offset % 4]
    told = {
        "status": status,
        "source": {"topic": "sms.messages", "partition": offset % 6, "offset": offset},
        "completed_at": datetime.now(UTC),
        "message_id": f"m-{offset}",
        "provider": ("msg91" if offset % 3 else "twilio-otp") + (words if offset % 4 == 3 else ""),
        "campaign_id": (CAMPAIGN if offset % 3 else "diwali") + words,
        "to": words or "+9198*****012",
        "code": "4306" if status == "rejected" else None,
        "reason": "template not registered" + words if status == "rejected" else None,
    }
    return _record("sms.results", offset, msgspec.json.encode(told))
