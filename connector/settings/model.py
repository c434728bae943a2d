"""Every setting, with its default and its meaning. `docs/configuration.md` and the JSON Schema are made from here."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
)

from connector.config_text.units import ByteSize, Duration, UnitError, format_duration
from connector.settings.kafka import KafkaSettings
from connector.settings.route_entries import RouteEntry
from connector.settings.section import Section, TopicName
from connector.settings.sources import Registry, SourceEntry, SourceTopic
from connector.settings.suppressed import Suppressions
from connector.settings.way_back import InboundSettings, ReceiptSettings, Receive
from connector.settings.web import Web

# ---- topics ---------------------------------------------------------------------------------------------------------


class Topics(Section):
    """Names of the topics. `sms-connector topics create` makes them, `topics check` compares them."""

    sources: Annotated[tuple[SourceEntry, ...], Field(min_length=1)] = (SourceTopic(topic="sms.messages"),)
    """Where message events are read: a list of names, or of `{topic, share, format, cloudevents, message, …}`."""

    results: TopicName = "sms.results"
    """One final result per message."""

    dead_letters: TopicName = "sms.dead-letters"
    """Raw bytes of events that never became a message, and of failed ones."""

    journal: TopicName = "sms.journal"
    """What is about to be sent, for providers with `on_uncertain: report`."""

    control: TopicName = "sms.control"
    """Campaign values and states, paused providers (compacted)."""

    audit: TopicName = "sms.audit"
    """What people did through the console and the command line: who, when, why. Without it nothing is written down."""

    receipts: TopicName = "sms.receipts"
    """Delivery receipts: one record per message and state. Used with `receive.url`, as the five below."""

    receipts_matched: TopicName = "sms.receipts.matched"
    """What providers have reported, by message: read by `receipts run`."""

    receipts_unmatched: TopicName = "sms.receipts.unmatched"
    """What providers have reported and nobody can make use of: whole, with the reason."""

    receipts_in: TopicName = "sms.receipts.in"
    """What providers have reported without a reference of ours: looked up by `receipts run`."""

    receipts_index: TopicName = "sms.receipts.index"
    """Which message a provider's id, or a number in a request, belongs to: only for those that bring no reference."""

    inbound: TopicName = "sms.inbound"
    """Replies, opt-outs and clicks."""

    suppressions: TopicName = "sms.suppressions"
    """Phone numbers that must not be texted (compacted). Used with `suppressions.enabled`."""

    retry_prefix: TopicName = "sms.retry"
    """Retry topics are named `<retry_prefix>.<delay>`, such as `sms.retry.30s`."""

    retry_tiers: Annotated[tuple[Annotated[Duration, Field(gt=0)], ...], Field(min_length=1)] = (
        5.0,
        30.0,
        300.0,
        3600.0,
    )
    """Delays of the retry topics, shortest first. Each is a topic of its own, so that offset order is due order."""

    @property
    def retry(self) -> dict[float, str]:
        """Delay in seconds → topic, shortest first."""
        return {delay: f"{self.retry_prefix}.{format_duration(delay)}" for delay in sorted(self.retry_tiers)}

    @property
    def source_names(self) -> tuple[str, ...]:
        return tuple(source.topic for source in self.sources)

    def source(self, topic: str) -> SourceTopic:
        """The entry of a source topic."""
        return next(source for source in self.sources if source.topic == topic)

    @property
    def read_names(self) -> tuple[str, ...]:
        """Every topic a worker reads: sources, and those that it and operators write."""
        return (*self.source_names, self.control, self.results, *self.retry.values(), self.journal)


# ---- who is texted, and what the result says ------------------------------------------------------------------------

PATTERN = re.compile(r"\+?[1-9][0-9]{0,18}\*?")


def _pattern(value: str) -> str:
    if not PATTERN.fullmatch(value):
        raise UnitError("not a number or prefix", "write +919812345678, or a prefix as +91*")
    return value


def _country(value: Any) -> Any:
    if not isinstance(value, str) or not re.fullmatch("[A-Z]{2}", value):
        raise UnitError("no country", "write its two letters, as IN, GB or US")
    return value


CountryCode = Annotated[str, BeforeValidator(_country)]


class Recipients(Section):
    """Who may be texted."""

    allow: tuple[Annotated[str, AfterValidator(_pattern)], ...] = ()
    """Numbers (`+919812345678`) and prefixes (`+91*`). Empty allows everyone; others end `cancelled`, never sent."""

    country: CountryCode | None = None
    """Two letters (`IN`). Numbers may then be written as people of that country write them, without country code and
    with blanks, brackets and dashes: they become E.164 before anything else is asked, also in the result. What is no
    number ends `invalid`. Needs the extra `numbers`."""

    countries: tuple[CountryCode, ...] = ()
    """Countries whose numbers may be texted (`[IN, AE]`): others, and premium-rate ones, end `invalid`, never sent.
    Empty allows all. Asked again whenever a message is looked at. Needs the extra `numbers`."""

    blocked_countries: tuple[CountryCode, ...] = ()
    """Countries whose numbers are not texted, and premium-rate numbers with them. Needs the extra `numbers`."""

    def matcher(self) -> Callable[[str], bool]:
        """A test of one number against `allow`, with or without the leading plus sign."""
        if not self.allow:
            return lambda _to: True
        numbers = frozenset(entry.lstrip("+") for entry in self.allow if not entry.endswith("*"))
        prefixes = tuple(entry.lstrip("+").rstrip("*") for entry in self.allow if entry.endswith("*"))

        def allowed(to: str) -> bool:
            digits = to.lstrip("+")
            return digits in numbers or digits.startswith(prefixes)

        return allowed


HEADERS_OF_OURS = frozenset({"settles", "retry", "event_format"})


def _header(value: str) -> str:
    if not 0 < len(value) <= 200 or value in HEADERS_OF_OURS or value.startswith("__connect."):
        raise UnitError("no name of an event's header that can be passed on", "write its name, as correlation-id")
    return value


class Results(Section):
    """What a result says about the recipient, and what it has of its event."""

    headers: Annotated[tuple[Annotated[str, AfterValidator(_header)], ...], Field(max_length=20)] = ()
    """Headers of the event that its result has as well (`[correlation-id]`), 1 KiB of them at most, which counts as
    memory of each message. `traceparent` is that of `tracing`."""

    cloudevents: bool = False
    """Results are CloudEvents 1.0 in the binary form: attributes in headers `ce_…`, of the type `sms-connector.result`;
    the value stays what it is. Their `ce_id` is the event's place."""

    to: Literal["plain", "masked", "hashed"] = "plain"
    """`plain` as in the event; `masked` keeps the last three digits; `hashed` is HMAC-SHA-256 of the digits with
    `salt`, in hexadecimal."""

    salt: SecretStr | None = None
    """Secret key of `to: hashed`, at least 16 characters. The same salt gives the same hash for the same number."""


class Duplicates(Section):
    """Events that repeat the `message_id` of an earlier event of their partition: found when `horizon` is set."""

    horizon: Annotated[Duration, Field(gt=0)] | None = None
    """How long after a message was sent another event with its `message_id` ends `duplicate`, unsent; null looks for
    none. Events of one id must have one key. Read back after a rebalance."""

    # 100 MB, and 10 to 20 seconds for a new owner to read back.
    messages: Annotated[int, Field(ge=1000, le=10_000_000)] = 1_000_000
    """Ids kept per partition: beyond that the oldest are forgotten before the horizon. Each costs 100 bytes."""


# ---- bounds ---------------------------------------------------------------------------------------------------------


class Memory(Section):
    """How much one worker holds: whatever the backlog or the outage, not more."""

    # 300 campaigns whose windows fill to 1,000 records hold 300,000 messages; a third on top lets full ones be sent.
    messages: Annotated[int, Field(ge=1000)] = 400_000
    """Open messages: read and without a result yet."""

    bytes: Annotated[ByteSize, Field(ge=1024**2)] = 256 * 1024**2
    """Bytes they take: of the event, 280 each, 725 for each open window. 400,000 messages of 390 bytes reach it too, or
    200,000 of 330 that share no requests."""

    control: Annotated[ByteSize, Field(ge=64 * 1024)] = 64 * 1024**2
    """Bytes of campaigns in `topics.control`. What is too much is paused: what was left out might say stop."""


class Events(Section):
    """What is taken for an event."""

    bytes: Annotated[ByteSize, Field(ge=1024, le=16 * 1024**2)] = 1024**2
    """The largest event, decompressed: value, key and headers. A larger one ends `invalid`; its value is not kept.
    64KiB is far more than a text message needs, and bounds the memory a hostile one takes."""

    undecodable: Literal["skip", "stop"] = "skip"
    """A record batch that cannot be decoded (checksum, compression): `skip` ends each of its events `invalid` and goes
    on; `stop` ends the worker before it (exit code 78), for a person to look."""

    unknown_fields: Literal["ignore", "report", "invalid"] = "report"
    """A field that no message has, as a mistyped `expire_at`: `report` says it once in the log, counts it in
    `sms_connector_unknown_fields`, and sends the message without it; `invalid` ends the event `invalid`, unsent;
    `ignore` says nothing."""


class Timeouts(Section):
    """Deadlines. Several depend on each other; the start-up says which one to change."""

    session: Duration = 12.0
    """A worker that is silent for so long has died: its partitions go to others. Until then the group waits for it. One
    that has heard nothing from its group for half of it sends and writes nothing."""

    heartbeat: Duration = 3.0
    """Between heartbeats; at most a third of `session`."""

    rebalance: Duration = 60.0
    """How long the group waits in a rebalance for a worker to finish what is in flight."""

    drain: Duration = 40.0
    """How long a worker waits for its requests in flight at a rebalance or stop; at least 10s less than `rebalance`."""

    http_total: Duration = 30.0
    """One HTTP request, where its definition says nothing; at least 5s less than `drain`."""

    broker_request: Duration = 45.0
    """One request to a broker; not less than `session`."""

    producer: Duration = 300.0
    """How long results wait for a broker that is away before they are queued again. Short values crash in outages."""

    refused: Duration = 120.0
    """How long a missing permission (to write, to read, on the group), or a topic that is gone, is waited for while a
    worker runs, as brokers hear of both late. Where results are refused nothing is sent meanwhile. Then the worker ends
    (exit code 78). At least 5s less than `stuck`."""

    commit_interval: Duration = 1.0
    """Between offset commits."""

    stuck: Duration = 180.0
    """A worker without progress for so long ends itself (exit code 71); more than `rebalance` + `drain`."""


# ---- the rest -------------------------------------------------------------------------------------------------------


class Log(Section):
    """Logs go to standard error."""

    format: Literal["auto", "human", "json"] = "auto"
    """`auto`: for people on a terminal, JSON lines elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe level that is written."""


class Tracing(Section):
    """OpenTelemetry; needs the extra `otel`. Where spans go, and which, is said by OpenTelemetry's own variables:
    `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`.
    """

    enabled: bool = False
    """A span per request to a provider. The event's header `traceparent` is its parent where the message is alone in
    its request, else one of its links; the result carries the same header."""

    propagate: bool = False
    """Requests to providers carry `traceparent`. Needs `enabled`."""


class Health(Section):
    """Health, metrics and status over HTTP. Before 0.2 its name was `console`, which is read with a warning."""

    host: str = "127.0.0.1"
    """Address to listen on. The pages show no numbers and no texts, but have no login: think before 0.0.0.0."""

    port: Annotated[int, Field(ge=0, le=65535)] | None = 8080
    """Port; 0 takes a free one, null serves nothing."""


def _start_from(value: Any) -> Any:
    if value is None or value in {"earliest", "latest"}:
        return value
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise UnitError(
            "neither earliest, latest nor a time", "write earliest, latest, or a time as 2025-01-31T08:00:00Z"
        ) from None
    if instant.tzinfo is None:
        raise UnitError("a time without a zone", "add Z or an offset, as in 2025-01-31T08:00:00+05:30")
    return instant.astimezone(UTC)


def _write_start_from(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


StartFrom = Annotated[
    Literal["earliest", "latest"] | datetime | None,
    BeforeValidator(_start_from),
    PlainSerializer(_write_start_from),
    WithJsonSchema(
        {"anyOf": [{"enum": ["earliest", "latest"]}, {"type": "string", "format": "date-time"}, {"type": "null"}]}
    ),
]


class Settings(Section):
    """Everything that can be set. Every value has a default, but `start_from` is asked for where it matters."""

    kafka: KafkaSettings = KafkaSettings()
    """How to reach the cluster, under the names Kafka users know."""

    group: Annotated[str, Field(min_length=1, max_length=249)] = "sms-connector"
    """Consumer group. Workers of one group share the partitions; a new name starts from `start_from`."""

    topics: Topics = Topics()
    """Names of the topics."""

    registry: Registry = Registry()
    """The schema registry."""

    providers: tuple[str, ...] = ()
    """Provider definitions: files, folders, or names of the built-in catalogue."""

    routes: tuple[RouteEntry, ...] = ()
    """Provider of messages that name none, nor does their campaign: `[{prefix: "+91", use: msg91}, {weight: 70, use:
    a}, {weight: 30, use: b}]`. The first that fits decides; by weight, a message's id does, so that it always goes the
    same way."""

    start_from: StartFrom = None
    """Where to begin where the group has committed nothing: `earliest`, `latest` or a time. No default: an old event
    sent by mistake is a real SMS."""

    max_age: Duration | None = 86400.0
    """Events older than this (by their Kafka timestamp) end `expired`; null keeps them."""

    delivery: Literal["live", "dry-run"] = "live"
    """`dry-run` does everything but the HTTP request; its results say so."""

    recipients: Recipients = Recipients()
    """Who may be texted."""

    results: Results = Results()
    """What a result says about the recipient."""

    duplicates: Duplicates = Duplicates()
    """Events that repeat an earlier one."""

    events: Events = Events()
    """What is taken for an event."""

    memory: Memory = Memory()
    """How much one worker holds."""

    span: Annotated[int, Field(ge=1000, le=10_000_000)] = 100_000
    """Offsets of one partition between the oldest open event and the newest admitted one. Costs a bit each, and bounds
    what a restart reads."""

    wait: Duration = 1.0
    """How long a window may collect messages once its partitions are caught up. A bound, not a duty: an idle provider
    is used at once."""

    wait_max: Duration = 5.0
    """After this a window goes before fuller ones, so that small campaigns do not starve."""

    park_max: Annotated[Duration, Field(gt=0)] = 300.0
    """Longest stay in a retry topic before a held-up provider is looked at again. Not for `hours` and `defer`."""

    unknown_grace: Duration = 600.0
    """How long an event waits for a provider that no definition names, before it ends `invalid`. It is looked at anew a
    tier later each time, so it may wait a tier longer."""

    timeouts: Timeouts = Timeouts()
    """Deadlines."""

    static_membership: Annotated[str, Field(min_length=1, max_length=249)] | None = None
    """Instance id of this worker (`${HOSTNAME}` in a StatefulSet): a restart within `timeouts.session` causes no
    rebalance. Each worker needs its own: of two with one id the older one is fenced and ends with exit code 78."""

    log: Log = Log()
    """Logs."""

    health: Health = Health()
    """Health, metrics and status."""

    tracing: Tracing = Tracing()
    """OpenTelemetry."""

    receive: Receive = Receive()
    """Callbacks of providers."""

    receipts: ReceiptSettings = ReceiptSettings()
    """States of messages, from those callbacks."""

    inbound: InboundSettings = InboundSettings()
    """What people answer."""

    suppressions: Suppressions = Suppressions()
    """Who must not be texted."""

    web: Web = Web()
    """The console."""

    def secrets(self) -> list[str]:
        """The values that nothing may show."""
        hidden = (
            self.kafka.sasl_password,
            self.kafka.sasl_oauthbearer_client_secret,
            self.kafka.ssl_key_password,
            self.registry.password,
            self.registry.token,
            self.results.salt,
            self.web.session_key,
            self.web.proxy.secret,
            *self.receive.keys,
            *self.receive.url_keys,
            *self.receive.index_keys,
        )
        return [value.get_secret_value() for value in hidden if value is not None]
