"""The sentence that answers "is it working?", and what needs attention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.delivery.counts import SECONDS
from connector.health.status_report import ApartReport, HistogramReport, LaneReport, UnknownReport, WorkerReport
from connector.web.api_documents import WhoDocument
from connector.web.attention import attention
from connector.web.provider_figures import MOST_UNKNOWN, Pace, Steering, provider_document, provider_names
from connector.web.situation import ProviderPast, SilentWorker, Situation, detail, headline
from tests.web.fleet import lane, worker

NOW = datetime(2026, 11, 27, 14, 8, tzinfo=UTC)
BY = WhoDocument("arun", NOW - timedelta(minutes=41), "sender id under review")


def situation(*reports: WorkerReport, steering: dict[str, Steering] | None = None, **fields: Any) -> Situation:
    steering = steering or {}
    names = provider_names(reports, [name for name, it in steering.items() if it.paused])
    providers = [provider_document(name, reports, steering.get(name, Steering()), Pace(), NOW) for name in names]
    given: dict[str, Any] = {
        "now": NOW,
        "providers": providers,
        "reports": reports,
        "silent": [],
        "members": len(reports),
        "waiting": sum(it.waiting for it in providers),
        "oldest": 0.0,
        "accepted_rate": 0.0,
        "ended_rate": 0.0,
        "past": {},
        "away": None,
    }
    return Situation(**(given | fields))


def refusing(waiting: int = 18_402, **fields: Any) -> LaneReport:
    return lane(
        "open",
        open=waiting,
        requests=0,
        reason="response.rules[3]: HTTP 402",
        since=NOW - timedelta(minutes=16),
        until=NOW + timedelta(seconds=48),
        expires=NOW + timedelta(minutes=52),
        **fields,
    )


SENDING = worker("w1", {"msg91": lane(), "infobip": lane()})
REFUSED = worker("w1", {"msg91": lane(), "plivo": refusing()})
NOT_READY = worker("w1", ready=False, reason="nothing is sent: Kafka refuses what has to be written to sms.results")

SENTENCES = [
    ("all sends", situation(SENDING, accepted_rate=1842.4), "Sending 1,842 messages a second."),
    ("slowly", situation(SENDING, accepted_rate=0.4), "Sending 0.4 messages a second."),
    ("one refuses", situation(REFUSED, accepted_rate=1842.0), "Sending 1,842 messages a second. plivo refuses."),
    (
        "several refuse",
        situation(worker("w", {name: refusing() for name in ("a", "b", "c", "d")}), accepted_rate=20),
        "Sending 20 messages a second. a, b and 2 more refuse.",
    ),
    ("nothing waits", situation(SENDING), "Nothing waits: whatever came has its result."),
    (
        "the only one refuses",
        situation(worker("w", {"plivo": refusing(7)})),
        "Nothing is sent: 7 messages wait. plivo refuses.",
    ),
    (
        "it stands still",
        situation(worker("w", {"acme": lane(open=5)})),
        "5 messages wait; none was accepted in the last ten seconds.",
    ),
    ("no worker", situation(members=0), "Nothing is sent: no worker runs."),
    ("none answers", situation(members=3), "No worker answers the console: what is sent is not known."),
    ("not known", situation(members=None), "No worker answers the console: what is sent is not known."),
    ("not looked yet", situation(members=None, looked=False), "Looking for workers."),
    (
        "none is ready",
        situation(NOT_READY),
        "Nothing is sent: Kafka refuses what has to be written to sms.results.",
    ),
    (
        "Kafka is away",
        situation(SENDING, accepted_rate=9.0, away=360.0),
        "Kafka has not answered the console for 6 min; figures are of then.",
    ),
]


@pytest.mark.parametrize(("what", "given", "sentence"), SENTENCES, ids=[what for what, *_ in SENTENCES])
def test_a_sentence_answers_whether_it_works(what: str, given: Situation, sentence: str) -> None:
    assert headline(given) == sentence


def test_the_second_sentence_says_what_each_provider_does_and_that_nothing_is_lost() -> None:
    lanes = {"a": lane(), "b": lane(), "c": lane("closed", until=NOW), "d": refusing(40), "e": lane("paused", open=8)}
    steering = {"e": Steering(paused=True, by=BY)}
    assert detail(situation(worker("w", lanes), steering=steering, oldest=960.0)) == (
        "Of 5 providers 2 send, 1 waits for its hours, 1 is paused, 1 refuses. Nothing is lost: 48 messages wait, the "
        "oldest for 16 min."
    )


def kinds(it: Situation) -> list[tuple[str, str, int]]:
    return [(one.kind, one.subject, one.messages) for one in attention(it)]


def test_the_most_messages_at_stake_come_first() -> None:
    lanes = {
        "plivo": refusing(18_402),
        "nimbus": lane("paused", open=7_726),
        "msg91": lane(open=21_440),
        "x": refusing(0),
    }
    steering = {"nimbus": Steering(paused=True, by=BY)}
    past = {
        "msg91": ProviderPast(accepted=20_000, rejected=9_204, unknown=37, ended=29_684),
        "x": ProviderPast(accepted=20, rejected=9, ended=29),
    }
    assert kinds(situation(worker("w", lanes), steering=steering, past=past)) == [
        ("provider-open", "plivo", 18_402),
        ("rejections", "msg91", 9_204),
        ("provider-paused", "nimbus", 7_726),
        ("unknown-replies", "msg91", 37),
        ("provider-open", "x", 0),
    ]


def test_each_says_since_when_what_is_at_stake_what_can_be_done_and_where_to_read_on() -> None:
    (one,) = attention(situation(worker("w", {"plivo": refusing()})))
    assert one.sentence == "plivo refuses"
    assert one.detail == (
        "Nothing is sent: response.rules[3]: HTTP 402. It is asked again in 48 s. 18,402 messages wait. The first may "
        "expire in 52 min. No failover is set."
    )
    assert one.since == NOW - timedelta(minutes=16)
    assert [(it.label, it.page, it.operation, it.target) for it in one.actions] == [
        ("See plivo", "/providers/plivo", "", ""),
        ("Pause it", "", "pause", "plivo"),
    ]


def test_every_runbook_is_a_section_of_the_page() -> None:
    from tests.tooling.pages import ROOT

    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    sections = {
        "".join(c for c in line.lstrip("# ").lower().replace(" ", "-") if c.isalnum() or c == "-")
        for line in page.splitlines()
        if line.startswith("#")
    }
    code = (ROOT / "connector" / "web" / "attention.py").read_text("utf-8")
    import re

    named = {it for it in re.findall(r'"([a-z-]+)"', code) if it.startswith(("smsconnector", "things"))}
    assert len(named) >= 12
    assert named <= sections


SILENT = SilentWorker("host-2:71", "http://10.0.0.2:8080", "no answer in time", NOW - timedelta(minutes=3))
OTHERS = [
    ("no worker runs", situation(members=0, waiting=0), ("no-workers", "workers")),
    ("a worker is silent", situation(SENDING, silent=[SILENT]), ("worker-missing", "host-2:71")),
    ("a worker is not ready", situation(worker("w1", ready=False, reason="it stops")), ("worker-not-ready", "w1")),
    (
        "results are refused",
        situation(worker("w1", ready=False, reason="refused", refused="sms.results")),
        ("results-not-acknowledged", "w1"),
    ),
    (
        "results wait",
        situation(worker("w1", unacknowledged=12, unacknowledged_for=30.0)),
        ("results-not-acknowledged", "w1"),
    ),
    (
        "definitions differ",
        situation(worker("w1"), worker("w2", {"acme": lane(digest="ffffffff")})),
        ("definition-differs", "acme"),
    ),
    ("definitions are wrong", situation(worker("w1", unused=["acme.yaml:3"])), ("definitions-unused", "definitions")),
    (
        "a name nobody has",
        situation(worker("w1", unknown=[UnknownReport("provider", "acne", "acme", 4)])),
        ("unknown-provider", "acne"),
    ),
    (
        "hours begin too late",
        situation(worker("w", {"x": lane("closed", open=3, expires=NOW + timedelta(minutes=5), until=NOW)})),
        ("expiring", "x"),
    ),
]


@pytest.mark.parametrize(("what", "given", "found"), OTHERS, ids=[what for what, *_ in OTHERS])
def test_what_needs_attention(what: str, given: Situation, found: tuple[str, str]) -> None:
    assert found in [(one.kind, one.subject) for one in attention(given)]


def test_where_all_is_well_nothing_needs_attention() -> None:
    assert attention(situation(SENDING, accepted_rate=1000.0, past={"msg91": ProviderPast(900, 9, 0, 909)})) == []


# ---- one provider over all workers ----------------------------------------------------------------------------------


def test_a_provider_is_as_its_worst_worker_says_and_its_figures_are_sums() -> None:
    reports = [
        worker("w1", {"acme": lane(open=5, requests=4, results={"accepted": 10})}),
        worker("w2", {"acme": refusing(7, results={"accepted": 1, "rejected": 2})}),
        worker("w3", {"other": lane()}),
    ]
    found = provider_document("acme", reports, Steering(), Pace(3.0, 0.2, 0.41), NOW)
    assert (found.state, found.waiting, found.slots, found.workers) == ("open", 12, [2, 8], 3)
    assert found.results == {"accepted": 11, "rejected": 2}
    assert found.limits.requests == ["300/5s"]
    assert found.since == NOW - timedelta(minutes=16)
    assert found.reply_seconds.p95 == 0.41
    assert [(it.worker, it.state) for it in found.shares] == [("w1", "sending"), ("w2", "open")]


def test_who_obeys_is_told_by_the_newest_record_they_have_taken_in() -> None:
    steering = Steering(paused=True, by=BY, partition=0, offset=17)
    reports = [worker("w1", control={"0": 17}), worker("w2", control={"0": 16}), worker("w3")]
    found = provider_document("acme", reports, steering, Pace(), NOW)
    assert (found.state, found.obeying, found.obeyed, found.etag) == ("paused", 1, "1 of 3 workers", "17")
    assert found.sentence == "Paused by arun: sender id under review. Its messages wait, and still expire."


def test_a_paused_provider_that_no_worker_has_is_still_there() -> None:
    steering = Steering(paused=True, by=BY, offset=3)
    found = provider_document("gone", [worker("w1")], steering, Pace(), NOW)
    assert (found.state, found.waiting, found.workers) == ("paused", 0, 1)


@pytest.mark.parametrize(
    ("part", "full", "words"),
    [
        ("$$uid", 1000, "$$uid stands outside the records and has 41,000 values"),
        ("campaign", 1000, "41,000 campaigns keep as many windows apart"),
        ("$$uid", 1, None),
    ],
)
def test_what_keeps_windows_apart_is_explained(part: str, full: int, words: str | None) -> None:
    found = provider_document(
        "acme", [worker("w", {"acme": lane(apart=ApartReport(part, 41_000), full=full)})], Steering(), Pace(), NOW
    )
    assert (
        (found.apart is None) if words is None else found.apart is not None and found.apart.sentence.startswith(words)
    )


def test_how_long_replies_took_is_added_up_over_workers_that_count_alike() -> None:
    odd = worker("w3", {"acme": lane(requests=1000)})
    odd.second_bounds = [1.0]
    short = worker("w4", {"acme": lane()})
    short.lanes["acme"].counters.requests = {"2xx": HistogramReport([7], 1.0)}
    reports = [worker("w1", {"acme": lane(requests=4)}), worker("w2", {"acme": lane(requests=2)}), odd, short]
    found = provider_document("acme", reports, Steering(), Pace(), NOW)
    assert (found.reply_times.bounds, found.reply_times.counts[3], sum(found.reply_times.counts)) == (
        list(SECONDS),
        6,
        6,
    )


def test_messages_are_told_by_the_rule_that_decided_with_those_that_never_did() -> None:
    lanes = [lane(), lane()]
    lanes[0].counters.rules = {"response.rules[0]": 3, "response.rules[1]": 0}
    lanes[1].counters.rules = {"response.rules[0]": 2, "response.rules[1]": 0, "built-in 2xx": 1}
    reports = [worker(f"w{n}", {"acme": each}) for n, each in enumerate(lanes)]
    found = provider_document("acme", reports, Steering(), Pace(), NOW)
    assert found.rules == {"response.rules[0]": 5, "response.rules[1]": 0, "built-in 2xx": 1}


def test_of_names_that_are_paused_and_nobody_has_some_are_shown_and_none_that_is_no_name() -> None:
    paused = [*(f"p{n:05}" for n in range(10_000)), "call +919812345678", "", "acme"]
    names = provider_names([worker("w1")], paused)
    assert names == ["acme", *(f"p{n:05}" for n in range(MOST_UNKNOWN))]
