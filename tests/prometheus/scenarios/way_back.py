"""Do receipts come back, and are they read?"""

from __future__ import annotations

from collections.abc import Mapping

from tests.prometheus.fleet import ALREADY_RUNNING, Changes, WorkerSeries, compose
from tests.prometheus.scenario import Scenario
from tests.prometheus.series import Values, counter, gauge, notation, selector

RECEIVER = {"job": "sms-connector-receive", "instance": "receive-1:8081"}
JOIN = {"job": "sms-connector-receipts", "instance": "receipts-1:8082"}
FINALS = ("delivered", "undelivered", "expired", "blocked", "unknown")


class WayBack:
    """The pages of a receiver and of a `receipts run`, minute by minute, healthy until a scenario says otherwise.

    Args:
        away: minutes in which discovery finds none of them.
    """

    def __init__(self, minutes: int, away: tuple[int, int] = (0, 0)) -> None:
        self._minutes = minutes
        self._away = range(*away)
        self._series: dict[str, str] = {}
        self.ready().join_ready().written("acme", 600).refused("acme", 0).receipts("acme", 600).unmatched("acme", 0)
        self.states("acme", delivered=570, undelivered=30).lag(0).answered(600).opted_out(0.5).heard(0.5).nobody(0)

    def gauge(
        self, target: Mapping[str, str], name: str, value: float, at: Changes | None = None, **labels: str
    ) -> None:
        self._put(target, name, labels, gauge(self._minutes, value, at))

    def counter(
        self, target: Mapping[str, str], name: str, rate: float, at: Changes | None = None, **labels: str
    ) -> None:
        self._put(target, name, labels, counter(self._minutes, rate, at))

    def _put(self, target: Mapping[str, str], name: str, labels: Mapping[str, str], values: Values) -> None:
        seen = [None if minute in self._away else value for minute, value in enumerate(values)]
        self._series[selector(f"sms_connector_{name}", {**target, **labels})] = notation(seen)

    def ready(self, at: Changes | None = None) -> WayBack:
        self.gauge(RECEIVER, "receiver_ready", 1, at)
        return self

    def join_ready(self, at: Changes | None = None) -> WayBack:
        self.gauge(JOIN, "receipts_ready", 1, at)
        return self

    def written(self, provider: str, rate: float, at: Changes | None = None) -> WayBack:
        self.counter(RECEIVER, "callbacks_total", rate, at, provider=provider, outcome="written")
        return self

    def refused(self, provider: str, rate: float, at: Changes | None = None) -> WayBack:
        self.counter(RECEIVER, "callbacks_total", rate, at, provider=provider, outcome="refused")
        return self

    def receipts(self, provider: str, rate: float, at: Changes | None = None) -> WayBack:
        self.counter(RECEIVER, "callback_entries_total", rate, at, provider=provider, kind="receipt")
        return self

    def unmatched(self, provider: str, rate: float, at: Changes | None = None, *, join: bool = False) -> WayBack:
        name = "receipts_unmatched_total" if join else "callback_entries_unmatched_total"
        self.counter(JOIN if join else RECEIVER, name, rate, at, provider=provider, reason="unreadable")
        return self

    def states(self, provider: str, at: Mapping[str, Changes] | None = None, **rates: float) -> WayBack:
        for status in FINALS:
            changes = (at or {}).get(status)
            self.counter(JOIN, "receipts_total", rates.get(status, 0), changes, provider=provider, status=status)
        return self

    def lag(self, value: float, at: Changes | None = None, settled: Changes | None = None) -> WayBack:
        self.gauge(JOIN, "receipts_lag", value, at)
        self.counter(JOIN, "receipts_settled_total", 600, settled)
        return self

    def index_lag(self, value: float, at: Changes | None = None) -> WayBack:
        self.gauge(JOIN, "receipts_index_lag_seconds", value, at)
        return self

    def answered(self, rate: float, late: Changes | None = None) -> WayBack:
        """So many callbacks are answered in a minute; from each minute of `late` on so many of them late."""
        quick = {minute: rate - number for minute, number in (late or {}).items()}
        for le in ("0.1", "1.0"):
            self.counter(RECEIVER, "callback_answer_seconds_bucket", rate, quick, provider="acme", le=le)
        for le in ("2.5", "+Inf"):
            self.counter(RECEIVER, "callback_answer_seconds_bucket", rate, provider="acme", le=le)
        return self

    def opted_out(self, rate: float, at: Changes | None = None) -> WayBack:
        self.counter(RECEIVER, "callback_entries_total", rate, at, provider="acme", kind="opt-out")
        return self

    def heard(self, rate: float, at: Changes | None = None) -> WayBack:
        self.counter(JOIN, "opt_outs_total", rate, at, provider="acme", outcome="suppressed")
        return self

    def nobody(self, rate: float, at: Changes | None = None) -> WayBack:
        self.counter(JOIN, "opt_outs_total", rate, at, provider="acme", outcome="no phone")
        return self

    @property
    def series(self) -> list[dict[str, str]]:
        return [{"series": name, "values": values} for name, values in self._series.items()]


def worker(minutes: int, accepted: float = 600, at: Changes | None = None) -> WorkerSeries:
    """Sends through acme."""
    return WorkerSeries(minutes, compose(), started=ALREADY_RUNNING).lane("acme", accepted, at)


def scenario(
    name: str,
    minutes: int,
    back: WayBack,
    firing: Mapping[int, list[str]],
    near: tuple[str, ...] = (),
    workers: WorkerSeries | None = None,
    every: int = 1,
) -> Scenario:
    return Scenario(name, [workers or worker(minutes)], firing, near, others=back.series, every=every)


DAYS = 1440

SCENARIOS = [
    scenario(
        "receipts come back as they should",
        90,
        WayBack(90).refused("acme", 0.4).unmatched("acme", 1).answered(600, {0: 5}).index_lag(3),
        {90: []},
        near=(
            "NoReceivers critical",
            "ReceiverNotReady critical",
            "CallbacksSlow warning",
            "CallbacksRefused warning",
            "NoReceipts warning",
            "ReceiptsUnmatched warning",
            "ReceiptsStopped critical",
            "ReceiptsLag warning",
            "OptOutsWait critical",
            "OptOutOfNobody critical",
            "ReceiptsIndexLag warning",
            "DeliveryRate warning",
        ),
    ),
    Scenario("nobody uses the way back", [worker(60)], {60: []}, near=("NoReceivers critical",)),
    scenario(
        "receivers are gone, and come back",
        120,
        WayBack(120, away=(20, 60)),
        {22: [], 26: ["NoReceivers critical"], 59: ["NoReceivers critical"], 65: [], 120: []},
    ),
    scenario(
        "the receiver's Kafka is away for ten minutes",
        60,
        WayBack(60).ready({20: 0, 30: 1}),
        {22: [], 27: ["ReceiverNotReady critical"], 29: ["ReceiverNotReady critical"], 40: []},
    ),
    scenario(
        "a receiver is not ready for a minute",
        60,
        WayBack(60).ready({20: 0, 21: 1}),
        {60: []},
        near=("ReceiverNotReady critical",),
    ),
    scenario(
        "callbacks wait for Kafka",
        60,
        WayBack(60).answered(600, {20: 60, 35: 0}),
        {22: [], 30: ["CallbacksSlow warning"], 50: []},
    ),
    scenario(
        "a secret was changed on one side",
        60,
        WayBack(60).refused("acme", 0, {20: 60, 30: 0}),
        {19: [], 25: ["CallbacksRefused warning"], 45: []},
    ),
    scenario(
        "a provider's panel has the old URL",
        150,
        WayBack(150).receipts("acme", 600, {20: 0, 100: 600}),
        {45: [], 60: ["NoReceipts warning"], 99: ["NoReceipts warning"], 110: []},
    ),
    scenario(
        "nothing is sent, and nothing is reported",
        120,
        WayBack(120).receipts("acme", 600, {25: 0}),
        {120: []},
        near=("NoReceipts warning",),
        workers=worker(120, 600, {10: 0}),
    ),
    scenario(
        "a provider changes its words",
        150,
        WayBack(150).unmatched("acme", 0, {20: 30, 40: 0}),
        {20: [], 24: ["ReceiptsUnmatched warning"], 45: ["ReceiptsUnmatched warning"], 110: []},
    ),
    scenario(
        "what is unmatched is found at the join",
        150,
        WayBack(150).unmatched("acme", 0, {20: 30, 40: 0}, join=True),
        {20: [], 24: ["ReceiptsUnmatched warning"], 110: []},
    ),
    scenario(
        "`receipts run` is away",
        60,
        WayBack(60).join_ready({20: 0, 40: 1}),
        {24: [], 32: ["ReceiptsStopped critical"], 39: ["ReceiptsStopped critical"], 50: []},
    ),
    scenario(
        "`receipts run` is behind, and catches up",
        90,
        WayBack(90).lag(0, {20: 50_000, 60: 0}, settled={20: 60, 60: 600}),
        {30: [], 40: ["ReceiptsLag warning"], 59: ["ReceiptsLag warning"], 75: []},
    ),
    scenario(
        "opt-outs are taken, and nothing puts them on the list",
        150,
        WayBack(150).heard(0.5, {20: 0, 90: 0.5}),
        {50: [], 65: ["OptOutsWait critical"], 89: ["OptOutsWait critical"], 100: []},
    ),
    scenario(
        "nobody opts out",
        120,
        WayBack(120).opted_out(0).heard(0),
        {120: []},
        near=("OptOutsWait critical",),
    ),
    scenario(
        "somebody opts out, and nothing says who",
        120,
        WayBack(120).nobody(0, {20: 1, 21: 0}),
        {19: [], 24: ["OptOutOfNobody critical"], 110: []},
    ),
    scenario(
        "the index is behind for a quarter of an hour",
        60,
        WayBack(60).index_lag(2, {20: 200, 35: 2}),
        {24: [], 31: ["ReceiptsIndexLag warning"], 34: ["ReceiptsIndexLag warning"], 45: []},
    ),
    scenario(
        "a carrier is down for two hours",
        5 * DAYS,
        WayBack(5 * DAYS).states(
            "acme",
            {"delivered": {4 * DAYS: 100, 4 * DAYS + 120: 570}, "undelivered": {4 * DAYS: 500, 4 * DAYS + 120: 30}},
            delivered=570,
            undelivered=30,
        ),
        {4 * DAYS: [], 4 * DAYS + 60: ["DeliveryRate warning"], 4 * DAYS + 240: []},
        workers=worker(5 * DAYS),
        every=5,
    ),
]
