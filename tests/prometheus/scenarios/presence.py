"""Are there workers, and do they stay?"""

from __future__ import annotations

from tests.prometheus.fleet import WorkerSeries, compose, pod
from tests.prometheus.scenario import Scenario
from tests.prometheus.series import counter, gauge, notation, selector

DAY = 1440


def restarting(minutes: int, starts: list[int], target: dict[str, str]) -> WorkerSeries:
    """A process that starts again in its place at each of these minutes."""
    worker = WorkerSeries(minutes, target)
    return worker.gauge("sms_connector_process_start_time_seconds", -600, {it: it * 60 for it in starts})


def by_turns(worker: WorkerSeries, begin: int, end: int) -> WorkerSeries:
    """Every other scrape fails."""
    for minute in range(begin, end, 2):
        worker.unreachable(minute, minute + 1)
    return worker


def deploy(minutes: int, pods: int, *, at: int = 30, each: int = 2) -> list[WorkerSeries]:
    """Pod after pod is replaced, one every `each` minutes; every worker that is there rebalances with each of them."""
    workers = []
    for number in range(pods):
        leaves = at + number * each
        changes = {at + each * step: 2.0 for step in range(pods)}
        old = WorkerSeries(minutes, pod(f"sms-connector-old-{number}"), end=leaves + 1)
        old.counter(
            "sms_connector_rebalances_total", begins=1, bursts={m: v for m, v in changes.items() if m <= leaves}
        )
        new = WorkerSeries(minutes, pod(f"sms-connector-new-{number}"), begin=leaves, started=leaves - 0.5)
        new.gauge("sms_connector_ready", 0, {leaves + 1: 1})
        new.counter("sms_connector_rebalances_total", begins=1, bursts={m: v for m, v in changes.items() if m > leaves})
        workers += [old, new]
    return workers


def scaled(minutes: int, every: int, *, until: int) -> list[WorkerSeries]:
    """Three workers that stay, and one that an autoscaler adds and takes away by turns."""
    turns = dict.fromkeys(range(20, until, every // 2), 1.0)
    staying = [WorkerSeries(minutes, pod(f"sms-connector-{name}")) for name in "abc"]
    for worker in staying:
        worker.counter("sms_connector_rebalances_total", begins=1, bursts=turns)
    coming = [
        WorkerSeries(minutes, pod(f"sms-connector-t{at}"), begin=at, end=at + every // 2, started=at)
        for at in range(20, until, every)
    ]
    return staying + coming


def container_restarts(name: str, minutes: int, restarts: dict[int, float]) -> dict[str, str]:
    """What kube-state-metrics says of a pod."""
    labels = {"job": "kube-state-metrics", "namespace": "production", "pod": name, "container": "connector"}
    values = notation(counter(minutes, bursts=restarts))
    return {"series": selector("kube_pod_container_status_restarts_total", labels), "values": values}


def target(labels: dict[str, str], minutes: int, up: dict[int, float]) -> dict[str, str]:
    """A target that never answers as a worker: all Prometheus knows is `up`."""
    return {"series": selector("up", labels), "values": notation(gauge(minutes, 0, up))}


SCENARIOS = [
    Scenario(
        "a healthy fleet is silent",
        [WorkerSeries(120, compose(1)), WorkerSeries(120, compose(2))],
        {120: []},
        near=["NoWorkers critical", "Down critical", "NotReady critical", "Restarts critical"],
    ),
    Scenario(
        "every worker of compose is gone and its targets with it",
        [
            WorkerSeries(120, compose(1), end=30),
            WorkerSeries(120, compose(2), end=30),
            WorkerSeries(120, compose(3), begin=100, started=100),
        ],
        {29: [], 32: [], 33: ["NoWorkers critical"], 99: ["NoWorkers critical"], 100: [], 120: []},
    ),
    Scenario(
        "every pod of one namespace is gone while another has its own",
        [
            WorkerSeries(100, pod("sms-connector-a", "production"), end=30),
            WorkerSeries(100, pod("sms-connector-b", "production"), begin=90, started=90),
            WorkerSeries(100, pod("sms-connector-a", "staging")),
        ],
        {32: [], 33: ["NoWorkers critical in production"], 89: ["NoWorkers critical in production"], 91: []},
    ),
    Scenario(
        "workers are remembered over a week-end without any",
        [WorkerSeries(3 * DAY, compose(), end=10)],
        {0: [], 60: ["NoWorkers critical"], 3 * DAY: ["NoWorkers critical"]},
        every=15,
    ),
    Scenario(
        "a Prometheus that finds no worker from the first moment on says so",
        [WorkerSeries(30, compose(), begin=20, started=20)],
        {2: [], 3: ["NoWorkers critical"], 19: ["NoWorkers critical"], 20: [], 30: []},
    ),
    Scenario(
        "the only worker is replaced by one that begins two minutes later",
        [WorkerSeries(60, compose(1), end=30), WorkerSeries(60, compose(2), begin=32, started=31.5)],
        {60: []},
        near=["NoWorkers critical"],
    ),
    Scenario(
        "a worker does not answer although its target is there",
        [WorkerSeries(75, pod("sms-connector-a")), WorkerSeries(75, pod("sms-connector-b")).unreachable(30, 60)],
        {31: [], 32: ["Down critical in production"], 59: ["Down critical in production"], 60: [], 75: []},
    ),
    Scenario(
        "all workers stop answering although their targets are there",
        [WorkerSeries(75, compose(1)).unreachable(30, 60)],
        {31: [], 33: ["Down critical", "NoWorkers critical"], 60: [], 75: []},
    ),
    Scenario(
        "a scrape that fails now and then is no outage",
        [WorkerSeries(75, compose(1)).unreachable(30, 31).unreachable(50, 51)],
        {75: []},
        near=["Down critical", "NotReady critical", "NoWorkers critical"],
    ),
    Scenario(
        "a worker answers every other minute",
        [WorkerSeries(75, compose(1)), by_turns(WorkerSeries(75, compose(2)), 30, 60)],
        {29: [], 40: ["Down critical"], 59: ["Down critical"], 75: []},
    ),
    Scenario(
        "a pod ends with exit code 78 before it ever answers, found by a PodMonitor",
        [WorkerSeries(75, pod("sms-connector-old"))],
        {9: [], 13: ["Down critical in production"], 59: ["Down critical in production"], 61: []},
        others=[target(pod("sms-connector-new"), 75, {0: 1, 10: 0, 60: 1})],
    ),
    Scenario(
        "a pod ends with exit code 78 before it ever answers, found by annotations under a job of any name",
        [WorkerSeries(20, pod("sms-connector-old", job="kubernetes-pods"))],
        {3: ["Down critical in production"], 20: ["Down critical in production"]},
        others=[target(pod("sms-connector-new", job="kubernetes-pods"), 20, {})],
    ),
    Scenario(
        "a pod ends with exit code 78 before it ever answers, and its label alone says what it is",
        [WorkerSeries(20, pod("texting-0", job="kubernetes-pods"))],
        {3: ["Down critical in production"], 20: ["Down critical in production"]},
        others=[target(pod("texting-1", job="kubernetes-pods") | {"app_kubernetes_io_name": "sms-connector"}, 20, {})],
    ),
    Scenario(
        "a worker under a name of one's own is known once it has answered",
        [
            WorkerSeries(60, {"job": "texting", "instance": "a:8080"}),
            WorkerSeries(60, {"job": "texting", "instance": "b:8080"}).unreachable(30, 40),
        ],
        {31: [], 33: ["Down critical"], 41: [], 60: []},
    ),
    Scenario(
        "targets of others are none of ours",
        [WorkerSeries(30, compose())],
        {30: []},
        near=["Down critical"],
        others=[target({"job": "postgres", "instance": "db:9187"}, 30, {})],
    ),
    Scenario(
        "a container ends and starts again in its pod, as kube-state-metrics sees it",
        [WorkerSeries(75, pod("sms-connector-old"))],
        {29: [], 34: ["Restarts critical in production"], 75: []},
        others=[container_restarts("sms-connector-new", 75, {30: 1, 31: 1, 33: 1, 36: 1, 41: 1})],
    ),
    Scenario(
        "one restart of a container is none too many",
        [WorkerSeries(75, pod("sms-connector-old"))],
        {75: []},
        near=["Restarts critical"],
        others=[container_restarts("sms-connector-old", 75, {30: 1, 65: 1})],
    ),
    Scenario(
        "a worker crashes every five minutes",
        [WorkerSeries(90, compose(1)), restarting(90, [20, 25, 30, 35, 40], compose(2))],
        {29: [], 31: ["Restarts critical"], 45: ["Restarts critical"], 75: [], 90: []},
    ),
    Scenario(
        "a worker crashes every half hour, all day",
        [restarting(900, list(range(20, 500, 30)), compose(2))],
        {120: [], 300: ["Restarts critical"], 500: ["Restarts critical"], 860: []},
        every=4,
    ),
    Scenario(
        "three deploys of compose in an afternoon, which reuses its addresses",
        [restarting(360, [20, 140, 300], compose(1)), restarting(360, [21, 141, 301], compose(2))],
        {360: []},
        near=["Restarts critical", "Rebalances warning"],
        every=2,
    ),
    Scenario(
        "one of several workers under one parent ends before it answers, again and again",
        [WorkerSeries(75, compose() | {"worker": "0"})],
        {20: [], 32: ["Restarts critical"], 72: []},
        others=[
            {
                "series": selector("sms_connector_worker_restarts_total", compose() | {"worker": "1"}),
                "values": notation(counter(75, bursts={20: 1, 24: 1, 30: 1, 38: 1})),
            }
        ],
    ),
    Scenario(
        "a worker cannot join",
        [WorkerSeries(75, compose(1)), WorkerSeries(75, compose(2)).gauge("sms_connector_ready", 1, {30: 0, 60: 1})],
        {35: [], 37: ["NotReady critical"], 59: ["NotReady critical"], 64: [], 75: []},
    ),
    Scenario(
        "a worker is ready for one minute in five",
        [
            WorkerSeries(110, compose(1)),
            WorkerSeries(110, compose(2)).gauge(
                "sms_connector_ready", 1, {minute: float(minute % 5 == 0) for minute in range(30, 90)} | {90: 1}
            ),
        ],
        {29: [], 40: ["NotReady critical"], 88: ["NotReady critical"], 95: [], 110: []},
    ),
    Scenario(
        "a worker takes two minutes to begin, and two to stop",
        [
            WorkerSeries(75, compose(1)),
            WorkerSeries(75, compose(2), begin=10, end=62, started=10).gauge("sms_connector_ready", 0, {12: 1, 60: 0}),
        ],
        {75: []},
        near=["NotReady critical"],
    ),
    Scenario(
        "a deploy of six pods",
        deploy(90, 6),
        {90: []},
        near=["Rebalances warning", "NoWorkers critical", "Down critical", "Restarts critical", "NotReady critical"],
    ),
    Scenario("a deploy of twenty-four pods", deploy(95, 24, each=1), {95: []}, near=["Rebalances warning"]),
    Scenario(
        "a group of which nobody comes or goes rebalances every two minutes",
        [
            WorkerSeries(120, compose(number)).counter("sms_connector_rebalances_total", 0, {20: 0.5, 60: 0}, begins=1)
            for number in (1, 2)
        ],
        {30: [], 45: ["Rebalances warning"], 95: [], 120: []},
    ),
    Scenario(
        "a group rebalances every twenty-five minutes, for hours",
        [
            WorkerSeries(300, compose()).counter(
                "sms_connector_rebalances_total", begins=1, bursts=dict.fromkeys(range(10, 300, 25), 1)
            )
        ],
        {300: []},
        near=["Rebalances warning"],
        every=3,
    ),
    Scenario(
        "an autoscaler adds a worker and takes it away every ten minutes, for hours",
        scaled(480, 10, until=400),
        {
            100: [],
            240: ["Rebalances warning in production"],
            398: ["Rebalances warning in production"],
            460: [],
        },
        every=4,
    ),
]
