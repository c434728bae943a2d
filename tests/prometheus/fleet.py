"""Workers as Prometheus sees them: every series that the alerts ask for, healthy until a scenario says otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.health.families import STATES
from connector.kafka.skipped import Reason
from connector.model import Status
from connector.stream.intake.unknown_names import Cause
from tests.prometheus.series import Values, counter, during, gauge, notation, selector

ALREADY_RUNNING = -1440
"""Started a day before minute 0."""

Changes = Mapping[int, float]
Series = dict[tuple[str, tuple[tuple[str, str], ...]], Values]


@dataclass
class WorkerSeries:
    """One worker's page, minute by minute.

    Args:
        minutes: length of the scenario.
        target: labels that discovery gives it.
        begin, end: minutes of its first scrape, and of the first that finds no target any more.
        started: minute of its process's start.
        old: the series of `provider`'s lane were there at its first scrape.
    """

    minutes: int
    target: dict[str, str]
    begin: int = 0
    end: int | None = None
    started: float = ALREADY_RUNNING
    version: str = "0.2.0"
    series: Series = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gauge("up", 1)
        self.gauge("sms_connector_ready", 1)
        self.gauge("sms_connector_build_info", 1, version=self.version)
        self.gauge("sms_connector_process_start_time_seconds", self.started * 60)
        for name in ("refused", "held_events", "definitions_unused", "unacknowledged_seconds"):
            self.gauge(f"sms_connector_{name}", 0)
        self.gauge("sms_connector_loop_lag_seconds", 0.01)
        self.counter("sms_connector_rebalances_total", begins=1)
        for kind in ({"le": "20.0"}, {"le": "+Inf"}):
            self.counter("sms_connector_drain_duration_seconds_bucket", **kind)
        self.counter("sms_connector_drain_duration_seconds_count")
        for cause in Cause:
            self.counter("sms_connector_unknown_provider_total", cause=cause.value)
        self.topic("sms.messages", 600)
        self.lane("", accepted=0)
        self.lane("acme")

    def gauge(self, name: str, value: float, at: Changes | None = None, **labels: str) -> WorkerSeries:
        """Set one."""
        return self._put(name, labels, gauge(self.minutes, value, at))

    def counter(
        self,
        name: str,
        per_minute: float = 0.0,
        at: Changes | None = None,
        *,
        begins: float = 0.0,
        bursts: Changes | None = None,
        **labels: str,
    ) -> WorkerSeries:
        """Set one."""
        return self._put(name, labels, counter(self.minutes, per_minute, at, begins=begins, bursts=bursts))

    def _put(self, name: str, labels: Mapping[str, str], values: Values) -> WorkerSeries:
        place = (name, tuple(sorted(labels.items())))
        self.series[place] = during(values, self.begin, self.end)
        return self

    # ---- in the words of a scenario ----------------------------------------------------------------------------------

    def topic(
        self, name: str, per_minute: float, at: Changes | None = None, unread: Changes | None = None
    ) -> WorkerSeries:
        """So many events are taken per minute; so many are not taken yet."""
        self.counter("sms_connector_events_total", per_minute, at, topic=name)
        self.gauge("sms_connector_unread_messages", 0, unread, topic=name)
        self.gauge("sms_connector_lag_messages", 0, unread, topic=name)
        self.gauge("sms_connector_open_transaction_seconds", 0, topic=name)
        for reason in Reason:
            self.counter("sms_connector_records_skipped_total", topic=name, reason=reason.value)
        return self

    def lane(self, provider: str, accepted: float = 600, at: Changes | None = None) -> WorkerSeries:
        """So many messages are accepted per minute; nothing else becomes of them."""
        for status in Status:
            self.counter("sms_connector_results_total", provider=provider, status=status.value)
        self.results("accepted", accepted, at, provider=provider)
        if provider:
            self.state(provider, {})
            self.counter("sms_connector_lane_errors_total", provider=provider)
            self.counter("sms_connector_unknown_runs_total", provider=provider)
        return self

    def results(
        self,
        status: str,
        per_minute: float = 0.0,
        at: Changes | None = None,
        *,
        begins: float = 0.0,
        bursts: Changes | None = None,
        provider: str = "acme",
    ) -> WorkerSeries:
        """So many messages end so."""
        name = "sms_connector_results_total"
        return self.counter(name, per_minute, at, begins=begins, bursts=bursts, provider=provider, status=status)

    def state(self, provider: str, at: Mapping[int, str]) -> WorkerSeries:
        """The lane sends, and from each minute of `at` on is in another state."""
        for state in STATES:
            changes = {minute: float(state == now) for minute, now in at.items()}
            self.gauge("sms_connector_lane_state", state == "sending", changes, provider=provider, state=state)
        return self

    def new_lane(self, provider: str, minute: int, **begins: float) -> WorkerSeries:
        """A lane that a reload adds: its series are there from `minute` on, by status with what was counted by then."""
        before = set(self.series)
        self.lane(provider)
        for status, value in begins.items():
            self.results(status, begins=value, provider=provider)
        for place in set(self.series) - before:
            self.series[place] = during(self.series[place], minute, self.end)
        return self

    def unreachable(self, begin: int, end: int | None = None) -> WorkerSeries:
        """Scrapes fail from minute `begin` until before `end`."""
        for place, values in self.series.items():
            for minute in range(begin, self.minutes + 1 if end is None else end):
                if values[minute] is not None:
                    values[minute] = 0.0 if place[0] == "up" else None
        return self

    def written(self) -> list[dict[str, str]]:
        """As promtool wants them."""
        return [
            {"series": selector(name, self.target | dict(labels)), "values": notation(values)}
            for (name, labels), values in self.series.items()
        ]


def compose(number: int = 1) -> dict[str, str]:
    """Labels of a worker of docker-compose.yml."""
    return {"job": "sms-connector", "instance": f"172.18.0.{number}:8080"}


def pod(name: str = "sms-connector-7d9f-a", namespace: str = "production", job: str = "") -> dict[str, str]:
    """Labels of a pod that a PodMonitor named sms-connector finds."""
    labels = {"job": job or f"{namespace}/sms-connector", "namespace": namespace, "pod": name, "container": "connector"}
    return labels | {"instance": f"10.0.0.{sum(name.encode()) % 200}:8080"}
