"""One receiver: the server, what it writes with, and what it looks after. `run_receiver` runs it to its end.

It serves from the first moment: whoever calls before Kafka is reached is answered 503, and calls again.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from aiokafka.errors import KafkaError

from connector import logs
from connector.clock import Clock, SystemClock
from connector.definition.tree import Definition
from connector.errors import ConfigurationError, ConnectorError, Problem, TopicError
from connector.kafka import clients
from connector.kafka.renewed_producer import RenewedProducer
from connector.receipts.readers import receipt_keys, receipt_readers
from connector.receive.attempts import Attempts
from connector.receive.callback_routing import Routing
from connector.receive.callback_server import CallbackServer
from connector.receive.fetching import Fetch, HttpsFetch, SharedFetch
from connector.receive.group_commit import GroupCommit
from connector.receive.handler import Handler
from connector.receive.placing import Placing
from connector.receive.receiver_status import ReceiverStatus
from connector.receive.tls import server_certificate
from connector.receive.topic_check import KnownTopics, known_topics
from connector.settings.model import Settings

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 1.0
"""How often Kafka is asked while it is away at the start."""
LOOK_SECONDS = 10.0
"""How often certificates and topics are looked at."""
STOP_GRACE_SECONDS = 2.0
"""Beyond what a callback may take: for answers on their way."""
CLOSE_SECONDS = 5.0
"""A producer waits for ever for a broker that is away."""


class Signals(Protocol):
    """Signals of this process; `StopSignals` (connector/stream/shutdown/stop_signals.py) is one."""

    def tell(self, tell: Callable[[signal.Signals], object] | None) -> None:
        """From now on `tell` is called when one comes; at once where one has come."""


class Reloading(Protocol):
    """Loads definitions again when their files change; `Reload` (connector/stream/control/reload.py) is one."""

    def ask(self) -> None:
        """Load them now."""

    async def run(self) -> None:
        """Watch, for ever."""


class ReceiverAttendant(Protocol):
    """Runs beside the receiver on its loop: health and metrics."""

    async def start(self, status: Callable[[], ReceiverStatus]) -> None:
        """Begin; before Kafka is reached."""

    async def stop(self) -> None:
        """End; after the last answer."""


class Receiver:
    """Takes callbacks until it is stopped. Made, started and stopped on one loop.

    Args:
        place: where callbacks come to, bound by the caller, so that a port in use is told of before anything else.
        fetch: gets certificates and follows handshakes; by default over the network.

    Attributes:
        definitions: in use.

    Raises:
        ConfigurationError: with everything that has to be mended.
    """

    def __init__(
        self,
        settings: Settings,
        definitions: Mapping[str, Definition],
        *,
        place: socket.socket,
        clock: Clock | None = None,
        fetch: Fetch | None = None,
    ) -> None:
        clock = clock or SystemClock()
        receive = settings.receive
        self.definitions = definitions
        self._settings = settings
        self._clock = clock
        attempt = Attempts()
        keys = attempt(lambda: receipt_keys(settings))
        readers = None if keys is None else attempt(lambda: receipt_readers(definitions, settings, keys))
        self._certificate = attempt(lambda: server_certificate(receive))
        attempt.end()
        assert keys is not None
        assert readers is not None
        self._keys = keys
        self._unused: Sequence[str] = ()
        self._topics: KnownTopics | None = None
        self._https = HttpsFetch()
        self._fetch = SharedFetch(fetch or self._https)
        self._producer = RenewedProducer(self._make_producer)
        self._group = GroupCommit(self._producer, most=receive.bytes, clock=clock)
        self._handler = Handler(group=self._group, receive=receive, fetch=self._fetch, clock=clock)
        self._use(readers)
        self._server = CallbackServer(
            place,
            self._handler,
            routing=Routing(receive.url or "", self._keys),
            receive=receive,
            clock=clock,
            tls=None if self._certificate is None else self._certificate.context,
        )

    @property
    def status(self) -> ReceiverStatus:
        """What it is doing."""
        receive, group = self._settings.receive, self._group
        return ReceiverStatus(
            counts=self._handler.counts,
            reason=self._reason(),
            waiting=self._handler.waiting,
            waiting_limit=receive.waiting,
            bytes=max(group.bytes, self._server.bytes),
            bytes_limit=receive.bytes,
            connections=self._server.connections,
            unacknowledged_for=group.unacknowledged_for,
            definitions=sorted(self._handler.readers),
            unused=self._unused,
        )

    def define(self, definitions: Mapping[str, Definition]) -> None:
        """Use these from now on. Raises DefinitionError where it cannot; nothing has changed then."""
        self._use(receipt_readers(definitions, self._settings, self._keys))
        self.definitions = definitions

    def note_unused(self, places: Sequence[str]) -> None:
        """What is on disk is not in use, because of problems at these places; none: it is."""
        self._unused = places

    async def run(self) -> None:
        """Serve until cancelled, and then until what is under way is answered.

        Raises:
            TopicError: the topics do not fit, now or after they were changed.
        """
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(self._https)
            stack.push_async_callback(self._fetch.close)
            stack.push_async_callback(self._close_producer)
            stack.push_async_callback(self._group.close)
            await self._server.start()
            stack.push_async_callback(self._stop)
            receive = self._settings.receive
            log.info("receiver started", listen=receive.listen, tls=self._certificate is not None)
            self._topics = await self._reached()
            self._handler.open(Placing(self._settings.topics, self._topics, self._handler.counts))
            log.info("callbacks are taken", definitions=sorted(self._handler.readers))
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if self._certificate is not None:
                    await asyncio.to_thread(self._certificate.look)
                await self._check_partitions(self._topics)

    async def _stop(self) -> None:
        log.info("stopping: no more callbacks are taken", under_way=self._handler.waiting)
        await self._server.stop(self._settings.receive.timeout + STOP_GRACE_SECONDS)

    async def _close_producer(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._producer.stop()

    async def _reached(self) -> KnownTopics:
        """The topics, and a producer that is connected, however long the brokers are away. Raises TopicError."""
        told = ""
        while True:
            try:
                self._topics = await known_topics(self._settings)
                await self._producer.start()
            except ConfigurationError:
                raise
            except (ConnectorError, KafkaError, OSError) as error:
                if told != (told := str(error)):
                    log.warning("Kafka cannot be used; callbacks are answered 503 until it can", why=told)
            else:
                return self._topics
            await asyncio.sleep(AGAIN_SECONDS)

    async def _check_partitions(self, known: KnownTopics) -> None:
        """Raises TopicError where a topic has another number of partitions than the one it is written with."""
        with suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                now = {topic: await self._producer.partitions(topic) for topic in known.partitions}
            changed = {topic: number for topic, number in now.items() if number not in (0, known.partitions[topic])}
            if changed:
                remedy = "give the topics of receipts one number, then start all receivers and `receipts run` again"
                message = "it has {} partitions now, and had {} when this receiver started"
                raise TopicError(
                    Problem(message.format(number, known.partitions[topic]), remedy, path=topic)
                    for topic, number in changed.items()
                )

    def _use(self, readers: Mapping[str, Any]) -> None:
        """Take callbacks with these; no log line shows their secrets."""
        logs.SECRETS.add([self._keys.url_secrets.of(name) for name in readers])
        self._handler.use(readers)

    def _reason(self) -> str:
        if self._server.stopping:
            return "the receiver is stopping"
        if self._topics is None:
            return "Kafka has not been reached"
        if self._group.failing or self._group.unacknowledged_for >= self._settings.receive.timeout:
            return "Kafka does not acknowledge callbacks: they are answered 503"
        return ""

    def _make_producer(self) -> AIOKafkaProducer:
        return clients.producer(self._settings, limits=None if self._topics is None else self._topics.limits)


def run_receiver(
    receiver: Receiver,
    *,
    signals: Signals,
    attendants: Sequence[ReceiverAttendant] = (),
    reload: Reloading | None = None,
) -> int:
    """Run one receiver until a signal comes; returns the exit code. 0: what was under way is answered.

    Raises:
        ConfigurationError: the topics do not fit.
    """
    return asyncio.run(_attended(receiver, signals, attendants, reload))


async def _attended(
    receiver: Receiver, signals: Signals, attendants: Sequence[ReceiverAttendant], reload: Reloading | None
) -> int:
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(receiver.run())
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        running.cancel()

    watching = None if reload is None else asyncio.create_task(reload.run())
    if reload is not None:
        loop.add_signal_handler(signal.SIGHUP, reload.ask)
    try:
        for attendant in attendants:
            await attendant.start(lambda: receiver.status)
        signals.tell(lambda _: loop.call_soon_threadsafe(stop))
        await asyncio.wait((running,))
    finally:
        signals.tell(None)
        running.cancel()
        if watching is not None:
            watching.cancel()
        for attendant in attendants:
            await attendant.stop()
    if running.cancelled() and stopped:
        log.info("receiver stopped")
        return 0
    running.result()
    return 1
