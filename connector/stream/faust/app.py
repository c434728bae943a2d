"""The Faust app: membership, fetching and life cycle. Nothing of Faust's per-event path or acknowledgement is used.

Faust hands every record to its agents by itself (about 100 µs each) and its acknowledgement bookkeeping can commit past
an unfinished event. Here its scheduler yields one whole fetched batch per partition, the topic has acks off, and the
ledger decides what is committed. Each private name this relies on has a test in tests/contract.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import faust
import mode
from faust.auth import OAuthCredentials
from faust.sensors.monitor import Monitor
from faust.transport.utils import DefaultSchedulingStrategy
from faust.types import TP

from connector.kafka.clients import Connection
from connector.kafka.fetch_pacing import FEW_RECORDS
from connector.kafka.fetched import Fetched, ReadOptions
from connector.kafka.record_batch import Unreadable, size_of
from connector.kafka.skipped import Skipped
from connector.settings.model import Settings
from connector.stream.faust.chunk import ChunkSink
from connector.stream.faust.consumer import ChunkTransport
from connector.stream.faust.subscription import NoTables
from connector.stream.membership.group_answers import Membership

# Chunks waiting between Faust's fetcher and an agent: from the first number on a partition that brings one is left out
# by the fetcher, and taken up again below the second. What they hold is memory that nobody counts.
BUFFERED_CHUNKS, RESUME_CHUNKS = 8, 4
# Where Faust would make the fetcher itself wait, and with it every other topic. Never reached: after the first number
# above each partition brings one chunk more.
FULL_CHUNKS = 100_000
# Records per fetch over all partitions: bounds what lies in the buffers above.
POLL_RECORDS = 2_000
# Bytes a partition may bring with one fetch: about that many events, as what is fetched ahead of them is memory that
# nobody counts. A record batch that is larger comes alone and whole (KIP-74).
FETCH_BYTES = 400_000
# A chunk of several partitions holds no more, so that the buffers above hold a few megabytes of such at most.
TOGETHER_BYTES = 64 * 1024
# Heartbeats detect a dead process and the watchdog a stuck one; leaving the group because the providers are slow helps
# nobody, and aiokafka does not come back from it.
MAX_POLL_INTERVAL_SECONDS = 86_400.0
NEVER_SECONDS = 10 * 365 * 86_400.0

# How long partitions that are added to a source may go unnoticed by the group's leader (aiokafka: five minutes).
METADATA_SECONDS = 60


class Chunk:
    """What was fetched of partitions of one topic, dressed as one record of the first; `value` holds the records.

    There may be none: what was aborted, and markers of transactions, move on where reading goes on.
    """

    __slots__ = (
        "checksum",
        "headers",
        "key",
        "offset",
        "partition",
        "serialized_key_size",
        "serialized_value_size",
        "timestamp",
        "timestamp_type",
        "topic",
        "value",
    )

    def __init__(self, topic: str, parts: Sequence[tuple[int, Fetched]]) -> None:
        first, records = parts[0]
        self.topic, self.partition = topic, first
        self.offset = records.end - 1
        self.timestamp = 0
        self.value = parts
        self.timestamp_type = self.serialized_key_size = self.serialized_value_size = 0
        self.headers: tuple[()] = ()
        self.key = None
        self.checksum = None


class ChunkScheduler(DefaultSchedulingStrategy):
    """Yields each partition's fetched records at once instead of one by one, and a topic's where a fetch brought few:
    Faust's path takes as long for a chunk as for an event.
    """

    def iterate(self, records: Mapping[TP, Any]) -> Iterator[tuple[TP, Chunk]]:
        topics: defaultdict[str, list[tuple[int, Fetched]]] = defaultdict(list)
        for tp, fetched in records.items():
            topics[tp.topic].append((tp.partition, fetched))
        few = _are_few(records.values())
        for topic, parts in topics.items():
            for together in [parts] if few else [[part] for part in parts]:
                yield TP(topic, together[0][0]), Chunk(topic, together)


def _are_few(fetched: Collection[Fetched]) -> bool:
    """Whether all of them may lie in the buffer of one partition, which counts chunks and not what they hold."""
    if sum(map(len, fetched)) >= FEW_RECORDS:
        return False
    records = list(chain.from_iterable(fetched))
    if any(isinstance(record, Unreadable) for record in records):
        return False
    return sum([size_of(record.key, record.value, record.headers) for record in records]) <= TOGETHER_BYTES


class PassThrough(faust.Schema):  # type: ignore[type-arg]
    """Faust never decodes: an event it cannot read would be acknowledged and gone."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        return message.key

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        return message.value


class NoSampling(Monitor):
    """Faust's statistics, without the median of them that it takes each second; nobody looks at it."""

    @mode.Service.task
    async def _sampler(self) -> None:
        """No tick."""


class BufferingApp(faust.App):
    """Agents' buffers that fill per partition and never stop the fetcher, which all topics share."""

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> Any:  # noqa: N802
        queue = super().FlowControlQueue(maxsize, clear_on_resume=clear_on_resume)
        # Faust computes these from the size; they are cached, so that setting them is enough.
        queue.__dict__.update(pressure_high_size=BUFFERED_CHUNKS, pressure_drop_size=RESUME_CHUNKS)
        return queue


def create_app(
    settings: Settings, connection: Connection, *, skipped: Skipped, membership: Membership, most: int | None = None
) -> faust.App:
    """The app, configured by arguments only; the largest record it reads has `most` bytes, else those of an event.

    Faust lets unprefixed environment variables (BROKER_URL, WEB_PORT, CONSUMER_AUTO_OFFSET_RESET, …) beat its
    arguments; `env={}` gives it an environment without any.
    """
    timeouts = settings.timeouts
    app = BufferingApp(
        settings.group,
        env={},
        broker=[f"kafka://{host}" for host in connection.servers],
        broker_credentials=_credentials(connection),
        broker_client_id=connection.client_id,
        datadir=tempfile.mkdtemp(prefix="sms-connector-"),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=0,
        stream_wait_empty=False,
        stream_buffer_maxsize=FULL_CHUNKS,
        cython_optimizations=True,
        agent_supervisor=mode.CrashingSupervisor,
        TableManager=NoTables,
        ConsumerScheduler=ChunkScheduler,
        Monitor=NoSampling,
        # Faust has nothing to commit; it would look every 3 s, and after 7 whether each partition of ours moves on.
        broker_commit_interval=NEVER_SECONDS,
        # start_offset.py decides where to start; an offset out of range must stop us, not restart the topic.
        consumer_auto_offset_reset="none",
        consumer_group_instance_id=settings.static_membership,
        consumer_metadata_max_age_ms=METADATA_SECONDS * 1000,
        broker_max_poll_records=POLL_RECORDS,
        consumer_max_fetch_size=FETCH_BYTES,
        broker_max_poll_interval=MAX_POLL_INTERVAL_SECONDS,
        broker_session_timeout=timeouts.session,
        broker_heartbeat_interval=timeouts.heartbeat,
        broker_rebalance_timeout=timeouts.rebalance,
        broker_request_timeout=timeouts.broker_request,
        producer_request_timeout=timeouts.producer,
        worker_redirect_stdouts=False,
    )
    reading = ReadOptions(
        skipped, unreadable="stand", isolation="committed", raw=True, most=most or settings.events.bytes
    )
    app.transport = ChunkTransport(
        app.conf.broker_consumer, app, reading=reading, membership=membership, rack=connection.rack
    )
    return app


def _credentials(connection: Connection) -> Any:
    if connection.tokens is not None:
        return OAuthCredentials(oauth_cb=connection.tokens, ssl_context=connection.ssl_context)
    if connection.sasl_mechanism is not None:
        return faust.SASLCredentials(
            username=connection.username,
            password=connection.password,
            ssl_context=connection.ssl_context,
            mechanism=connection.sasl_mechanism,
        )
    if connection.ssl_context is not None:
        return faust.SSLCredentials(context=connection.ssl_context)
    return None


def attach_agents(app: faust.App, topics: Sequence[str], sink: ChunkSink) -> None:
    """An agent per topic hands each chunk to `sink`, so that a topic that waits for room holds up no other: Faust's
    fetcher passes over partitions whose buffer fills. An exception closes the epoch before Faust hears of it.
    """

    async def intake(stream: Any) -> None:
        async for event in stream.noack().events():
            try:
                await sink.admit(event.message)
            except Exception as error:
                await sink.failed(error)
                raise

    for number, topic in enumerate(topics):
        source = app.topic(topic, acks=False, schema=PassThrough())
        app.agent(source, name=f"intake-{number}")(intake)
