"""Every metric there is: its name, its type, what it says. One place, so that documentation and tests can read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from connector.delivery.counts import Histogram

PREFIX = "sms_connector_"

MetricKind = Literal["counter", "gauge", "histogram"]
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
MAKERS: dict[MetricKind, type[Family]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


@dataclass(frozen=True, slots=True)
class Description:
    """A metric.

    Attributes:
        name: without prefix; of a counter without `_total`.
        help: what it says, in base units.
        labels: never a campaign or a phone number: their number has no bound, and the second is private.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """The name as a query writes it."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


METRICS = (
    Description("build_info", "gauge", "Always 1; the version of the connector.", ("version",)),
    Description("ready", "gauge", "1 while the worker owns what the group gave it and takes events."),
    # ---- messages
    Description("events", "counter", "Events read.", ("topic",)),
    Description(
        "records_skipped",
        "counter",
        "Records passed over because of what others wrote in them; they stay in their topic. Reasons: undecodable, "
        "too_large, transactional, malformed, foreign (names a place it cannot mean), version, clock.",
        ("topic", "reason"),
    ),
    Description(
        "unknown_provider",
        "counter",
        "Events without a definition; they wait for `unknown_grace`. Causes: provider (no definition has the name), "
        "campaign (neither the event nor its campaign names one).",
        ("cause",),
    ),
    Description(
        "unknown_fields",
        "gauge",
        "Different fields that events brought lately and no message has (`events.unknown_fields: report`).",
    ),
    Description(
        "held_events",
        "gauge",
        "Events that only a worker of another version can read: neither sent nor settled. /status says which version.",
    ),
    Description(
        "registry_wait_seconds",
        "gauge",
        "For how long events of a source have waited for the schema registry; absent where none wait.",
        ("topic",),
    ),
    Description(
        "capped",
        "counter",
        "Events beyond their campaign's cap, which wait; again each time a tier has passed.",
    ),
    Description("messages_taken", "counter", "Messages given to a provider's lane.", ("provider",)),
    Description("results", "counter", "Messages that ended, by what became of them.", ("provider", "status")),
    Description(
        "diverted",
        "counter",
        "Messages sent to a retry topic at intake: their provider held as much as it left free, or could not send.",
        ("provider",),
    ),
    Description(
        "scheduled",
        "counter",
        "Messages sent to a retry topic because their send_at has not come; again each time a tier has passed.",
        ("provider",),
    ),
    Description("parked", "counter", "Messages sent to a retry topic because their time is far.", ("provider",)),
    Description(
        "retries",
        "counter",
        "Messages whose request did not end them: what the reply meant, or how far the request came without one.",
        ("provider", "reason"),
    ),
    # ---- requests
    Description(
        "request_duration_seconds",
        "histogram",
        "From sending a request to its reply, by status class; none: no usable reply.",
        ("provider", "status"),
    ),
    Description("request_records", "histogram", "Messages per request: how full batches are.", ("provider",)),
    Description(
        "windows_closed",
        "counter",
        "Requests begun, by why this window and now: priority, wait_max, full, wait, memory, idle, again.",
        ("provider", "reason"),
    ),
    Description(
        "window_age_seconds", "histogram", "How long the oldest message of a request had waited.", ("provider",)
    ),
    Description(
        "urgent_wait_seconds",
        "histogram",
        "From taking a message of high priority to its request: what one-time passwords wait for beside campaigns.",
        ("provider",),
    ),
    Description(
        "custom_message_ids",
        "counter",
        "Messages in requests whose `custom.MessageID` was sent as $$MessageID; the next release sends `message_id`.",
        ("provider",),
    ),
    Description("requests_in_flight", "gauge", "Requests under way.", ("provider",)),
    Description("request_slots", "gauge", "Requests that may be under way at once.", ("provider",)),
    Description(
        "held_seconds",
        "counter",
        "Time in which messages could have left but for limits, breaker or hours.",
        ("provider",),
    ),
    Description("token_refreshes", "counter", "Tokens fetched by `oauth2` and `login`.", ("provider",)),
    # ---- lanes
    Description(
        "lane_state",
        "gauge",
        "1 for the state a provider is in: sending, open (its breaker), probing, paused (by hand), closed (hours).",
        ("provider", "state"),
    ),
    Description(
        "lane_errors",
        "counter",
        "Times something of ours went wrong with a provider's messages: its lane was paused, nothing else.",
        ("provider",),
    ),
    Description(
        "unknown_runs",
        "counter",
        "Times a provider was paused because its replies do not say what became of messages.",
        ("provider",),
    ),
    Description("lane_open_messages", "gauge", "Messages a lane is responsible for.", ("provider",)),
    Description("lane_windows", "gauge", "Open windows.", ("provider",)),
    Description(
        "batch_key_values",
        "gauge",
        "Different values, in open windows, of what keeps most apart: campaign, or a replacement outside the records.",
        ("provider", "part"),
    ),
    Description("lane_delayed_messages", "gauge", "Messages that wait for their time to be sent again.", ("provider",)),
    # ---- the worker
    Description("definitions_unused", "gauge", "1 while definitions on disk are wrong, so that older ones are in use."),
    Description("suppressed_numbers", "gauge", "Phone numbers that must not be texted; 0 while the list is read."),
    Description(
        "suppressions_unconfirmed_seconds",
        "gauge",
        "Since when it is not known whether the list holds all that its topic does. Looked at every 15 s.",
    ),
    Description("open_messages", "gauge", "Messages read and without a durable result."),
    Description("open_messages_limit", "gauge", "Setting memory.messages."),
    Description("open_bytes", "gauge", "Bytes they take, with what holds them."),
    Description("open_bytes_limit", "gauge", "Setting memory.bytes."),
    Description("intake_blocked", "gauge", "1 while intake waits for memory or span."),
    Description("refused", "gauge", "1 while Kafka refuses what has to be written: nothing is sent meanwhile."),
    Description("owed_results", "gauge", "Results of sent messages that Kafka refuses, or has not taken for 5 s."),
    Description("unacknowledged_results", "gauge", "Results that Kafka has not acknowledged."),
    Description(
        "unacknowledged_seconds",
        "gauge",
        "For how long the oldest write of results, dead letters or retry records has waited for its acknowledgement.",
    ),
    Description(
        "result_ack_seconds",
        "histogram",
        "From handing a record batch of results to the producer to its acknowledgement.",
    ),
    Description("partitions", "gauge", "Source partitions this worker owns.", ("topic",)),
    Description(
        "open_transaction_seconds",
        "gauge",
        "For how long the same transaction of a producer has been open in a partition: what follows waits; the worst.",
        ("topic",),
    ),
    Description(
        "lag_messages",
        "gauge",
        "Events from the oldest open one to the end of the log, over its partitions.",
        ("topic",),
    ),
    Description(
        "unread_messages",
        "gauge",
        "Events that no worker has taken yet, over its partitions; of the lag, what does not wait for a provider.",
        ("topic",),
    ),
    Description(
        "retry_backlog_messages",
        "gauge",
        "Messages in retry topics: they wait for their time, their provider, its hours or their campaign.",
        ("topic",),
    ),
    Description(
        "span_offsets",
        "gauge",
        "Offsets from the oldest open event to the newest admitted one, in the partition with most.",
        ("topic",),
    ),
    Description("rebalances", "counter", "Times partitions were opened."),
    Description("drain_duration_seconds", "histogram", "How long closing partitions took."),
    Description(
        "loop_lag_seconds", "gauge", "How late the event loop was at worst, in the last ten to twenty seconds."
    ),
    Description(
        "gc_collections", "counter", "Runs of Python's garbage collector; each stops the worker.", ("generation",)
    ),
)

SHARED = ("build_info", "definitions_unused", "loop_lag_seconds", "gc_collections")
"""Of a worker, which the other processes have as well."""

CALLBACK_METRICS = (
    *(it for it in METRICS if it.name in SHARED),
    Description("receiver_ready", "gauge", "1 while callbacks are taken: Kafka is there and acknowledges them."),
    Description(
        "callbacks",
        "counter",
        "Requests of providers, by what became of them: written, probe, refused (403), malformed (another 4xx); and, "
        "answered 503 so that they come again, busy, kafka, fetch, error, undefined. Those for none of our definitions "
        "have no provider.",
        ("provider", "outcome"),
    ),
    Description(
        "callbacks_refused",
        "counter",
        "Callbacks that nothing proves: url (its secret or token is wrong), signature (or what else `verify` asks).",
        ("provider", "reason"),
    ),
    Description(
        "callback_entries",
        "counter",
        "What stood in callbacks: receipt, reply, opt-out, opt-in, help, click, ignored.",
        ("provider", "kind"),
    ),
    Description(
        "callback_entries_unmatched",
        "counter",
        "Receipts, or whole callbacks, that belong to no message, by reason; they are in topics.receipts_unmatched.",
        ("provider", "reason"),
    ),
    Description(
        "callback_answer_seconds",
        "histogram",
        "From a callback's arrival to its answer, which waits for all replicas; of those that were written.",
        ("provider",),
    ),
    Description("callbacks_waiting", "gauge", "Callbacks under way."),
    Description("callbacks_waiting_limit", "gauge", "Setting receive.waiting."),
    Description(
        "callback_bytes", "gauge", "Bytes of bodies without an answer, or of records without acknowledgement: the more."
    ),
    Description("callback_bytes_limit", "gauge", "Setting receive.bytes."),
    Description("callback_connections", "gauge", "Open connections of providers and balancers."),
    Description(
        "callback_unacknowledged_seconds",
        "gauge",
        "For how long the oldest batch of callbacks has waited for its acknowledgement.",
    ),
)
"""Of a receiver."""

JOIN_METRICS = (
    *(it for it in METRICS if it.name in {*SHARED, "records_skipped", "rebalances", "drain_duration_seconds"}),
    Description("receipts_ready", "gauge", "1 while `receipts run` owns what the group gave it and takes receipts."),
    Description("receipts", "counter", "States written to topics.receipts, each once.", ("provider", "status")),
    Description(
        "receipts_contradicting",
        "counter",
        "Of them, those that contradict another final state of the same message.",
        ("provider",),
    ),
    Description(
        "receipts_dropped",
        "counter",
        "Receipts that changed nothing: duplicate (this state was written before), late (a later one was).",
        ("provider", "reason"),
    ),
    Description(
        "receipts_unmatched",
        "counter",
        "Receipts that became no state, by reason; they are in topics.receipts_unmatched. See also "
        "callback_entries_unmatched of the receivers, which write there as well.",
        ("provider", "reason"),
    ),
    Description(
        "receipts_settled", "counter", "Receipts done with: written, dropped or unmatched, and acknowledged by Kafka."
    ),
    Description("receipts_lag", "gauge", "Receipts that are not done with, over its partitions."),
    Description(
        "receipt_report_seconds",
        "histogram",
        "From when a provider says that something happened to the arrival of its callback.",
        ("provider",),
    ),
    Description(
        "receipt_durable_seconds", "histogram", "From the arrival of a callback to its state in topics.receipts."
    ),
    Description(
        "opt_outs",
        "counter",
        "Opt-outs and opt-ins that were looked at: suppressed, lifted (both in topics.suppressions), or why nothing "
        "was changed: duplicate, outdated, unsure, unproved, no phone.",
        ("provider", "outcome"),
    ),
    Description(
        "opt_out_listed_seconds",
        "histogram",
        "From the arrival of an opt-out or opt-in to its record in topics.suppressions.",
    ),
    Description("replies_lag", "gauge", "Replies that were not looked at yet, over its partitions of topics.inbound."),
    Description("receipt_partitions", "gauge", "Partitions of topics.receipts_matched it owns."),
    Description("receipt_state_bytes", "gauge", "States of messages on disk."),
    Description("receipt_restore_seconds", "gauge", "How long opening partitions took last, states read back with it."),
    Description("receipt_restored_records", "gauge", "Records read for it."),
    Description(
        "receipts_looked_up",
        "counter",
        "Receipts without a reference that are done with: found, healed (found after they were given up), again (by "
        "another key), unknown, ambiguous, unreadable.",
        ("provider", "outcome"),
    ),
    Description("receipts_waiting", "gauge", "Receipts without a reference that wait for the result of their message."),
    Description("receipts_indexed", "counter", "Results put into topics.receipts_index."),
    Description(
        "receipts_index_lag_seconds",
        "gauge",
        "How far topics.receipts_index is behind topics.results, by the last partition; while it is not known there is "
        "none.",
    ),
    Description("receipt_index_bytes", "gauge", "The index on disk."),
)
"""Of `receipts run`."""

EVERY_METRIC = {it.name: it for it in (*JOIN_METRICS, *CALLBACK_METRICS, *METRICS)}

PROCESS = (
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_start_time_seconds",
)
"""From prometheus-client's own collector, with our prefix (on Linux)."""

STATES = ("sending", "open", "probing", "paused", "closed")


class Page:
    """Families being filled: one call per sample.

    Args:
        metrics: that the page has.
    """

    def __init__(self, metrics: Sequence[Description] = METRICS) -> None:
        self._descriptions = {it.name: it for it in metrics}
        self._families: dict[str, Family] = {}

    def add(self, name: str, value: float, *labels: str) -> None:
        """A sample of a counter or gauge."""
        family = self._family(name)
        assert not isinstance(family, HistogramMetricFamily)
        family.add_metric(labels, value)

    def add_histogram(self, name: str, histogram: Histogram, *labels: str) -> None:
        """A histogram; counts become cumulative."""
        family = self._family(name)
        assert isinstance(family, HistogramMetricFamily)
        buckets, total = [], 0
        for bound, count in zip([*histogram.bounds, float("inf")], histogram.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), total))
        family.add_metric(labels, buckets, histogram.total)

    def families(self) -> Sequence[Metric]:
        """All of them, those without a sample as well: a query that names one finds its type and meaning."""
        return [self._family(name) for name in self._descriptions]

    def _family(self, name: str) -> Family:
        family = self._families.get(name)
        if family is None:
            it = self._descriptions[name]
            family = self._families[name] = MAKERS[it.kind](PREFIX + it.name, it.help, labels=it.labels)
        return family
