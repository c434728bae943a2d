"""From what a worker has counted to Prometheus's families: read when scraped, so that counting costs nothing else."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from connector import __version__
from connector.delivery.limits.circuit_breaker import BreakerState
from connector.health.families import STATES, Page

# The parent of several workers makes pages too, and starts them sooner where it does not import what they run.
if TYPE_CHECKING:
    from connector.delivery.lane import Lane
    from connector.delivery.limits.lane_status import LaneStatus
    from connector.stream.process import StatusSource
    from connector.stream.status import PartitionStatus, WorkerStatus


def registry(status: StatusSource, loop_lag: Callable[[], float]) -> CollectorRegistry:
    """Everything one process has to tell."""
    made = CollectorRegistry(auto_describe=False)
    ProcessCollector(namespace="sms_connector", registry=made)
    made.register(WorkerCollector(status, loop_lag))
    return made


class WorkerCollector(Collector):
    """The families of one worker.

    Args:
        status: the worker at this moment; None before there is one.
        loop_lag: seconds the event loop was late.
    """

    def __init__(self, status: StatusSource, loop_lag: Callable[[], float]) -> None:
        self._status = status
        self._loop_lag = loop_lag

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        page = Page()
        page.add("build_info", 1, __version__)
        page.add("loop_lag_seconds", self._loop_lag())
        for generation, counts in enumerate(gc.get_stats()):
            page.add("gc_collections", counts["collections"], str(generation))
        status = self._status()
        page.add("ready", status is not None and status.ready)
        if status is not None:
            _add_worker(page, status)
            for name, partitions in _by_topic(status.partitions):
                page.add("partitions", len(partitions), name)
                page.add("lag_messages", sum(it.lag for it in partitions), name)
                page.add("unread_messages", sum(it.unread for it in partitions), name)
                page.add("open_transaction_seconds", max(it.undecided for it in partitions), name)
                page.add("span_offsets", max(it.span for it in partitions), name)
            for name, lane in status.lanes.items():
                _add_lane(page, name, lane, status)
        return page.families()


def _add_worker(page: Page, status: WorkerStatus) -> None:
    for topic, number in status.intake.events.items():
        page.add("events", number, topic)
    for (provider, ended), number in status.intake.refused.items():
        if provider not in status.lanes:  # the others are added to their lane's
            page.add("results", number, provider, ended)
    page.add("definitions_unused", bool(status.unused))
    if status.suppressions is not None:
        page.add("suppressed_numbers", status.suppressions.numbers)
        page.add("suppressions_unconfirmed_seconds", status.suppressions.unconfirmed or 0.0)
    page.add("open_messages", status.messages)
    page.add("open_messages_limit", status.max_messages)
    page.add("open_bytes", status.bytes)
    page.add("open_bytes_limit", status.max_bytes)
    page.add("intake_blocked", status.blocked)
    page.add("unacknowledged_results", status.unacknowledged)
    page.add("unacknowledged_seconds", status.unacknowledged_for)
    for topic, number in status.retry_backlog.items():
        page.add("retry_backlog_messages", number, topic)
    page.add("owed_results", status.owed)
    page.add("refused", bool(status.refused))
    page.add_histogram("result_ack_seconds", status.acknowledged)
    for (topic, reason), number in status.skipped.items():
        page.add("records_skipped", number, topic, reason.value)
    for cause, number in status.unknown.counts.items():
        page.add("unknown_provider", number, cause.value)
    page.add("unknown_fields", len(status.unknown_fields))
    page.add("capped", status.intake.capped)
    page.add("held_events", sum(status.held.values()))
    for topic, it in status.held_sources.items():
        page.add("registry_wait_seconds", it.seconds, topic)
    page.add("rebalances", status.epochs.opened)
    page.add_histogram("drain_duration_seconds", status.epochs.drains)


def _add_lane(page: Page, name: str, lane: Lane, worker: WorkerStatus) -> None:
    counts, status = lane.counts, lane.status
    finished = counts.finished.copy()
    for (provider, ended), number in worker.intake.refused.items():
        if provider == name:
            finished[ended] += number
    for ended, number in finished.items():
        page.add("results", number, name, ended)
    page.add("messages_taken", counts.finished.total() + counts.parked + counts.returned + status.open_count, name)
    page.add("diverted", worker.intake.diverted[name], name)
    page.add("scheduled", worker.intake.scheduled[name], name)
    page.add("parked", counts.parked, name)
    for reason, number in counts.again.items():
        page.add("retries", number, name, reason)
    for group, histogram in counts.requests.items():
        page.add_histogram("request_duration_seconds", histogram, name, group)
    page.add_histogram("request_records", counts.fill, name)
    for reason, number in counts.closed.items():
        page.add("windows_closed", number, name, reason)
    page.add_histogram("window_age_seconds", counts.age, name)
    page.add_histogram("urgent_wait_seconds", counts.urgent, name)
    page.add("custom_message_ids", counts.custom_message_ids, name)
    page.add("requests_in_flight", status.requests, name)
    page.add("request_slots", status.slots, name)
    page.add("held_seconds", status.held, name)
    page.add("token_refreshes", status.token_refreshes, name)
    now = state(status)
    for each in STATES:
        page.add("lane_state", each == now, name, each)
    page.add("lane_errors", counts.errors, name)
    page.add("unknown_runs", counts.unknown_runs, name)
    page.add("lane_open_messages", status.open_count, name)
    page.add("lane_windows", status.windows, name)
    page.add("lane_delayed_messages", status.delayed, name)
    if (found := lane.apart) is not None:
        page.add("batch_key_values", found.values, name, found.part)


def state(status: LaneStatus) -> str:
    """One word for what a lane is doing: of several reasons not to send, what a person has to end goes first."""
    if status.paused:
        return "paused"
    if status.breaker is not BreakerState.CLOSED:
        return status.breaker.value
    return "closed" if status.opens_in > 0 else "sending"


def _by_topic(partitions: Iterable[PartitionStatus]) -> Iterator[tuple[str, list[PartitionStatus]]]:
    found: dict[str, list[PartitionStatus]] = {}
    for it in partitions:
        found.setdefault(it.topic, []).append(it)
    yield from found.items()
