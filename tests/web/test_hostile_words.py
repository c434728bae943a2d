"""Whatever others write, wherever they write it, an answer shows nothing invisible and no phone number of theirs."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from connector.health.status_report import UnknownReport, WorkerReport
from connector.kafka.reader import GroupMember, Members
from connector.operating.audit_trail import MOST_BYTES, AuditRecord, DeedState, encode_audit, read_audit
from connector.operating.group_progress import GroupProgress, Oldest, Row
from connector.operating.worker_pages import WorkerAnswer
from connector.web.console_view import ConsoleView
from connector.web.endpoints import BODY_BYTES as MOST_BODY
from connector.web.plain_words import HIDDEN, plain_json
from connector.web.recent_counts import Seen
from tests.web.fleet import lane, worker
from tests.web.test_look_api import A, B, asking, got, record, view_of

HIDING = "\u202eno\x1b[31m\x00\u2028\u200b\x7f<img src=x>"
NUMBER = "+919812345678"
TOLD = f"{HIDING} call {NUMBER}"
PATHS = (
    *("/api/overview", "/api/providers", "/api/providers/acme", "/api/workers", "/api/partitions"),
    *("/api/definitions", "/api/audit", "/api/me", "/api/series?names=results&by=provider"),
    *("/api/series?names=results&by=worker", "/api/providers/nobody", "/api/series?names=x"),
)


def spoilt(value: Any) -> Any:
    """Every text of a document, with what does not show behind it; states and times stay."""
    if isinstance(value, dict):
        return {key: spoilt(it) if key not in {"state", "cause", "started", "at"} else it for key, it in value.items()}
    if isinstance(value, list):
        return [spoilt(it) for it in value]
    return value + HIDING if isinstance(value, str) else value


def hostile_view() -> ConsoleView:
    view = view_of()
    report = worker("w1", {"acme": lane("open", reason="HTTP 402", failover=["other"], account="acc"), HIDING: lane()})
    report.ready, report.reason, report.unused = False, "why", ["acme.yaml:3"]
    report.unknown = [UnknownReport("provider", "acne", "acme", 3)]
    report.retry_backlog = {"sms.retry.5s": 4}
    bad = msgspec.convert(spoilt(msgspec.to_builtins(report)), WorkerReport, str_keys=True)
    view.fleet.note([WorkerAnswer(A, (bad,)), WorkerAnswer(B, (), HIDING)])
    view.note_curves()
    topics, told = view.settings.topics, {"by": TOLD.encode(), "reason": TOLD.encode()}
    keys = (f"provider:{TOLD}", f"campaign:{HIDING}", "provider:acme", TOLD, "provider:", ":")
    values = (None, b'{"paused": true}', b'{"state": "paused"}', b"{")
    control = [record(topics.control, 9 + n, key.encode(), it, **told) for n, key in enumerate(keys) for it in values]
    control.append(record(topics.control, 99, b"\xff\xfe", b"\xff", by=b"\xff", reason=b"\xff", request=b"\xff"))
    view.control.note(control)
    deeds = [
        AuditRecord(
            at=datetime(2026, 11, 27, tzinfo=UTC), who=TOLD, via="console", what=TOLD, target=HIDING, state=state,
            request=HIDING, role=TOLD, reason=TOLD, before=HIDING, after=HIDING, error=TOLD,
        )
        for state in DeedState
    ]  # fmt: skip
    view.control.note([record(topics.audit, n, b"", msgspec.json.encode(it)) for n, it in enumerate(deeds)])
    now = view.now.timestamp()
    view.recent.results.note([Seen(now, TOLD, "rejected", HIDING, TOLD)] * 100, 100, now)
    view.kafka.state.members = Members(HIDING, 1, (GroupMember(HIDING, HIDING, HIDING, frozenset()),))
    oldest = Oldest(HIDING, HIDING, HIDING, 60.0, HIDING)
    rows = [Row("sms.messages", 0, 5, 9, 4, 0, oldest)]
    view.kafka.state.quick = view.kafka.state.holds = GroupProgress(view.kafka.state.members, rows)
    view.kafka.reachability.failed(1.0, HIDING)
    return view


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, it in value.items():
            yield key
            yield from texts(it)
    elif isinstance(value, list):
        for it in value:
            yield from texts(it)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("path", PATHS)
async def test_no_answer_shows_what_does_not_show(path: str) -> None:
    view = hostile_view()
    async with asking(view) as ask:
        answer = await ask("GET", path)
        assert answer.status in {200, 400, 404}
        for text in texts(json.loads(answer.text)):
            assert not {unicodedata.category(character) for character in text} & HIDDEN, text
        assert "981234" not in answer.text


async def test_the_hostile_words_are_there_all_the_same() -> None:
    async with asking(hostile_view()) as ask:
        found = await got(ask, "/api/overview")
    assert "\\u202e" in json.dumps(found).replace("\\\\", "\\")
    assert {"campaign-rejected", "campaign-paused", "provider-paused"} <= {it["kind"] for it in found["attention"]}


def visible(text: str) -> bool:
    return not {unicodedata.category(character) for character in text if character not in "\n\t"} & HIDDEN


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_json_keeps_what_shows_and_spells_what_does_not(value: Any) -> None:
    shown = json.loads(plain_json(value))
    for text in texts(shown):
        assert visible(text)
    if all(visible(text) for text in texts(value)):
        assert shown == value


TIMES = [-1, 2**62, 0, 253_402_300_800_000]


@pytest.mark.parametrize("milliseconds", TIMES)
def test_a_control_record_of_no_time_does_not_keep_the_others_from_being_read(milliseconds: int) -> None:
    view = view_of()
    odd = record(view.settings.topics.control, 2, b"provider:acme", b'{"paused": false}')
    odd.timestamp = milliseconds
    view.control.note([odd, record(view.settings.topics.control, 3, b"provider:other", b'{"paused": true}')])
    assert view.control.table.paused == {"other"}


def test_what_people_type_is_never_too_long_to_be_read_back_and_holds_no_number() -> None:
    long = "x" * MOST_BODY
    record_ = AuditRecord(
        at=datetime(2026, 11, 27, tzinfo=UTC), who=long, via="api", what=long, target=long, state=DeedState.ASKED,
        request=long, role=long, reason=f"call {NUMBER} {long}", before=long, after=long, error=long,
    )  # fmt: skip
    value = encode_audit(record_)
    assert len(value) < MOST_BYTES
    found = read_audit(value)
    assert found is not None
    assert found.reason.startswith("call +**********78 x")


async def test_a_member_of_the_group_that_speaks_another_protocol_is_a_row_like_the_others() -> None:
    view = view_of()
    member = GroupMember("m-2", "c", "", frozenset({TopicPartition("sms.messages", 0)}))
    view.kafka.state.members = Members("Stable", 1, (member,))
    async with asking(view) as ask:
        source, _ = (await got(ask, "/api/partitions"))["items"]
    assert source["owner"] == "m-2"
