"""Marks of the curves (what was steered, definitions that workers have taken), and deeds without an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.clock import ManualClock
from connector.model import Campaign, CampaignState
from connector.operating.audit_trail import AuditRecord, DeedState, encode_audit
from connector.operating.worker_pages import WorkerAnswer
from connector.settings import Settings
from connector.stream.control.table import campaign_record
from connector.web.console_view import ConsoleView
from connector.web.deed_documents import UNDER_WAY_SECONDS
from tests.web.fleet import lane, worker
from tests.web.test_look_api import A, B, asking, got, record

NOW = 1_700_000_100.0


async def marks(view: ConsoleView) -> list[str]:
    async with asking(view) as ask:
        return [it["sentence"] for it in (await got(ask, "/api/series?names=results"))["marks"]]


async def test_what_somebody_has_steered_is_a_mark_whoever_wrote_it_and_with_what() -> None:
    view = ConsoleView(Settings(), ManualClock(wall=NOW))
    topic, by = view.settings.topics.control, {"by": b"priya"}
    steps = [
        (b"provider:acme", b'{"paused": true}', by),
        (b"provider:acme", b'{"paused": false}', {"x": b""}),
        (*campaign_record("diwali", Campaign(state=CampaignState.PAUSED)), by),
        (*campaign_record("diwali", Campaign(state=CampaignState.CANCELLED)), by),
        (*campaign_record("diwali", Campaign()), by),
        (b"campaign:diwali", None, by),
        (b"nonsense", b"", by),
        (b"", b"", by),
    ]
    view.control.note(record(topic, offset, key, value, **who) for offset, (key, value, who) in enumerate(steps))
    assert await marks(view) == [
        "acme paused by priya",
        "acme resumed",
        "campaign diwali paused by priya",
        "campaign diwali cancelled by priya",
        "campaign diwali changed by priya",
        "campaign diwali deleted by priya",
    ]


async def test_a_definition_that_workers_take_is_one_mark_and_a_worker_that_comes_back_is_none() -> None:
    clock = ManualClock(wall=NOW)
    view = ConsoleView(Settings(), clock)

    def look(*digests: str | None) -> None:
        clock.advance(2)
        answers = zip((A, B), digests, strict=False)
        view.fleet.note(
            WorkerAnswer(url, () if digest is None else (worker(url, {"acme": lane(digest=digest)}),),
                         "away" if digest is None else "")
            for url, digest in answers
        )  # fmt: skip

    look("aaaaaaaa", "aaaaaaaa")
    look("bbbbbbbb", "aaaaaaaa")
    look("bbbbbbbb", None)
    look("bbbbbbbb", "aaaaaaaa")
    look("bbbbbbbb", "bbbbbbbb")
    assert await marks(view) == ["acme: a new definition, bbbbbbbb"]
    look("aaaaaaaa", "bbbbbbbb")
    assert len(await marks(view)) == 2, "one that is taken back is a change as well"


def asked(at: float = NOW - 2 * UNDER_WAY_SECONDS, **more: Any) -> AuditRecord:
    fields: dict[str, Any] = {"via": "console", "what": "provider.resume", "target": "acme", "before": "1", **more}
    return AuditRecord(at=datetime.fromtimestamp(at, UTC), who="priya", state=DeedState.ASKED, request="r1", **fields)


STAYS = "It was not done: the control topic has no record of it, and none since."
NOBODY_KNOWS = "Whether it was done is not known: who was doing it ended before it could be said."
KNOWN: list[tuple[str, AuditRecord, dict[str, bytes], str]] = [
    ("its record is there", asked(), {"request": b"r1"}, "It was done: its record is in the control topic."),
    ("nothing came since", asked(before="2"), {}, STAYS),
    ("another record came since", asked(), {}, NOBODY_KNOWS),
    ("just now", asked(NOW - 1), {}, "It is under way."),
    ("by the command line", asked(via="cli", before=""), {}, NOBODY_KNOWS),
    ("of no control record", asked(what="test.send", before="2"), {}, NOBODY_KNOWS),
    ("of nothing that was ever steered", asked(target="other", before=""), {}, STAYS),
]


@pytest.mark.parametrize(("what", "deed", "headers", "known"), KNOWN, ids=[what for what, *_ in KNOWN])
async def test_of_a_deed_without_an_end_is_told_what_is_known(
    what: str, deed: AuditRecord, headers: dict[str, bytes], known: str
) -> None:
    view = ConsoleView(Settings(), ManualClock(wall=NOW))
    topics = view.settings.topics
    told = headers or {"request": b"r0"}
    view.control.note([record(topics.control, 2, b"provider:acme", b'{"paused": true}', **told)])
    view.control.note([record(topics.audit, 0, b"acme", encode_audit(deed))])
    async with asking(view) as ask:
        (it,) = (await got(ask, "/api/audit"))["items"]
        assert (it["done"], it["known"]) == ("asked", known)
        (latest,) = (await got(ask, "/api/overview"))["deeds"]
        assert latest["known"] == known


async def test_a_deed_that_has_ended_needs_no_more_words() -> None:
    view = ConsoleView(Settings(), ManualClock(wall=NOW))
    done = AuditRecord(
        at=asked().at + timedelta(seconds=1), who="priya", via="console", what="provider.resume", target="acme",
        state=DeedState.DONE, request="r1",
    )  # fmt: skip
    topic = view.settings.topics.audit
    view.control.note([record(topic, n, b"acme", encode_audit(it)) for n, it in enumerate((asked(), done))])
    async with asking(view) as ask:
        assert [it["known"] for it in (await got(ask, "/api/audit"))["items"]] == ["", ""]
