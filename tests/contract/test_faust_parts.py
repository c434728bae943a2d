"""Parts of Faust and mode that connector/stream relies on and that need no broker to be looked at."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import signal
from collections import defaultdict
from types import SimpleNamespace
from typing import Any, cast

import faust
import faust.streams
import faust.transport.utils
import mode
import pytest
from faust.sensors.monitor import Monitor
from faust.tables.manager import TableManager
from faust.transport.consumer import Consumer as FaustConsumer
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP
from mode.threads import QueueServiceThread, ServiceThread

from connector.kafka.fetched import Fetched
from connector.stream.faust.app import Chunk, ChunkScheduler, NoSampling
from connector.stream.faust.consumer import ChunkConsumer
from connector.stream.faust.direct_thread import DirectThread
from connector.stream.faust.quiet_thread import QuietThread
from connector.stream.faust.subscription import NoTables, RegisteringConductor


def test_the_compiled_stream_is_loaded() -> None:
    """The pure Python one acknowledges events it skips."""
    assert faust.streams._CStreamIterator is not None


def test_the_consumer_asks_its_scheduler_for_the_order_of_records() -> None:
    """transport/consumer.py: `self.app.conf.ConsumerScheduler()`, then `.iterate({tp: [record, …]})`."""
    strategy = faust.transport.utils.DefaultSchedulingStrategy()
    records = {TP("t", 0): ["a", "b"], TP("t", 1): ["c"]}
    assert sorted(strategy.iterate(records)) == [(TP("t", 0), "a"), (TP("t", 0), "b"), (TP("t", 1), "c")]


def test_a_chunk_has_every_attribute_faust_reads_of_a_record() -> None:
    """transport/drivers/aiokafka.py `_to_message` reads them one by one."""
    fetched = Fetched(41)
    fetched.append(SimpleNamespace(key=None, value=b"an event", headers=()))
    fetched.end = 43  # one that was aborted
    chunks = list(ChunkScheduler().iterate({TP("t", 3): fetched}))
    assert [tp for tp, _ in chunks] == [TP("t", 3)]
    consumer = SimpleNamespace(app=SimpleNamespace(consumer_generation_id=7))
    message = Consumer._to_message(consumer, *chunks[0])
    assert isinstance(chunks[0][1], Chunk)
    assert (message.topic, message.partition, message.offset, message.timestamp) == ("t", 3, 42, 0.0)
    assert (message.value, message.generation_id) == ([(3, fetched)], 7)


class StartedManager(TableManager):
    """Writes down what its start does."""

    def __init__(self, app: faust.App) -> None:
        super().__init__(app)
        self.seen: list[object] = []
        self._recovery = SimpleNamespace(start=functools.partial(self.note, "recovery"))

    async def note(self, what: object) -> None:
        self.seen.append(what)

    sleep = note

    async def _update_channels(self) -> None:
        await self.note("channels")


async def test_faust_sleeps_for_a_second_before_the_app_may_subscribe() -> None:
    """tables/manager.py `on_start`: then `_update_channels`, which lets it, and the recovery."""
    manager = StartedManager(faust.App("tables", store="memory://"))
    await manager.on_start()
    assert manager.seen == [1.0, "channels", "recovery"]


async def test_the_app_subscribes_when_every_agent_has_registered_its_topic() -> None:
    """topics.py `Topic.__aiter__` adds it to `app.topics`, when the agent's own task begins; an agent's `channel` is
    its topic. One that registers after the subscription is heard of 45 seconds later.
    """

    class Manager(NoTables, StartedManager):
        """Ours."""

    app = faust.App("tables", store="memory://")
    app.transport.Conductor = RegisteringConductor
    first, second = app.topic("first"), app.topic("second")
    for topic in (first, second):
        app.agent(topic, name=topic.get_topic_name())(lambda stream: stream)
    manager = Manager(app)
    starting = asyncio.create_task(manager.on_start())
    aiter(first)
    for _ in range(5):
        await asyncio.sleep(0)
    assert manager.seen == []
    aiter(second)
    await starting
    assert manager.seen == ["channels", "recovery"]


def test_modes_threads_and_fausts_statistics_tick() -> None:
    """mode/threads.py `_keepalive2` and `_thread_keepalive`, sensors/monitor.py `_sampler`: these go without."""
    for theirs, ours, name in (
        (ServiceThread, DirectThread, "_thread_keepalive"),
        (Monitor, NoSampling, "_sampler"),
    ):
        assert isinstance(getattr(theirs, name), mode.services.ServiceTask)
        assert isinstance(getattr(ours, name), mode.services.ServiceTask)
    assert inspect.iscoroutinefunction(ServiceThread._keepalive2)
    assert inspect.iscoroutinefunction(QueueServiceThread.call_thread)


async def test_faust_has_its_consumer_hand_on_what_was_fetched_until_the_fetcher_is_stopped() -> None:
    """transport/consumer.py `Fetcher._fetcher` awaits `_drain_messages`: it takes `getmany`, and hands each message
    whose offset is not below `_read_offset` to `callback`.
    """
    handed: list[Any] = []
    fetcher = SimpleNamespace(should_stop=False)

    class Stopping:
        """A consumer whose third message is the last one."""

        should_stop, consumer_stopped_errors = False, (OSError,)
        app = SimpleNamespace(should_stop=False, flow_control=SimpleNamespace(is_active=lambda: True))

        def __init__(self) -> None:
            self._read_offset = defaultdict(lambda: None, {TP("t", 1): 5})

        async def getmany(self, _: float) -> Any:
            for tp, offset in ((TP("t", 0), 3), (TP("t", 1), 4), (TP("t", 1), 5)):
                yield tp, SimpleNamespace(tp=tp, offset=offset)
            fetcher.should_stop = True

        async def callback(self, message: Any) -> None:
            handed.append((message.tp, message.offset))

        _hand_on = ChunkConsumer._hand_on

    consumer = Stopping()
    await ChunkConsumer._drain_messages(cast(Any, consumer), fetcher)
    assert handed == [(TP("t", 0), 3), (TP("t", 1), 5)], "what was rewound meanwhile is not handed on twice"
    assert consumer._read_offset == {TP("t", 0): 3, TP("t", 1): 5}
    parameters = inspect.signature(FaustConsumer._drain_messages).parameters
    assert list(parameters) == ["self", "fetcher"]
    source = inspect.getsource(FaustConsumer._drain_messages)
    assert all(name in source for name in ("getmany", "_read_offset", "callback", "suspend_flow"))


class Quiet(mode.Service):
    """A service that runs until it is stopped."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_our_signal_handler_replaces_modes_and_may_call_it_later(number: signal.Signals) -> None:
    """mode.Worker installs its handlers before it starts its services; `_schedule_shutdown` is what they call."""
    loop = asyncio.get_running_loop()
    worker = mode.Worker(Quiet(), loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)
    seen: asyncio.Queue[signal.Signals] = asyncio.Queue()
    await worker.default_on_first_start()
    try:
        loop.add_signal_handler(number, seen.put_nowait, number)
        signal.raise_signal(number)
        assert await seen.get() == number
        assert not worker.should_stop
        worker._schedule_shutdown(number)
        assert worker._signal_stop_future is not None
        await worker._signal_stop_future
        assert worker.should_stop
    finally:
        for installed in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            loop.remove_signal_handler(installed)


class Crashing(ServiceThread):
    """Fails as it starts, on its thread."""

    async def on_start(self) -> None:
        raise OSError("no address")


class CrashingQuietly(QuietThread, Crashing):
    """Ours."""


async def crash(kind: type[ServiceThread]) -> ServiceThread:
    """One whose thread has come to its end."""
    service = kind()
    with contextlib.suppress(OSError):  # where it has not crashed before mode looks
        await service.start()
    assert service._thread is not None
    await asyncio.to_thread(service._thread.join)
    return service


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_thread_of_mode_that_crashed_writes_past_the_log_and_cannot_be_stopped(capfd) -> None:
    """threads.py `on_crash` prints, `_start_thread` raises on its thread, `_stopped_set` asks a loop that is closed."""
    service = await crash(Crashing)
    assert "Traceback" in capfd.readouterr().err
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        await service.stop()


async def test_one_of_ours_crashes_into_the_log_only_and_stops_in_order(capfd) -> None:
    service = await crash(CrashingQuietly)
    await service.stop()
    assert isinstance(service.crash_reason, OSError)
    assert service._shutdown.is_set()
    assert capfd.readouterr().err == ""
