"""Do producers and operators say what they mean? And have workers what they need?"""

from __future__ import annotations

from tests.prometheus.fleet import WorkerSeries, compose, pod
from tests.prometheus.scenario import Scenario

INVALID = ["Invalid critical", "Invalid warning"]


def drains(minutes: int, at: int, seconds: int) -> WorkerSeries:
    """A worker that closes its partitions once, within so many seconds."""
    worker = WorkerSeries(minutes, compose())
    worker.counter("sms_connector_drain_duration_seconds_count", bursts={at: 1})
    worker.counter("sms_connector_drain_duration_seconds_bucket", bursts={at: 1}, le="+Inf")
    if seconds <= 20:
        worker.counter("sms_connector_drain_duration_seconds_bucket", bursts={at: 1}, le="20.0")
    return worker


SCENARIOS = [
    Scenario(
        "the first event that ever is invalid, of a provider nobody defined",
        [WorkerSeries(60, compose()).results("invalid", bursts={20: 1}, provider="")],
        {19: [], 20: ["Invalid warning"], 29: ["Invalid warning"], 31: []},
        near=["Invalid critical"],
    ),
    Scenario(
        "a producer's change makes all of its events invalid",
        [
            WorkerSeries(60, compose())
            .lane("acme", 600, {20: 0, 40: 600})
            .results("invalid", 0, {20: 600, 40: 0}, provider="")
        ],
        {19: [], 29: INVALID, 39: INVALID, 52: []},
    ),
    Scenario(
        "most events are invalid, of four a minute",
        [WorkerSeries(60, compose()).lane("acme", 1).results("invalid", 0, {20: 3, 40: 0}, provider="")],
        {19: [], 30: INVALID, 39: INVALID, 52: []},
    ),
    Scenario(
        "all events are invalid, of one a minute: a ticket, and nobody is woken",
        [WorkerSeries(60, compose()).lane("acme", 0).results("invalid", 1, provider="")],
        {20: ["Invalid warning"], 60: ["Invalid warning"]},
        near=["Invalid critical"],
    ),
    Scenario(
        "a tenth of the events is invalid: a ticket, and nobody is woken",
        [WorkerSeries(60, compose()).results("invalid", 66)],
        {20: ["Invalid warning"], 60: ["Invalid warning"]},
        near=["Invalid critical"],
    ),
    Scenario(
        "events that were invalid before a worker was replaced are told once",
        [
            WorkerSeries(60, compose(1), end=30).results("invalid", begins=12, provider=""),
            WorkerSeries(60, compose(2), begin=29, started=28),
        ],
        {60: []},
        near=["Invalid warning"],
    ),
    Scenario(
        "an event names a provider that nobody has defined",
        [WorkerSeries(60, compose()).counter("sms_connector_unknown_provider_total", bursts={20: 1}, cause="provider")],
        {19: [], 20: ["UnknownProvider warning"], 32: []},
    ),
    Scenario(
        "an event named one long ago",
        [WorkerSeries(60, compose()).counter("sms_connector_unknown_provider_total", begins=9, cause="campaign")],
        {60: []},
        near=["UnknownProvider warning"],
    ),
    Scenario(
        "a definition on disk is wrong",
        [WorkerSeries(60, compose()).gauge("sms_connector_definitions_unused", 0, {20: 1, 40: 0})],
        {24: [], 25: ["DefinitionsUnused warning"], 39: ["DefinitionsUnused warning"], 40: []},
    ),
    Scenario(
        "a definition on disk is wrong for as long as somebody edits it",
        [WorkerSeries(60, compose()).gauge("sms_connector_definitions_unused", 0, {20: 1, 23: 0})],
        {60: []},
        near=["DefinitionsUnused warning"],
    ),
    Scenario(
        "a provider is paused by hand and forgotten, over a deploy of all workers",
        [
            WorkerSeries(120, pod("sms-connector-a"), end=50).state("acme", {20: "paused"}),
            WorkerSeries(120, pod("sms-connector-b"), begin=48, started=47).state(
                "acme", {48: "paused", 100: "sending"}
            ),
        ],
        {79: [], 80: ["ProviderPaused info in production"], 99: ["ProviderPaused info in production"], 100: []},
    ),
    Scenario(
        "a provider is paused by hand for half an hour",
        [WorkerSeries(75, compose()).state("acme", {20: "paused", 50: "sending"})],
        {75: []},
        near=["ProviderPaused info"],
    ),
    Scenario(
        "a worker gets too little of a core",
        [
            WorkerSeries(60, compose()).gauge(
                "sms_connector_loop_lag_seconds",
                0.01,
                {it: (3.0, 0.2, 2.0)[it % 3] for it in range(20, 40)} | {40: 0.01},
            )
        ],
        {22: [], 29: ["LoopLag warning"], 39: ["LoopLag warning"], 48: []},
    ),
    Scenario(
        "an event loop is late by two seconds, once",
        [WorkerSeries(60, compose()).gauge("sms_connector_loop_lag_seconds", 0.01, {20: 2, 21: 0.01})],
        {60: []},
        near=["LoopLag warning"],
    ),
    Scenario(
        "a drain takes more than twenty seconds",
        [drains(100, 20, 35)],
        {19: [], 21: ["SlowDrain warning"], 82: []},
    ),
    Scenario(
        "a drain takes ten seconds",
        [drains(60, 20, 10)],
        {60: []},
        near=["SlowDrain warning"],
    ),
]
