"""Do providers take what is sent?"""

from __future__ import annotations

from collections.abc import Mapping

from tests.prometheus.fleet import ALREADY_RUNNING, WorkerSeries, compose, pod
from tests.prometheus.scenario import Scenario

FAILURES = ["Failures critical", "Failures warning"]
UNKNOWN = ["Unknown critical", "Unknown warning"]


def ending(
    status: str,
    per_minute: float = 0.0,
    at: Mapping[int, float] | None = None,
    *,
    minutes: int = 90,
    bursts: Mapping[int, float] | None = None,
    accepted: float = 600,
) -> WorkerSeries:
    """A worker whose messages to acme end so, besides those that are accepted."""
    return WorkerSeries(minutes, compose()).lane("acme", accepted).results(status, per_minute, at, bursts=bursts)


def by_turns(minutes: int, begin: int, end: int, *, open_for: int, sending_for: int) -> dict[int, str]:
    """A breaker that opens and closes."""
    period = open_for + sending_for
    changes = {}
    for minute in range(begin, end, period):
        changes[minute] = "open"
        changes[minute + open_for] = "sending"
    return changes


def urgent(late: Mapping[int, float], *, minutes: int = 60, each: float = 300) -> WorkerSeries:
    """A worker with so many messages of high priority a minute; from each minute of `late` on, so many of them wait."""
    worker = WorkerSeries(minutes, compose())
    name, quick = "sms_connector_urgent_wait_seconds_bucket", {minute: each - number for minute, number in late.items()}
    worker.counter(name, each, quick, provider="acme", le="1.0")
    for le in ("5.0", "+Inf"):
        worker.counter(name, each, provider="acme", le=le)
    return worker


SCENARIOS = [
    Scenario(
        "a campaign takes all that a provider's limit lets out, and one-time passwords wait",
        [urgent({20: 60, 40: 0})],
        {21: [], 25: ["UrgentLate warning"], 39: ["UrgentLate warning"], 55: []},
    ),
    Scenario(
        "a few of many messages of high priority wait",
        [urgent({20: 2, 40: 0})],
        {60: []},
        near=["UrgentLate warning"],
    ),
    Scenario(
        "they wait for a provider that is down",
        [urgent({20: 60, 30: 0}).state("acme", {20: "open", 30: "sending"})],
        {22: [], 29: ["ProviderOpen critical"], 50: []},
    ),
    Scenario(
        "a provider is down for half an hour",
        [WorkerSeries(90, compose(number)).state("acme", {20: "open", 50: "sending"}) for number in (1, 2)],
        {23: [], 26: ["ProviderOpen critical"], 49: ["ProviderOpen critical"], 55: [], 90: []},
    ),
    Scenario(
        "a provider is down and probed",
        [
            WorkerSeries(60, compose()).state(
                "acme", {it: ("open", "probing")[it % 2] for it in range(20, 40)} | {40: "sending"}
            )
        ],
        {23: [], 26: ["ProviderOpen critical"], 39: ["ProviderOpen critical"], 45: []},
    ),
    Scenario(
        "a breaker is open for four minutes and sends for one, by turns",
        [WorkerSeries(110, compose()).state("acme", by_turns(110, 20, 80, open_for=4, sending_for=1))],
        {22: [], 27: ["ProviderOpen critical"], 79: ["ProviderOpen critical"], 86: [], 110: []},
    ),
    Scenario(
        "a new worker finds its breaker open, and closed at the next look",
        [
            WorkerSeries(60, compose(1)),
            WorkerSeries(60, compose(2), begin=30, started=30).state("acme", {30: "open", 31: "sending"}),
        ],
        {60: []},
        near=["ProviderOpen critical"],
    ),
    Scenario(
        "a provider is down for two minutes, every half hour",
        [WorkerSeries(90, compose()).state("acme", by_turns(90, 10, 90, open_for=2, sending_for=28))],
        {90: []},
        near=["ProviderOpen critical"],
    ),
    Scenario(
        "the provider of staging is down; production's of the same name is not",
        [
            WorkerSeries(60, pod("sms-connector-a", "production")),
            WorkerSeries(60, pod("sms-connector-a", "staging")).state("acme", {20: "open", 40: "sending"}),
        ],
        {30: ["ProviderOpen critical in staging"], 46: []},
    ),
    Scenario(
        "replies stop to say what became of messages",
        [WorkerSeries(60, compose()).counter("sms_connector_unknown_runs_total", bursts={20: 1}, provider="acme")],
        {19: [], 20: ["UnknownRun critical"], 32: []},
    ),
    Scenario(
        "an error of ours in one lane",
        [WorkerSeries(60, compose()).counter("sms_connector_lane_errors_total", bursts={20: 1}, provider="acme")],
        {19: [], 20: ["LaneErrors critical"], 32: []},
    ),
    Scenario(
        "a worker counts both and its lane is replaced by a deploy long after",
        [
            WorkerSeries(60, compose(1), end=40)
            .counter("sms_connector_unknown_runs_total", begins=7, provider="acme")
            .counter("sms_connector_lane_errors_total", begins=3, provider="acme"),
            WorkerSeries(60, compose(2), begin=39, started=38),
        ],
        {60: []},
        near=["UnknownRun critical", "LaneErrors critical"],
    ),
    Scenario(
        "the first message that ever fails, of few",
        [ending("failed", accepted=1, bursts={20: 1})],
        {19: [], 20: ["Failures warning"], 79: ["Failures warning"], 82: []},
    ),
    Scenario(
        "two messages fail five minutes apart, of many",
        [ending("failed", bursts={20: 1, 25: 1})],
        {90: []},
        near=FAILURES,
    ),
    Scenario(
        "two messages fail five minutes apart, of few: a ticket, and nobody is woken",
        [ending("failed", accepted=0, bursts={20: 1, 25: 1})],
        {19: [], 26: ["Failures warning"], 90: []},
        near=["Failures critical"],
    ),
    Scenario(
        "every message fails, of few",
        [ending("failed", 0, {20: 1, 40: 0}, accepted=0, minutes=120)],
        {19: [], 26: FAILURES, 39: FAILURES, 52: ["Failures warning"], 102: []},
    ),
    Scenario(
        "a tenth of the messages fails",
        [ending("failed", 0, {20: 66, 60: 0}, minutes=130)],
        {19: [], 26: FAILURES, 60: FAILURES, 72: ["Failures warning"], 125: []},
    ),
    Scenario(
        "a tenth of the messages fails, of a few hundred in ten minutes",
        [ending("failed", 0, {20: 3, 60: 0}, accepted=27, minutes=130)],
        {19: [], 32: FAILURES, 60: FAILURES, 72: ["Failures warning"], 125: []},
    ),
    Scenario(
        "of every hundred messages two fail: a ticket, and nobody is woken",
        [ending("failed", 12)],
        {20: ["Failures warning"], 90: ["Failures warning"]},
        near=["Failures critical"],
    ),
    Scenario(
        "one message in five fails, of five a minute: a ticket, and nobody is woken",
        [ending("failed", 1, accepted=4)],
        {20: ["Failures warning"], 90: ["Failures warning"]},
        near=["Failures critical"],
    ),
    Scenario(
        "one message in five hundred fails",
        [ending("failed", 1.2)],
        {90: []},
        near=FAILURES,
    ),
    Scenario(
        "50,000 messages fail at once, the first ever",
        [ending("failed", bursts={20: 50_000})],
        {19: [], 20: FAILURES, 29: FAILURES, 31: ["Failures warning"], 82: []},
    ),
    Scenario(
        "a worker's first scrape already says that 5,000 messages failed",
        [
            WorkerSeries(60, compose(1), end=20),
            WorkerSeries(60, compose(2), begin=20, started=19.2).results("failed", begins=5000),
        ],
        {19: [], 20: FAILURES, 29: FAILURES, 32: ["Failures warning"]},
    ),
    Scenario(
        "a lane that a reload adds has failed 5,000 messages by the next scrape",
        [WorkerSeries(110, compose()).new_lane("globex", 80, failed=5000)],
        {79: [], 80: FAILURES, 89: FAILURES, 92: ["Failures warning"]},
    ),
    Scenario(
        "a worker is deployed that old failures are counted of elsewhere",
        [
            WorkerSeries(60, compose(1), end=30).results("failed", begins=5000).results("unknown", begins=5000),
            WorkerSeries(60, compose(2), begin=29, started=28),
        ],
        {60: []},
        near=[*FAILURES, *UNKNOWN],
    ),
    Scenario(
        "Prometheus was away for half an hour: what was counted long ago is not new",
        [
            WorkerSeries(90, compose())
            .results("failed", begins=5000)
            .results("unknown", begins=5000)
            .unreachable(20, 50)
            .gauge("up", 1)
        ],
        {19: [], 24: ["NoWorkers critical"], 51: [], 90: []},
        near=[*FAILURES, *UNKNOWN],
    ),
    Scenario(
        "a restart in its place makes counters begin anew and tells nothing old",
        [
            WorkerSeries(60, compose(1)),
            WorkerSeries(60, compose(2))
            .results("failed", begins=40, at={30: -40, 31: 0})
            .gauge("sms_connector_process_start_time_seconds", ALREADY_RUNNING * 60, {30: 1790}),
        ],
        {60: []},
        near=FAILURES,
    ),
    Scenario(
        "5,000 messages end unknown at once",
        [ending("unknown", bursts={20: 5000})],
        {19: [], 20: UNKNOWN, 29: UNKNOWN, 31: ["Unknown warning"], 82: []},
    ),
    Scenario(
        "of every hundred messages four end unknown, for an hour",
        [ending("unknown", 0, {20: 25, 80: 0}, minutes=150)],
        {19: [], 26: UNKNOWN, 79: UNKNOWN, 92: ["Unknown warning"], 145: []},
    ),
    Scenario(
        "of every hundred messages four end unknown, of a hundred in an hour",
        [ending("unknown", accepted=1.6, bursts={20: 1, 35: 1, 50: 1, 65: 1}, minutes=135)],
        {19: [], 21: ["Unknown warning"], 66: ["Unknown warning"], 128: []},
        near=["Unknown critical"],
    ),
    Scenario(
        "every message ends unknown, of few",
        [ending("unknown", 0, {20: 1, 40: 0}, accepted=0, minutes=120)],
        {19: [], 26: UNKNOWN, 39: UNKNOWN, 52: ["Unknown warning"], 102: []},
    ),
    Scenario(
        "2,000 of a great many messages end unknown at once",
        [ending("unknown", accepted=60_000, bursts={20: 2000})],
        {19: [], 20: ["Unknown critical"], 29: ["Unknown critical"], 31: [], 90: []},
    ),
    Scenario(
        "200 of a great many messages end unknown at once",
        [ending("unknown", accepted=60_000, bursts={70: 200})],
        {90: []},
        near=UNKNOWN,
    ),
    Scenario(
        "of a hundred and fifty messages in ten minutes three in twenty end unknown",
        [ending("unknown", 0, {20: 3, 60: 0}, accepted=15, minutes=130)],
        {19: [], 32: UNKNOWN, 59: UNKNOWN, 72: ["Unknown warning"], 125: []},
    ),
    Scenario(
        "of every hundred messages one ends unknown: a ticket, and nobody is woken",
        [ending("unknown", 6)],
        {20: ["Unknown warning"], 90: ["Unknown warning"]},
        near=["Unknown critical"],
    ),
    Scenario(
        "one message in five ends unknown, of five a minute: a ticket, and nobody is woken",
        [ending("unknown", 1, accepted=4)],
        {20: ["Unknown warning"], 90: ["Unknown warning"]},
        near=["Unknown critical"],
    ),
    Scenario(
        "two messages end unknown five minutes apart, of few: a ticket, and nobody is woken",
        [ending("unknown", accepted=0, bursts={20: 1, 25: 1})],
        {19: [], 26: ["Unknown warning"], 90: []},
        near=["Unknown critical"],
    ),
    Scenario(
        "one message in five hundred ends unknown",
        [ending("unknown", 1.2)],
        {90: []},
        near=UNKNOWN,
    ),
    Scenario(
        "a provider refuses 50,000 messages at once",
        [ending("rejected", bursts={20: 50_000}, minutes=110)],
        {19: [], 20: ["Rejections warning"], 70: ["Rejections warning"], 82: [], 110: []},
    ),
    Scenario(
        "a provider refuses a tenth of its messages",
        [ending("rejected", 66)],
        {90: []},
        near=["Rejections warning"],
    ),
    Scenario(
        "a provider refuses a third of an hour's last messages",
        [ending("rejected", 0, {70: 30, 80: 0}, accepted=60, minutes=100)],
        {69: [], 77: ["Rejections warning"], 80: ["Rejections warning"], 88: [], 100: []},
    ),
    Scenario(
        "a provider refuses two messages in five, of one in a few minutes",
        [ending("rejected", 0.2, {90: 0}, accepted=0.3, minutes=150)],
        {20: [], 70: ["Rejections warning"], 140: []},
    ),
    Scenario(
        "a provider refuses twenty messages of a quiet hour's last ten minutes",
        [ending("rejected", 0, {70: 2, 80: 0}, accepted=4, minutes=100)],
        {100: []},
        near=["Rejections warning"],
    ),
    Scenario(
        "a provider refuses the first message of an hour",
        [ending("rejected", accepted=0, bursts={20: 1})],
        {90: []},
        near=["Rejections warning"],
    ),
    Scenario(
        "half of the one-time passwords expire",
        [ending("expired", 0, {20: 5, 50: 0}, accepted=5, minutes=120)],
        {19: [], 28: ["Expired critical", "Expired warning"], 65: ["Expired warning"], 115: []},
    ),
    Scenario(
        "the first message that ever expires, of few",
        [ending("expired", accepted=1, bursts={20: 1})],
        {19: [], 21: ["Expired warning"], 82: []},
        near=["Expired critical"],
    ),
    Scenario(
        "half of the messages expire, of two a minute: a ticket, and nobody is woken",
        [ending("expired", 1, accepted=1)],
        {20: ["Expired warning"], 90: ["Expired warning"]},
        near=["Expired critical"],
    ),
    Scenario(
        "one message in twenty expires: a ticket, and nobody is woken",
        [ending("expired", 5, accepted=100)],
        {20: ["Expired warning"], 90: ["Expired warning"]},
        near=["Expired critical"],
    ),
    Scenario(
        "one message in three hundred expires",
        [ending("expired", 2)],
        {90: []},
        near=["Expired warning"],
    ),
    Scenario(
        "two hundred messages of many expire at once",
        [ending("expired", bursts={70: 200})],
        {69: [], 70: ["Expired warning"], 79: ["Expired warning"], 82: []},
    ),
    Scenario(
        "fifty messages of many expire at once",
        [ending("expired", bursts={70: 50})],
        {90: []},
        near=["Expired warning"],
    ),
    Scenario(
        "messages expire while somebody has paused their provider",
        [ending("expired", 0, {20: 30, 40: 0}, accepted=0, minutes=105).state("acme", {15: "paused", 45: "sending"})],
        {19: [], 30: ["Expired warning"], 104: []},
        near=["Expired critical"],
    ),
]
