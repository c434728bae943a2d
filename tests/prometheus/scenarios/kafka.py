"""Does Kafka's side keep up?"""

from __future__ import annotations

from tests.prometheus.fleet import WorkerSeries, compose, pod
from tests.prometheus.scenario import Scenario

LAG = ["Lag warning", "Lag critical"]


def reading(
    minutes: int, per_minute: float, unread: dict[int, float], at: dict[int, float] | None = None
) -> WorkerSeries:
    """A worker that takes so many events a minute while so many are not taken."""
    return WorkerSeries(minutes, compose()).topic("sms.messages", per_minute, at, unread=unread)


def opened(minutes: int, lag: dict[int, float]) -> WorkerSeries:
    """A worker that has taken all there is, 600 a minute, and has not finished the oldest."""
    return WorkerSeries(minutes, compose()).gauge("sms_connector_lag_messages", 0, lag, topic="sms.messages")


def skipping(minutes: int, reason: str, at: int, *, version: str = "0.2.0", number: int = 1, end: int | None = None):
    """A worker that passes over one record of that kind."""
    worker = WorkerSeries(minutes, compose(number), version=version, end=end)
    labels = {"topic": "sms.messages", "reason": reason}
    return worker.counter("sms_connector_records_skipped_total", bursts={at: 1}, **labels)


def listing(minutes: int, unconfirmed: dict[int, float]) -> WorkerSeries:
    """A worker that looks at who must not be texted."""
    worker = WorkerSeries(minutes, compose())
    return worker.gauge("sms_connector_suppressions_unconfirmed_seconds", 10, unconfirmed)


SCENARIOS = [
    Scenario(
        "for a minute and a half a worker does not see the end of the topic of suppressions",
        [listing(40, {20: 70, 21: 100, 22: 12})],
        {19: [], 21: [], 23: []},
        near=["SuppressionsStale critical"],
    ),
    Scenario(
        "for ten minutes a worker does not see the end of the topic of suppressions",
        [listing(60, {20: 70, 21: 130, 22: 190, 23: 250, 30: 12})],
        {19: [], 20: [], 22: ["SuppressionsStale critical"], 31: []},
    ),
    Scenario(
        "a campaign of a million events arrives at once and is worked off in three hours",
        [reading(120, 6000, {20: 1_000_000} | {20 + it: 1_000_000 - it * 11_000 for it in range(1, 91)} | {111: 0})],
        {29: [], 31: ["Lag warning"], 45: LAG, 90: ["Lag warning"], 113: []},
    ),
    Scenario(
        "lag stands at a million: as much leaves as comes",
        [reading(110, 60_000, {20: 1_000_000, 90: 0})],
        {28: [], 31: ["Lag warning"], 90: [], 110: []},
    ),
    Scenario(
        "lag grows slowly from nothing, for hours",
        [reading(240, 6000, {it: it * 500 for it in range(10, 200)} | {200: 0})],
        {120: [], 135: ["Lag warning"], 199: ["Lag warning"], 201: []},
        every=3,
    ),
    Scenario(
        "workers take nothing more",
        [reading(90, 600, {it: (it - 20) * 600 for it in range(20, 60)} | {60: 0}, {20: 0, 60: 600})],
        {28: [], 33: ["Lag warning"], 50: ["Lag warning", "Lag critical"], 61: [], 90: []},
    ),
    Scenario(
        "ten one-time passwords a minute, of which twenty do not get on",
        [reading(75, 10, {20: 20, 60: 0}, {20: 0, 60: 10})],
        {28: [], 33: ["Lag warning"], 45: ["Lag warning", "Lag critical"], 61: [], 75: []},
    ),
    Scenario(
        "after an hour without workers they take what has come, ten times as fast as it came",
        [
            WorkerSeries(100, compose(1), end=2),
            WorkerSeries(100, compose(2), begin=30, started=30).topic(
                "sms.messages", 6000, {38: 600}, unread={30 + it: 40_000 - it * 5000 for it in range(8)} | {38: 0}
            ),
        ],
        {29: ["NoWorkers critical"], 100: []},
        near=LAG,
    ),
    Scenario(
        "a burst that is taken within two minutes",
        [reading(60, 6000, {20: 12_000, 21: 6000, 22: 0})],
        {60: []},
        near=LAG,
    ),
    Scenario(
        "five events are not taken while nothing else comes",
        [reading(60, 0, {20: 5})],
        {60: []},
        near=LAG,
    ),
    Scenario(
        "a provider is down: its messages wait in retry topics, those of others are taken",
        [
            reading(120, 600, {})
            .state("acme", {20: "open", 90: "sending"})
            .gauge("sms_connector_lag_messages", 0, {20: 200_000, 90: 0}, topic="sms.messages")
            .gauge("sms_connector_retry_backlog_messages", 0, {20: 500_000, 90: 0}, topic="sms.retry.5m")
        ],
        {23: [], 26: ["ProviderOpen critical"], 100: []},
        near=LAG,
    ),
    Scenario(
        "a lane is closed by its hours all night",
        [
            reading(600, 600, {})
            .lane("acme", 600, {60: 0, 540: 600})
            .state("acme", {60: "closed", 540: "sending"})
            .gauge("sms_connector_lag_messages", 0, {60: 100_000, 540: 0}, topic="sms.messages")
            .gauge("sms_connector_retry_backlog_messages", 0, {60: 300_000, 540: 0}, topic="sms.retry.5m")
        ],
        {600: []},
        near=[*LAG, "OldEvents warning", "ProviderOpen critical", "ProviderPaused info"],
        every=4,
    ),
    Scenario(
        "the oldest events stay open for hours while every provider is sent to",
        [opened(180, {it: (it - 20) * 600 for it in range(20, 120)} | {120: 0})],
        {80: [], 94: ["OldEvents warning"], 119: ["OldEvents warning"], 120: [], 180: []},
        every=2,
    ),
    Scenario(
        "a million events are open and stay so",
        [opened(120, {10: 1_000_000, 100: 0})],
        {45: [], 51: ["OldEvents warning"], 99: ["OldEvents warning"], 101: []},
    ),
    Scenario(
        "5,000 events are open and stay so, of sixty a minute",
        [
            opened(120, {10: 5000, 100: 0})
            .topic("sms.messages", 60)
            .gauge("sms_connector_lag_messages", 0, {10: 5000, 100: 0}, topic="sms.messages")
        ],
        {45: [], 51: ["OldEvents warning"], 99: ["OldEvents warning"], 101: []},
    ),
    Scenario(
        "five hundred events wait in a lane while nothing else comes",
        [reading(120, 0, {}).gauge("sms_connector_lag_messages", 0, {20: 500}, topic="sms.messages")],
        {120: []},
        near=["OldEvents warning"],
    ),
    Scenario(
        "messages of half an hour are open in a lane with limits",
        [opened(120, {20: 18_000})],
        {120: []},
        near=["OldEvents warning"],
    ),
    Scenario(
        "staging stands still, production does not",
        [
            WorkerSeries(60, pod("sms-connector-a", "production")).topic("sms.messages", 60_000, unread={10: 20}),
            WorkerSeries(60, pod("sms-connector-a", "staging")).topic("sms.messages", 0, unread={20: 20, 30: 0}),
        ],
        {29: [], 30: [], 60: []},
        near=LAG,
    ),
    Scenario(
        "lag of staging is told as staging's, however much production takes",
        [
            WorkerSeries(60, pod("sms-connector-a", "production")).topic("sms.messages", 60_000),
            WorkerSeries(60, pod("sms-connector-a", "staging")).topic(
                "sms.messages", 6, {40: 600}, unread={15: 200, 40: 0}
            ),
        ],
        {20: [], 27: ["Lag warning in staging"], 60: []},
    ),
    Scenario(
        "a producer leaves a transaction open",
        [
            WorkerSeries(40, compose()).gauge(
                "sms_connector_open_transaction_seconds", 0, {20: 60, 21: 120, 30: 0}, topic="t"
            )
        ],
        {21: [], 22: ["OpenTransaction critical"], 29: ["OpenTransaction critical"], 31: []},
    ),
    Scenario(
        "a transaction of half a minute",
        [WorkerSeries(40, compose()).gauge("sms_connector_open_transaction_seconds", 0, {20: 30, 21: 0}, topic="t")],
        {40: []},
        near=["OpenTransaction critical"],
    ),
    Scenario(
        "events wait for a worker of another version, after a rollback",
        [WorkerSeries(60, compose()).gauge("sms_connector_held_events", 0, {10: 5, 50: 0})],
        {24: [], 25: ["HeldEvents critical"], 49: ["HeldEvents critical"], 50: []},
    ),
    Scenario(
        "events wait for a worker of another version, for the minutes of a rolling upgrade",
        [WorkerSeries(40, compose()).gauge("sms_connector_held_events", 0, {10: 5, 20: 0})],
        {40: []},
        near=["HeldEvents critical"],
    ),
    Scenario(
        "a producer in a loop has used up its campaign's cap, until somebody cancels the campaign",
        [WorkerSeries(60, compose()).counter("sms_connector_capped_total", at={20: 5, 40: 0})],
        {19: [], 21: ["CampaignCapped warning"], 39: ["CampaignCapped warning"], 56: []},
    ),
    Scenario(
        "events that were beyond a cap before their worker was looked at",
        [WorkerSeries(60, compose()).counter("sms_connector_capped_total", begins=12)],
        {60: []},
        near=["CampaignCapped warning"],
    ),
    Scenario(
        "the schema registry is away, and events wait for it",
        [
            WorkerSeries(40, compose()).gauge(
                "sms_connector_registry_wait_seconds", 0, {20: 90, 21: 150, 30: 0}, topic="t"
            )
        ],
        {20: [], 22: ["RegistryAway critical"], 29: ["RegistryAway critical"], 31: []},
    ),
    Scenario(
        "a registry that is restarted within a minute",
        [WorkerSeries(40, compose()).gauge("sms_connector_registry_wait_seconds", 0, {20: 40, 21: 0}, topic="t")],
        {40: []},
        near=["RegistryAway critical"],
    ),
    Scenario(
        "Kafka acknowledges nothing; the alert comes before the watchdog, which ends the worker after three minutes",
        [
            WorkerSeries(30, compose()).gauge(
                "sms_connector_unacknowledged_seconds", 0, {10: 20, 11: 80, 12: 140, 13: 0}
            )
        ],
        {11: [], 12: ["ResultsNotAcknowledged critical"], 13: []},
    ),
    Scenario(
        "Kafka takes twenty seconds to acknowledge",
        [WorkerSeries(30, compose()).gauge("sms_connector_unacknowledged_seconds", 20)],
        {30: []},
        near=["ResultsNotAcknowledged critical"],
    ),
    Scenario(
        "Kafka refuses results for two minutes",
        [WorkerSeries(30, compose()).gauge("sms_connector_refused", 0, {10: 1, 12: 0})],
        {9: [], 10: ["ResultsRefused critical"], 12: []},
    ),
    Scenario(
        "results are owed and paid without being refused",
        [WorkerSeries(30, compose()).gauge("sms_connector_owed_results", 0, {10: 500, 12: 0})],
        {30: []},
        near=["ResultsRefused critical"],
    ),
    Scenario(
        "somebody writes one record that cannot be decoded",
        [skipping(40, "undecodable", 10)],
        {9: [], 10: ["PoisonRecords warning"], 22: []},
    ),
    Scenario(
        "records of the next version while a rolling upgrade runs",
        [skipping(60, "version", 12, end=20), WorkerSeries(60, compose(2), version="0.3.0", begin=10, started=10)],
        {60: []},
        near=["PoisonRecords warning"],
    ),
    Scenario(
        "records of another version although all workers are of one",
        [skipping(40, "version", 10), WorkerSeries(40, compose(2))],
        {9: [], 10: ["PoisonRecords warning"], 22: []},
    ),
]
