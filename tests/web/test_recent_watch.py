"""The sample of results and receipts that tells campaigns apart: what it takes, and what attention is made of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from aiokafka import TopicPartition

from connector.clock import ManualClock
from connector.kafka.reader import Bounds
from connector.model import Campaign, CampaignState
from connector.operating.worker_pages import WorkerAnswer
from connector.settings import Settings
from connector.stream.control.table import campaign_record
from connector.web.attention import MOST_CAMPAIGNS
from connector.web.console_view import ConsoleView
from connector.web.recent_counts import MOST_KEYS, WINDOW_SECONDS, RecentCounts, Seen
from connector.web.recent_watch import LOOKED_RECORDS, RecentWatch, read_seen
from tests.web.fleet import lane, worker
from tests.web.test_look_api import A, asking, got, record

NOW = 1_700_000_000.0


class Logs:
    """A reader of topics that hold what the test says."""

    def __init__(self, **topics: list[Any]) -> None:
        self.topics = {f"sms.{topic}": records for topic, records in topics.items()}
        self.read = 0

    async def partitions(self, topics: Collection[str], *, optional: bool = False) -> list[TopicPartition]:
        return [TopicPartition(topic, 0) for topic in topics if topic in self.topics]

    async def bounds(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Bounds]:
        return {tp: Bounds(0, len(self.topics[tp.topic])) for tp in partitions}

    async def offsets_at(self, partitions: Collection[TopicPartition], _: datetime) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    async def scan(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> AsyncIterator[Any]:
        for tp, start in starts.items():
            for found in self.topics[tp.topic][start : ends[tp]]:
                self.read += 1
                yield found


def result(status: str = "accepted", campaign: str = "diwali", at: float = NOW, **more: Any) -> Any:
    document = {"status": status, "provider": "acme", "campaign_id": campaign, "to": "+919812345678", **more}
    return SimpleNamespace(value=orjson.dumps(document), partition=0, timestamp=int(at * 1000))


async def test_of_much_a_bounded_part_is_read_and_stands_for_all() -> None:
    watch, logs = RecentWatch(Settings(), ManualClock(wall=NOW)), Logs(results=[result()] * 50_000)
    await watch._look(logs)  # type: ignore[arg-type]
    assert logs.read == LOOKED_RECORDS
    (campaign,) = watch.results.campaigns()
    assert (campaign.looked, round(campaign.ended)) == (LOOKED_RECORDS, 50_000)
    assert watch.results.fraction == pytest.approx(LOOKED_RECORDS / 50_000)
    await watch._look(logs)  # type: ignore[arg-type]
    assert logs.read == LOOKED_RECORDS, "nothing is counted twice"
    assert not watch.receipts_there


async def test_a_topic_that_was_made_anew_is_looked_at_from_its_beginning() -> None:
    watch, logs = RecentWatch(Settings(), ManualClock(wall=NOW)), Logs(results=[result()] * 100)
    await watch._look(logs)  # type: ignore[arg-type]
    logs.topics["sms.results"] = [result(campaign="holi")] * 10
    await watch._look(logs)  # type: ignore[arg-type]
    assert {it.campaign: it.looked for it in watch.results.campaigns()} == {"diwali": 100, "holi": 10}


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"status": 3}', b"[" * 1000])
def test_what_is_no_result_is_passed_over(value: bytes | None) -> None:
    assert read_seen(SimpleNamespace(value=value, timestamp=0)) is None  # type: ignore[arg-type]


def test_counts_are_of_the_last_quarter_of_an_hour_and_bounded_whatever_comes() -> None:
    counts = RecentCounts()
    counts.note([Seen(NOW, "acme", "rejected", f"c{n}", f"code{n}") for n in range(2 * MOST_KEYS)], 2 * MOST_KEYS, NOW)
    assert len(counts.campaigns()) == MOST_KEYS
    for odd in (-1.0, 4e18, float(2**62)):
        counts.note([Seen(odd, "acme", "accepted", "c0")], 1, NOW)
    assert len(counts._minutes) == 1
    assert counts.looked_at("acme") == 2 * MOST_KEYS + 3
    later = NOW + WINDOW_SECONDS + 60
    counts.note([], 0, later)
    assert counts.campaigns() == []
    assert counts.share("acme", "delivered", "delivered") is None


def view_with(seen: list[Seen], **settings: Any) -> ConsoleView:
    view = ConsoleView(Settings.model_validate(settings), ManualClock(wall=NOW))
    view.fleet.note([WorkerAnswer(A, (worker("w1", {"acme": lane(receipts=True)}),))])
    view.recent.results.note(seen, len(seen), NOW)
    view.control.caught_up = True
    view.kafka.reachability.answered(NOW)
    return view


async def attention(view: ConsoleView) -> list[dict[str, Any]]:
    async with asking(view) as ask:
        found = (await got(ask, "/api/overview"))["attention"]
    assert isinstance(found, list)
    return found


async def test_a_campaign_whose_messages_are_refused_says_so_with_the_code_most_of_them_have() -> None:
    seen = [Seen(NOW, "acme", "rejected", "diwali", "4306")] * 30 + [Seen(NOW, "acme", "accepted", "diwali")] * 70
    seen += [Seen(NOW, "acme", "rejected", "few")] * 40 + [Seen(NOW, "acme", "accepted", "fine")] * 500
    (one,) = await attention(view_with(seen))
    assert (one["kind"], one["subject"], one["messages"]) == ("campaign-rejected", "diwali", 30)
    assert one["sentence"] == "Campaign diwali: 30% rejected"
    assert "100% of them have the code 4306." in one["detail"]
    assert one["actions"][0]["page"] == "/tail?status=rejected&campaign=diwali"


async def test_of_many_campaigns_the_worst_are_told() -> None:
    seen = [Seen(NOW, "acme", "rejected", f"c{n}") for n in range(40) for _ in range(50 + n)]
    found = await attention(view_with(seen))
    assert [it["subject"] for it in found] == [f"c{n}" for n in range(39, 39 - MOST_CAMPAIGNS, -1)]


async def test_paused_campaigns_say_by_whom_and_one_that_cannot_be_read_goes_first() -> None:
    view = view_with([])
    topic = view.settings.topics.control
    key, value = campaign_record("diwali", Campaign(state=CampaignState.PAUSED))
    view.control.note([record(topic, 1, key, value), record(topic, 2, b"campaign:odd", b"{")])
    unreadable, paused = sorted(await attention(view), key=lambda it: it["severity"] != "warn")
    assert (unreadable["subject"], paused["subject"]) == ("odd", "diwali")
    assert "cannot be read" in unreadable["detail"]
    assert paused["detail"].startswith("Paused by arun: call +**********78.")


RECEIVE = {"receive": {"url": "https://sms.example.com", "keys": ["k" * 32], "url_keys": ["u" * 32]}}
TAKEN = [Seen(NOW - 600, "acme", "accepted")] * 60
REPORTS: list[tuple[str, list[Seen], list[Seen], bool, dict[str, Any], bool]] = [
    ("nothing came", TAKEN, [], True, RECEIVE, True),
    ("one came", TAKEN, [Seen(NOW, "acme", "sent")], True, RECEIVE, False),
    ("of another only", TAKEN, [Seen(NOW, "other", "delivered")], True, RECEIVE, True),
    ("they were sent just now", [Seen(NOW - 60, "acme", "accepted")] * 60, [], True, RECEIVE, False),
    ("they were few", TAKEN[:9], [], True, RECEIVE, False),
    ("nobody may read them", TAKEN, [], False, RECEIVE, False),
    ("nobody asks for them", TAKEN, [], True, {}, False),
]


@pytest.mark.parametrize(
    ("what", "results", "receipts", "there", "settings", "told"), REPORTS, ids=[it[0] for it in REPORTS]
)
async def test_a_provider_that_reports_nothing_is_told_of(
    what: str, results: list[Seen], receipts: list[Seen], there: bool, settings: dict[str, Any], told: bool
) -> None:
    view = view_with(results, **settings)
    view.recent.receipts_there = there
    view.recent.receipts.note(receipts, len(receipts), NOW)
    assert [it["kind"] for it in await attention(view)] == (["no-receipts"] if told else [])


async def test_what_was_delivered_is_a_part_of_what_has_come_to_an_end() -> None:
    view = view_with([])
    states = [Seen(NOW, "acme", state) for state in ("sent", "delivered", "delivered", "delivered", "undelivered")]
    view.recent.receipts.note(states, len(states), NOW)
    provider = view.provider("acme")
    assert provider is not None
    assert provider.delivered == 0.75
